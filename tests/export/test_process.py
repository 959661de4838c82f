"""The TensorFlow process, on every backend."""

import keras
import pytest

from keras_hrnet.export.conversion import TFLiteOptions
from keras_hrnet.export.process import write_in_process


class Unregistered(keras.layers.Layer):
    """A layer that the process cannot know."""

    def call(self, x):
        return x


@pytest.mark.slow
def test_a_process_that_fails_is_told_with_its_last_lines(tmp_path):
    image = keras.Input((None, None, 3))
    network = keras.Model(image, Unregistered()(image), name="strange")
    with pytest.raises(RuntimeError, match=r"(?s)model 'strange' ended with status 1.*Could not .*Unregistered"):
        write_in_process("tflite", network, TFLiteOptions((16, 24)), tmp_path / "a.tflite")
    assert not list(tmp_path.iterdir())

"""The TensorFlow process: other tests export by it on the other backends."""

import keras
import numpy as np
import pytest

from keras_hrnet.export import export_tflite, run_tflite
from keras_hrnet.export.conversion import TFLiteOptions
from keras_hrnet.export.process import last_lines, write_in_process


@keras.saving.register_keras_serializable(package="test_process")
class Twice(keras.layers.Layer):
    """A layer that this module registers."""

    def call(self, x):
        return 2.0 * x


@pytest.mark.slow
@pytest.mark.once
def test_a_process_knows_layers_of_ones_own(tmp_path):
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.Sequential([Twice()])(image))
    write_in_process("tflite", network, TFLiteOptions((4, 5)), tmp_path / "a.tflite")
    assert [file.name for file in tmp_path.iterdir()] == ["a.tflite"]
    images = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(run_tflite(tmp_path / "a.tflite", images), 2.0 * images)


@pytest.mark.slow
@pytest.mark.once
def test_a_process_that_fails_is_told_with_its_last_lines(tmp_path):
    class Unregistered(keras.layers.Layer):
        def call(self, x):
            return x

    image = keras.Input((None, None, 3))
    network = keras.Model(image, Unregistered()(image), name="strange")
    with pytest.raises(RuntimeError, match=r"(?s)model 'strange' ended with status 1.*Could not .*Unregistered"):
        write_in_process("tflite", network, TFLiteOptions((16, 24)), tmp_path / "a.tflite")
    assert not list(tmp_path.iterdir())


def test_of_what_a_process_printed_the_last_lines_are_kept_and_long_ones_are_cut():
    # Keras prints the whole configuration of a model in one line.
    printed = "".join(f"line {i}\n" for i in range(40)) + f"config={'x' * 5000}\n\nError: the cause\n"
    lines = last_lines(printed).splitlines()
    assert lines[-4] == "line 39"
    assert lines[-3].startswith("config=xxx")
    assert lines[-3].endswith("x …")
    assert len(lines[-3]) == 300
    assert lines[-1] == "Error: the cause"
    assert len(lines) == 15


@pytest.mark.skipif(
    keras.config.backend() == "tensorflow",
    reason="TensorFlow exports in this process",
)
def test_layers_of_the_script_that_is_run_are_refused_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(Twice, "__module__", "__main__")
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.Sequential([Twice()])(image), name="mine")
    with pytest.raises(
        ValueError, match=r"'mine' with layers of Twice, defined in the running script.*Move them to a file"
    ):
        export_tflite(network, tmp_path / "a.tflite", image_size=(4, 5))

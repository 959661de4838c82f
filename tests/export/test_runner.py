"""Running a network on any number of images, whatever it takes at once."""

import keras
import numpy as np
import pytest

from keras_hrnet.export.runner import KerasRunner, Runner, known_size


class Doubling(Runner):
    """Takes three float32 images at once, and notes them."""

    dtype, batch_size = "float32", 3

    def __init__(self):
        self.seen = []

    def run(self, images):
        self.seen.append(images)
        return 2 * images


@pytest.mark.parametrize("number", [1, 3, 7])
def test_a_batch_is_filled_up_and_what_fills_it_is_dropped(number):
    images = np.random.default_rng(0).integers(0, 256, (number, 4, 5, 3), dtype=np.uint8)
    run = Doubling()
    np.testing.assert_array_equal(run(images), 2.0 * images)
    assert {(x.shape, x.dtype.name) for x in run.seen} == {((3, 4, 5, 3), "float32")}


@pytest.mark.parametrize("shape", [(None, None, 3), (3, 4, 5)])
def test_a_keras_model_answers_channels_last(shape):
    image = keras.Input(shape)
    run = KerasRunner(keras.Model(image, image + 1.0))
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(run(images), images + 1.0)
    assert run.image_size == (None if None in shape else (4, 5))


def test_a_size_is_known_if_both_lengths_are():
    assert known_size([4, 5]) == (4, 5)
    assert known_size([4, None]) is known_size(["height", "width"]) is None

"""Training on images of other than three channels, in a unit of their own."""

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.layers import Normalize


class Heights(keras.utils.PyDataset):
    """Two classes that the fourth channel, meters above the sea, tells apart."""

    def __init__(self, unit=1.0):
        super().__init__()
        self.images = np.random.default_rng(0).uniform(0, 3000, (2, 2, 32, 32, 4)).astype("float32") * unit
        self.labels = (self.images[..., 3] > 1500 * unit).astype("uint8")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], self.labels[index]


def network(**statistics):
    image = keras.Input((None, None, 4))
    x = Normalize(data_format="channels_last", **statistics)(image)
    last = keras.layers.Conv2D(2, 1, data_format="channels_last", kernel_initializer="zeros")
    return keras.Model(image, last(x), name="heights")


@pytest.mark.parametrize("unit", [1.0, 1e-4])
def test_a_network_trains_on_any_unit(unit, tmp_path):
    data = Heights(unit)
    model = network(mean=[1500 * unit] * 4, deviation=[900 * unit] * 4)
    keras_hrnet.train(model, data, data, epochs=1, run_dir=tmp_path, learning_rate=0.5, class_weights=None)
    assert keras_hrnet.evaluate(model, data).mean_iou > 0.8
    assert list((tmp_path / "tensorboard" / "validation").iterdir())


def test_pixels_are_still_expected_where_the_statistics_are_imagenets(tmp_path):
    image = keras.Input((None, None, 1))
    x = Normalize(data_format="channels_last")(image)
    model = keras.Model(image, keras.layers.Conv2D(2, 1, data_format="channels_last")(x))
    x = np.random.default_rng(0).uniform(0, 1, (1, 32, 32, 1)).astype("float32")
    data = [(x, (x[..., 0] > 0.5).astype("uint8"))]
    with pytest.raises(ValueError, match=r"images in `train` with .*\. Expected RGB in \[0, 255\]"):
        keras_hrnet.train(model, data, data, epochs=1, run_dir=tmp_path)

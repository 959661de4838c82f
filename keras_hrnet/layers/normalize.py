"""Normalisation of pixels, kept inside the network so that an exported file takes pixels."""

from typing import Any

import keras

from keras_hrnet.layers.data_format import Shape
from keras_hrnet.layers.map_layer import MapLayer

# HRNet-Semantic-Segmentation, lib/datasets/base_dataset.py: mean and std of ImageNet, there of pixels in [0, 1].
MEAN_RGB_255 = (0.485 * 255, 0.456 * 255, 0.406 * 255)
STD_RGB_255 = (0.229 * 255, 0.224 * 255, 0.225 * 255)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Normalize(MapLayer):
    """Normalises pixels as in training: subtracts ImageNet's mean and divides by its standard deviation.

    The arithmetic is float32 under every dtype policy: half precision holds a pixel, but not its fractions.

    Args:
        divides: whether to divide by the standard deviation. `optimize_for_inference` sets it to False, and divides
            the kernel of the next convolution instead.

    Call arguments:
        x: any dtype `(batch, height, width, 3)`, RGB in [0, 255].

    Returns:
        float `(batch, height, width, 3)`, about -2.2 to 2.7, of the layer's compute dtype; without the division, -124
        to 152.
    """

    def __init__(self, *, divides: bool = True, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.divides = divides

    def build(self, input_shape: Shape) -> None:
        pass

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        def of_channels(values: tuple[float, float, float]) -> keras.KerasTensor:
            shape = [1, 1, 1, 1]
            shape[self.channel_axis] = 3
            return keras.ops.reshape(keras.ops.convert_to_tensor(values, dtype="float32"), shape)

        x = keras.ops.cast(x, "float32") - of_channels(MEAN_RGB_255)
        if self.divides:
            x = x / of_channels(STD_RGB_255)
        return keras.ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

"""A 1x1 convolution of maps of several resolutions, with fewer multiplications, for inference."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.layers import in_place
from keras_hrnet.layers.convolution import Convolution
from keras_hrnet.layers.data_format import Shape, with_channels
from keras_hrnet.layers.resize import ResizingLayer, spatial_size


@keras.saving.register_keras_serializable(package="keras_hrnet")
class PyramidConvolution(ResizingLayer):
    """Convolves maps 1x1 as if they had been upsampled to the size of the first and concatenated.

    Upsampling and a 1x1 convolution commute, because the weights of an interpolation sum to one and are the same for
    all channels. Coarse maps are therefore convolved before they are upsampled, while they have fewer pixels, and the
    results are added. Because upsampling more channels also takes time, the finest maps, which benefit least, can be
    upsampled and concatenated first, as in training.

    Args:
        filters: channels of the result.
        num_joined: number of the finest maps that are upsampled and concatenated before the convolution, at least 1.
        interpolation, align_corners: as in `ResizingLayer`.
        activation: "relu", or None for none.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`.

    Returns:
        float `(batch, height_0, width_0, filters)`.

    Raises:
        ValueError: if `num_joined` is less than 1, or if the resize convention is not supported; see
            `check_convention`.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `HighResolutionNet.forward`, whose last lines this
    layer computes in another order.
    """

    def __init__(
        self,
        filters: int,
        num_joined: int = 1,
        interpolation: str = "bilinear",
        align_corners: bool = False,
        activation: str | None = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(interpolation, align_corners, **kwargs)
        if num_joined < 1:
            raise ValueError(
                f"`PyramidConvolution` received num_joined={num_joined}. Expected a whole number of at least 1: the "
                "first map is never upsampled. Pass 1."
            )
        self.filters = filters
        self.num_joined = num_joined
        self.activation = activation
        self.joined = self.make_convolution("joined", use_bias=True)
        # There is one convolution for each map that is not joined.
        self.convolutions = []
        self.activate = keras.activations.get(activation)

    def make_convolution(self, name: str, use_bias: bool) -> Convolution:
        return Convolution(self.filters, 1, use_bias=use_bias, name=name, **self.options)

    def build(self, input_shape: Sequence[Shape]) -> None:
        channels = sum(branch[self.channel_axis] for branch in input_shape[: self.num_joined])
        self.joined.build(with_channels(input_shape[0], channels, self.data_format))
        for i, branch in enumerate(input_shape[self.num_joined :], self.num_joined):
            convolution = self.make_convolution(f"branch_{i}", use_bias=False)
            convolution.build(branch)
            self.convolutions.append(convolution)

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        size = spatial_size(inputs[0], self.data_format)
        first = [inputs[0], *(self.resized(x, size) for x in inputs[1 : self.num_joined])]
        x = first[0] if len(first) == 1 else keras.ops.concatenate(first, axis=self.channel_axis)
        total = self.joined(x)
        # Each map is upsampled in one step, because doubling twice differs from upsampling by four.
        for convolution, x in zip(self.convolutions, inputs[self.num_joined :], strict=True):
            total = in_place.add(total, self.resized(convolution(x), size))
        return in_place.activate(total, self.activate)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return with_channels(input_shape[0], self.filters, self.data_format)

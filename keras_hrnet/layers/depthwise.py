"""Depthwise convolution, with a separate kernel for each channel, then batch normalization and an activation."""

from typing import Any

import keras

from keras_hrnet.layers.convolution import HeNormalFanOut, NormalizedConvolution, WithMargin


@keras.saving.register_keras_serializable(package="keras_hrnet")
class DepthwiseConvolution(WithMargin, keras.layers.DepthwiseConv2D):
    """Convolves each channel of a map separately, as Keras does, with symmetric padding.

    On PyTorch, a map whose channels are last in memory is convolved without a copy; see `Convolution`.

    Args:
        kernel_size: height and width of the kernel.
        margin: width of the zeros around the map, in pixels.
        **kwargs: further arguments of `keras.layers.DepthwiseConv2D`.

    Call arguments:
        inputs: float `(batch, height, width, channels)`.

    Returns:
        float `(batch, height, width, channels)`, where margin, padding and strides determine height and width.
    """

    def __init__(self, kernel_size: int | tuple[int, int], margin: int = 0, **kwargs: Any) -> None:
        super().__init__(kernel_size, **kwargs)
        self.margin = margin

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        if self.uses_torch_operation() and self.depth_multiplier == 1:
            return self.convolve_on_torch(inputs, (2, 3, 0, 1), inputs.shape[3])
        inputs = self.widened(inputs)
        if keras.config.backend() == "tensorflow" and self.data_format == "channels_first":
            return self.convolve_on_tensorflow(inputs, self.convolve_channels_last)
        return super().call(inputs)

    def convolve_channels_last(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        of_call = self.strides, self.padding, "channels_last", self.dilation_rate
        return keras.ops.depthwise_conv(inputs, self.kernel, *of_call)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class DepthwiseConvNorm(NormalizedConvolution):
    """Convolves each channel of a map separately, normalizes it over the batch, and applies an activation.

    Args:
        kernel_size, strides, activation, use_bias: as in `ConvNorm`.

    Call arguments:
        x: float `(batch, height, width, channels)`.

    Returns:
        float `(batch, ceil(height / strides), ceil(width / strides), channels)`.

    Example:

    >>> import numpy as np
    >>> from keras_hrnet.layers import DepthwiseConvNorm
    >>> tuple(DepthwiseConvNorm(3, strides=2, data_format="channels_last")(np.ones((1, 5, 6, 4), "float32")).shape)
    (1, 3, 3, 4)
    """

    def __init__(self, kernel_size: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(kernel_size, *args, **kwargs)
        initializer = HeNormalFanOut(depthwise=True)
        # This name marks the kernels that weight files of other code bases store transposed.
        options = {**self.convolution_options, "depthwise_initializer": initializer, "name": "depthwise"}
        self.conv = DepthwiseConvolution(**options)
        self.norm = self.make_norm()

"""Convolution, batch normalization and activation, of which the other layers consist."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import keras
import numpy as np

from keras_hrnet.layers import in_place, torch_gradient
from keras_hrnet.layers.data_format import Shape, spatial_axes
from keras_hrnet.layers.inside import call_inside
from keras_hrnet.layers.normalization import BatchNorm, normalize_together
from keras_hrnet.layers.together import ParallelLayer
from keras_hrnet.layers.weight_names import short_weight_names
from keras_hrnet.layers.without_values import is_without_values

if TYPE_CHECKING:
    import tensorflow as tf
    import torch

# Every published code base uses PyTorch's epsilon; Keras's momentum is one minus PyTorch's 0.1
# (HRNet-Semantic-Segmentation, branch HRNet-OCR, lib/models/seg_hrnet.py: BN_MOMENTUM).
NORM_EPSILON = 1e-5
NORM_MOMENTUM = 0.9


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HeNormalFanOut(keras.initializers.Initializer):
    """Draws the initial weights of a convolution from a normal distribution with variance 2 / fan-out.

    NumPy draws them, so the same seed produces the same weights on every backend. XLA would compile a kernel for each
    of the 70 shapes of HRNetW48, which takes longer than the rest of building the network.

    Args:
        seed: None for a seed that `keras.utils.set_random_seed` determines.
        depthwise: whether the kernels are of depthwise convolutions, `(height, width, channels, 1)`. For those, PyTorch
            uses a fan-out that is `channels` times too large, and so does this initializer.

    Reference: HRNet-Image-Classification, lib/models/cls_hrnet.py, `init_weights`.
    """

    def __init__(self, seed: int | None = None, depthwise: bool = False) -> None:
        self.seed = random.randint(1, 10**9) if seed is None else seed
        self.depthwise = depthwise

    def __call__(self, shape: tuple[int, int, int, int], dtype: str | None = None) -> keras.KerasTensor:
        height, width, channels, filters = shape
        filters = channels if self.depthwise else filters
        deviation = np.float32(math.sqrt(2 / (height * width * filters)))
        values = np.random.default_rng(self.seed).standard_normal(shape, dtype="float32")
        values *= deviation
        return keras.ops.convert_to_tensor(values, dtype=dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "depthwise": self.depthwise}


def classifier_initializer() -> keras.initializers.Initializer:
    """Returns the initializer of the convolutions that compute logits: uniform within 1 / sqrt(fan-in).

    With variance 2 / fan-out, a small number of classes would cause large logits and a large initial loss.

    Reference: HRNet-Semantic-Segmentation, branch HRNet-OCR, lib/models/seg_hrnet_ocr.py, `init_weights`, which keeps
    PyTorch's default initial values in the heads.
    """
    return keras.initializers.VarianceScaling(scale=1 / 3, mode="fan_in", distribution="uniform")


class WithMargin:
    """Adds to Keras's convolutions a border of zeros, `margin` pixels wide, and the backend's native operation."""

    def build(self, input_shape: Shape) -> None:
        with short_weight_names():
            super().build(input_shape)

    def uses_torch_operation(self) -> bool:
        # With a stride, Keras pads "same" more on one side than on the other, which PyTorch does not support.
        is_symmetric = self.padding == "valid" or (self.strides == (1, 1) and self.margin == 0)
        return keras.config.backend() == "torch" and self.data_format == "channels_last" and is_symmetric

    def widened(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        if self.margin == 0:
            return inputs
        padding = [(0, 0)] * 4
        for axis in spatial_axes(self.data_format):
            padding[axis] = (self.margin, self.margin)
        return keras.ops.pad(inputs, padding)

    def convolve_on_torch(self, inputs: torch.Tensor, kernel_axes: tuple[int, ...], groups: int) -> torch.Tensor:
        y = torch_gradient.conv2d(
            inputs.permute(0, 3, 1, 2),
            keras.ops.convert_to_tensor(self.kernel).permute(kernel_axes),
            keras.ops.convert_to_tensor(self.bias) if self.use_bias else None,
            stride=self.strides,
            padding=self.margin or self.padding,
            dilation=self.dilation_rate,
            groups=groups,
        )
        return in_place.activate(y.permute(0, 2, 3, 1), self.activation)

    def convolve_on_tensorflow(self, inputs: tf.Tensor, convolve: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        import tensorflow as tf

        # On a CPU, TensorFlow convolves maps with channels first only if it uses oneDNN. Keras 3.15 adds the bias of
        # such a map along its width, if the width equals the number of channels (`keras.ops.add`).
        is_channels_first = self.data_format == "channels_first"
        y = convolve(tf.transpose(inputs, (0, 2, 3, 1)) if is_channels_first else inputs)
        if self.use_bias:
            y = tf.nn.bias_add(y, self.bias.value)
        y = self.activation(y)
        return tf.transpose(y, (0, 3, 1, 2)) if is_channels_first else y

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = list(input_shape)
        for axis in spatial_axes(self.data_format):
            shape[axis] = None if shape[axis] is None else shape[axis] + 2 * self.margin
        return super().compute_output_shape(tuple(shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Convolution(WithMargin, keras.layers.Conv2D):
    """Convolves a map as Keras does, with symmetric padding, using the backend's native operation if that is faster.

    PyTorch convolves a map whose channels are last in memory without a copy. Keras would transpose the map to channels
    first, and PyTorch's fast kernels would transpose it back to channels last. TensorFlow pads during the convolution,
    without an intermediate padded map, except in bfloat16 on a CPU.

    Args:
        filters: channels of the result.
        kernel_size: height and width of the kernel.
        margin: width of the zeros around the map, in pixels.
        **kwargs: further arguments of `keras.layers.Conv2D`.

    Call arguments:
        inputs: float `(batch, height, width, channels)`.

    Returns:
        float `(batch, height, width, filters)`, where margin, padding and strides determine height and width.
    """

    def __init__(self, filters: int, kernel_size: int | tuple[int, int], margin: int = 0, **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, **kwargs)
        self.margin = margin

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        if self.uses_torch_operation() and not is_without_values():
            import torch

            # The values do not change, but are stored in the order in which PyTorch's kernels read them, so that they
            # are not copied at every call.
            kernel = self.kernel.value
            reordered = kernel.data.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
            kernel.data = reordered.permute(2, 3, 1, 0)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        if self.uses_torch_operation():
            return self.convolve_on_torch(inputs, (3, 2, 0, 1), self.groups)
        if keras.config.backend() == "tensorflow" and (self.margin or self.data_format == "channels_first"):
            return self.convolve_on_tensorflow(inputs, self.padded_convolution)
        return super().call(self.widened(inputs))

    def padded_convolution(self, inputs: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        padding, around = self.padding.upper(), [self.margin, self.margin]
        # On a CPU, oneDNN does not compute the gradients of a convolution with explicit padding. In float32, TensorFlow
        # is as fast without it; in bfloat16, a step of HRNetW18SmallV2 takes 1.83 s instead of 0.48 s.
        is_slow = inputs.dtype == tf.bfloat16 and not tf.config.list_logical_devices("GPU")
        if self.margin and padding == "VALID" and not is_slow:
            padding = [[0, 0], around, around, [0, 0]]
        elif self.margin:
            inputs = tf.pad(inputs, [[0, 0], around, around, [0, 0]])
        return tf.nn.conv2d(inputs, self.kernel.value, self.strides, padding, dilations=self.dilation_rate)


class NormalizedConvolution(ParallelLayer):
    """The base class of `ConvNorm` and `DepthwiseConvNorm`: normalization and activation after a convolution.

    A subclass creates `self.conv` with `self.convolution_options`, and then `self.norm` with `make_norm`. The arguments
    are those of `ConvNorm`, except `filters`.
    """

    def __init__(
        self,
        kernel_size: int,
        strides: int = 1,
        activation: str | None = "relu",
        use_bias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.strides = strides
        self.activation = activation
        self.use_bias = use_bias
        self.activate = keras.activations.get(activation)

    @property
    def convolution_options(self) -> dict[str, Any]:
        """The arguments of the convolution, except its filters, initializer and name."""
        return {
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": "same" if self.strides == 1 else "valid",
            "margin": 0 if self.strides == 1 else self.kernel_size // 2,
            "activation": self.activation if self.folded else None,
            "use_bias": self.use_bias or self.folded,
            **self.plain_options,
        }

    def make_norm(self) -> BatchNorm | None:
        if self.folded:
            return None
        options = {"momentum": NORM_MOMENTUM, "epsilon": NORM_EPSILON, "dtype": self.dtype_policy}
        return BatchNorm(axis=self.channel_axis, name="norm", **options)

    def build(self, input_shape: Shape) -> None:
        self.conv.build(input_shape)
        if self.norm is not None:
            self.norm.build(self.conv.compute_output_shape(input_shape))

    @classmethod
    def call_together(
        cls, layers: Sequence[Self], maps: Sequence[keras.KerasTensor], training: bool | None
    ) -> list[keras.KerasTensor]:
        maps = [call_inside(layer.conv, x) for layer, x in zip(layers, maps, strict=True)]
        if any(layer.folded for layer in layers):
            return maps
        maps = normalize_together([layer.norm for layer in layers], maps, training)
        return [in_place.activate(x, layer.activate) for layer, x in zip(layers, maps, strict=True)]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.conv.compute_output_shape(input_shape)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ConvNorm(NormalizedConvolution):
    """Convolves a map, normalizes it over the batch, and applies ReLU.

    A strided convolution pads both sides equally, as PyTorch does. Keras's "same" would pad only the far side of a map
    of even size, and thereby shift every map by a pixel.

    Args:
        filters: channels of the result.
        kernel_size: height and width of the kernel, odd.
        strides: step in both directions.
        activation: "relu", "gelu" or another activation of Keras; None for none.
        use_bias: whether the convolution adds a bias before the normalization, as some published heads do.

    Call arguments:
        x: float `(batch, height, width, channels)`.

    Returns:
        float `(batch, ceil(height / strides), ceil(width / strides), filters)`.

    Example:

    >>> import numpy as np
    >>> from keras_hrnet.layers import ConvNorm
    >>> tuple(ConvNorm(8, 3, strides=2, data_format="channels_last")(np.ones((1, 5, 6, 3), "float32")).shape)
    (1, 3, 3, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        activation: str | None = "relu",
        use_bias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_size, strides, activation, use_bias, **kwargs)
        self.filters = filters
        self.conv = Convolution(filters, kernel_initializer=HeNormalFanOut(), name="conv", **self.convolution_options)
        self.norm = self.make_norm()

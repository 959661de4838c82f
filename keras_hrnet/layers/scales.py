"""Layers for predictions at several scales: they resize the image, predict attention, and blend two scales."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.layers.convolution import ConvNorm, Convolution, HeNormalFanOut
from keras_hrnet.layers.data_format import Length, Shape, spatial_axes, with_channels, with_spatial_size
from keras_hrnet.layers.map_layer import FoldableLayer, MapLayer
from keras_hrnet.layers.resize import resize, spatial_size
from keras_hrnet.layers.sublayers import build_in_order


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Rescale(MapLayer):
    """Resizes an image by a factor with bilinear interpolation.

    Args:
        scale: the factor.
        align_corners: whether bilinear resizing aligns the centers of the corner pixels; see `resize`.

    Call arguments:
        x: any dtype `(batch, height, width, channels)`.

    Returns:
        float `(batch, floor(scale * height), floor(scale * width), channels)`, of the layer's compute dtype.

    Reference: NVIDIA/semantic-segmentation, network/mynn.py, `ResizeX`.
    """

    def __init__(self, scale: float, align_corners: bool = False, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.scale = float(scale)
        self.align_corners = align_corners
        if not self.scale > 0:
            raise ValueError(f"Received scale={scale}. Expected a number above 0. Pass 0.5 for half the size.")

    def build(self, input_shape: Shape) -> None:
        pass

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        size = tuple(self.scaled(length) for length in spatial_size(x, self.data_format))
        x = keras.ops.cast(x, self.compute_dtype)
        return resize(x, size, "bilinear", self.align_corners, self.data_format)

    def scaled(self, length: Length | None) -> Length | None:
        if length is None or isinstance(length, int):
            return None if length is None else int(length * self.scale)
        return keras.ops.cast(keras.ops.floor(keras.ops.cast(length, "float32") * self.scale), "int32")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        size = [self.scaled(input_shape[axis]) for axis in spatial_axes(self.data_format)]
        return with_spatial_size(input_shape, size, self.data_format)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ScaleAttention(FoldableLayer):
    """Predicts for each pixel the weight of this scale relative to the larger scales.

    Args:
        filters: channels of the two inner convolutions.

    Call arguments:
        x: float `(batch, height, width, channels)`, features of the image at this scale.

    Returns:
        float `(batch, height, width, 1)`, in [0, 1]: the same attention for all classes.

    Reference: NVIDIA/semantic-segmentation, network/utils.py, `make_attn_head`; config.py, `SEGATTN_BOT_CH` 256 and
    `MSCALE_INNER_3x3`.
    """

    def __init__(self, filters: int = 256, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.conv0 = ConvNorm(filters, 3, name="conv0", **self.options)
        self.conv1 = ConvNorm(filters, 3, name="conv1", **self.options)
        of_last = {"use_bias": False, "activation": "sigmoid", "kernel_initializer": HeNormalFanOut()}
        self.conv2 = Convolution(1, 1, **of_last, name="conv2", **self.plain_options)

    def build(self, input_shape: Shape) -> None:
        build_in_order((self.conv0, self.conv1, self.conv2), input_shape)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return self.conv2(self.conv1(self.conv0(x)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return with_channels(input_shape, 1, self.data_format)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ScaleBlend(MapLayer):
    """Blends the prediction at a scale with the prediction from the larger scales, pixel by pixel.

    The layer computes `attention * prediction + (1 - attention) * larger`. Above scale 1, `larger` is downsampled to
    the size of `prediction`; below scale 1, `attention * prediction` and `attention` are upsampled to the size of
    `larger`.

    Args:
        enlarge: whether this scale is below 1.
        align_corners: whether bilinear resizing aligns the centers of the corner pixels; see `resize`.

    Call arguments:
        inputs: a list of three tensors: float `(batch, larger_height, larger_width, num_classes)`, logits from the
            larger scales; `(batch, height, width, num_classes)`, logits at this scale; and `(batch, height, width, 1)`,
            attention in [0, 1].

    Returns:
        float logits, with the height and width of the first input if `enlarge`, otherwise of the second input.

    Reference: NVIDIA/semantic-segmentation, network/ocrnet.py, `MscaleOCR.nscale_forward`; Tao et al., "Hierarchical
    Multi-Scale Attention for Semantic Segmentation", 2020, section 3.1.
    """

    def __init__(self, enlarge: bool, align_corners: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.enlarge = enlarge
        self.align_corners = align_corners

    def build(self, input_shape: Sequence[Shape]) -> None:
        pass

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        larger, prediction, attention = inputs
        trusted = attention * prediction
        if self.enlarge:
            trusted, attention = (self.resized(x, larger) for x in (trusted, attention))
        else:
            larger = self.resized(larger, prediction)
        return trusted + (1 - attention) * larger

    def resized(self, x: keras.KerasTensor, reference: keras.KerasTensor) -> keras.KerasTensor:
        size = spatial_size(reference, self.data_format)
        return resize(x, size, "bilinear", self.align_corners, self.data_format)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return tuple(input_shape[0] if self.enlarge else input_shape[1])

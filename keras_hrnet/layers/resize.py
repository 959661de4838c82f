"""Resizing of maps: nearest, bilinear with half-pixel centers, or bilinear with aligned corners.

Keras 3.15 resizes only with half-pixel centers, and does not support sizes that are known only at run time. On
TensorFlow and PyTorch, resizing is one native operator (in TFLite, one RESIZE_* operator). On the other backends, it is
two products with small matrices, with which the tests compare TensorFlow and PyTorch.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_hrnet.layers.data_format import Length, Shape, Size, spatial_axes, with_channels, with_spatial_size
from keras_hrnet.layers.map_layer import MapLayer

INTERPOLATIONS = ("bilinear", "nearest")


def check_convention(interpolation: str, align_corners: bool) -> None:
    """Checks that a resize convention is supported; `resize` describes the arguments.

    Raises:
        ValueError: if `interpolation` is not "bilinear" or "nearest", or if it is "nearest" and `align_corners` is
            True.
    """
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"Received interpolation={interpolation!r}. Expected one of {INTERPOLATIONS}. Pass one of them."
        )
    if interpolation == "nearest" and align_corners:
        raise ValueError(
            "Received interpolation='nearest' with align_corners=True. Expected align_corners=False with nearest, "
            "because no published network combines them. Leave align_corners out, or pass interpolation='bilinear'."
        )


def spatial_size(x: keras.KerasTensor, data_format: str) -> Size:
    """Returns the (height, width) of a batch of maps."""
    shape = keras.ops.shape(x)
    return tuple(shape[axis] for axis in spatial_axes(data_format))


def resize(
    x: keras.KerasTensor,
    size: Size,
    interpolation: str = "bilinear",
    align_corners: bool = False,
    data_format: str = "channels_last",
) -> keras.KerasTensor:
    """Resizes a batch of maps.

    Args:
        x: float `(batch, height, width, channels)`, or channels first.
        size: (height, width) of the result; scalar tensors only on TensorFlow.
        interpolation: "bilinear" (two neighbors in each direction, no antialiasing) or "nearest" (index
            floor(i * source / target), as PyTorch's "nearest").
        align_corners: the positions at which bilinear interpolation samples: (i + 0.5) * source / target - 0.5 if
            False, and i * (source - 1) / (target - 1) if True.
        data_format: "channels_last" or "channels_first".

    Returns:
        The resized maps, of the dtype of `x`.

    Reference: HRNet-Image-Classification, lib/models/cls_hrnet.py (nearest); HRNet-Semantic-Segmentation, branch
    HRNet-OCR, lib/models/seg_hrnet.py (`ALIGN_CORNERS`).
    """
    x = keras.ops.convert_to_tensor(x)
    size = tuple(size)
    if _are_equal(size, spatial_size(x, data_format)):
        return x
    backend = keras.config.backend()
    if backend in ("tensorflow", "torch"):
        resizer = _resize_on_tensorflow if backend == "tensorflow" else _resize_on_torch
        return resizer(x, size, interpolation, align_corners, data_format)
    matrix_of = functools.partial(interpolation_matrix, interpolation=interpolation, align_corners=align_corners)
    return by_matrices(x, size, matrix_of, data_format)


def _are_equal(size: Size, other: Size) -> bool:
    # Sizes known only at run time are tensors, which have no truth value while TensorFlow traces.
    return all(isinstance(a, int) and isinstance(b, int) and a == b for a, b in zip(size, other, strict=True))


def _resize_on_tensorflow(x, size, interpolation, align_corners, data_format):
    import tensorflow as tf

    if data_format == "channels_first":
        x = tf.transpose(x, (0, 2, 3, 1))
    if interpolation == "nearest" and (factors := _factors(x.shape[1:3], size)):
        y = _repeat(x, *factors)
    elif interpolation == "nearest":
        y = tf.raw_ops.ResizeNearestNeighbor(images=x, size=size)
    else:
        # The kernel returns float32 for any dtype, and under XLA has a gradient only for float32.
        y = tf.raw_ops.ResizeBilinear(
            images=tf.cast(x, tf.float32), size=size, align_corners=align_corners, half_pixel_centers=not align_corners
        )
    y = tf.cast(y, x.dtype)
    return tf.transpose(y, (0, 3, 1, 2)) if data_format == "channels_first" else y


def _factors(source, size):
    """Returns the repetitions of each row and column, if sizes are known and no factor has a prime above 3."""
    lengths = list(zip(source, size, strict=True))
    if not all(isinstance(a, int) and isinstance(b, int) and b % a == 0 for a, b in lengths):
        return None
    factors = [b // a for a, b in lengths]
    return factors if all(math.prod(_steps(factor)) == factor for factor in factors) else None


def _steps(factor):
    """Splits a factor into steps of at most 4, because TFLite's XNNPACK concatenates only a few tensors at a time."""
    steps = []
    for step in (4, 2, 3):
        while factor % step == 0:
            steps.append(step)
            factor //= step
    return steps


def _repeat(x, rows, columns):
    """Repeats pixels by concatenating tensors, because TFLite's XNNPACK has no RESIZE_NEAREST_NEIGHBOR on CPUs."""
    import tensorflow as tf

    _, height, width, channels = x.shape
    for step in _steps(columns):
        x, width = tf.concat([x] * step, axis=-1), width * step
        x = tf.reshape(x, (-1, height, width, channels))
    for step in _steps(rows):
        x = tf.concat([tf.reshape(x, (-1, height, 1, width * channels))] * step, axis=-1)
        height *= step
        x = tf.reshape(x, (-1, height, width, channels))
    return x


def _resize_on_torch(x, size, interpolation, align_corners, data_format):
    from torch.nn import functional

    options = {"mode": interpolation}
    if interpolation == "bilinear":
        options["align_corners"] = align_corners
    if data_format == "channels_first":
        return functional.interpolate(x, size, **options)
    return functional.interpolate(x.permute(0, 3, 1, 2), size, **options).permute(0, 2, 3, 1)


def by_matrices(
    x: keras.KerasTensor, size: Size, matrix_of: Callable[[Length, Length], keras.KerasTensor], data_format: str
) -> keras.KerasTensor:
    """Resizes a batch of maps with two matrix products.

    Args:
        x: float `(batch, height, width, channels)`, or channels first.
        size: (height, width) of the result.
        matrix_of: function that returns the float32 matrix `(target, source)`, which resizes a line of `source` pixels
            to `target` pixels.
        data_format: "channels_last" or "channels_first".
    """
    vertical, horizontal = ("Hh,bhwc->bHwc", "Ww,bhwc->bhWc")
    if data_format == "channels_first":
        vertical, horizontal = ("Hh,bchw->bcHw", "Ww,bchw->bchW")
    for equation, source, target in zip((vertical, horizontal), spatial_size(x, data_format), size, strict=True):
        x = keras.ops.einsum(equation, keras.ops.cast(matrix_of(source, target), x.dtype), x)
    return x


def interpolation_matrix(source: Length, target: Length, interpolation: str, align_corners: bool) -> keras.KerasTensor:
    """Returns the matrix that resizes a line of pixels: float32 `(target, source)`; each row sums to one.

    Lengths may be symbolic, as on JAX when Keras traces a layer for an unknown size.
    """
    pixels = keras.ops.arange(source, dtype="int32")[None, :]
    results = keras.ops.arange(target, dtype="int32")[:, None]
    if interpolation == "nearest":
        return keras.ops.cast(results * source // target == pixels, "float32")
    pixels, results = keras.ops.cast(pixels, "float32"), keras.ops.cast(results, "float32")
    last = keras.ops.max(pixels)
    if align_corners:
        positions = results * last / keras.ops.maximum(keras.ops.max(results), 1)
    else:
        positions = keras.ops.clip((results * 2 + 1) * source / (2 * target) - 0.5, 0, last)
    # The two pixels around a position are weighted by their proximity to it.
    return keras.ops.relu(1 - keras.ops.abs(positions - pixels))


class ResizingLayer(MapLayer):
    """A layer that resizes maps.

    Args:
        interpolation: "bilinear" or "nearest".
        align_corners: whether bilinear resizing aligns the centers of the corner pixels; see `resize`.

    Raises:
        ValueError: if the resize convention is not supported; see `check_convention`.
    """

    def __init__(self, interpolation: str = "bilinear", align_corners: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_convention(interpolation, align_corners)
        self.interpolation = interpolation
        self.align_corners = align_corners

    def resized(self, x: keras.KerasTensor, size: Size) -> keras.KerasTensor:
        return resize(x, size, self.interpolation, self.align_corners, self.data_format)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Resize(ResizingLayer):
    """Resizes a map to the height and width of another.

    Because the layer does not use a factor, odd sizes are supported, and so are sizes that are known only at run time.
    The arguments are those of `ResizingLayer`.

    Call arguments:
        inputs: a list of two tensors: float `(batch, height, width, channels)`, the map; and `(batch, target_height,
            target_width, any)`, of which only the size is used.

    Returns:
        float `(batch, target_height, target_width, channels)`, of the layer's compute dtype.
    """

    def __init__(self, interpolation: str = "bilinear", align_corners: bool = False, **kwargs: Any) -> None:
        super().__init__(interpolation, align_corners, autocast=False, **kwargs)

    def build(self, input_shape: Sequence[Shape]) -> None:
        pass

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        x, reference = inputs
        return self.resized(keras.ops.cast(x, self.compute_dtype), spatial_size(reference, self.data_format))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        shape, reference = input_shape
        size = [reference[axis] for axis in spatial_axes(self.data_format)]
        return with_spatial_size(shape, size, self.data_format)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ResizeConcatenate(ResizingLayer):
    """Resizes the maps of all branches to the size of the first map, and concatenates their channels.

    The arguments are those of `ResizingLayer`.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`.

    Returns:
        float `(batch, height_0, width_0, sum of channels_i)`.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `HighResolutionNet.forward`.
    """

    def build(self, input_shape: Sequence[Shape]) -> None:
        pass

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        size = spatial_size(inputs[0], self.data_format)
        coarser = [self.resized(x, size) for x in inputs[1:]]
        return keras.ops.concatenate([inputs[0], *coarser], axis=self.channel_axis)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        channels = sum(shape[self.channel_axis] for shape in input_shape)
        return with_channels(input_shape[0], channels, self.data_format)

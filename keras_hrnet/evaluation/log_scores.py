"""Averages scores as logarithms, because their exponentials would overflow in float32.

A log score is the logarithm of a score; classes are on the last axis. In the published code's protocol, which adds
`exp(logits)`, the logits are the log scores. When probabilities are averaged, the logarithms of the softmax are.
"""

import math
from collections.abc import Sequence

import keras
import numpy as np

from keras_hrnet.evaluation.protocol import Average
from keras_hrnet.layers.resize import interpolation_matrix


def log_softmax(logits: np.ndarray | keras.KerasTensor) -> keras.KerasTensor:
    """Returns the logarithms of the probabilities: a float32 tensor of the shape of `logits`."""
    return keras.ops.log_softmax(keras.ops.convert_to_tensor(logits), axis=-1)


def log_add(first: keras.KerasTensor | None, second: keras.KerasTensor) -> keras.KerasTensor:
    """Adds two scores: log(exp(first) + exp(second)).

    Args:
        first: float32 tensor, log scores; None means that all scores are zero.
        second: float32 tensor of the same shape, log scores.
    """
    return second if first is None else keras.ops.logaddexp(first, second)


def log_resize(x: keras.KerasTensor, size: tuple[int, int], align_corners: bool) -> keras.KerasTensor:
    """Resizes scores bilinearly: log(resize(exp(x))), even if exp(x) exceeds the range of float32.

    Args:
        x: float32 `(batch, height, width, num_classes)`, log scores.
        size: (height, width) of the result, integers.
        align_corners: sampling convention, as in `keras_hrnet.layers.resize`.

    Returns:
        float32 tensor `(batch, *size, num_classes)`.
    """
    x = keras.ops.convert_to_tensor(x)
    for axis, (source, target) in enumerate(zip(x.shape[1:3], size, strict=True), start=1):
        if source == target:
            continue
        (first, log_first), (second, log_second) = _neighbors(source, target, align_corners)
        shape = (1, target, 1, 1) if axis == 1 else (1, 1, target, 1)
        weights = (keras.ops.convert_to_tensor(log.reshape(shape)) for log in (log_first, log_second))
        # On TensorFlow, `keras.ops.add` would treat weights with as many rows as there are classes as a bias.
        x = keras.ops.logaddexp(
            *(keras.ops.take(x, pixels, axis=axis) + w for pixels, w in zip((first, second), weights, strict=True))
        )
    return x


def _neighbors(source, target, align_corners):
    """Returns the two source pixels of each pixel of a resized line: indices, and logarithms of their weights."""
    matrix = keras.ops.convert_to_numpy(interpolation_matrix(source, target, "bilinear", align_corners))
    first = np.argmax(matrix > 0, axis=1)
    second = np.minimum(first + 1, source - 1)
    weight = matrix[np.arange(target), first]
    with np.errstate(divide="ignore"):
        logs = [np.log(w).astype("float32") for w in (weight, 1 - weight)]
    return (first.astype("int32"), logs[0]), (second.astype("int32"), logs[1])


def log_join(parts: Sequence[keras.KerasTensor], starts: Sequence[int], axis: int) -> keras.KerasTensor:
    """Joins adjacent windows; where two overlap, their scores are averaged.

    Args:
        parts: for each window, a float32 tensor of log scores; windows differ only in their position along `axis`.
        starts: start of each window in pixels, ascending from 0; at most two windows share a pixel.
        axis: the axis along which the windows are placed.

    Returns:
        float32 tensor, the log scores of the joined windows.
    """
    joined = parts[0]
    for part, start in zip(parts[1:], starts[1:], strict=True):
        overlap = joined.shape[axis] - start
        if overlap:
            before, shared = keras.ops.split(joined, [start], axis=axis)
            again, part = keras.ops.split(part, [overlap], axis=axis)
            joined = keras.ops.concatenate([before, keras.ops.logaddexp(shared, again) - math.log(2)], axis=axis)
        joined = keras.ops.concatenate([joined, part], axis=axis)
    return joined


def mean_of_flips(logits: np.ndarray, mirrored: np.ndarray, average: Average) -> keras.KerasTensor:
    """Averages the predictions for an image and for its mirror image.

    Args:
        logits: float32 `(batch, height, width, num_classes)`.
        mirrored: the same, for the mirrored image.
        average: "official" averages logits, "probabilities" the softmax.

    Returns:
        float32 tensor of the shape of `logits`, log scores.
    """
    logits, back = keras.ops.convert_to_tensor(logits), keras.ops.convert_to_tensor(mirrored[:, :, ::-1].copy())
    if average == "official":
        return (logits + back) / 2
    return keras.ops.logaddexp(log_softmax(logits), log_softmax(back)) - math.log(2)

"""Folds batch normalization into the preceding convolution, and transfers weights between layers."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from keras_hrnet.layers import ConvNorm, DepthwiseConvNorm, PyramidConvolution, Stem
from keras_hrnet.layers.convolution import NormalizedConvolution
from keras_hrnet.layers.sublayers import children


def folded_weights(layer: NormalizedConvolution) -> tuple[np.ndarray, np.ndarray]:
    """Computes the kernel and bias of a convolution that is equivalent to a convolution and its normalization.

    Returns:
        A pair of float64 arrays: the kernel `(height, width, channels, filters)`, or `(height, width, channels, 1)` if
        it is depthwise, and the bias, one number for each channel of the result.

    Reference: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    Inference", 2018, section 3.2, equation 14.
    """
    kernel = _float64(layer.conv.kernel)
    is_depthwise = isinstance(layer, DepthwiseConvNorm)
    bias = _float64(layer.conv.bias) if layer.conv.use_bias else np.zeros(kernel.shape[2 if is_depthwise else 3])
    if (norm := layer.norm) is None:
        return kernel, bias
    gamma, beta, mean, variance = map(_float64, (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance))
    factor = gamma / np.sqrt(variance + norm.epsilon)
    return kernel * (factor[:, None] if is_depthwise else factor), beta + (bias - mean) * factor


def transfer_weights(source: keras.layers.Layer, target: keras.layers.Layer) -> None:
    """Copies the weights of a layer to another layer, folded if the target has no normalization.

    Both layers are built, and have the same class and arguments, except `folded`; or they are a `ConvNorm` of joined
    maps and its `PyramidConvolution`.
    """
    if isinstance(target, PyramidConvolution) and isinstance(source, ConvNorm):
        kernel, bias = folded_weights(source)
        convolutions = [target.joined, *target.convolutions]
        ends = np.cumsum([convolution.kernel.shape[2] for convolution in convolutions])
        for convolution, part in zip(convolutions, np.split(kernel, ends[:-1], axis=2), strict=True):
            convolution.kernel.assign(part)
        target.joined.bias.assign(bias)
    elif isinstance(target, NormalizedConvolution) and target.folded:
        kernel, bias = folded_weights(source)
        target.conv.kernel.assign(kernel)
        target.conv.bias.assign(bias)
    elif getattr(target, "folded", False):
        for inner_source, inner_target in zip(children(source), children(target), strict=True):
            transfer_weights(inner_source, inner_target)
        for weight, value in zip(_own_weights(target), _own_weights(source), strict=True):
            weight.assign(value)
    else:
        target.set_weights(source.get_weights())


def divide_by_deviation(stem: Stem, deviation: Sequence[float]) -> None:
    """Divides the kernel of a stem's first convolution by the deviation of the pixels.

    The pixels that the stem receives must then not be divided by their deviation. The padding of the convolution is 0,
    which the division does not change.
    """
    kernel = stem.convolutions[0].conv.kernel
    kernel.assign(_float64(kernel) / np.array(deviation)[:, None])


def _own_weights(layer):
    inner = {id(weight) for child in children(layer) for weight in child.weights}
    return [weight for weight in layer.weights if id(weight) not in inner]


def _float64(variable):
    return keras.ops.convert_to_numpy(variable.value).astype("float64")

"""Batch normalization folded into the convolution before it: the weights of one layer from those of another."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from keras_hrnet.layers import ConvNorm, DepthwiseConvNorm, PyramidConvolution, Stem
from keras_hrnet.layers.convolution import NormalizedConvolution
from keras_hrnet.layers.sublayers import children


def folded_weights(layer: NormalizedConvolution) -> tuple[np.ndarray, np.ndarray]:
    """Computes the kernel and bias of a convolution that does what a convolution and its normalization do.

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
    """Gives a layer the weights of another: the same ones, or folded where the target has no normalization.

    The two are built, and of the same class and arguments, except `folded`; or a `ConvNorm` of joined maps and its
    `PyramidConvolution`.
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
    """Lets a stem take pixels that were not divided by their deviation: the kernel of its first convolution divides.

    What a convolution fills the border with is 0 before the division and after it.
    """
    kernel = stem.convolutions[0].conv.kernel
    kernel.assign(_float64(kernel) / np.array(deviation)[:, None])


def _own_weights(layer):
    inner = {id(weight) for child in children(layer) for weight in child.weights}
    return [weight for weight in layer.weights if id(weight) not in inner]


def _float64(variable):
    return keras.ops.convert_to_numpy(variable.value).astype("float64")

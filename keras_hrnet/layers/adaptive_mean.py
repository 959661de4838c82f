"""Adaptive average pooling: reduces a map to the size of a coarser map."""

import keras

from keras_hrnet.layers.data_format import Length, Size
from keras_hrnet.layers.resize import by_matrices, spatial_size


def adaptive_mean(x: keras.KerasTensor, size: Size, data_format: str = "channels_last") -> keras.KerasTensor:
    """Reduces maps to a size: each pixel of the result is the mean of all pixels that it covers, fully or partly.

    Args:
        x: float `(batch, height, width, channels)`, or channels first.
        size: (height, width) of the result, at most those of the map.
        data_format: "channels_last" or "channels_first".

    Returns:
        The reduced maps, of the dtype of `x`.

    Reference: PyTorch, `adaptive_avg_pool2d`, which HRNet/Lite-HRNet uses in `CrossResolutionWeighting`.
    """
    source, size = spatial_size(x, data_format), tuple(size)
    if keras.config.backend() == "torch":
        from torch.nn import functional

        if data_format == "channels_first":
            return functional.adaptive_avg_pool2d(x, size)
        return functional.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)
    lengths = list(zip(source, size, strict=True))
    if all(isinstance(a, int) and isinstance(b, int) and a % b == 0 for a, b in lengths):
        factors = tuple(a // b for a, b in lengths)
        return keras.ops.average_pool(x, factors, factors, data_format=data_format)
    return by_matrices(x, size, _mean_matrix, data_format)


def _mean_matrix(source: Length, target: Length) -> keras.KerasTensor:
    """Returns the float32 matrix `(target, source)` that reduces a line of pixels."""
    pixels = keras.ops.arange(source, dtype="int32")[None, :]
    results = keras.ops.arange(target, dtype="int32")[:, None]
    first, end = results * source // target, ((results + 1) * source + target - 1) // target
    is_under = keras.ops.logical_and(pixels >= first, pixels < end)
    return keras.ops.cast(is_under, "float32") / keras.ops.cast(end - first, "float32")

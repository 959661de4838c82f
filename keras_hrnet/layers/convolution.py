"""Convolution, batch normalisation and ReLU: the brick that all other layers are made of."""

import math
import random

import keras
import numpy as np

from keras_hrnet.layers.data_format import channel_axis, standardize_data_format
from keras_hrnet.layers.normalization import BatchNorm

# Every published code base uses PyTorch's epsilon; Keras's momentum is one minus PyTorch's 0.1
# (HRNet-Semantic-Segmentation, branch HRNet-OCR, lib/models/seg_hrnet.py: BN_MOMENTUM).
NORM_EPSILON = 1e-5
NORM_MOMENTUM = 0.9


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HeNormalFanOut(keras.initializers.Initializer):
    """Draws the first weights of a convolution: normal with variance 2 / fan-out.

    NumPy draws them: XLA would compile a kernel for each of the 70 shapes of HRNetW48 first, which takes longer than
    all the rest of building it. The same seed gives the same weights on every backend.

    Args:
        seed: a whole number; None for one that `keras.utils.set_random_seed` decides.

    Reference: HRNet-Image-Classification, lib/models/cls_hrnet.py, `init_weights`.
    """

    def __init__(self, seed=None):
        self.seed = random.randint(1, 10**9) if seed is None else seed

    def __call__(self, shape, dtype=None):
        height, width, _, filters = shape
        deviation = np.float32(math.sqrt(2 / (height * width * filters)))
        values = np.random.default_rng(self.seed).standard_normal(shape, dtype="float32") * deviation
        return keras.ops.convert_to_tensor(values, dtype=dtype or keras.config.floatx())

    def get_config(self):
        return {"seed": self.seed}


def classifier_initializer():
    """Returns the initializer of the convolutions that give logits: uniform within 1 / sqrt(fan-in).

    With variance 2 / fan-out, few classes would mean large logits and a large first loss.

    Reference: HRNet-Semantic-Segmentation, branch HRNet-OCR, lib/models/seg_hrnet_ocr.py, `init_weights`, which
    leaves PyTorch's own initial values in the heads.
    """
    return keras.initializers.VarianceScaling(scale=1 / 3, mode="fan_in", distribution="uniform")


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ConvNorm(keras.layers.Layer):
    """Convolves a map, normalises it over the batch, and applies ReLU.

    A strided convolution pads both sides alike, as PyTorch does; Keras's own "same" would pad only the far side at
    even sizes, and move every map by a pixel.

    Args:
        filters: channels of the result.
        kernel_size: height and width of the kernel, odd.
        strides: step in both directions.
        activation: "relu", or None for none.
        use_bias: whether the convolution adds a bias before the normalisation, as some published heads do.
        data_format: "channels_last", "channels_first", or None for Keras's setting.

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

    def __init__(self, filters, kernel_size, strides=1, activation="relu", use_bias=False, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.activation = activation
        self.use_bias = use_bias
        self.data_format = standardize_data_format(data_format)
        self.pad = None
        if strides > 1:
            self.pad = keras.layers.ZeroPadding2D(
                kernel_size // 2, data_format=self.data_format, dtype=self.dtype_policy, name="pad"
            )
        self.conv = keras.layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding="same" if self.pad is None else "valid",
            use_bias=use_bias,
            kernel_initializer=HeNormalFanOut(),
            data_format=self.data_format,
            dtype=self.dtype_policy,
            name="conv",
        )
        self.norm = BatchNorm(
            axis=channel_axis(self.data_format),
            momentum=NORM_MOMENTUM,
            epsilon=NORM_EPSILON,
            dtype=self.dtype_policy,
            name="norm",
        )
        self.activate = keras.activations.get(activation)

    def build(self, input_shape):
        if self.pad is not None:
            self.pad.build(input_shape)
            input_shape = self.pad.compute_output_shape(input_shape)
        self.conv.build(input_shape)
        self.norm.build(self.conv.compute_output_shape(input_shape))

    def call(self, x):
        if self.pad is not None:
            x = self.pad(x)
        return self.activate(self.norm(self.conv(x)))

    def compute_output_shape(self, input_shape):
        if self.pad is not None:
            input_shape = self.pad.compute_output_shape(input_shape)
        return self.conv.compute_output_shape(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "activation": self.activation,
            "use_bias": self.use_bias,
            "data_format": self.data_format,
        }

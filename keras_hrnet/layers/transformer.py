"""The transformer block of HRFormer: attention within windows, then a feed-forward network."""

from collections.abc import Sequence
from typing import Any, Self

import keras

from keras_hrnet.architecture import EXPANSION
from keras_hrnet.layers.convolution import ConvNorm
from keras_hrnet.layers.data_format import Shape
from keras_hrnet.layers.depthwise import DepthwiseConvNorm
from keras_hrnet.layers.inside import call_inside
from keras_hrnet.layers.sublayers import build_in_order
from keras_hrnet.layers.together import ParallelLayer, together
from keras_hrnet.layers.window_attention import WindowAttention

# HRNet/HRFormer, seg/lib/models/backbones/hrt/modules/transformer_block.py, `GeneralTransformerBlock`.
NORM_EPSILON = 1e-6


@keras.saving.register_keras_serializable(package="keras_hrnet")
class StochasticDepth(keras.layers.Dropout):
    """Sets whole samples of a batch to zero in training, and divides the others by the fraction that is kept.

    On a path parallel to a shortcut, such a sample skips the path.

    Args:
        rate: fraction of the samples that is set to zero.
        **kwargs: `seed`, and the arguments of every Keras layer.

    Call arguments:
        inputs: float `(batch, height, width, channels)`, or channels first.

    Returns:
        float, of the same shape.

    Reference: Huang et al., "Deep Networks with Stochastic Depth", 2016.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(rate, **{"noise_shape": (None, 1, 1, 1), **kwargs})


@keras.saving.register_keras_serializable(package="keras_hrnet")
class FeedForward(ParallelLayer):
    """Widens a map with a 1x1 convolution, convolves it depthwise 3x3, and restores its number of channels.

    Each convolution is followed by batch normalization and GELU. The depthwise convolution lets pixels of different
    windows exchange features.

    Args:
        expansion: number of inner channels, as a multiple of the map's.

    Call arguments:
        x: float `(batch, height, width, channels)`.

    Returns:
        float, of the same shape.

    Reference: HRNet/HRFormer, seg/lib/models/backbones/hrt/modules/ffn_block.py, `MlpDWBN`.
    """

    def __init__(self, expansion: int = EXPANSION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.expansion = expansion
        self.fc1 = self.fc2 = None
        self.dw3x3 = DepthwiseConvNorm(3, activation="gelu", use_bias=True, name="dw3x3", **self.options)

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[self.channel_axis]
        options = {"activation": "gelu", "use_bias": True, **self.options}
        self.fc1 = ConvNorm(self.expansion * channels, 1, name="fc1", **options)
        self.fc2 = ConvNorm(channels, 1, name="fc2", **options)
        build_in_order((self.fc1, self.dw3x3, self.fc2), input_shape)

    @classmethod
    def call_together(
        cls, layers: Sequence[Self], maps: Sequence[keras.KerasTensor], training: bool | None
    ) -> list[keras.KerasTensor]:
        for convolutions in zip(*((layer.fc1, layer.dw3x3, layer.fc2) for layer in layers), strict=True):
            maps = together(convolutions, maps, training)
        return maps

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class TransformerBlock(ParallelLayer):
    """Adds to a map its attention within windows, and then adds to the sum the result of its feed-forward network.

    Args:
        num_heads: number of heads of the attention.
        window_size: height and width of a window, in pixels of the map.
        drop_path: fraction of the samples for which training skips each of the two parts.

    Call arguments:
        x: float `(batch, height, width, channels)`, of any height and width.

    Returns:
        float, of the same shape.

    Raises:
        ValueError: as `WindowAttention`.

    Reference: HRNet/HRFormer, seg/lib/models/backbones/hrt/modules/transformer_block.py, `GeneralTransformerBlock`.
    """

    def __init__(self, num_heads: int, window_size: int = 7, drop_path: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.window_size = window_size
        self.drop_path = drop_path
        self.norm1, self.norm2 = (
            keras.layers.LayerNormalization(epsilon=NORM_EPSILON, dtype=self.dtype_policy, name=f"norm{i}")
            for i in (1, 2)
        )
        # Maps are channels_last internally, as attention requires.
        options = {"data_format": "channels_last", "dtype": self.dtype_policy}
        self.attn = WindowAttention(num_heads, window_size, name="attn", **options)
        self.mlp = FeedForward(folded=self.folded, name="mlp", **options)
        self.drop = StochasticDepth(drop_path, dtype=self.dtype_policy, name="drop")

    def build(self, input_shape: Shape) -> None:
        for layer in (self.norm1, self.norm2, self.attn, self.mlp):
            layer.build((None, None, None, input_shape[self.channel_axis]))

    @classmethod
    def call_together(
        cls, layers: Sequence[Self], maps: Sequence[keras.KerasTensor], training: bool | None
    ) -> list[keras.KerasTensor]:
        maps = [block.add_attention(x, training) for block, x in zip(layers, maps, strict=True)]
        normalized = [call_inside(block.norm2, x) for block, x in zip(layers, maps, strict=True)]
        features = together([block.mlp for block in layers], normalized, training)
        return [block.add_features(x, y, training) for block, x, y in zip(layers, maps, features, strict=True)]

    def add_attention(self, x: keras.KerasTensor, training: bool | None) -> keras.KerasTensor:
        """Makes a map channels last, and adds its attention."""
        if self.data_format == "channels_first":
            x = keras.ops.transpose(x, (0, 2, 3, 1))
        attention = call_inside(self.attn, call_inside(self.norm1, x))
        return x + call_inside(self.drop, attention, training=training)

    def add_features(
        self, x: keras.KerasTensor, features: keras.KerasTensor, training: bool | None
    ) -> keras.KerasTensor:
        """Adds the result of the feed-forward network, and restores the data format."""
        x = x + call_inside(self.drop, features, training=training)
        return keras.ops.transpose(x, (0, 3, 1, 2)) if self.data_format == "channels_first" else x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

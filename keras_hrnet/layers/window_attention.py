"""Self-attention within windows: every pixel attends to the pixels of its window."""

from typing import Any

import keras
import numpy as np

from keras_hrnet.layers.attention import crop_to_size, pad_to_blocks, softmax
from keras_hrnet.layers.data_format import Length, Shape
from keras_hrnet.layers.inside import call_inside
from keras_hrnet.layers.map_layer import MapLayer
from keras_hrnet.layers.resize import spatial_size


@keras.saving.register_keras_serializable(package="keras_hrnet")
class WindowAttention(MapLayer):
    """Lets every pixel attend to the pixels of its window, with several heads and a bias for each relative position.

    The map is padded with zeros on both sides to a whole number of windows, and the result is cropped. As in the
    reference, pixels also attend to the padding. No tensor has more than four dimensions, the maximum that a phone's
    GPU supports.

    Args:
        num_heads: number of heads; the number of channels must be a multiple of it.
        window_size: height and width of a window, in pixels of the map.

    Call arguments:
        x: float `(batch, height, width, channels)`, of any height and width.

    Returns:
        float, of the same shape.

    Raises:
        ValueError: if the number of channels is not a multiple of `num_heads`, or an argument is not a whole number of
            at least 1.

    Reference: HRNet/HRFormer, seg/lib/models/backbones/hrt/modules/multihead_isa_pool_attention.py,
    `InterlacedPoolAttention`; Yuan et al., "HRFormer: High-Resolution Transformer for Dense Prediction", 2021.

    Example:

    >>> import numpy as np
    >>> from keras_hrnet.layers import WindowAttention
    >>> tuple(WindowAttention(2, 7, data_format="channels_last")(np.ones((1, 9, 5, 4), "float32")).shape)
    (1, 9, 5, 4)
    """

    def __init__(self, num_heads: int, window_size: int = 7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.window_size = window_size
        if any(not isinstance(n, int) or n < 1 for n in (num_heads, window_size)):
            raise ValueError(
                f"`WindowAttention` received num_heads={num_heads!r} and window_size={window_size!r}. Expected whole "
                "numbers of at least 1. Pass, for example, 7, 13 or 15 for window_size, as in published networks."
            )
        # The reference uses these names for the weights.
        self.q_proj = self.k_proj = self.v_proj = self.out_proj = None

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[self.channel_axis]
        if channels % self.num_heads:
            raise ValueError(
                f"`WindowAttention` received a map of {channels} channels with num_heads={self.num_heads}. Expected a "
                "multiple of num_heads. Change the number of channels, or num_heads."
            )
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            projection = keras.layers.Dense(channels, dtype=self.dtype_policy, name=name)
            projection.build((None, None, channels))
            setattr(self, name, projection)
        self.relative_position_bias_table = self.add_weight(
            name="relative_position_bias_table",
            shape=(self.num_heads, (2 * self.window_size - 1) ** 2),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        )

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        if self.data_format == "channels_first":
            x = keras.ops.transpose(x, (0, 2, 3, 1))
        size, window = spatial_size(x, "channels_last"), (self.window_size, self.window_size)
        x = pad_to_blocks(x, window)
        rows, columns = (length // self.window_size for length in spatial_size(x, "channels_last"))
        windows = self.to_windows(x, columns)
        query, key, value = (
            self.to_heads(call_inside(projection, windows)) for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        similarity = keras.ops.matmul(query * query.shape[-1] ** -0.5, keras.ops.transpose(key, (0, 1, 3, 2)))
        context = keras.ops.matmul(softmax(similarity + self.position_bias()), value)
        context = keras.ops.reshape(keras.ops.transpose(context, (0, 2, 1, 3)), (-1, *windows.shape[1:]))
        x = self.from_windows(call_inside(self.out_proj, context), rows, columns)
        x = crop_to_size(x, size, window)
        return keras.ops.transpose(x, (0, 3, 1, 2)) if self.data_format == "channels_first" else x

    def to_windows(self, x: keras.KerasTensor, columns: Length) -> keras.KerasTensor:
        """Converts maps of whole windows to `(batch * windows, pixels of a window, channels)`."""
        window, channels = self.window_size, x.shape[-1]
        # (batch * row of windows, line in window, column of windows, pixel in line * channels)
        x = keras.ops.reshape(x, (-1, window, columns, window * channels))
        x = keras.ops.transpose(x, (0, 2, 1, 3))
        return keras.ops.reshape(x, (-1, window * window, channels))

    def from_windows(self, x: keras.KerasTensor, rows: Length, columns: Length) -> keras.KerasTensor:
        """Converts windows back to maps: the inverse of `to_windows`."""
        window, channels = self.window_size, x.shape[-1]
        x = keras.ops.reshape(x, (-1, columns, window, window * channels))
        x = keras.ops.transpose(x, (0, 2, 1, 3))
        return keras.ops.reshape(x, (-1, rows * window, columns * window, channels))

    def to_heads(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Divides the channels of windows among the heads: `(batch * windows, heads, pixels, channels of a head)`."""
        pixels, channels = x.shape[1:]
        x = keras.ops.reshape(x, (-1, pixels, self.num_heads, channels // self.num_heads))
        return keras.ops.transpose(x, (0, 2, 1, 3))

    def position_bias(self) -> keras.KerasTensor:
        """Returns the bias for each position of a key relative to a query: `(1, heads, queries, keys)`."""
        side = np.arange(self.window_size)
        distance = side[:, None] - side[None, :] + self.window_size - 1
        # These are the positions of queries and keys, as rows and columns.
        places = distance[:, None, :, None] * (2 * self.window_size - 1) + distance[None, :, None, :]
        pixels = self.window_size**2
        table = keras.ops.convert_to_tensor(self.relative_position_bias_table)
        bias = keras.ops.take(table, places.reshape(-1), axis=1)
        return keras.ops.cast(keras.ops.reshape(bias, (1, self.num_heads, pixels, pixels)), self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

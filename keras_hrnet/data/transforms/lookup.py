"""Looks every value of a label up in a table, faster than `tf.gather` does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


def looked_up(label: tf.Tensor, table: Sequence[int]) -> tf.Tensor:
    """Replaces each value of a label by its entry in a table.

    It looks up two values at a time, which takes 2 ms for 512x1024 values; `tf.gather` takes 4 ms, because the time
    depends on the number of lookups.

    Args:
        label: uint8 of any shape.
        table: 256 numbers from 0 to 255, one for each value.

    Returns:
        uint8 of the same shape.
    """
    import tensorflow as tf

    pairs = np.arange(256 * 256, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    table_of_pairs = tf.constant(np.array(table, np.uint8)[pairs].view(np.uint16)[:, 0])
    num_values = tf.size(label)
    even = tf.pad(tf.reshape(label, [-1]), [[0, num_values % 2]])
    indices = tf.cast(tf.bitcast(tf.reshape(even, [-1, 2]), tf.uint16), tf.int32)
    found = tf.bitcast(tf.gather_nd(table_of_pairs, indices[:, None]), tf.uint8)
    return tf.reshape(tf.reshape(found, [-1])[:num_values], tf.shape(label))

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hrnet.data.transforms.lookup import looked_up

pytestmark = pytest.mark.once


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 99))
def test_each_value_becomes_what_the_table_holds(height, width, seed):
    rng = np.random.default_rng(seed)
    label, table = rng.integers(0, 256, (height, width), dtype=np.uint8), rng.integers(0, 256, 256)
    np.testing.assert_array_equal(looked_up(label, table), table[label])


def test_it_is_the_same_inside_tf_data():
    table, label = np.roll(np.arange(256), 3), np.arange(255, dtype=np.uint8).reshape(3, 85)
    dataset = tf.data.Dataset.from_tensors(label).map(lambda x: looked_up(x, table))
    np.testing.assert_array_equal(next(iter(dataset)), table[label])

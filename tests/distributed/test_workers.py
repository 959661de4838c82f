"""What TensorFlow's processes need beside its strategy."""

import numpy as np
import pytest

from keras_hrnet.distributed.workers import shared_out

pytestmark = pytest.mark.once


@pytest.mark.parametrize("rows", [4, None], ids=["known", "unknown"])
def test_each_device_of_a_process_gets_its_part_of_a_batch(rows):
    import tensorflow as tf

    images, labels = np.arange(16).reshape(2, 4, 2), np.arange(8).reshape(2, 4)
    signature = tf.TensorSpec((rows, 2), "int64"), tf.TensorSpec((rows,), "int64")
    batches = tf.data.Dataset.from_generator(lambda: zip(images, labels, strict=True), output_signature=signature)
    parts = shared_out(batches, 2)
    assert parts.element_spec[0].shape.as_list() == [rows and 2, 2]
    for found, expected in zip(zip(*parts, strict=True), (images.reshape(4, 2, 2), labels.reshape(4, 2)), strict=True):
        np.testing.assert_array_equal(found, expected)

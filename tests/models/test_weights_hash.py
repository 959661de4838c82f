"""The number by which runs are resumed and files say which weights they hold."""

import hashlib

import keras
import numpy as np

from keras_hrnet.models.weights_hash import weights_hash


def network():
    image = keras.Input((3,))
    return keras.Model(image, keras.layers.Dropout(0.5, seed=1)(keras.layers.Dense(2)(image)))


def test_the_hash_is_that_of_dtypes_shapes_and_values_in_order():
    model = network()
    kernel, bias = np.arange(6, dtype="float32").reshape(3, 2), np.ones(2, "float32")
    model.layers[1].set_weights([kernel, bias])
    text = b"float32 (3, 2)" + kernel.tobytes() + b"float32 (2,)" + bias.tobytes()
    assert weights_hash(model) == hashlib.sha256(text).hexdigest()


def test_the_hash_tells_weights_apart_and_not_seeds():
    first, same, other = network(), network(), network()
    same.layers[1].set_weights(first.layers[1].get_weights())
    first(np.ones((1, 3)), training=True)
    assert weights_hash(first) == weights_hash(same) != weights_hash(other)

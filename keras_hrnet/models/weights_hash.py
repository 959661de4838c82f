"""A hash that identifies the state of a network's weights."""

import hashlib

import keras


def weights_hash(model: keras.Model) -> str:
    """Returns the SHA-256 of all weights of a model in their order, without its seeds: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for variable in model.weights:
        value = keras.ops.convert_to_numpy(variable)
        digest.update(f"{value.dtype} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()

"""A number that tells one state of a network's weights from another."""

import hashlib

import keras


def weights_hash(model: keras.Model) -> str:
    """Returns the SHA-256 of all weights of a model, without its seeds, in their order: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for variable in model.weights:
        value = keras.ops.convert_to_numpy(variable)
        digest.update(f"{value.dtype} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()

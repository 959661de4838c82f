"""Measures the part of a random vector that cannot be predicted from another one, in float32 on every backend.

A covariance that is summed over an image has entries of 10⁴ and, where a network predicts well, eigenvalues down to the
ridge of 5e-4: float32 cannot represent both, and JAX has nothing more precise by default. Such a covariance is
therefore never factorized to obtain its value. Instead, an approximate factor of it whitens the points. The covariance
of whitened points is close to the identity, which float32 factorizes well, and its factor times the approximate factor
is the required one, regardless of the approximation ("Cholesky QR", repeated).

Reference: Fukaya et al., "Shifted Cholesky QR for Computing the QR Factorization of Ill-Conditioned Matrices", 2020.
"""

import keras

# Numbers that are added to the diagonals, relative to them, before the first factorization, and before that of the
# points whitened once. They are larger than the error of float32 sums over millions of points. After the second
# whitening, nothing is added.
ROUGH_SHIFTS = (1e-4, 1e-5)


def residual_log_determinant(target: keras.KerasTensor, given: keras.KerasTensor, ridge: float) -> keras.KerasTensor:
    """Computes the log-determinant of the residual of the best linear prediction of a vector: float32 `(...)`.

    With T and G the centered points, it is log det(T Tᵀ + ridge I − T Gᵀ (G Gᵀ + ridge I)⁻¹ G Tᵀ): sums over the
    points, not means. The result can be differentiated once, with respect to `given`.

    Args:
        target: float32 `(..., dimension, points)`, the vectors to predict; a constant.
        given: float32 `(..., dimension, points)`, the vectors from which they are predicted.
        ridge: positive number that is added to the diagonals.
    """
    ops = keras.ops
    dimension = given.shape[-2]
    # If the prediction is good, their difference keeps digits that a product with float32 factors would lose.
    points = ops.stop_gradient(ops.concatenate([given, target - given], axis=-2))
    difference = ops.eye(2 * dimension, dtype="float32") - ops.eye(2 * dimension, k=-dimension, dtype="float32")
    whitening, white = _whiten(difference, points - ops.mean(points, axis=-1, keepdims=True), ridge)
    of_given, of_target = whitening[..., dimension:, :dimension], whitening[..., dimension:, dimension:]
    value = -2 * ops.sum(ops.log(ops.diagonal(of_target, axis1=-2, axis2=-1)), axis=-1)
    # The derivative is known, and is cheaper and better conditioned than differentiating the steps above. Adding and
    # subtracting a sum that has this derivative puts it into the graph of any backend.
    slope = 2 * full_precision_product(_transpose(of_given), white[..., dimension:, :])
    carrier = ops.sum(given * ops.stop_gradient(slope), axis=(-2, -1))
    return value + (carrier - ops.stop_gradient(carrier))


def _whiten(whitening, white, ridge):
    """Improves a lower triangular N, and N X for points X, until N (X Xᵀ + ridge I) Nᵀ = I."""
    ops = keras.ops
    identity = ops.eye(white.shape[-2], dtype="float32")
    for shift in (*ROUGH_SHIFTS, 0.0):
        covariance = _gram(white) + ridge * _gram(whitening)
        shifted = covariance * (1 + shift * identity)
        step = ops.solve_triangular(ops.cholesky(shifted), ops.broadcast_to(identity, ops.shape(shifted)), lower=True)
        whitening = full_precision_product(step, whitening)
        white = full_precision_product(step, white)
    return whitening, white


def _gram(x):
    return full_precision_product(x, _transpose(x))


def _transpose(matrices):
    return keras.ops.swapaxes(matrices, -1, -2)


def full_precision_product(a: keras.KerasTensor, b: keras.KerasTensor) -> keras.KerasTensor:
    """Multiplies float32 matrices, which are constants, without rounding their entries first.

    GPUs and TPUs may round the factors of a float32 product to 10 or 8 bits (TensorFloat-32, bfloat16). TensorFlow and
    JAX allow this by default, PyTorch on request.

    Args:
        a: float32 `(..., rows, inner)`.
        b: float32 `(..., inner, columns)`.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        return _product_on_tensorflow(a, b)
    if backend == "torch":
        return _product_on_torch(a, b)
    import jax

    return jax.numpy.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _product_on_tensorflow(a, b):
    import tensorflow as tf

    if tf.config.get_visible_devices("GPU") and tf.config.experimental.tensor_float_32_execution_enabled():
        return tf.cast(tf.matmul(tf.cast(a, "float64"), tf.cast(b, "float64")), "float32")
    return tf.matmul(a, b)


def _product_on_torch(a, b):
    import torch

    # `keras.ops.matmul` would return float32 for float64.
    if a.is_cuda and torch.get_float32_matmul_precision() != "highest":
        return (a.double() @ b.double()).float()
    return a @ b

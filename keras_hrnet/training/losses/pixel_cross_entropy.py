"""The cross-entropy of each pixel, computed without more memory than its gradient needs."""

import keras

# The number of logits that PyTorch converts to probabilities at a time: 16 MiB of float32.
LOGITS_AT_A_TIME = 2**22


def pixel_cross_entropy(labels: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Computes -log p of the true class of each pixel, p by softmax: float32 `(batch, height, width)`.

    TensorFlow has an operation that keeps only its derivative. On the other backends, Keras's operation keeps the
    logarithms of all probabilities, and computes a gradient for them and another for the logits. Here, probabilities
    are recomputed for the gradient: on JAX in one loop that XLA fuses, on PyTorch for some pixels at a time.

    Args:
        labels: int32 `(batch, height, width)`, classes.
        logits: float32 `(batch, height, width, classes)`.
    """
    if keras.config.backend() == "jax":
        return _on_jax(labels, logits)
    if keras.config.backend() == "torch":
        return _on_torch(labels, logits)
    return keras.ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def _on_jax(labels, logits):
    ops = keras.ops
    labels = ops.expand_dims(labels, -1)

    @ops.custom_gradient
    def losses(logits):
        largest = ops.max(logits, axis=-1, keepdims=True)
        log_sums = ops.log(ops.sum(ops.exp(logits - largest), axis=-1, keepdims=True))
        true = ops.take_along_axis(logits, labels, axis=-1)

        def gradient(upstream):
            is_true = ops.equal(labels, ops.arange(logits.shape[-1]))
            return upstream * (ops.exp(logits - largest - log_sums) - ops.cast(is_true, logits.dtype))

        return log_sums - (true - largest), gradient

    return ops.squeeze(losses(logits), -1)


@keras.ops.custom_gradient
def _on_torch(labels, logits):
    import torch

    labels = labels[..., None].long()
    losses = torch.empty(labels.shape, dtype=logits.dtype, device=logits.device)
    for label, x, loss in _parts(labels, logits, losses):
        torch.gather(torch.log_softmax(x, -1), -1, label, out=loss)

    def gradient(labels, logits, upstream):
        labels, upstream = labels[..., None].long(), upstream[..., None]
        slopes = torch.empty_like(logits)
        for label, x, factor, less, slope in _parts(labels, logits, upstream, -upstream, slopes):
            torch.softmax(x, -1, out=slope).mul_(factor).scatter_add_(-1, label, less)
        return None, slopes

    return losses.neg_()[..., 0], gradient


def _parts(labels, logits, *maps):
    """Yields some rows of an image at a time, of each tensor."""
    num_rows = max(1, LOGITS_AT_A_TIME // (logits.shape[2] * logits.shape[3]))
    for image in zip(labels, logits, *maps, strict=True):
        yield from zip(*(x.split(num_rows) for x in image), strict=True)

"""Compares what an exported file answers with the Keras model, on batches of whatever sizes the file takes."""

import dataclasses
import math

import keras
import numpy as np

from keras_hrnet.export.images import check_range, noise_and_gradients
from keras_hrnet.models.interface import data_format, images_for

NUM_IMAGES = 4
# Where the size may vary: one that five halvings leave whole, and an odd one. A scale of 0.25 still has 17 pixels.
SIZES = ((96, 128), (101, 139))

# The largest difference that a file may have, as a share of the largest logit. Measured where Keras runs on the CPU:
# 1e-6, and 4.3e-5 with interlaced attention. The rest is for GPUs, whose products have ten bits by default (TF32:
# 5e-4 each). A mistake is larger: resizing by the other convention (align_corners) moves a logit by 0.3.
LOGIT_TOLERANCE = 5e-3


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far a file is from Keras.

    Args:
        largest: the largest absolute difference of logits.
        mean: the mean absolute difference.
        label_agreement: the share of pixels with the same largest logit, in [0, 1].
    """

    largest: float
    mean: float
    label_agreement: float


def verification_batches(options, representative_data=None):
    """Takes or makes the images on which a file is compared with Keras.

    Args:
        options: `ServingOptions` for the model.
        representative_data: an array of images `(num_images, height, width, 3)`, RGB in [0, 255], or an iterable of
            batches of such or of `(images, labels)`, of which the first four images are taken; or None for seeded
            noise and gradients, of an even and an odd size where the size may vary.

    Returns:
        A list of uint8 `(batch, height, width, 3)`, of the batch size of the options; the last one is filled up.

    Raises:
        ValueError: if the images have another size than the options say, there are none, or their values are not
            pixels in [0, 255].
    """
    if representative_data is None:
        return _made_batches(options)
    if hasattr(representative_data, "shape"):
        representative_data = [representative_data]
    batches, missing = [], NUM_IMAGES
    for batch in representative_data:
        images = np.asarray(batch[0] if isinstance(batch, tuple | list) else batch)
        _check_size(images, options)
        images = images[:missing]
        check_range(images)
        images = np.clip(np.rint(images), 0, 255).astype(np.uint8)
        step = options.batch_size or max(1, len(images))
        filled = images[np.arange(math.ceil(len(images) / step) * step) % max(1, len(images))]
        batches += [filled[i : i + step] for i in range(0, len(filled), step)]
        missing -= len(images)
        if missing <= 0:
            break
    if not batches:
        raise ValueError("Received representative_data without images. Expected at least one. Check the dataset.")
    return batches


def keras_logits(model, batches):
    """Runs the Keras model, on its own backend.

    Args:
        model: a functional network.
        batches: a list of uint8 `(batch, height, width, 3)`.

    Returns:
        A list of float32 `(batch, ..., num_classes)`, channels last.

    Raises:
        ValueError: if a logit is not finite.
    """
    # A model of its own: on TensorFlow, the user's may have been traced for images of any size, whatever they are.
    network = keras.Model(model.inputs[0], model.outputs[0])
    axis = 1 if data_format(model) == "channels_first" else -1
    answers = [np.moveaxis(network.predict_on_batch(images_for(network, batch)), axis, -1) for batch in batches]
    if not all(np.isfinite(logits).all() for logits in answers):
        raise ValueError(
            f"Received the model {model.name!r}, whose logits on {sum(map(len, batches))} images are not all finite. "
            "Expected numbers. Load the weights of a training that did not diverge."
        )
    return answers


def compare(answers, expected):
    """Compares what a file answers with what Keras does.

    Args:
        answers: a list of what the file gave for each batch.
        expected: a list of what Keras gave, float32 `(batch, ..., num_classes)`.

    Returns:
        A `Difference`.

    Raises:
        RuntimeError: if an answer has another shape or dtype, or a logit is further off than the tolerance.
    """
    for found, wanted in zip(answers, expected, strict=True):
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            raise RuntimeError(
                f"The file answers {found.dtype} of shape {found.shape} where Keras gives {wanted.dtype} of shape "
                f"{wanted.shape}. Expected the same. Report this as a bug of keras_hrnet, with the model and the "
                "options."
            )
    pairs = list(zip(answers, expected, strict=True))
    differences = np.concatenate([np.abs(found - wanted).ravel() for found, wanted in pairs])
    agreements = [(np.argmax(a, axis=-1) == np.argmax(b, axis=-1)).ravel() for a, b in pairs]
    agreement = float(np.mean(np.concatenate(agreements)))
    largest = float(differences.max())
    tolerance = LOGIT_TOLERANCE * max(float(np.abs(wanted).max()) for wanted in expected)
    # Written so that a NaN fails.
    if not largest <= tolerance:
        raise RuntimeError(
            f"The exported file is off by {largest:.3g} in a logit, with {100 * agreement:.3f} % of the labels as "
            f"Keras has them. Expected at most {tolerance:.3g}. No file was kept. Report this as a bug of keras_hrnet, "
            "with the model and the options."
        )
    return Difference(largest, float(differences.mean(dtype=np.float64)), agreement)


def _made_batches(options):
    batches = []
    for i, default in enumerate(SIZES):
        size = tuple(length or other for length, other in zip(options.image_size, default, strict=True))
        made = noise_and_gradients(size, seed=i)
        count = options.batch_size or 2 - i
        batches.append(made[(i + np.arange(count)) % 2])
    return batches


def _check_size(images, options):
    wanted = (*options.image_size, 3)
    if images.ndim != 4 or any(b not in (None, a) for a, b in zip(images.shape[1:], wanted, strict=True)):
        raise ValueError(
            f"Received representative_data with images of shape {images.shape}. Expected (num_images, "
            f"{', '.join('any' if length is None else str(length) for length in wanted)}), which the file takes. "
            "Resize or crop them to it."
        )

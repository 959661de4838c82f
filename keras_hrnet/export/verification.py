"""Compares an exported file with the Keras model that it was made from, on images."""

import dataclasses

import keras
import numpy as np

from keras_hrnet.evaluation.inference import images_for
from keras_hrnet.export.conversion import answer_from_logits
from keras_hrnet.export.options import logits_model

NUM_IMAGES = 4

# The largest difference that a file may have, as a share of the largest logit. Measured: 2.4e-6 where Keras runs on
# the CPU (HRNetW18Small, 256x512). The rest is for GPUs, whose products have ten bits by default (TF32: 5e-4 each).
# A mistake is larger: resizing by the other convention (align_corners) moves a logit by 0.3.
LOGIT_TOLERANCE = 5e-3


@dataclasses.dataclass(frozen=True)
class Reference:
    """What Keras answers for the verification images.

    Args:
        images: uint8 `(num_images, height, width, 3)`, RGB in [0, 255].
        logits: float32 `(num_images, ..., num_classes)`, channels last.
    """

    images: np.ndarray
    logits: np.ndarray

    @property
    def tolerance(self):
        """How far a logit may be off."""
        return LOGIT_TOLERANCE * float(np.abs(self.logits).max())


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How far a file is from Keras.

    Args:
        largest_difference: the largest absolute difference of logits or probabilities; None for labels.
        mean_difference: the mean absolute difference; None for labels.
        label_agreement: the share of pixels with the same label, in [0, 1].
    """

    largest_difference: float | None
    mean_difference: float | None
    label_agreement: float


def reference(model, options, representative_data=None):
    """Runs the Keras model, on its own backend, on the verification images.

    Args:
        model: the network.
        options: a `TFLiteOptions`.
        representative_data: see `verification_images`.

    Returns:
        A `Reference`.

    Raises:
        ValueError: if an answer is not finite, or the images do not fit.
    """
    images = verification_images(options, representative_data)
    logits, axis = logits_model(model, options)
    # A model of its own: on TensorFlow, the user's may have been traced for images of any size, whatever they are.
    network = keras.Model(logits.inputs[0], logits.outputs[0])
    answers = [network.predict_on_batch(images_for(network, image[np.newaxis])) for image in images]
    logits = np.moveaxis(np.concatenate(answers), axis, -1)
    if not np.isfinite(logits).all():
        raise ValueError(
            f"Received the model {model.name!r}, whose logits on {len(images)} images are not all finite. Expected "
            "numbers. Load the weights of a training that did not diverge."
        )
    return Reference(images, logits)


def verification_images(options, representative_data=None):
    """Takes or makes the images on which a file is compared with Keras.

    Args:
        options: a `TFLiteOptions`.
        representative_data: an array of images `(num_images, height, width, 3)`, RGB in [0, 255], or an iterable of
            batches of such or of `(images, labels)`, of which the first four images are taken; or None for seeded
            noise and gradients.

    Returns:
        uint8 `(num_images, height, width, 3)`.

    Raises:
        ValueError: if the images have another size than the options say, or there are none.
    """
    if representative_data is None:
        return _noise_and_gradients(options.image_size)
    if hasattr(representative_data, "shape"):
        representative_data = [representative_data]
    found = []
    for batch in representative_data:
        images = np.asarray(batch[0] if isinstance(batch, (tuple, list)) else batch)
        if images.shape[1:] != (*options.image_size, 3):
            raise ValueError(
                f"Received representative_data with images of shape {images.shape}. Expected (num_images, "
                f"{options.image_size[0]}, {options.image_size[1]}, 3), as image_size={options.image_size} says. "
                "Resize or crop them to it."
            )
        found.extend(images)
        if len(found) >= NUM_IMAGES:
            break
    if not found:
        raise ValueError("Received representative_data without images. Expected at least one. Check the dataset.")
    return np.clip(np.rint(np.stack(found[:NUM_IMAGES])), 0, 255).astype(np.uint8)


def compare(answers, expected, options):
    """Compares what a file answers with what Keras does.

    Args:
        answers: what the file gave for `expected.images`.
        expected: a `Reference`.
        options: a `TFLiteOptions`.

    Returns:
        A `Comparison`.

    Raises:
        RuntimeError: if a logit is further off than the tolerance, a probability than such a logit could make it, or a
            pixel has a label whose logit is further below the largest than two such logits could make it.
    """
    wanted = answer_from_logits(expected.logits, options.output_name)
    if answers.shape != wanted.shape or answers.dtype != wanted.dtype:
        raise RuntimeError(
            f"The file answers {answers.dtype} of shape {answers.shape} where Keras gives {wanted.dtype} of shape "
            f"{wanted.shape}. Expected the same. Report this as a bug of keras_hrnet, with the model and the options."
        )
    labels = answers if options.output_name == "labels" else np.argmax(answers, axis=-1)
    agreement = float(np.mean(labels == np.argmax(expected.logits, axis=-1)))
    largest = mean = None
    if options.output_name != "labels":
        differences = np.abs(answers - wanted)
        largest, mean = float(differences.max()), float(differences.mean())
        # A probability moves by at most half of what the logits do.
        _check("value", largest, expected.tolerance / (2 if options.output_name == "probabilities" else 1), agreement)
    chosen = np.take_along_axis(expected.logits, labels[..., np.newaxis].astype(np.int64), axis=-1)[..., 0]
    _check("label's logit", float((expected.logits.max(axis=-1) - chosen).max()), 2 * expected.tolerance, agreement)
    return Comparison(largest, mean, agreement)


def _check(what, difference, tolerance, agreement):
    # Written so that a NaN fails.
    if not difference <= tolerance:
        raise RuntimeError(
            f"The exported file is off by {difference:.3g} in a {what}, with {100 * agreement:.3f} % of the labels as "
            f"Keras has them. Expected at most {tolerance:.3g}. No file was kept. Report this as a bug of keras_hrnet, "
            "with the model and the options."
        )


def _noise_and_gradients(image_size):
    height, width = image_size
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    down = np.broadcast_to(np.linspace(0, 255, height)[:, np.newaxis], image_size)
    right = np.broadcast_to(np.linspace(0, 255, width), image_size)
    gradients = np.stack([down, right, 255 - right], axis=-1).astype(np.uint8)
    return np.stack([noise, gradients])

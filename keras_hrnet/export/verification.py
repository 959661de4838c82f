"""Compares an exported file with the Keras model that it was made from, on images."""

import dataclasses

import keras
import numpy as np

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.evaluation.confusion import confusion_matrix, intersection_over_union
from keras_hrnet.export.conversion import answer_from_logits
from keras_hrnet.export.options import logits_model
from keras_hrnet.models.interface import images_for

# The largest difference that one logit may have, as a share of the largest logit. Measured: float32 2.4e-6 where Keras
# runs on the CPU (HRNetW18Small, 256x512), float16 1.5e-3. The rest is for GPUs, whose products have ten bits by
# default (TF32: 5e-4 each). A mistake is larger: resizing by the other convention (align_corners) moves a logit by 0.3.
LARGEST_SHARE = {"float32": 5e-3, "float16": 2e-2}

# The root mean square of all differences that integers may make, as a share of the answers' standard deviation.
# Measured on the demo's HRNetW18Small: dynamic 0.009, int8 0.017, mixed 0.013, int16x8 0.005, each within 0.001 of
# Keras's mIoU.
MEAN_SHARE = {"dynamic": 0.1, "int8": 0.1, "mixed": 0.1, "int16x8": 0.05}


@dataclasses.dataclass(frozen=True)
class Reference:
    """What Keras answers for the verification images.

    Args:
        images: uint8 `(num_images, height, width, 3)`, RGB in [0, 255].
        logits: float32 `(num_images, ..., num_classes)`, channels last.
        labels: the truth, integer `(num_images, height, width)`, 255 = ignore; None if it is not known.
    """

    images: np.ndarray
    logits: np.ndarray
    labels: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How far a file is from Keras.

    Args:
        largest_difference: the largest absolute difference of logits or probabilities; None for labels.
        mean_difference: the mean absolute difference; None for labels.
        label_agreement: the share of pixels with the same label, in [0, 1].
        keras_miou: the mean IoU of Keras's labels, in [0, 1]; None without the truth.
        miou: that of the file's.
        failed: what is off, how far, and how far it may be.
    """

    largest_difference: float | None
    mean_difference: float | None
    label_agreement: float
    keras_miou: float | None
    miou: float | None
    failed: tuple[str, float, float]

    @property
    def excess(self):
        """How many times as far off the file is as it may be: up to 1 is good; infinite where it is not finite."""
        _, difference, allowed = self.failed
        ratio = difference / allowed if allowed else float(difference > 0)
        return ratio if np.isfinite(ratio) else np.inf


def reference(model, options, representative):
    """Runs the Keras model, on its own backend, on the verification images.

    Args:
        model: the network.
        options: a `TFLiteOptions`.
        representative: a `Representative`.

    Returns:
        A `Reference`.

    Raises:
        ValueError: if an answer is not finite, or the images do not fit.
    """
    logits, axis = logits_model(model, options)
    # A model of its own: on TensorFlow, the user's may have been traced for images of any size, whatever they are.
    network = keras.Model(logits.inputs[0], logits.outputs[0])
    images = representative.images
    answers = [network.predict_on_batch(images_for(network, image[np.newaxis])) for image in images]
    logits = np.moveaxis(np.concatenate(answers), axis, -1)
    if not np.isfinite(logits).all():
        raise ValueError(
            f"Received the model {model.name!r}, whose logits on {len(images)} images are not all finite. Expected "
            "numbers. Load the weights of a training that did not diverge."
        )
    return Reference(images, logits, representative.labels)


def compare(answers, expected, options):
    """Compares what a file answers with what Keras does.

    Args:
        answers: what the file gave for `expected.images`.
        expected: a `Reference`.
        options: a `TFLiteOptions`.

    Returns:
        A `Comparison`.

    Raises:
        RuntimeError: if the answers have another shape or dtype.
    """
    wanted = answer_from_logits(expected.logits, options.output_name)
    if answers.shape != wanted.shape or answers.dtype != wanted.dtype:
        raise RuntimeError(
            f"The file answers {answers.dtype} of shape {answers.shape} where Keras gives {wanted.dtype} of shape "
            f"{wanted.shape}. Expected the same. Report this as a bug of keras_hrnet, with the model and the options."
        )
    labels = answers if options.output_name == "labels" else np.argmax(answers, axis=-1)
    keras_labels = np.argmax(expected.logits, axis=-1)
    largest = mean = None
    if options.output_name != "labels":
        differences = np.abs(answers - wanted)
        largest, mean = float(differences.max()), float(differences.mean())
    failed = _worst(_departures(answers, labels, wanted, expected, options))
    return Comparison(
        largest,
        mean,
        float(np.mean(labels == keras_labels)),
        _miou(expected, keras_labels),
        _miou(expected, labels),
        failed,
    )


def check(comparison, options, layer=None):
    """Refuses a file that is too far from Keras.

    Args:
        comparison: what `compare` gave.
        options: a `TFLiteOptions`.
        layer: a function that finds the path of the layer that departs first, or None; asked only on failure.

    Raises:
        RuntimeError: if the file is further off than its precision may be: in a logit, a probability, or a label whose
            logit is further below the largest than such logits could make it.
    """
    if comparison.excess <= 1:
        return
    what, difference, allowed = comparison.failed
    found = layer() if layer else None
    where = f" The layer {found!r} departs first." if found else ""
    advice = "Report this as a bug of keras_hrnet, with the model and the options."
    if options.precision in MEAN_SHARE:
        advice = (
            "Pass more images as they come from training, or another precision: 'mixed', then 'float16', is closer."
        )
    raise RuntimeError(
        f"The exported file is off by {difference:.3g} in {what}, with {100 * comparison.label_agreement:.3f} % of the "
        f"labels as Keras has them.{where} Expected at most {allowed:.3g} for precision={options.precision!r}. No file "
        f"was kept. {advice}"
    )


def relative_error(answers, wanted):
    """Returns the root mean square of the differences, as a share of the standard deviation of what is wanted."""
    deviation = float(np.std(wanted, dtype=np.float64))
    error = float(np.sqrt(np.mean(np.square(answers.astype(np.float64) - wanted))))
    return error / deviation if deviation else error


def _departures(answers, labels, wanted, expected, options):
    """Yields what may be off, how far it is, and how far it may be."""
    chosen = np.take_along_axis(expected.logits, labels[..., np.newaxis].astype(np.int64), axis=-1)[..., 0]
    lost = expected.logits.max(axis=-1) - chosen
    if options.precision in MEAN_SHARE:
        allowed = MEAN_SHARE[options.precision]
        if options.output_name == "labels":
            deviation = float(expected.logits.std()) or 1.0
            yield (
                "the mean of its labels' logits, as a share of their deviation",
                float(lost.mean()) / deviation,
                allowed,
            )
        else:
            yield "the mean of its values, as a share of their deviation", relative_error(answers, wanted), allowed
        return
    allowed = LARGEST_SHARE[options.precision] * float(np.abs(expected.logits).max())
    if options.output_name != "labels":
        # A probability moves by at most half of what the logits do.
        factor = 0.5 if options.output_name == "probabilities" else 1
        yield "a value", float(np.abs(answers - wanted).max()), factor * allowed
    yield "a label's logit", float(lost.max()), 2 * allowed


def _worst(departures):
    def share(departure):
        _, difference, allowed = departure
        return np.nan_to_num(difference / allowed if allowed else difference, nan=np.inf)

    return max(departures, key=share)


def _miou(expected, labels):
    truth = expected.labels
    # Logits at stride 4 and networks of one label an image have no label for each pixel of the truth.
    if truth is None or truth.shape != labels.shape or not (truth != IGNORE_LABEL).any():
        return None
    scores = intersection_over_union(confusion_matrix(truth, labels, expected.logits.shape[-1]))
    return float(np.nanmean(scores))

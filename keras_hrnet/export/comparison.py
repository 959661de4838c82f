"""Compares the outputs of an exported file with those of its Keras model."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.evaluation.confusion import confusion_matrix, intersection_over_union
from keras_hrnet.export.images import Batch
from keras_hrnet.export.options import ExportOptions
from keras_hrnet.export.runner import KerasRunner
from keras_hrnet.models import classes_of
from keras_hrnet.models.interface import label_dtype

# The largest difference that one logit may have, as a share of the largest logit. With Keras on the CPU, measured
# differences are 2.4e-6 for float32 (HRNetW18Small, 256x512), 4.3e-5 with interlaced attention, and 1.5e-3 for float16.
# The margin is for GPUs, whose products have ten bits by default (TF32: 5e-4 each). Mistakes cause larger differences:
# resizing by the other convention (align_corners) moves a logit by 0.3.
LARGEST_SHARE = {"float32": 5e-3, "float16": 2e-2}

# The largest root mean square of the differences that quantization may cause, as a share of the outputs' standard
# deviation. Measured on the demo's HRNetW18Small: dynamic 0.009, int8 0.017, mixed 0.013, int16x8 0.005; the mIoU of
# each is within 0.001 of Keras's. bfloat16 has the same bound as int8, because its significand has eight bits.
MEAN_SHARE = {"dynamic": 0.1, "int8": 0.1, "mixed": 0.1, "int16x8": 0.05, "bfloat16": 0.1}


@dataclasses.dataclass(frozen=True)
class Reference:
    """The outputs of Keras for the verification images.

    Args:
        batches: the images, with their labels if they are known.
        logits: for each batch, float32 `(num_images, ..., num_classes)`, channels last.
        ignore_label: label of ignored pixels, in addition to 255.
    """

    batches: list[Batch]
    logits: list[np.ndarray]
    ignore_label: int = IGNORE_LABEL


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The differences between a file and Keras.

    Args:
        largest_difference: the largest absolute difference of logits or probabilities; None for labels.
        mean_difference: the mean absolute difference; None for labels.
        label_agreement: the share of pixels with the same label, in [0, 1].
        keras_miou: the mean IoU of Keras's labels, in [0, 1]; None without the truth.
        miou: mean IoU of the file's labels.
        failed: which bound is exceeded, the difference, and the bound.
    """

    largest_difference: float | None
    mean_difference: float | None
    label_agreement: float
    keras_miou: float | None
    miou: float | None
    failed: tuple[str, float, float]

    @property
    def excess(self) -> float:
        """The largest ratio of a difference to its bound: up to 1 is accepted; infinite if an output is not finite."""
        return _excess(self.failed)


def reference(model: keras.Model, options: ExportOptions, batches: list[Batch]) -> Reference:
    """Runs the Keras model, on its own backend, on the verification images.

    Raises:
        ValueError: if an output is not finite, or the images do not fit.
    """
    logits, axis = options.logits_model(model)
    # This is a separate model, because on TensorFlow, the user's model may have been traced for images of any size.
    network = keras.Model(logits.inputs[0], logits.outputs[0])
    run = KerasRunner(network, axis, batch_size=network.inputs[0].shape[0] or 1)
    answers = [run(batch.images) for batch in batches]
    if not all(np.isfinite(logits).all() for logits in answers):
        raise ValueError(
            f"Received the model {model.name!r}, whose logits on {sum(len(x) for x in answers)} images are not all "
            "finite. Expected finite numbers. Load the weights of a run that did not diverge."
        )
    return Reference(batches, answers, classes_of(model).ignore_label)


def compare(run: Callable[[np.ndarray], np.ndarray], expected: Reference, options: ExportOptions) -> Comparison:
    """Runs a file on the verification images, and compares its outputs with those of Keras.

    Raises:
        RuntimeError: if the outputs have another shape or dtype.
    """
    logits = _rows(expected.logits, 1)
    wanted = _answer_from_logits(logits, options.output_name)
    answers = [run(batch.images) for batch in expected.batches]
    for found, of_keras in zip(answers, expected.logits, strict=True):
        shape = of_keras.shape[: of_keras.ndim - 2 + wanted.ndim]
        if found.shape != shape or found.dtype != wanted.dtype:
            raise RuntimeError(
                f"The file returns {found.dtype} of shape {found.shape}, and Keras {wanted.dtype} of shape {shape}. "
                "Expected the same. Report this as a bug of keras_hrnet, with the model and the options."
            )
    found = _rows(answers, wanted.ndim - 1)
    largest = mean = None
    labels = found
    if options.output_name != "labels":
        labels = np.argmax(found, axis=-1)
        differences = np.abs(found - wanted)
        largest, mean = float(differences.max()), float(differences.mean(dtype=np.float64))
    keras_labels = np.argmax(logits, axis=-1)
    return Comparison(
        largest,
        mean,
        float(np.mean(labels == keras_labels)),
        _miou(expected, keras_labels),
        _miou(expected, labels),
        max(_departures(found, labels, wanted, logits, options), key=_excess),
    )


def check(comparison: Comparison, options: ExportOptions, layer: Callable[[], str | None] = lambda: None) -> None:
    """Refuses a file that differs too much from Keras.

    Args:
        comparison: the result of `compare`.
        options: the options of the file.
        layer: returns the path of the first layer that differs, or None; called only on failure.

    Raises:
        RuntimeError: if the file differs by more than its precision allows: in a logit, in a probability, or in a label
            whose logit is further below the largest one than such differences can explain.
    """
    if comparison.excess <= 1:
        return
    what, difference, allowed = comparison.failed
    found = layer()
    where = f" The first layer that differs is {found!r}." if found else ""
    advice = "Report this as a bug of keras_hrnet, with the model and the options."
    if options.precision in MEAN_SHARE:
        advice = f"Pass more images like those in training, or another precision: {options.closer} closer."
    raise RuntimeError(
        f"The exported file differs by {difference:.3g} in {what}, and {100 * comparison.label_agreement:.3f} % of "
        f"its labels equal those of Keras.{where} Expected at most {allowed:.3g} for "
        f"precision={options.precision!r}. No file was kept. {advice}"
    )


def relative_error(answers: np.ndarray, wanted: np.ndarray) -> float:
    """Returns the root mean square of the differences, as a share of the standard deviation of the wanted values."""
    deviation = float(np.std(wanted, dtype=np.float64))
    error = float(np.sqrt(np.mean(np.square(answers.astype(np.float64) - wanted))))
    return error / deviation if deviation else error


def _rows(arrays, num_axes):
    """Joins arrays into rows of their last `num_axes` axes: one row per pixel, or per image of a classifier."""
    rows = [x.reshape(-1, *x.shape[x.ndim - num_axes :]) for x in arrays]
    return rows[0] if len(rows) == 1 else np.concatenate(rows)


def _answer_from_logits(logits, output_name):
    if output_name == "labels":
        return np.argmax(logits, axis=-1).astype(label_dtype(logits.shape[-1]))
    if output_name == "probabilities":
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return odds / odds.sum(axis=-1, keepdims=True)
    return logits


def _departures(answers, labels, wanted, logits, options):
    """Yields what is compared, the difference, and the bound."""
    chosen = np.take_along_axis(logits, labels[..., np.newaxis].astype(np.int64), axis=-1)[..., 0]
    lost = logits.max(axis=-1) - chosen
    if options.precision in MEAN_SHARE:
        allowed = MEAN_SHARE[options.precision]
        if options.output_name == "labels":
            deviation = float(logits.std()) or 1.0
            what = "the mean of its labels' logits, as a share of their deviation"
            yield what, float(lost.mean()) / deviation, allowed
        else:
            yield "the mean of its values, as a share of their deviation", relative_error(answers, wanted), allowed
        return
    allowed = LARGEST_SHARE[options.precision] * float(np.abs(logits).max())
    if options.output_name == "logits":
        yield "a logit", float(np.abs(answers - wanted).max()), allowed
    if options.output_name == "probabilities":
        # If logits change by some amount, probabilities change by at most half of it.
        yield "a probability", float(np.abs(answers - wanted).max()), 0.5 * allowed
    yield "a label's logit", float(lost.max()), 2 * allowed


def _excess(departure):
    _, difference, allowed = departure
    ratio = difference / allowed if allowed else float(difference > 0)
    return ratio if np.isfinite(ratio) else np.inf


def _miou(expected, labels):
    truths = [batch.labels for batch in expected.batches]
    # Logits at stride 4, and networks with one label per image, have no label for each pixel of the truth.
    if any(truth is None or truth.shape != x.shape[:-1] for truth, x in zip(truths, expected.logits, strict=True)):
        return None
    truth = _rows(truths, 0)
    counted = (truth != IGNORE_LABEL) & (truth != expected.ignore_label)
    if not counted.any():
        return None
    confusion = confusion_matrix(truth[counted], labels[counted], expected.logits[0].shape[-1])
    return float(np.nanmean(intersection_over_union(confusion)))

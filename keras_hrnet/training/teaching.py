"""Distillation: a network learns the probabilities of a trained network, its teacher, in addition to the labels."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_hrnet.models import classes_of, optimize_for_inference
from keras_hrnet.models.interface import check_model, data_format, num_channels, num_classes, returns_labels
from keras_hrnet.training.losses.distillation import Distillation
from keras_hrnet.training.losses.sum_of_losses import SumOfLosses
from keras_hrnet.training.losses.weighted_segmentation_loss import WeightedSegmentationLoss


def check_teacher(teacher: Any, student: keras.Model) -> None:
    """Refuses a model that cannot be the teacher of a network.

    Raises:
        TypeError: if it is not a Keras model.
        ValueError: if it returns labels, or has other classes or input images than the student.
    """
    if not isinstance(teacher, keras.Model):
        raise TypeError(
            f"Received a teacher of type {type(teacher).__name__}. Expected a trained keras.Model. Load one with "
            "keras.models.load_model."
        )
    check_model(teacher)
    if returns_labels(teacher):
        raise ValueError(
            f"Received the teacher {teacher.name!r}, which returns labels. Expected logits, because the student "
            "learns the teacher's probabilities. Pass the network from which the labels were derived."
        )
    for what, of in (("classes", num_classes), ("channels", num_channels)):
        if of(teacher) != of(student):
            raise ValueError(
                f"Received the teacher {teacher.name!r} of {of(teacher)} {what} for the network {student.name!r} of "
                f"{of(student)}. Expected the same number. Train a teacher on the same data."
            )
    ours, theirs = classes_of(student), classes_of(teacher)
    difference = theirs.first_difference(ours)
    if ours.are_named and theirs.are_named and difference:
        i, known, wanted = difference
        raise ValueError(
            f"Received the teacher {teacher.name!r}, whose class {i} is {known!r}, for the network {student.name!r}, "
            f"whose class {i} is {wanted!r}. Expected the same classes in the same order. Train a teacher on the same "
            "data."
        )


@contextlib.contextmanager
def taught(
    student: keras.Model, teacher: keras.Model | None, weight: float, temperature: float, of_labels: keras.losses.Loss
) -> Iterator[None]:
    """Adds the distillation loss of a teacher to a network's training steps, within a `with` block.

    The network's own loss, metrics, validation and files are unchanged; none of its files contains the teacher.

    Args:
        student: the network, before it is compiled.
        teacher: a network for which `check_teacher` raises nothing; None adds nothing.
        weight: weight of the `Distillation`.
        temperature: temperature of the `Distillation`.
        of_labels: the loss for the labels, whose class weights, if it has any, are those of the `Distillation`.
    """
    if teacher is None:
        yield
        return
    losses = of_labels.losses if isinstance(of_labels, SumOfLosses) else [of_labels]
    weights = next((each.class_weights for each in losses if isinstance(each, WeightedSegmentationLoss)), None)
    options = {"ignore_label": classes_of(student).ignore_label, "data_format": data_format(student)}
    loss = Distillation(temperature, class_weights=weights, **options)
    # This is a faster copy, and training steps do not change it.
    frozen = optimize_for_inference(teacher)
    frozen.trainable = False
    layouts = [data_format(model) for model in (student, frozen)]
    axis = -1 if layouts[0] == "channels_last" else 1
    plain = student.compute_loss

    def compute_loss(x=None, y=None, y_pred=None, sample_weight=None, training=True):
        total = plain(x, y, y_pred, sample_weight, training)
        if not training:
            return total
        logits = y_pred[0] if isinstance(y_pred, list | tuple) else y_pred
        known = _in_layout(frozen(_in_layout(x, *layouts), training=False), *reversed(layouts))
        pair = keras.ops.concatenate([keras.ops.cast(logits, "float32"), keras.ops.cast(known, "float32")], axis)
        return total + weight * loss(y, pair)

    # The network must not track this layer, or its files would contain the teacher.
    student.compute_loss = compute_loss
    try:
        yield
    finally:
        del student.compute_loss
        # The compiled function includes the teacher.
        student.train_function = None


def _in_layout(x, source, target):
    """Moves the channels of images or maps from the data format of one network to that of another."""
    if source == target:
        return x
    return keras.ops.transpose(x, (0, 3, 1, 2) if target == "channels_first" else (0, 2, 3, 1))

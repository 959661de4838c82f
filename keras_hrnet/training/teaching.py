"""Distillation: in addition to the labels, a network learns from the probabilities and maps of a trained network."""

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any

import keras

from keras_hrnet.layers import LiteModule
from keras_hrnet.layers.stage import ModuleSequence
from keras_hrnet.models import classes_of, optimize_for_inference
from keras_hrnet.models.interface import check_model, data_format, num_channels, num_classes, returns_labels
from keras_hrnet.training.losses.distillation import Distillation
from keras_hrnet.training.losses.feature_distillation import FeatureDistillation
from keras_hrnet.training.losses.sum_of_losses import SumOfLosses
from keras_hrnet.training.losses.weighted_segmentation_loss import WeightedSegmentationLoss
from keras_hrnet.training.recipe import Recipe

# Stride of the finest branch, in pixels of the image; each further branch has twice the stride of the one before it.
FINEST_STRIDE = 4


def check_teacher(teacher: Any, student: keras.Model, recipe: Recipe) -> None:
    """Refuses a model that cannot be the teacher of a network with a recipe.

    Raises:
        TypeError: if it is not a Keras model.
        ValueError: if it returns labels, or has other classes or input images than the student; if both of the
            recipe's weights are 0; or if the recipe compares the maps of the stages, and the networks do not have the
            same stages.
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
    if not recipe.distillation and not recipe.feature_distillation:
        raise ValueError(
            f"Received the teacher {teacher.name!r} with distillation=0 and feature_distillation=0. Expected at least "
            "one of these weights above 0. Leave the teacher out to train without one."
        )
    if recipe.feature_distillation:
        ours, theirs = (sorted(_stages(model)) for model in (student, teacher))
        if not ours or ours != theirs:
            raise ValueError(
                f"Received feature_distillation={recipe.feature_distillation} for the network {student.name!r} with "
                f"stages of {ours} branches and the teacher {teacher.name!r} with stages of {theirs} branches. "
                "Expected the same stages in both, and at least one. Leave feature_distillation out, or pass networks "
                'of this package with a head other than "hierarchical".'
            )


@contextlib.contextmanager
def taught(
    student: keras.Model, teacher: keras.Model | None, recipe: Recipe, of_labels: keras.losses.Loss
) -> Iterator[None]:
    """Adds the losses of a teacher to a network's training steps, within a `with` block.

    The network's own loss, metrics, validation and files are unchanged; none of its files contains the teacher.

    Args:
        student: the network, before it is compiled.
        teacher: a network for which `check_teacher` raises nothing; None adds nothing.
        recipe: the recipe, with `distillation`, `temperature` and `feature_distillation`.
        of_labels: the loss for the labels, whose class weights, if it has any, are those of the `Distillation`.
    """
    if teacher is None:
        yield
        return
    # This is a faster copy, and training steps do not change it.
    frozen = optimize_for_inference(teacher)
    frozen.trainable = False
    layouts = [data_format(model) for model in (student, frozen)]
    ignore_label, plain = classes_of(student).ignore_label, student.compute_loss
    of_logits = _distillation(recipe, of_labels, ignore_label)
    stages, of_teacher = (_stages(model) if recipe.feature_distillation else {} for model in (student, frozen))
    outputs = {"maps": [layer.output for layer in of_teacher.values()]}
    if recipe.distillation:
        # PyTorch would compute them even if nobody asks for them.
        outputs["logits"] = frozen.output
    results = keras.Model(frozen.input, outputs)

    def compute_loss(x=None, y=None, y_pred=None, sample_weight=None, training=True):
        total = plain(x, y, y_pred, sample_weight, training)
        if not training:
            return total
        known = results(_in_layout(x, *layouts), training=False)
        if recipe.distillation:
            ours = y_pred[0] if isinstance(y_pred, list | tuple) else y_pred
            both = (ours, layouts[0]), (known["logits"], layouts[1])
            total = total + recipe.distillation * of_logits(y, _channels_side_by_side(*both))
        for number, maps in zip(stages, known["maps"], strict=True):
            formats = stages[number].data_format, of_teacher[number].data_format
            distances = [
                _distance(_sampled(y, FINEST_STRIDE * 2**i), ignore_label, *zip(both, formats, strict=True))
                for i, both in enumerate(zip(vars(recorded)[number], maps, strict=True))
            ]
            total = total + recipe.feature_distillation * sum(distances) / (len(distances) * len(stages))
        return total

    with _recording(stages) as recorded:
        # The network must not track this layer, or its files would contain the teacher.
        student.compute_loss = compute_loss
        try:
            yield
        finally:
            del student.compute_loss
            # The compiled function includes the teacher.
            student.train_function = None


def _distillation(recipe, of_labels, ignore_label):
    losses = of_labels.losses if isinstance(of_labels, SumOfLosses) else [of_labels]
    weights = next((each.class_weights for each in losses if isinstance(each, WeightedSegmentationLoss)), None)
    return Distillation(recipe.temperature, ignore_label, "channels_last", class_weights=weights)


def _stages(model):
    """Returns the last layer of each stage with several branches, by their number; none for other networks."""
    return {len(layer.output): layer for layer in model.layers if isinstance(layer, ModuleSequence | LiteModule)}


@contextlib.contextmanager
def _recording(layers):
    """Records the outputs of layers, by their keys, whenever they are called within a `with` block."""
    # `tf.distribute.MirroredStrategy` runs the steps of its replicas in threads, each of which has its own maps.
    recorded = threading.local()

    def record(key, call, *args, **kwargs):
        vars(recorded)[key] = outputs = call(*args, **kwargs)
        return outputs

    for key, layer in layers.items():
        layer.call = functools.partial(record, key, layer.call)
    try:
        yield recorded
    finally:
        for layer in layers.values():
            del layer.call


def _sampled(labels, stride):
    """Returns the labels at the positions of a map with this stride."""
    labels = labels if len(labels.shape) == 3 else keras.ops.squeeze(labels, -1)
    return labels[:, ::stride, ::stride]


def _distance(labels, ignore_label, ours, known):
    """Computes the `FeatureDistillation` of two maps with their formats, without the positions of ignored pixels."""
    num_channels = ours[0].shape[-1 if ours[1] == "channels_last" else 1]
    # The ignore label may be one that the dtype of the labels does not have.
    counts = keras.ops.not_equal(keras.ops.cast(labels, "int32"), ignore_label)
    return FeatureDistillation(num_channels)(keras.ops.cast(counts, "float32"), _channels_side_by_side(ours, known))


def _channels_side_by_side(*maps):
    """Joins maps with their formats, in float32 with the channels last."""
    last = [_in_layout(keras.ops.cast(x, "float32"), of, "channels_last") for x, of in maps]
    return keras.ops.concatenate(last, axis=-1)


def _in_layout(x, source, target):
    """Moves the channels of images or maps from the data format of one network to that of another."""
    if source == target:
        return x
    return keras.ops.transpose(x, (0, 3, 1, 2) if target == "channels_first" else (0, 2, 3, 1))

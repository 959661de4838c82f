"""Functional models that know their classes, train on any backend wherever they were saved, or only predict."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.backends.freezing import freeze, uses_onednn
from keras_hrnet.data_sets import Classes
from keras_hrnet.data_sets.published import standardize_classes
from keras_hrnet.layers.labels import Labels
from keras_hrnet.mistaken import check_not_mistaken
from keras_hrnet.models import interface


class ClassAware:
    """What makes a functional model know its classes, and keep them in its file.

    A class of models names it before the class that it builds on: `class Network(ClassAware, keras.Model)`.
    """

    @property
    def classes(self) -> Classes | None:
        """The classes: their names, colors and ignore label; None for a network without a head, or of labels alone.

        Until somebody names them, they are "class 0", "class 1", and so on. `fit` and `keras_hrnet.train` take them
        from a data set that has an attribute `classes`, as those of `keras_hrnet.data` have. Assign a `Classes`, a
        sequence of names, or the name of a data set.
        """
        known = self.__dict__.get("known_classes")
        if known is not None or len(self.outputs) != 1 or interface.gives_labels(self):
            return known
        return Classes.unnamed(interface.num_classes(self))

    @classes.setter
    def classes(self, classes: Classes | Sequence[str] | str) -> None:
        if len(self.outputs) != 1:
            raise ValueError(
                f"Received class names for {self.name!r}, which has no head. Leave them out, or add a head."
            )
        self.known_classes = checked_classes(self, classes)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """What the classes are called, by train id."""
        return self.classes and self.classes.names

    @property
    def class_colors(self) -> tuple[tuple[int, int, int], ...] | None:
        """Red, green and blue of each class, each in [0, 255], by train id."""
        return self.classes and self.classes.colors

    @property
    def ignore_label(self) -> int | None:
        """The train id of ignored pixels."""
        return self.classes and self.classes.ignore_label

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        classes = getattr(x, "classes", None)
        if isinstance(classes, Classes) and "known_classes" not in self.__dict__:
            self.classes = classes
        return super().fit(x, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        known = self.__dict__.get("known_classes")
        return config if known is None else {**config, "classes": known.to_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> ClassAware:
        config = dict(config)
        classes = config.pop("classes", None)
        # KerasHub's classes take no custom objects.
        model = super().from_config(config, custom_objects) if custom_objects else super().from_config(config)
        if classes is not None:
            model.classes = Classes(**classes)
        return model


def classes_of(model: keras.Model) -> Classes:
    """Returns the classes of any segmentation network: its own, or unnamed ones.

    Args:
        model: a functional model. `model.classes = "cityscapes"` names the classes of any of them.

    Raises:
        ValueError: if the model does not say how many classes it has, or has another number of them.
    """
    return own_classes(model) or Classes.unnamed(interface.num_classes(model))


def own_classes(model: keras.Model) -> Classes | None:
    """Returns the classes that the attribute `classes` of any model says; None where there is none."""
    classes = getattr(model, "classes", None)
    return checked_classes(model, classes) if isinstance(classes, (Classes, str, list, tuple)) else None


def checked_classes(model: keras.Model, classes: Classes | Sequence[str] | str) -> Classes:
    """Returns the classes that an argument stands for, as many as a network has.

    Raises:
        TypeError: as `standardize_classes`.
        ValueError: as `standardize_classes`; or if the network has another number of classes.
    """
    classes = standardize_classes(classes)
    if not interface.gives_labels(model) and len(classes.names) != interface.num_classes(model):
        raise ValueError(
            f"Received {len(classes.names)} class names for {model.name!r}, which has {interface.num_classes(model)} "
            "classes. Expected one name for each class. Pass as many names, or build the network with "
            f"num_classes={len(classes.names)}."
        )
    return classes


class Portable:
    """What makes a compiled model's file no backend's own, and its first step on TensorFlow twice as fast.

    Keras saves whether the backend that compiled the model compiles its steps as a whole (`jit_compile`). A file of
    TensorFlow on a CPU would train on JAX one operation at a time, and one of JAX on PyTorch through `torch.compile`.
    The backend that loads the file decides anew, as `compile` does where it is not told.

    `load_weights` refuses files with NaN or infinite values, and leaves the weights as they were.

    A class of models names it before the class that it builds on.
    """

    def compile_from_config(self, config: dict[str, Any]) -> None:
        super().compile_from_config({**config, "jit_compile": "auto"})

    def make_train_function(self, force: bool = False) -> Any:
        # TensorFlow traces a step twice if the optimizer makes its variables in it, and a step takes long to trace.
        if self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def load_weights(self, filepath: str | os.PathLike, skip_mismatch: bool = False, **kwargs: Any) -> None:
        if os.path.isfile(filepath):
            check_not_mistaken(filepath)
        before = self.get_weights()
        super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)
        try:
            interface.check_weights(self)
        except ValueError as error:
            self.set_weights(before)
            raise ValueError(f"{str(filepath)!r} was not loaded. {error}") from error


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Network(ClassAware, Portable, keras.Model):
    """A functional `keras.Model` that knows its classes, and whose file trains on any backend.

    See `ClassAware` and `Portable`. Its arguments are those of `keras.Model`.
    """


@keras.saving.register_keras_serializable(package="keras_hrnet")
class InferenceNetwork(Network):
    """A functional model for inference, as `optimize_for_inference` makes it.

    On TensorFlow on a CPU where it uses oneDNN, `predict` computes with constants, as an exported file does: oneDNN
    lays out a constant kernel once, a variable at every call. They are taken from the weights when it first predicts,
    and again after `set_weights` and `load_weights`; who assigns to a weight by itself calls
    `make_predict_function(force=True)`. What `labels_model` makes of it has constants of its own.
    """

    def predict_step(self, *state_and_data: Any) -> Any:
        # JAX's trainer hands the state of the model in too.
        plain = keras.config.backend() != "tensorflow" or self.jit_compile or self.run_eagerly
        if plain or not uses_onednn():
            return super().predict_step(*state_and_data)
        (data,) = state_and_data
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return freeze(self)(x)

    def set_weights(self, weights: Sequence[Any]) -> None:
        super().set_weights(weights)
        self.predict_function = None

    def load_weights(self, filepath: str | os.PathLike, skip_mismatch: bool = False, **kwargs: Any) -> None:
        super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)
        self.predict_function = None


def labels_model(model: keras.Model) -> keras.Model:
    """Builds a model that gives labels instead of logits, sharing the layers and weights of `model`.

    The largest logit is found where the network runs, so that one byte a pixel comes to the host and not one float a
    class. Make it once where the same network is evaluated many times: it keeps what it compiled.

    Args:
        model: a functional model, float32 logits `(batch, height, width, num_classes)` out; or channels first. A
            model that gives labels already is returned as it is.

    Returns:
        A model from the same images to labels `(batch, height, width)`, train ids: uint8, or int32 if there are more
        than 255 classes.

    Raises:
        TypeError: if `model` is not a built Keras model with one input and one output.
        ValueError: if its input is not RGB images, or its output not a map of logits.
    """
    interface.check_model(model)
    if interface.gives_labels(model):
        return model
    # The model as a whole and not its graph: with an auxiliary head, it leaves out what only training needs.
    logits = model(model.inputs[0])
    dtype = interface.label_dtype(interface.num_classes(model))
    labels = Labels(interface.channel_axis_of(model), dtype)(logits)
    kind = InferenceNetwork if isinstance(model, InferenceNetwork) else Network
    of_labels = kind(model.inputs[0], labels, name=f"{model.name}_labels")
    of_labels.classes = classes_of(model)
    return of_labels

"""Functional models that know their classes and can be trained on any backend, or are only for inference."""

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
    """Adds the attribute `classes` to a functional model, and stores the classes in its file.

    A class of models lists it before its base class: `class Network(ClassAware, keras.Model)`.
    """

    @property
    def classes(self) -> Classes | None:
        """The classes: their names, colors and ignore label.

        None for a network without a head, and for a network that returns labels and whose classes were not set. For
        other networks, the default names are "class 0", "class 1", and so on. If the classes were not set, `fit` and
        `keras_hrnet.train` copy them from a data set with an attribute `classes`, such as the data sets of
        `keras_hrnet.data`. To set them, assign a `Classes`, a sequence of names, or the name of a data set.
        """
        known = self.__dict__.get("known_classes")
        if known is not None or len(self.outputs) != 1 or interface.returns_labels(self):
            return known
        return Classes.unnamed(interface.num_classes(self))

    @classes.setter
    def classes(self, classes: Classes | Sequence[str] | str) -> None:
        if len(self.outputs) != 1:
            raise ValueError(
                f"Received class names for {self.name!r}, which has no head. Expected a network with one output. "
                "Leave the names out, or build the network with a head."
            )
        self.known_classes = checked_classes(self, classes)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes, by train id."""
        return self.classes and self.classes.names

    @property
    def class_colors(self) -> tuple[tuple[int, int, int], ...] | None:
        """The red, green and blue of each class, in [0, 255], by train id."""
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
        # KerasHub's classes do not accept custom objects.
        model = super().from_config(config, custom_objects) if custom_objects else super().from_config(config)
        if classes is not None:
            model.classes = Classes(**classes)
        return model


def classes_of(model: keras.Model) -> Classes:
    """Returns the classes of any segmentation network: its own, or unnamed classes.

    Args:
        model: a functional model. `model.classes = "cityscapes"` names the classes of any model.

    Raises:
        ValueError: if the model does not state its number of classes, or the number of its `classes` differs from it.
    """
    return own_classes(model) or Classes.unnamed(interface.num_classes(model))


def own_classes(model: keras.Model) -> Classes | None:
    """Returns the classes in the attribute `classes` of any model; None if it has no such attribute."""
    classes = getattr(model, "classes", None)
    return checked_classes(model, classes) if isinstance(classes, (Classes, str, list, tuple)) else None


def checked_classes(model: keras.Model, classes: Classes | Sequence[str] | str) -> Classes:
    """Returns the classes that an argument specifies, and checks that their number matches the network.

    Raises:
        TypeError: as `standardize_classes`.
        ValueError: as `standardize_classes`; or if the network has another number of classes.
    """
    classes = standardize_classes(classes)
    if not interface.returns_labels(model) and len(classes.names) != interface.num_classes(model):
        raise ValueError(
            f"Received {len(classes.names)} class names for {model.name!r}, which has {interface.num_classes(model)} "
            "classes. Expected one name for each class. Pass as many names, or build the network with "
            f"num_classes={len(classes.names)}."
        )
    return classes


class Portable:
    """Makes the file of a compiled model independent of the backend, and the first step on TensorFlow twice as fast.

    Keras saves whether the backend that compiled the model compiles its steps as a whole (`jit_compile`). A model saved
    by TensorFlow on a CPU would therefore train on JAX one operation at a time, and a model saved by JAX would train on
    PyTorch through `torch.compile`. With this class, the backend that loads the file decides, as `compile` does by
    default.

    `load_weights` refuses files with NaN or infinite values, and then does not change the weights.

    A class of models lists it before its base class.
    """

    def compile_from_config(self, config: dict[str, Any]) -> None:
        super().compile_from_config({**config, "jit_compile": "auto"})

    def make_train_function(self, force: bool = False) -> Any:
        # TensorFlow traces a step twice if the optimizer creates its variables in the step, and tracing a step takes
        # long.
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
    """A functional `keras.Model` that knows its classes, and whose file can be trained on any backend.

    See `ClassAware` and `Portable`. The arguments are those of `keras.Model`.
    """


@keras.saving.register_keras_serializable(package="keras_hrnet")
class InferenceNetwork(Network):
    """A functional model for inference, as returned by `optimize_for_inference`.

    If TensorFlow on a CPU uses oneDNN, `predict` computes with constants, as an exported file does: oneDNN rearranges a
    constant kernel once, but a variable at every call. The constants are copied from the weights at the first
    prediction, and again after `set_weights` and `load_weights`; if you assign a value to a single weight, call
    `make_predict_function(force=True)`. The result of `labels_model` has separate constants.
    """

    def predict_step(self, *state_and_data: Any) -> Any:
        # JAX's trainer also passes the state of the model.
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
    """Builds a model that returns labels instead of logits, and shares the layers and weights of `model`.

    The largest logit is found on the device of the network, so that one byte per pixel is transferred to the host, and
    not one float per class. Build this model once if the same network is evaluated many times, because the model keeps
    its compiled functions.

    Args:
        model: a functional model that returns float32 logits `(batch, height, width, num_classes)`, or channels first.
            A model that already returns labels is returned unchanged.

    Returns:
        A model from the same images to labels `(batch, height, width)`, train ids: uint8, or int32 if there are more
        than 255 classes.

    Raises:
        TypeError: if `model` is not a built Keras model with one input and one output.
        ValueError: if its input is not a batch of RGB images, or its output is not a map of logits.
    """
    interface.check_model(model)
    if interface.returns_labels(model):
        return model
    # Call the model and not its graph, because a model with an auxiliary head then leaves out the parts that only
    # training needs.
    logits = model(model.inputs[0])
    dtype = interface.label_dtype(interface.num_classes(model))
    labels = Labels(interface.channel_axis_of(model), dtype)(logits)
    kind = InferenceNetwork if isinstance(model, InferenceNetwork) else Network
    of_labels = kind(model.inputs[0], labels, name=f"{model.name}_labels")
    of_labels.classes = classes_of(model)
    return of_labels

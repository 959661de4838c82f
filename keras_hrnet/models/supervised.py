"""Networks with several losses that behave like networks with one output outside of training."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from keras_hrnet.layers import Supervision
from keras_hrnet.models.network import ClassAware, Portable

# This is a context variable and not an attribute, because `tf.distribute.MirroredStrategy` runs the steps of its
# replicas in threads.
_MODEL_IN_STEP = contextvars.ContextVar("the model whose training or test step runs", default=None)


class Supervised:
    """Makes a functional model train auxiliary logits on the same labels, and return only the first logits.

    A class of models lists it before its base class: `class SupervisedModel(Supervised, keras.Model)`.

    The last layer of the model is a `Supervision`, whose first input is the output of the model in calls, in `predict`,
    in `output_shape`, in symbolic use and in export; layers that lead only to the other inputs are then not computed.
    In `fit`, `evaluate` and the corresponding methods for batches, the loss is that of the first input plus the loss of
    each other input times its weight. The other inputs use the compiled loss, or its property `auxiliary` if it has
    one, as OHEM and RMI do: plain cross-entropy. Metrics use the first input.

    In a custom training loop, `model(x)` returns the first logits. Inside another model, the auxiliary logits are not
    trained.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        network = self.part(_MODEL_IN_STEP.get() is self)
        return network(inputs, training=training, mask=mask)

    def part(self, is_in_step: bool) -> keras.Model:
        """Returns the functional model to run: with all trained logits in a step, and with only the first otherwise."""
        parts = self.__dict__.get("parts")
        if parts is None:
            supervision = self.supervision()
            first, *others = keras.tree.flatten(supervision.input)
            trained = [x for x, weight in zip(others, supervision.loss_weights, strict=True) if weight]
            networks = keras.Model(self.input, first), keras.Model(self.input, [first, *trained])
            # Inside a function, Keras does not track these models, whose layers already belong to this model.
            self.parts = parts = networks.__getitem__
        return parts(is_in_step)

    def supervision(self) -> Supervision:
        """Returns the layer that lists the auxiliary logits."""
        return next(layer for layer in self.layers if isinstance(layer, Supervision))

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        with self.in_step():
            return super().train_step(*args, **kwargs)

    def test_step(self, *args: Any, **kwargs: Any) -> Any:
        with self.in_step():
            return super().test_step(*args, **kwargs)

    @contextlib.contextmanager
    def in_step(self) -> Iterator[None]:
        """Makes calls of the model in this context and thread return a list of all trained logits."""
        token = _MODEL_IN_STEP.set(self)
        try:
            yield
        finally:
            _MODEL_IN_STEP.reset(token)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> keras.KerasTensor:
        first, *others = y_pred if isinstance(y_pred, list | tuple) else [y_pred]
        total = super().compute_loss(x, y, first, sample_weight, training)
        weights = filter(None, self.supervision().loss_weights)
        for logits, weight in zip(others, weights, strict=bool(others)):
            total += weight * self._auxiliary_loss(x, y, logits, sample_weight, training)
        return total

    def _auxiliary_loss(self, x, y, logits, sample_weight, training):
        plain = getattr(self.loss, "auxiliary", None)
        if plain is not None:
            return plain(y, logits, sample_weight)
        # Each of Keras's losses includes the penalties of layers, which must count only once.
        return super().compute_loss(x, y, logits, sample_weight, training) - sum(self.losses)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        first = y_pred[0] if isinstance(y_pred, list | tuple) else y_pred
        return super().compute_metrics(x, y, first, sample_weight)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class SupervisedModel(ClassAware, Supervised, Portable, keras.Model):
    """A functional model that trains auxiliary logits on the same labels, and returns only the first: see `Supervised`.

    The arguments are those of `keras.Model`; the output is that of a `Supervision`.
    """


def supervised_model(
    image: keras.KerasTensor, tensors: Sequence[keras.KerasTensor], loss_weights: Sequence[float], name: str
) -> SupervisedModel:
    """Builds a model that returns the first of several symbolic tensors of the same shape, and also trains the others.

    The loss of each tensor after the first is multiplied by its weight.
    """
    return SupervisedModel(image, Supervision(loss_weights, dtype="float32", name="supervision")(tensors), name=name)

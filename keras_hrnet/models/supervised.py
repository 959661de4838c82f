"""Networks with more than one loss that look to everyone else like networks with one output."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from keras_hrnet.layers import Supervision
from keras_hrnet.models.network import ClassAware, Portable

# A context variable and not an attribute: `tf.distribute.MirroredStrategy` runs the steps of its replicas in threads.
_MODEL_IN_STEP = contextvars.ContextVar("the model whose training or test step runs", default=None)


class Supervised:
    """What makes a functional model train further logits on the same labels, and give only the first.

    A class of models names it before the class that it builds on: `class SupervisedModel(Supervised, keras.Model)`.

    Its last layer is a `Supervision`, whose first input is what the model gives, everywhere: when called, in `predict`,
    in `output_shape`, in symbolic use and in export; what only leads to the other inputs is then not computed. In
    `fit`, `evaluate` and their like on batches, the loss is that of the first plus the compiled loss of each other
    times its weight. Where the compiled loss has a property `auxiliary`, as OHEM and RMI have, that is what the others
    take: plain cross-entropy. Metrics see the first.

    A training loop of one's own gets the first from `model(x)`. Inside another model, the others are not trained.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        network = self.part(_MODEL_IN_STEP.get() is self)
        return network(inputs, training=training, mask=mask)

    def part(self, is_in_step: bool) -> keras.Model:
        """Returns the functional model that is computed: to all trained logits in a step, to the first otherwise."""
        parts = self.__dict__.get("parts")
        if parts is None:
            supervision = self.supervision()
            first, *others = keras.tree.flatten(supervision.input)
            trained = [x for x, weight in zip(others, supervision.loss_weights, strict=True) if weight]
            networks = keras.Model(self.input, first), keras.Model(self.input, [first, *trained])
            # In a function, Keras does not track them: their layers are this model's own.
            self.parts = parts = networks.__getitem__
        return parts(is_in_step)

    def supervision(self) -> Supervision:
        """Returns the layer that names the further logits."""
        return next(layer for layer in self.layers if isinstance(layer, Supervision))

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        with self.in_step():
            return super().train_step(*args, **kwargs)

    def test_step(self, *args: Any, **kwargs: Any) -> Any:
        with self.in_step():
            return super().test_step(*args, **kwargs)

    @contextlib.contextmanager
    def in_step(self) -> Iterator[None]:
        """While it is entered, in this thread, calling the model gives a list of all trained logits."""
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
        # Penalties of layers are in every one of Keras's losses, and count once.
        return super().compute_loss(x, y, logits, sample_weight, training) - sum(self.losses)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        first = y_pred[0] if isinstance(y_pred, list | tuple) else y_pred
        return super().compute_metrics(x, y, first, sample_weight)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class SupervisedModel(ClassAware, Supervised, Portable, keras.Model):
    """A functional model that trains further logits on the same labels, and gives only the first: see `Supervised`.

    Its arguments are those of `keras.Model`; its output is that of a `Supervision`.
    """


def supervised_model(
    image: keras.KerasTensor, tensors: Sequence[keras.KerasTensor], loss_weights: Sequence[float], name: str
) -> SupervisedModel:
    """Builds a model that gives the first of several symbolic tensors of one shape, and trains the others with it.

    The loss of each but the first is multiplied by its weight.
    """
    return SupervisedModel(image, Supervision(loss_weights, dtype="float32", name="supervision")(tensors), name=name)

"""The base class of the optimizers: treats accumulated and split batches as one batch, and scales learning rates.

Keras has no public way to update all weights after clipping. `WholeBatchOptimizer` therefore overrides private methods
of Keras's optimizer, so setup.cfg bounds Keras's version, and a test verifies the names of those methods.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras

from keras_hrnet.distributed.replicas import gradients_of_all

if TYPE_CHECKING:
    import tensorflow as tf
    import torch


class WholeBatchOptimizer(keras.optimizers.Optimizer):
    """An optimizer that counts updates rather than batches, and whose gradients are those of the whole batch.

    With `gradient_accumulation_steps`, the schedule of the learning rate and the average of the weights behave as for a
    batch that is that many times larger. In Keras, both count batches.

    If several replicas share a batch (see `keras_hrnet.training.distributed`), their gradients are combined first, so
    that clipping and accumulation are those of the whole batch. Keras's optimizers clip the gradient of each replica,
    accumulate on one TensorFlow device only, and do not support several processes of PyTorch.

    A subclass defines how one weight is updated: in `_update`, and for two backends in `_update_on_torch` and
    `_update_on_tensorflow`. `decays` and `factors` hold the weight decay and the factor of the learning rate by the
    index of a weight.

    Args:
        learning_rate: a number, or a schedule of the number of updates.
        weight_decay: at least 0.
        rate_factors: factors of the learning rate for some weights, by a regular expression that is searched for in
            their paths. The first match counts; each pattern must match a weight.
        name: the name of the optimizer.
        **kwargs: arguments of every Keras optimizer.

    Raises:
        ValueError: if the decay is negative, or, in `build`, if a pattern matches no weight.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        weight_decay: float,
        rate_factors: Mapping[str, float] | None,
        name: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay or 0.0, name=name, **kwargs)
        if self.weight_decay < 0:
            raise ValueError(f"{self._title} received weight_decay={weight_decay}. Expected at least 0, such as 5e-4.")
        self.rate_factors = dict(rate_factors or {})

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self.decays = [self.weight_decay if self._use_weight_decay(variable) else 0.0 for variable in variables]
        self.factors = [self._rate_factor(variable.path) for variable in variables]
        self._check_patterns([variable.path for variable in variables])

    def apply(
        self,
        grads: Sequence[keras.KerasTensor | None],
        trainable_variables: Sequence[keras.Variable] | None = None,
    ) -> None:
        super().apply(gradients_of_all(grads), trainable_variables)

    def _backend_update_step(
        self,
        grads: Sequence[keras.KerasTensor],
        trainable_variables: Sequence[keras.Variable],
        learning_rate: keras.KerasTensor,
    ) -> None:
        # Unlike in Keras, which on TensorFlow sums the gradients of the replicas here, after clipping. They are the
        # same on all replicas by now, and each replica updates its own copy of the weights.
        if keras.config.backend() == "tensorflow":
            return self._update_all_on_tensorflow(grads, trainable_variables, learning_rate)
        shared = self._shared()
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable, learning_rate, *shared)

    def _update_all_on_tensorflow(
        self, gradients: Sequence[tf.Tensor], variables: Sequence[keras.Variable], learning_rate: tf.Tensor
    ) -> None:
        # All variables share constants and rates, which makes tracing cheaper.
        import tensorflow as tf

        shared, constant = self._shared(), functools.cache(tf.constant)

        @functools.cache
        def rate(dtype: tf.DType, factor: float) -> tf.Tensor:
            rate = tf.cast(learning_rate, dtype)
            return rate if factor == 1 else rate * constant(factor, dtype)

        for gradient, variable in zip(gradients, variables, strict=True):
            i = self._get_variable_index(variable)
            variable = variable.value
            dtype = variable.dtype
            gradient = tf.cast(tf.convert_to_tensor(gradient), dtype)
            self._update_on_tensorflow(i, gradient, variable, constant, rate(dtype, self.factors[i]), *shared)

    def _backend_increment_gradient_accumulators(
        self, grads: Sequence[keras.KerasTensor], acc_grads: Sequence[keras.Variable]
    ) -> None:
        # Unlike in Keras, which on TensorFlow leaves the replica's context here; inside a condition, this is an error.
        for gradient, accumulator in zip(grads, acc_grads, strict=True):
            accumulator.assign(accumulator + gradient)

    @property
    def learning_rate(self) -> keras.KerasTensor | keras.Variable:
        # Unlike in Keras, a schedule counts updates. If it counted batches, accumulation would make it too fast.
        if isinstance(self._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            return self._learning_rate(self.iterations)
        return super().learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float | keras.optimizers.schedules.LearningRateSchedule) -> None:
        keras.optimizers.Optimizer.learning_rate.fset(self, learning_rate)

    def update_step(
        self,
        gradient: keras.KerasTensor,
        variable: keras.Variable,
        learning_rate: keras.KerasTensor,
        *shared: keras.KerasTensor,
    ) -> None:
        i = self._get_variable_index(variable)
        if keras.config.backend() == "torch":
            import torch

            with torch.no_grad():
                rate = keras.ops.convert_to_tensor(learning_rate, variable.dtype)
                self._update_on_torch(i, gradient.to(variable.value.dtype), variable.value, rate, *shared)
            return
        ops, dtype = keras.ops, variable.dtype
        rate = ops.multiply(ops.cast(learning_rate, dtype), ops.cast(self.factors[i], dtype))
        self._update(i, ops.cast(gradient, dtype), variable, rate, *shared)

    def _shared(self) -> tuple[keras.KerasTensor, ...]:
        """Returns the arguments that the updates of all weights share, in addition to the learning rate."""
        return ()

    def _update(self, i: int, gradient: keras.KerasTensor, variable: keras.Variable, *numbers: Any) -> None:
        """Updates a weight with a gradient. The numbers are the rate, with its factor, and the result of `_shared`."""
        raise NotImplementedError

    def _update_on_torch(self, i: int, gradient: torch.Tensor, weight: torch.Tensor, *numbers: Any) -> None:
        """Does the same in place, and gets the rate without its factor.

        The wrappers of Keras would take more than half of the time.
        """
        raise NotImplementedError

    def _update_on_tensorflow(
        self, i: int, gradient: tf.Tensor, variable: tf.Variable, constant: Callable, *numbers: Any
    ) -> None:
        """Does the same with a single operation after the decay, and with constants that all weights share."""
        raise NotImplementedError

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        """Does nothing: the decay is part of the update."""

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[keras.Variable]) -> None:
        # Unlike in Keras, the average counts updates. If it counted batches, accumulation would make it decay too fast.
        ops = keras.ops
        batches = self.gradient_accumulation_steps or 1
        is_update = ops.equal(ops.mod(self._iterations + 1, batches), 0)
        is_first = ops.equal(self.iterations, 0)
        kept = ops.where(is_update, ops.where(is_first, 0.0, self.ema_momentum), 1.0)
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            weight = ops.cast(kept, variable.dtype)
            average.assign(ops.add(ops.multiply(average, weight), ops.multiply(variable, 1 - weight)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate_factors": self.rate_factors}

    @property
    def _title(self):
        return f"`{type(self).__name__}`"

    def _rate_factor(self, path: str) -> float:
        return next((factor for pattern, factor in self.rate_factors.items() if re.search(pattern, path)), 1.0)

    def _check_patterns(self, paths: Sequence[str]) -> None:
        for pattern in self.rate_factors:
            if not any(re.search(pattern, path) for path in paths):
                raise ValueError(
                    f"{self._title} received rate_factors with {pattern!r}, which matches the path of none of "
                    f"{len(paths)} weights. Expected a pattern that matches some. Their paths begin with "
                    f"{', '.join(sorted({path.partition('/')[0] for path in paths}))}."
                )

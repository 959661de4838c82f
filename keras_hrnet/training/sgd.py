"""Stochastic gradient descent as PyTorch computes it.

Keras has no public way to update all weights after clipping. `SGD` therefore overrides private methods of Keras's
optimizer, so setup.cfg bounds Keras's version, and a test holds the names of those methods.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras

from keras_hrnet.distributed.replicas import gradients_of_all

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="keras_hrnet")
class SGD(keras.optimizers.Optimizer):
    """Updates weights by stochastic gradient descent with momentum and weight decay, as `torch.optim.SGD` does.

    With a gradient g, a weight w and its velocity v: `g += weight_decay * w`, `v = momentum * v + g` and
    `w -= learning_rate * v`; with Nesterov's momentum, `w -= learning_rate * (g + momentum * v)`.

    `keras.optimizers.SGD` differs if the learning rate changes, and in the decay: it keeps the learning rate inside the
    velocity (`v = momentum * v - learning_rate * g`), and subtracts the decay from the weight and not by the velocity.

    With `gradient_accumulation_steps`, updates are counted and not batches: the schedule of the learning rate and the
    average of the weights are those of a batch that is as many times larger.

    If several replicas share a batch (see `keras_hrnet.training.distributed`), their gradients are combined first, so
    that clipping and accumulation are those of the whole batch. Keras's optimizers clip the gradient of each replica,
    accumulate on one TensorFlow device only, and do not support several processes of PyTorch.

    Args:
        learning_rate: a number, or a schedule of the number of updates.
        momentum: share of the velocity that a step keeps, in [0, 1).
        nesterov: whether to use Nesterov's momentum.
        weight_decay: share of each weight that is added to its gradient after clipping, at least 0. All weights decay,
            those of biases and normalisation too, as in the published training, except those that
            `exclude_from_weight_decay` names.
        rate_factors: factors of the learning rate for some weights, by a regular expression that is searched in their
            paths, such as `{"^(cls_head|aux_head)": 10.0}`. The first match counts; each pattern must match a weight.
        name: the name of the optimizer.
        **kwargs: what every Keras optimizer takes: `clipnorm`, `clipvalue`, `global_clipnorm`, `use_ema`,
            `ema_momentum`, `ema_overwrite_frequency`, `loss_scale_factor`, `gradient_accumulation_steps`.

    Raises:
        ValueError: if a number is out of range, if `nesterov` is set without momentum, or if a pattern matches no
            weight.

    Example:

    ```python
    model.compile(keras_hrnet.training.SGD(0.01, momentum=0.9, weight_decay=5e-4), keras_hrnet.training.CrossEntropy())
    ```

    Reference: torch.optim.SGD, as HRNet-Semantic-Segmentation, tools/train.py, uses it; the factors are its
    `NONBACKBONE_MULT`.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        *,
        rate_factors: Mapping[str, float] | None = None,
        name: str = "sgd",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay or 0.0, name=name, **kwargs)
        if not 0 <= momentum < 1:
            raise ValueError(f"`SGD` received momentum={momentum}. Expected a number from 0 to below 1, such as 0.9.")
        if nesterov and not momentum:
            raise ValueError("`SGD` received nesterov=True with momentum=0. Expected a momentum. Pass momentum=0.9.")
        if self.weight_decay < 0:
            raise ValueError(f"`SGD` received weight_decay={weight_decay}. Expected at least 0, such as 5e-4.")
        self.momentum = momentum
        self.nesterov = nesterov
        self.rate_factors = dict(rate_factors or {})

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity") if self.momentum else None
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
            return self._update_on_tensorflow(grads, trainable_variables, learning_rate)
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable, learning_rate)

    def _backend_increment_gradient_accumulators(
        self, grads: Sequence[keras.KerasTensor], acc_grads: Sequence[keras.Variable]
    ) -> None:
        # Unlike in Keras, which on TensorFlow leaves the context of the replica here, as a condition does not allow.
        for gradient, accumulator in zip(grads, acc_grads, strict=True):
            accumulator.assign(accumulator + gradient)

    @property
    def learning_rate(self) -> keras.KerasTensor | keras.Variable:
        # Unlike in Keras, a schedule counts updates: with accumulation it would be as many times too fast.
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
    ) -> None:
        i = self._get_variable_index(variable)
        if keras.config.backend() == "torch":
            return self._update_in_place(i, gradient, variable, learning_rate)
        ops, dtype = keras.ops, variable.dtype
        step = ops.cast(gradient, dtype)
        if self.decays[i]:
            step = ops.add(step, ops.multiply(variable, ops.cast(self.decays[i], dtype)))
        if self.momentum:
            momentum = ops.cast(self.momentum, dtype)
            velocity = ops.add(ops.multiply(self.velocities[i], momentum), step)
            self.assign(self.velocities[i], velocity)
            step = ops.add(step, ops.multiply(velocity, momentum)) if self.nesterov else velocity
        rate = ops.multiply(ops.cast(learning_rate, dtype), ops.cast(self.factors[i], dtype))
        return self.assign_sub(variable, ops.multiply(step, rate))

    def _update_in_place(
        self,
        i: int,
        gradient: keras.KerasTensor,
        variable: keras.Variable,
        learning_rate: keras.KerasTensor,
    ) -> None:
        # The same in four operations, without Keras's wrappers around them, in less than half of the time for HRNetW18.
        import torch

        with torch.no_grad():
            weight = variable.value
            step = gradient.to(weight.dtype)
            if self.decays[i]:
                step = step.add(weight, alpha=self.decays[i])
            if self.momentum:
                velocity = self.velocities[i].value.mul_(self.momentum).add_(step)
                step = step.add(velocity, alpha=self.momentum) if self.nesterov else velocity
            rate = keras.ops.convert_to_tensor(learning_rate, variable.dtype)
            weight.addcmul_(step, rate, value=-self.factors[i])

    def _update_on_tensorflow(
        self, gradients: Sequence[tf.Tensor], variables: Sequence[keras.Variable], learning_rate: tf.Tensor
    ) -> None:
        # The same by one operation after the decay, and with constants that all variables share: less to trace.
        import tensorflow as tf

        constant = functools.cache(tf.constant)

        @functools.cache
        def rate(dtype: tf.DType, factor: float) -> tf.Tensor:
            rate = tf.cast(learning_rate, dtype)
            return rate if factor == 1 else rate * constant(factor, dtype)

        for gradient, variable in zip(gradients, variables, strict=True):
            i = self._get_variable_index(variable)
            variable = variable.value
            dtype = variable.dtype
            step = tf.cast(tf.convert_to_tensor(gradient), dtype)
            if self.decays[i]:
                step += constant(self.decays[i], dtype) * variable
            if self.momentum:
                tf.raw_ops.ResourceApplyMomentum(
                    var=variable.handle,
                    accum=self.velocities[i].value.handle,
                    lr=rate(dtype, self.factors[i]),
                    grad=step,
                    momentum=constant(self.momentum, dtype),
                    use_nesterov=self.nesterov,
                )
            else:
                tf.raw_ops.ResourceApplyGradientDescent(
                    var=variable.handle, alpha=rate(dtype, self.factors[i]), delta=step
                )

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        """Does nothing: the decay is part of the gradient."""

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[keras.Variable]) -> None:
        # Unlike in Keras, the average counts updates: with accumulation it would forget as many times too fast.
        ops = keras.ops
        batches = self.gradient_accumulation_steps or 1
        is_update = ops.equal(ops.mod(self._iterations + 1, batches), 0)
        is_first = ops.equal(self.iterations, 0)
        kept = ops.where(is_update, ops.where(is_first, 0.0, self.ema_momentum), 1.0)
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            weight = ops.cast(kept, variable.dtype)
            average.assign(ops.add(ops.multiply(average, weight), ops.multiply(variable, 1 - weight)))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "rate_factors": self.rate_factors,
        }

    def _rate_factor(self, path: str) -> float:
        return next((factor for pattern, factor in self.rate_factors.items() if re.search(pattern, path)), 1.0)

    def _check_patterns(self, paths: Sequence[str]) -> None:
        for pattern in self.rate_factors:
            if not any(re.search(pattern, path) for path in paths):
                raise ValueError(
                    f"`SGD` received rate_factors with {pattern!r}, which matches the path of none of {len(paths)} "
                    f"weights. Expected a pattern that matches some. Their paths begin with "
                    f"{', '.join(sorted({path.partition('/')[0] for path in paths}))}."
                )

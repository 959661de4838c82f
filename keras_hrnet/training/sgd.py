"""Stochastic gradient descent as PyTorch computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras

from keras_hrnet.training.whole_batch import WholeBatchOptimizer

if TYPE_CHECKING:
    import tensorflow as tf
    import torch


@keras.saving.register_keras_serializable(package="keras_hrnet")
class SGD(WholeBatchOptimizer):
    """Updates weights by stochastic gradient descent with momentum and weight decay, as `torch.optim.SGD` does.

    With a gradient g, a weight w and its velocity v: `g += weight_decay * w`, `v = momentum * v + g` and
    `w -= learning_rate * v`; with Nesterov's momentum, `w -= learning_rate * (g + momentum * v)`.

    `keras.optimizers.SGD` differs when the learning rate changes, and in the decay: it includes the learning rate in
    the velocity (`v = momentum * v - learning_rate * g`), and subtracts the decay from the weight instead of adding it
    to the velocity.

    Gradients, accumulation, schedule and averages are those of `WholeBatchOptimizer`.

    Args:
        learning_rate: a number, or a schedule of the number of updates.
        momentum: share of the velocity that a step keeps, in [0, 1).
        nesterov: whether to use Nesterov's momentum.
        weight_decay: share of each weight that is added to its gradient after clipping, at least 0. All weights decay,
            including those of biases and normalization, as in the published training, except those that
            `exclude_from_weight_decay` names.
        rate_factors: factors of the learning rate for some weights, by a regular expression that is searched for in
            their paths, such as `{"^(cls_head|aux_head)": 10.0}`. The first match counts; each pattern must match a
            weight.
        name: the name of the optimizer.
        **kwargs: arguments of every Keras optimizer: `clipnorm`, `clipvalue`, `global_clipnorm`, `use_ema`,
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
        super().__init__(learning_rate, weight_decay, rate_factors, name, **kwargs)
        if not 0 <= momentum < 1:
            raise ValueError(f"`SGD` received momentum={momentum}. Expected a number from 0 to below 1, such as 0.9.")
        if nesterov and not momentum:
            raise ValueError("`SGD` received nesterov=True with momentum=0. Expected a momentum. Pass momentum=0.9.")
        self.momentum = momentum
        self.nesterov = nesterov

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity") if self.momentum else None

    def _update(self, i: int, gradient: keras.KerasTensor, variable: keras.Variable, rate: keras.KerasTensor) -> None:
        ops, dtype, step = keras.ops, variable.dtype, gradient
        if self.decays[i]:
            step = ops.add(step, ops.multiply(variable, ops.cast(self.decays[i], dtype)))
        if self.momentum:
            momentum = ops.cast(self.momentum, dtype)
            velocity = ops.add(ops.multiply(self.velocities[i], momentum), step)
            self.assign(self.velocities[i], velocity)
            step = ops.add(step, ops.multiply(velocity, momentum)) if self.nesterov else velocity
        self.assign_sub(variable, ops.multiply(step, rate))

    def _update_on_torch(self, i: int, gradient: torch.Tensor, weight: torch.Tensor, rate: torch.Tensor) -> None:
        step = gradient
        if self.decays[i]:
            step = step.add(weight, alpha=self.decays[i])
        if self.momentum:
            velocity = self.velocities[i].value.mul_(self.momentum).add_(step)
            step = step.add(velocity, alpha=self.momentum) if self.nesterov else velocity
        weight.addcmul_(step, rate, value=-self.factors[i])

    def _update_on_tensorflow(
        self, i: int, gradient: tf.Tensor, variable: tf.Variable, constant: Callable[..., tf.Tensor], rate: tf.Tensor
    ) -> None:
        import tensorflow as tf

        step, dtype = gradient, variable.dtype
        if self.decays[i]:
            step += constant(self.decays[i], dtype) * variable
        if self.momentum:
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.handle,
                accum=self.velocities[i].value.handle,
                lr=rate,
                grad=step,
                momentum=constant(self.momentum, dtype),
                use_nesterov=self.nesterov,
            )
        else:
            tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=rate, delta=step)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}

"""Adam with decoupled weight decay, as PyTorch computes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras

from keras_hrnet.training.whole_batch import WholeBatchOptimizer

if TYPE_CHECKING:
    import tensorflow as tf
    import torch

# Weights with these words in their names do not decay, regardless of their dimensions: biases, and tables of relative
# positions.
NO_DECAY = ("bias", "position")


@keras.saving.register_keras_serializable(package="keras_hrnet")
class AdamW(WholeBatchOptimizer):
    """Updates weights by Adam with decoupled weight decay, as `torch.optim.AdamW` does.

    With a gradient g, a weight w, its moments m and v, and the number t of the update from 1: `w -= learning_rate *
    weight_decay * w`, `m = beta_1 * m + (1 - beta_1) * g`, `v = beta_2 * v + (1 - beta_2) * g ** 2` and
    `w -= learning_rate * m / (1 - beta_1 ** t) / (sqrt(v / (1 - beta_2 ** t)) + epsilon)`.

    Weights of one dimension do not decay (scales and offsets of normalization, and biases), and neither do weights with
    "bias" or "position" in their names, such as tables of relative positions. `exclude_from_weight_decay` replaces
    these names.

    `keras.optimizers.AdamW` decays all weights, and adds `epsilon` before the correction of v, which makes its effect
    31 times larger in the first update. Gradients, accumulation, schedule and averages are those of
    `WholeBatchOptimizer`.

    Args:
        learning_rate: a number, or a schedule of the number of updates.
        beta_1: share of m that an update keeps, in [0, 1).
        beta_2: share of v that an update keeps, in [0, 1).
        epsilon: number that is added to the square root of v.
        weight_decay: share of each weight that is subtracted from it, times the learning rate, at least 0.
        rate_factors: factors of the learning rate for some weights: see `SGD`.
        name: the name of the optimizer.
        **kwargs: arguments of every Keras optimizer: see `SGD`.

    Raises:
        ValueError: if a number is out of range, or if a pattern matches no weight.

    Reference: torch.optim.AdamW; Loshchilov and Hutter, "Decoupled Weight Decay Regularization"; which weights decay:
    HRFormer, seg/segmentor/tools/module_runner.py and lib/models/nets/hrt.py, `no_weight_decay`.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        *,
        rate_factors: Mapping[str, float] | None = None,
        name: str = "adamw",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, rate_factors, name, **kwargs)
        for beta, value in (("beta_1", beta_1), ("beta_2", beta_2)):
            if not 0 <= value < 1:
                raise ValueError(f"`AdamW` received {beta}={value}. Expected a number from 0 to below 1, such as 0.9.")
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.exclude_from_weight_decay(var_names=NO_DECAY)

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self.decays = [
            decay if len(variable.shape) > 1 else 0.0 for decay, variable in zip(self.decays, variables, strict=True)
        ]
        self.means = self.add_optimizer_variables(variables, "mean")
        self.squares = self.add_optimizer_variables(variables, "square")

    def _shared(self) -> tuple[keras.KerasTensor, ...]:
        """Returns the bias corrections of the mean and of the root of the squares; float32 scalars."""
        ops = keras.ops
        # In float32, 1 - beta ** t would lose digits, because beta_2 is close to 1.
        update = ops.cast(self.iterations + 1, "float32")
        first, second = (-ops.expm1(update * math.log(beta or 1e-9)) for beta in (self.beta_1, self.beta_2))
        return first, ops.sqrt(second)

    def _update(
        self,
        i: int,
        gradient: keras.KerasTensor,
        variable: keras.Variable,
        rate: keras.KerasTensor,
        first: keras.KerasTensor,
        second: keras.KerasTensor,
    ) -> None:
        ops, dtype = keras.ops, variable.dtype
        mean = self.means[i] + (gradient - self.means[i]) * (1 - self.beta_1)
        square = self.squares[i] + (ops.square(gradient) - self.squares[i]) * (1 - self.beta_2)
        self.assign(self.means[i], mean)
        self.assign(self.squares[i], square)
        step = mean / ops.cast(first, dtype) / (ops.sqrt(square) / ops.cast(second, dtype) + self.epsilon)
        self.assign_sub(variable, rate * (variable * self.decays[i] + step))

    def _update_on_torch(
        self,
        i: int,
        gradient: torch.Tensor,
        weight: torch.Tensor,
        rate: torch.Tensor,
        first: torch.Tensor,
        second: torch.Tensor,
    ) -> None:
        rate = rate * self.factors[i]
        if self.decays[i]:
            weight.mul_(1 - rate * self.decays[i])
        mean = self.means[i].value.lerp_(gradient, 1 - self.beta_1)
        square = self.squares[i].value.mul_(self.beta_2).addcmul_(gradient, gradient, value=1 - self.beta_2)
        weight.addcdiv_(mean * (rate / first), square.sqrt().div_(second).add_(self.epsilon), value=-1)

    def _update_on_tensorflow(
        self,
        i: int,
        gradient: tf.Tensor,
        variable: tf.Variable,
        constant: Callable[..., tf.Tensor],
        rate: tf.Tensor,
        first: tf.Tensor,
        second: tf.Tensor,
    ) -> None:
        import tensorflow as tf

        dtype = variable.dtype
        first, second = tf.cast(first, dtype), tf.cast(second, dtype)
        if self.decays[i]:
            variable.assign_sub(rate * constant(self.decays[i], dtype) * variable)
        # The operation would compute its corrections from powers in float32; they are part of the rate instead.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self.means[i].value.handle,
            v=self.squares[i].value.handle,
            beta1_power=constant(0.0, dtype),
            beta2_power=constant(0.0, dtype),
            lr=rate * second / first,
            beta1=constant(self.beta_1, dtype),
            beta2=constant(self.beta_2, dtype),
            epsilon=constant(self.epsilon, dtype) * second,
            grad=gradient,
        )

    def get_config(self) -> dict[str, Any]:
        names = ("beta_1", "beta_2", "epsilon")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

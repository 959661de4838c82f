"""The learning rate over the steps of a run."""

import keras


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Poly(keras.optimizers.schedules.LearningRateSchedule):
    """Lowers the learning rate to zero by a power of the remaining steps, after a linear warm-up.

    `learning_rate * (1 - step / num_steps) ** power`, times `(step + 1) / (warmup_steps + 1)` in the warm-up. With a
    `warmup_start`, the rate rises from that share of `learning_rate` to the full rate, and then decreases over the
    remaining steps.

    Args:
        learning_rate: learning rate of the first step without a warm-up.
        num_steps: number of updates of the whole run; the rate is 0 after them.
        power: exponent; 1 means a straight line.
        warmup_steps: number of updates before the full rate is reached.
        warmup_start: share of the rate at the first update, in [0, 1]; None for a rate to which warm-up and decay apply
            at the same time.

    Call arguments:
        step: number of the update, from 0.

    Returns:
        float32 scalar.

    Raises:
        ValueError: if a number is out of range.

    Reference: HRNet-Semantic-Segmentation, lib/utils/utils.py, `adjust_learning_rate`. Unlike there, the rate of a step
    is not one step late. With a `warmup_start`: HRNet/HRFormer, seg/segmentor/tools/optim_scheduler.py,
    `warmup_lambda_poly`.
    """

    def __init__(
        self,
        learning_rate: float,
        num_steps: int,
        power: float = 0.9,
        warmup_steps: int = 0,
        name: str = "poly",
        *,
        warmup_start: float | None = None,
    ):
        super().__init__()
        if not learning_rate > 0 or num_steps < 1 or power < 0:
            raise ValueError(
                f"`Poly` received learning_rate={learning_rate}, num_steps={num_steps} and power={power}. Expected a "
                "rate above 0, at least one step, and a power of at least 0. Correct them."
            )
        if not 0 <= warmup_steps < num_steps:
            raise ValueError(
                f"`Poly` received warmup_steps={warmup_steps} with num_steps={num_steps}. Expected fewer steps for "
                "the warm-up than for the run. Train longer, or shorten the warm-up."
            )
        if warmup_start is not None and not 0 <= warmup_start <= 1:
            raise ValueError(
                f"`Poly` received warmup_start={warmup_start}. Expected a number from 0 to 1, or None. The published "
                "one of HRFormer is 1e-6."
            )
        self.initial_learning_rate = float(learning_rate)
        self.num_steps = int(num_steps)
        self.power = power
        self.warmup_steps = int(warmup_steps)
        self.warmup_start = warmup_start
        self.name = name

    def __call__(self, step: int | keras.KerasTensor) -> keras.KerasTensor:
        ops = keras.ops
        step = ops.cast(step, "float32")
        if self.warmup_start is not None:
            left = ops.clip((self.num_steps - step) / (self.num_steps - self.warmup_steps), 0.0, 1.0)
            missing = ops.maximum(1.0 - step / max(self.warmup_steps, 1), 0.0) * (1.0 - self.warmup_start)
            return self.initial_learning_rate * left**self.power * (1.0 - missing if self.warmup_steps else 1.0)
        left = ops.maximum(1.0 - step / self.num_steps, 0.0)
        rate = self.initial_learning_rate * left**self.power
        if self.warmup_steps:
            rate *= ops.minimum((step + 1.0) / (self.warmup_steps + 1), 1.0)
        return rate

    def get_config(self) -> dict:
        return {
            "learning_rate": self.initial_learning_rate,
            "num_steps": self.num_steps,
            "power": self.power,
            "warmup_steps": self.warmup_steps,
            "warmup_start": self.warmup_start,
            "name": self.name,
        }

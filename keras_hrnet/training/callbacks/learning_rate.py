"""The learning rate as a column of the logs."""

import keras


class LearningRate(keras.callbacks.Callback):
    """Adds `learning_rate` to the logs of each epoch; with a schedule, it is the rate of the next step.

    Place it before the callbacks that read the logs, such as `Log`.
    """

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

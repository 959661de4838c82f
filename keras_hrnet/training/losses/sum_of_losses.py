"""The sum of several losses of the same pixels."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.training.losses.segmentation_loss import SegmentationLoss


@keras.saving.register_keras_serializable(package="keras_hrnet")
class SumOfLosses(SegmentationLoss):
    """The sum of losses, such as cross-entropy and Lovász-Softmax.

    Args:
        losses: losses of this package, with the same ignore label and data format.
        name: see `SegmentationLoss`.

    Raises:
        ValueError: if there are no losses, or they differ in ignore label or data format.

    Example:

    >>> from keras_hrnet.training import CrossEntropy, LovaszSoftmax, SumOfLosses
    >>> loss = SumOfLosses([CrossEntropy(), LovaszSoftmax()])
    """

    def __init__(self, losses: Sequence[SegmentationLoss], name: str | None = None):
        settings = {(loss.ignore_label, loss.data_format) for loss in losses}
        if len(settings) != 1:
            raise ValueError(
                f"`SumOfLosses` received losses with (ignore_label, data_format) of {sorted(settings)}. Expected at "
                "least one loss, and the same settings in all. Pass the same ignore_label and data_format to each."
            )
        super().__init__(*settings.pop(), name=name)
        self.losses = list(losses)

    def of_pixels(
        self, labels: keras.KerasTensor, counts: keras.KerasTensor, logits: keras.KerasTensor
    ) -> keras.KerasTensor:
        return sum(loss.of_pixels(labels, counts, logits) for loss in self.losses)

    def check_num_classes(self, num_classes: int | None) -> None:
        for loss in self.losses:
            loss.check_num_classes(num_classes)

    def get_config(self) -> dict[str, Any]:
        return {"losses": [keras.losses.serialize(loss) for loss in self.losses], "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SumOfLosses":
        return cls([keras.losses.deserialize(loss) for loss in config["losses"]], config["name"])

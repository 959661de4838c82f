"""Accumulates the counts of images, the scores of single images, and the worst and best images."""

from collections.abc import Sequence

import numpy as np

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.evaluation.boundary import BoundaryCounts, boundary_counts
from keras_hrnet.evaluation.confusion import confusion_matrix, intersection_over_union
from keras_hrnet.evaluation.pictures import as_rgb
from keras_hrnet.evaluation.report import Example


class Tally:
    """Accumulated counts of images, and the images that are kept as examples.

    Args:
        num_classes: the train ids are 0 to `num_classes - 1`.
        image_names: names of the images, in order.
        boundary_ratio: as in `evaluate`.
        num_examples: as in `evaluate`.
    """

    def __init__(
        self, num_classes: int, image_names: Sequence[str] | None, boundary_ratio: float | None, num_examples: int
    ) -> None:
        self.num_classes = num_classes
        self.confusion = np.zeros((num_classes, num_classes), np.int64)
        self.boundary = None
        if boundary_ratio is not None:
            self.boundary = BoundaryCounts(boundary_ratio, np.zeros((3, num_classes), np.int64))
        self.names, self.scores, self.examples = [], [], []
        self._given_names = None if image_names is None else list(image_names)
        self._num_examples = num_examples

    def add(self, images: np.ndarray, truths: np.ndarray, predictions: np.ndarray) -> int:
        """Counts a batch.

        Args:
            images: `(batch, height, width, channels)` or channels first: RGB in [0, 255], or other channels.
            truths: integers `(batch, height, width)`, train ids; 255 is not counted.
            predictions: integers `(batch, height, width)`, train ids.

        Returns:
            The number of images so far.
        """
        for image, truth, prediction in zip(images, truths, predictions, strict=True):
            confusion = confusion_matrix(truth, prediction, self.num_classes)
            self.confusion += confusion
            if self.boundary is not None:
                self.boundary += boundary_counts(truth, prediction, self.num_classes, self.boundary.ratio)
            iou = intersection_over_union(confusion)
            self.names.append(self._name(len(self.scores)))
            self.scores.append(float(np.nanmean(iou)) if confusion.any() else float("nan"))
            if confusion.any() and self._num_examples:
                self._keep(image, truth, prediction)
        return len(self.scores)

    def check_counted(self) -> None:
        """Refuses counts without pixels.

        Raises:
            ValueError: if there were no images, all pixels are ignored, or the number of images differs from the number
                of names.
        """
        if not self.scores:
            raise ValueError("Received an empty dataset. Expected at least one batch. Check the folder and the split.")
        if self._given_names is not None and len(self._given_names) != len(self.scores):
            raise ValueError(
                f"Received {len(self._given_names)} image_names for {len(self.scores)} images. Expected one name per "
                "image. Pass one for each, or leave them out."
            )
        if not self.confusion.any():
            raise ValueError(
                f"Received {len(self.scores)} images whose labels are all {IGNORE_LABEL}. Expected pixels to count. "
                "Use a split with public labels; those of Cityscapes' test images are not public. For your own "
                "masks, set with `ignore_label` and `id_map` which values are ignored and which are classes."
            )

    def _name(self, index):
        names = self._given_names
        return f"image {index + 1}" if names is None or index >= len(names) else str(names[index])

    def _keep(self, image, truth, prediction):
        """Keeps the worst and best images so far, in order of their scores, and drops the one in the middle."""
        if self._num_examples <= 0:
            return
        image = image if image.shape[:2] == truth.shape else np.moveaxis(image, 0, -1)
        self.examples.append(Example(self.names[-1], self.scores[-1], as_rgb(image), truth.copy(), prediction.copy()))
        self.examples.sort(key=lambda example: example.mean_iou)
        if len(self.examples) > 2 * self._num_examples:
            del self.examples[self._num_examples]

"""What an evaluation found: counts of pixels, the scores that follow from them, and a table to read."""

import dataclasses
import math

import numpy as np

from keras_hrnet.evaluation.confusion import intersection_over_union


@dataclasses.dataclass(frozen=True, eq=False)
class EvaluationReport:
    """The scores of a network on a set of images. `print` shows them as a table.

    Args:
        confusion: int64 `(num_classes, num_classes)`, pixels; rows are the truth, columns the prediction. Pixels
            whose truth is 255 are left out.
        class_names: what the classes are called, by train id.
        num_images: how many images were looked at.
        seconds_per_image: how long the network took for an image, the median over the batches; reading the images
            and counting are not in it. Of a single batch it includes the compilation.
    """

    confusion: np.ndarray
    class_names: tuple[str, ...]
    num_images: int
    seconds_per_image: float

    @property
    def iou(self):
        """Intersection over union of each class, float64 `(num_classes,)` in [0, 1]; NaN where a class is absent.

        A class is absent if no counted pixel has it, neither in the truth nor in the prediction.
        """
        return intersection_over_union(self.confusion)

    @property
    def mean_iou(self):
        """The mean of `iou` over the classes that are not absent, in [0, 1]: a float.

        A class that is only predicted counts, with 0. All images are counted together first: this is not a mean
        over images.
        """
        return float(np.nanmean(self.iou))

    @property
    def pixel_accuracy(self):
        """The share of the counted pixels whose class was found, in [0, 1]: a float."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    def to_dict(self):
        """Returns the report as numbers, strings, lists and dicts that JSON holds; NaN becomes None."""
        return {
            "mean_iou": self.mean_iou,
            "pixel_accuracy": self.pixel_accuracy,
            "iou": {
                name: None if math.isnan(iou) else float(iou)
                for name, iou in zip(self.class_names, self.iou, strict=True)
            },
            "confusion": self.confusion.tolist(),
            "class_names": list(self.class_names),
            "num_images": self.num_images,
            "seconds_per_image": self.seconds_per_image,
        }

    def __str__(self):
        iou, pixels = self.iou, self.confusion.sum(axis=1)
        num_present = int(np.count_nonzero(~np.isnan(iou)))
        mean_name = f"mean of {num_present} {'class' if num_present == 1 else 'classes'}"
        width = max(len(name) for name in (*self.class_names, mean_name))
        header = f"{'class':<{width}}  {'IoU %':>7}  {'pixels %':>8}"
        rule = "─" * len(header)
        rows = [
            f"{name:<{width}}  {'–' if math.isnan(score) else format(100 * score, '.2f'):>7}  {share:>8.3f}"
            for name, score, share in zip(self.class_names, iou, 100 * pixels / pixels.sum(), strict=True)
        ]
        mean = f"{mean_name:<{width}}  {100 * self.mean_iou:>7.2f}  {100:>8.3f}"
        images = "1 image" if self.num_images == 1 else f"{self.num_images} images"
        footer = f"pixel accuracy {100 * self.pixel_accuracy:.2f} %, {images}, {self.seconds_per_image:.3g} s an image"
        return "\n".join([header, rule, *rows, rule, mean, footer])

"""Shows labels as pictures: colors, overlays, and samples side by side with a legend."""

import dataclasses
import os
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
import PIL.Image

from keras_hrnet.data_sets.classes import IGNORE_LABEL, Classes, Color
from keras_hrnet.evaluation.legend import with_legend
from keras_hrnet.evaluation.sheet import Sample, draw_sheet
from keras_hrnet.models.network import standardize_classes

Palette = Classes | str | Sequence[Color] | None
"""Colors of the classes: see `colorize`."""

# Nobody can distinguish more colors, and choosing more of them takes longer.
MOST_COLORS = 1000

# zlib's Z_RLE, which has no name in Pillow or Python.
RUN_LENGTHS = 3


def colorize(labels: np.ndarray, palette: Palette = None) -> np.ndarray:
    """Paints each pixel in the color of its class; ignored pixels become black.

    Args:
        labels: integers `(height, width)` or `(batch, height, width)`, train ids. 255 is ignored, and so is the ignore
            label of a `Classes`.
        palette: the colors of a `Classes`, such as `model.classes`, or of a data set, by its name; or red, green and
            blue of each class, by train id, each in [0, 255]. None means distinct colors, those of
            `keras_hrnet.data_sets.palette`.

    Returns:
        uint8 `(height, width, 3)` or `(batch, height, width, 3)`, RGB in [0, 255].

    Raises:
        TypeError: if the labels are not integers.
        ValueError: if a label has no color, or there is no such data set.

    Example:

    >>> import numpy as np
    >>> from keras_hrnet.evaluation import colorize
    >>> colorize(np.array([[0, 255]]), "cityscapes").tolist()  # road, ignored
    [[[128, 64, 128], [0, 0, 0]]]
    """
    labels = np.asarray(labels)
    _check_integers(labels)
    classes = painted_classes(palette, labels)
    num_colors = len(classes.colors)
    colorless = labels[((labels < 0) | (labels >= num_colors)) & ~_is_ignored(labels, classes)]
    if colorless.size:
        raise ValueError(
            f"Received the label {colorless.flat[0]} with a palette of {num_colors} colors. Expected labels 0 to "
            f"{num_colors - 1}, or {classes.ignore_label} for ignored. Pass a palette with a color for each class."
        )
    # The table is long enough for the ignored labels. If one of them is negative, it indexes from the end.
    colors = np.zeros((max(num_colors, IGNORE_LABEL + 1) + abs(classes.ignore_label) + 1, 3), np.uint8)
    colors[:num_colors] = classes.colors
    colors[[IGNORE_LABEL, classes.ignore_label]] = 0
    return colors.take(labels, axis=0)


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Converts an image with any number of channels to RGB: its first three channels, or its first as grayscale.

    Args:
        image: `(height, width, channels)`. If values are outside [0, 255], the range from the smallest to the largest
            is rescaled.

    Returns:
        uint8 `(height, width, 3)`, RGB in [0, 255].
    """
    image = image[..., :3] if image.shape[-1] >= 3 else np.repeat(image[..., :1], 3, axis=-1)
    if image.dtype == np.uint8:
        return image
    image = image.astype(np.float64)
    low, high = float(image.min()), float(image.max())
    if low < -0.5 or high > 255.5:
        image = (image - low) * 255 / max(high - low, np.finfo(np.float64).tiny)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def overlay(
    image: np.ndarray, labels: np.ndarray, alpha: float = 0.5, palette: Palette = None, *, legend: bool = False
) -> np.ndarray:
    """Overlays an image with the colors of its classes; ignored pixels stay unchanged.

    Args:
        image: uint8 `(height, width, 3)`, RGB in [0, 255].
        labels: integers `(height, width)`, train ids, ignored ones as in `colorize`.
        alpha: opacity of the colors, from 0 (only the image) to 1 (only the colors).
        palette: as in `colorize`.
        legend: whether to draw the names of the classes that occur over the lower edge of the picture. If there is not
            enough room, the rarest classes are left out.

    Returns:
        uint8 `(height, width, 3)`, RGB in [0, 255].

    Raises:
        TypeError: if the labels are not integers.
        ValueError: if the sizes differ, a label has no color, or `alpha` is outside 0 to 1.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"Received alpha={alpha}. Expected 0 to 1. Pass 0.5 for half image, half colors.")
    image, labels = np.asarray(image), np.asarray(labels)
    _check_sample(image, labels)
    _check_integers(labels)
    classes = painted_classes(palette, labels)
    # All mixtures of two bytes are rounded once and looked up, which is several times faster than arithmetic on each
    # pixel.
    values = np.arange(256)
    mixtures = np.rint(alpha * values[:, np.newaxis] + (1 - alpha) * values).astype(np.uint8)
    mixed = mixtures.ravel().take(colorize(labels, classes) * np.uint16(256) + image)
    is_ignored = _is_ignored(labels, classes)
    mixed[is_ignored] = image[is_ignored]
    if not legend:
        return mixed
    pixels = np.bincount(labels[~is_ignored], minlength=len(classes.names))
    commonest = np.argsort(-pixels, kind="stable")[: np.count_nonzero(pixels)]
    return with_legend(mixed, [(classes.names[label], classes.colors[label]) for label in commonest])


def write_png(picture: np.ndarray, file: str | os.PathLike | BinaryIO) -> None:
    """Writes a picture or labels as PNG, compressed by run lengths.

    An overlay of 512x1024 has 0.69 MB and takes 50 ms; at Pillow's default compression, it has 0.71 MB and takes 300
    ms. Colors alone have 22 kB and take 12 ms, compared with 15 kB and 18 ms (one AMD EPYC core).

    Args:
        picture: uint8 `(height, width, 3)`, RGB in [0, 255], or integers `(height, width)`.
        file: its path, or a binary file that is open for writing.
    """
    PIL.Image.fromarray(picture).save(file, format="PNG", compress_type=RUN_LENGTHS)


def comparison(
    image: np.ndarray | Sequence[np.ndarray],
    truth: np.ndarray | Sequence[np.ndarray],
    prediction: np.ndarray | Sequence[np.ndarray],
    *,
    class_names: Sequence[str] | None = None,
    palette: Palette = None,
) -> PIL.Image.Image:
    """Draws image, truth and prediction side by side, with a legend of the classes that occur.

    Args:
        image: uint8 `(height, width, 3)`, RGB in [0, 255]; or a list of such images, or a batch, with one row each.
        truth: integers `(height, width)`, train ids, ignored ones as in `colorize`; or as many of them as images.
        prediction: like `truth`.
        class_names: names of the classes, by train id; None means the names of the palette.
        palette: as in `colorize`.

    Returns:
        RGB. Each panel is 320 to 640 pixels wide if the image's shape allows: small images are enlarged by a whole
        factor, and large ones are reduced.

    Raises:
        TypeError: if labels are not integers.
        ValueError: if the numbers or sizes of images, truths and predictions differ, or a class lacks a name or a
            color.

    Example:

    ```python
    prediction = keras_hrnet.predict(model, image)
    keras_hrnet.evaluation.comparison(image, truth, prediction, palette=model.classes).save("comparison.png")
    ```
    """
    rows = _rows(image, truth, prediction)
    for part in (part for _, *parts in rows for part in parts):
        _check_integers(part)
    found = np.unique(np.concatenate([np.unique(part) for _, *parts in rows for part in parts]))
    classes = painted_classes(palette, found, class_names)
    return draw_sheet([_sample(*row, classes) for row in rows], _entries(found, classes))


def painted_classes(palette: Palette, labels: np.ndarray, names: Sequence[str] | None = None) -> Classes:
    """Returns the classes whose colors a palette gives.

    Args:
        palette: as in `colorize`.
        labels: integers, train ids; without a palette and names, there are classes up to the largest of them.
        names: names of the classes; None means the names of the palette.

    Raises:
        ValueError: if there is no such data set, a color is invalid, or the number of colors differs from the number
            of names.
    """
    if isinstance(palette, (Classes, str)):
        classes = standardize_classes(palette)
        return classes if names is None else dataclasses.replace(classes, names=tuple(names))
    if palette is not None:
        return Classes(Classes.unnamed(len(palette)).names if names is None else tuple(names), palette)
    if names is not None:
        return standardize_classes(names)
    largest = int(np.max(labels, initial=0, where=labels != IGNORE_LABEL))
    return Classes.unnamed(min(1 + largest, MOST_COLORS))


def _rows(image, truth, prediction):
    if not isinstance(image, (list, tuple)) and np.ndim(image) < 4:
        return [(np.asarray(image), np.asarray(truth), np.asarray(prediction))]
    counts = (len(image), len(truth), len(prediction))
    if len(set(counts)) != 1 or counts[0] == 0:
        raise ValueError(
            f"Received {counts[0]} images, {counts[1]} truths and {counts[2]} predictions. Expected the same number "
            "of each, at least one. Pass lists of the same length."
        )
    return [tuple(map(np.asarray, row)) for row in zip(image, truth, prediction, strict=True)]


def _sample(image, truth, prediction, classes):
    _check_sample(image, truth)
    _check_sample(image, prediction)
    colors = (colorize(truth, classes), colorize(prediction, classes))
    return Sample(*(PIL.Image.fromarray(array) for array in (image, *colors)))


def _entries(found, classes):
    """Returns the classes that occur, and the ignored pixels, for a legend."""
    is_ignored = _is_ignored(found, classes)
    entries = [(classes.names[label], classes.colors[label]) for label in found[~is_ignored]]
    return entries + ([("ignored", (0, 0, 0))] if is_ignored.any() else [])


def _is_ignored(labels, classes):
    return (labels == IGNORE_LABEL) | (labels == classes.ignore_label)


def _check_sample(image, labels):
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(
            f"Received an image of shape {image.shape} and dtype {image.dtype}. Expected uint8 (height, width, 3) in "
            "[0, 255]. Convert it with `.astype('uint8')`."
        )
    if labels.shape != image.shape[:2]:
        raise ValueError(
            f"Received labels of shape {labels.shape} for an image of shape {image.shape}. Expected "
            f"{image.shape[:2]}. Predict at the size of the image."
        )


def _check_integers(labels):
    if labels.dtype.kind not in "ui":
        raise TypeError(
            f"Received labels of dtype {labels.dtype}. Expected integers, the train ids of pixels. Convert them with "
            "`.astype('uint8')`."
        )

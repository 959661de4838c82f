"""Labels as pictures: colours, colours over the image, and samples side by side with a legend."""

import numpy as np
import PIL.Image

from keras_hrnet.data_sets.cityscapes import CLASS_NAMES, PALETTE
from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.evaluation.sheet import Sample, draw_sheet


def colorize(labels, palette=None):
    """Paints each pixel in the colour of its class; ignored pixels become black.

    Args:
        labels: integers `(height, width)` or `(batch, height, width)`, train ids; 255 is ignored.
        palette: red, green and blue of each class, by train id, each in [0, 255]. None means Cityscapes' colours.

    Returns:
        uint8 `(height, width, 3)` or `(batch, height, width, 3)`, RGB in [0, 255].

    Raises:
        TypeError: if the labels are not integers.
        ValueError: if a label has no colour.

    Example:

    >>> import numpy as np
    >>> from keras_hrnet.evaluation import colorize
    >>> colorize(np.array([[0, 255]])).tolist()  # road, ignored
    [[[128, 64, 128], [0, 0, 0]]]
    """
    labels = np.asarray(labels)
    palette = np.asarray(PALETTE if palette is None else palette, dtype=np.uint8).reshape(-1, 3)
    _check_labels(labels, len(palette))
    colors = np.zeros((max(len(palette), IGNORE_LABEL + 1), 3), dtype=np.uint8)
    colors[: len(palette)] = palette
    colors[IGNORE_LABEL] = 0
    return colors[labels]


def overlay(image, labels, alpha=0.5, palette=None):
    """Lays the colours of the classes over an image; ignored pixels stay as they are.

    Args:
        image: uint8 `(height, width, 3)`, RGB in [0, 255].
        labels: integers `(height, width)`, train ids; 255 is ignored.
        alpha: how much of the colour is seen, 0 (the image) to 1 (the colours).
        palette: as in `colorize`.

    Returns:
        uint8 `(height, width, 3)`, RGB in [0, 255].

    Raises:
        TypeError: if the labels are not integers.
        ValueError: if the sizes differ, a label has no colour, or `alpha` is outside 0 to 1.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"Received alpha={alpha}. Expected 0 to 1. Pass 0.5 for half image, half colours.")
    image, labels = np.asarray(image), np.asarray(labels)
    _check_sample(image, labels)
    mixed = (1 - alpha) * image + alpha * colorize(labels, palette)
    return np.where((labels == IGNORE_LABEL)[..., np.newaxis], image, np.rint(mixed)).astype(np.uint8)


def comparison(image, truth, prediction, *, class_names=None, palette=None):
    """Draws image, truth and prediction side by side, with a legend of the classes that occur.

    Args:
        image: uint8 `(height, width, 3)`, RGB in [0, 255]; or a list of such, or a batch: one row each.
        truth: integers `(height, width)`, train ids, 255 where unknown; or as many of them as images.
        prediction: like `truth`.
        class_names: what the classes are called, by train id. None means the names of Cityscapes.
        palette: as in `colorize`.

    Returns:
        A `PIL.Image.Image`, RGB. Each panel is 320 to 640 pixels wide where the image's shape allows: small images
        are enlarged by a whole factor, large ones shrunk.

    Raises:
        TypeError: if labels are not integers.
        ValueError: if the numbers or sizes of images, truths and predictions differ, or a class lacks a name or a
            colour.

    Example:

    ```python
    keras_hrnet.evaluation.comparison(image, truth, keras_hrnet.predict(model, image)).save("comparison.png")
    ```
    """
    class_names = CLASS_NAMES if class_names is None else tuple(class_names)
    palette = PALETTE if palette is None else palette
    if len(class_names) != len(palette):
        raise ValueError(
            f"Received {len(class_names)} class_names and a palette of {len(palette)} colours. Expected one name and "
            "one colour a class. Pass both class_names and palette."
        )
    rows = _rows(image, truth, prediction)
    return draw_sheet([_sample(*row, palette) for row in rows], _legend(rows, class_names, palette))


def _rows(image, truth, prediction):
    if not isinstance(image, (list, tuple)) and np.ndim(image) < 4:
        return [(np.asarray(image), np.asarray(truth), np.asarray(prediction))]
    counts = (len(image), len(truth), len(prediction))
    if len(set(counts)) != 1 or counts[0] == 0:
        raise ValueError(
            f"Received {counts[0]} images, {counts[1]} truths and {counts[2]} predictions. Expected as many of each, "
            "at least one. Pass lists of one length."
        )
    return [tuple(map(np.asarray, row)) for row in zip(image, truth, prediction, strict=True)]


def _sample(image, truth, prediction, palette):
    _check_sample(image, truth)
    _check_sample(image, prediction)
    colors = (colorize(truth, palette), colorize(prediction, palette))
    return Sample(*(PIL.Image.fromarray(array) for array in (image, *colors)))


def _legend(rows, class_names, palette):
    found = {int(label) for _, *labels in rows for label in np.unique(labels)}
    entries = [(class_names[label], tuple(palette[label])) for label in sorted(found - {IGNORE_LABEL})]
    return entries + ([("ignored", (0, 0, 0))] if IGNORE_LABEL in found else [])


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


def _check_labels(labels, num_colors):
    if labels.dtype.kind not in "ui":
        raise TypeError(
            f"Received labels of dtype {labels.dtype}. Expected integers, the train ids of pixels. Convert them with "
            "`.astype('uint8')`."
        )
    colorless = labels[(labels != IGNORE_LABEL) & ((labels < 0) | (labels >= num_colors))]
    if colorless.size:
        raise ValueError(
            f"Received the label {colorless.flat[0]} with a palette of {num_colors} colours. Expected labels 0 to "
            f"{num_colors - 1}, or 255 for ignored. Pass a palette with a colour for each class."
        )

"""Encodes pictures as text for a page: photos as JPEG, labels and errors as PNG with a palette."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import PIL.Image

from keras_hrnet.data_sets.classes import IGNORE_LABEL, Color
from keras_hrnet.evaluation.pictures import colorize

LARGEST_WIDTH = 1024
JPEG_QUALITY = 85
WRONG_COLOR = (255, 106, 0)
IGNORED_COLOR = (150, 150, 150)
NUM_SHADES = 4


def shown_size(height: int, width: int) -> tuple[int, int]:
    """Returns the `(height, width)` in pixels of a picture on a page, at most 1024 wide."""
    if width <= LARGEST_WIDTH:
        return height, width
    return max(1, round(height * LARGEST_WIDTH / width)), LARGEST_WIDTH


def photo_uri(image: np.ndarray) -> str:
    """Encodes a photo, uint8 `(height, width, 3)`, RGB in [0, 255], as the data URI of a JPEG of the displayed size."""
    height, width = shown_size(*image.shape[:2])
    picture = PIL.Image.fromarray(image).resize((width, height), PIL.Image.Resampling.LANCZOS)
    return _uri(picture, "jpeg", quality=JPEG_QUALITY, optimize=True)


def labels_uri(labels: np.ndarray, colors: Sequence[Color]) -> str:
    """Encodes train ids `(height, width)` in the colors of their classes, with ignored pixels in black.

    Returns:
        The data URI of a PNG of the displayed size, with the colors of the classes that occur.

    Raises:
        TypeError, ValueError: as `colorize`.
    """
    found, index = np.unique(_nearest(labels), return_inverse=True)
    palette = colorize(found[np.newaxis], colors)[0]
    return _palette_uri(index.reshape(shown_size(*labels.shape)), palette)


def errors_uri(truth: np.ndarray, prediction: np.ndarray) -> str:
    """Encodes the errors of a prediction: transparent where it is right, orange where wrong, gray where ignored.

    If the picture is reduced in size, the strength of the orange shows the share of wrong pixels, so that thin errors
    remain visible.

    Args:
        truth: integers `(height, width)`, train ids; pixels of 255 are ignored.
        prediction: integers `(height, width)`, train ids.

    Returns:
        The data URI of a PNG of the displayed size.
    """
    ignored = truth == IGNORE_LABEL
    wrong = (truth != prediction) & ~ignored
    # Pillow rounds shares to multiples of 1/255; half a pixel must still be two of the four shades.
    index = np.ceil(NUM_SHADES * (_share(wrong) - 1 / 255)).clip(0).astype(np.uint8)
    index[_share(ignored) > 0.5] = NUM_SHADES + 1
    palette = [WRONG_COLOR] * (NUM_SHADES + 1) + [IGNORED_COLOR]
    alpha = bytes([*(255 * shade // NUM_SHADES for shade in range(NUM_SHADES + 1)), 255])
    return _palette_uri(index, np.array(palette, np.uint8), transparency=alpha)


def _share(mask):
    """Returns the share of each displayed pixel that a mask covers, float32 in [0, 1]."""
    height, width = shown_size(*mask.shape)
    picture = PIL.Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(picture.resize((width, height), PIL.Image.Resampling.BOX), np.float32) / 255


def _nearest(labels):
    """Returns labels of the displayed size: those at the center of each displayed pixel."""
    rows, columns = (
        ((np.arange(to) + 0.5) * old / to).astype(int)
        for old, to in zip(labels.shape, shown_size(*labels.shape), strict=True)
    )
    return labels[rows[:, np.newaxis], columns[np.newaxis, :]]


def _palette_uri(index, palette, **options):
    picture = PIL.Image.fromarray(index.astype(np.uint8))
    # This turns gray values into indices of a palette, without changing them.
    picture.putpalette(palette.astype(np.uint8).tobytes())
    return _uri(picture, "png", optimize=True, **options)


def _uri(picture, form, **options):
    file = io.BytesIO()
    picture.save(file, format=form.upper(), **options)
    return f"data:image/{form};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"

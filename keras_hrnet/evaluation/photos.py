"""Finds photos on disk, and reads their pixels ahead of their use."""

import os
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np

from keras_hrnet.evaluation.ahead import map_ahead
from keras_hrnet.picture_files.listing import PICTURE_ENDINGS, names_below
from keras_hrnet.picture_files.pixels import pixels
from keras_hrnet.picture_files.reading import UnusableFileError, read_file

Photo = str | os.PathLike | np.ndarray


def find_photos(folder: str | os.PathLike, channels: int = 3) -> list[pathlib.Path]:
    """Lists the photos in a folder and its subfolders.

    Args:
        folder: the folder; hidden files and folders in it are left out, and so are results of earlier predictions:
            a file `NAME_segmented.png` beside the photo NAME.
        channels: number of channels; if it is neither 1 nor 3, arrays that `numpy.save` wrote are listed too.

    Returns:
        Their paths, sorted, at least one.

    Raises:
        FileNotFoundError: if there is no such folder, it contains no photo, or a link in it is broken.
        PermissionError: if a folder cannot be read.
        ValueError: if a link leads to a folder that contains it.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"Received the folder {str(folder)!r}. Expected an existing folder. Check the name.")
    endings = PICTURE_ENDINGS if channels in (1, 3) else (*PICTURE_ENDINGS, ".npy")
    names = sorted(names_below(folder))
    photos = sorted(folder / name for name in names if name.lower().endswith(endings))
    bare = {photo.with_suffix("") for photo in photos}
    photos = [photo for photo in photos if not _is_result(photo, bare)]
    if not photos:
        other = f" but other files, such as {names[0]!r}" if names else ""
        raise FileNotFoundError(
            f"Received the folder {str(folder)!r}, which contains no photo{other}. Expected files that end in "
            f"{', '.join(endings)}. Check the name, convert the photos, or pass a video by its own path."
        )
    return photos


def _is_result(photo, bare):
    """Returns whether a file is named after a photo beside it, given the photos without their suffixes."""
    name = photo.stem.removesuffix("_segmented")
    return photo.suffix == ".png" and name not in ("", photo.stem) and photo.with_name(name) in bare


def read_image(path: str | os.PathLike, channels: int = 3) -> np.ndarray:
    """Reads a picture file upright, as training reads it: as RGB, or with another number of channels.

    Args:
        path: a PNG, JPEG or other file that Pillow reads; `keras_hrnet.picture_files.pixels.rgb_pixels` describes how
            grayscale, palettes, CMYK, transparency and 16 bits per channel are handled; or an array that `numpy.save`
            wrote.
        channels: 3 for RGB, 1 for grayscale, or the number of channels of the file; see
            `keras_hrnet.picture_files.pixels.pixels`.

    Returns:
        uint8 `(height, width, channels)`, RGB in [0, 255] or the channels as they are stored.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a complete picture, is larger than `keras_hrnet.picture_files.opening.MAX_PIXELS`, has
            more than 16 bits per channel, or has another number of channels.
    """
    path = pathlib.Path(path)
    if not path.is_file() and not path.is_symlink():
        raise FileNotFoundError(f"Received the path {str(path)!r}. Expected a picture file. Check the name.")
    try:
        return pixels(read_file(path), path, channels)
    except UnusableFileError as error:
        if error.kind not in ("damaged", "cut short", "no picture"):
            raise
        raise ValueError(
            f"Received the file {str(path)!r}, which Pillow cannot read: it {error.found}. Expected {error.expected}. "
            f"{error.cure}"
        ) from error


def read_ahead(
    photos: Iterable[Photo], num_ahead: int | None = None, channels: int = 3
) -> Iterator[tuple[Photo, np.ndarray | Exception]]:
    """Reads photos on separate threads, so that a network does not wait for files.

    Args:
        photos: paths; arrays are passed through.
        num_ahead: number of images that may wait; None allows two for each thread.
        channels: number of channels, as in `read_image`.

    Yields:
        Pairs in order: the photo, and its pixels as `read_image` returns them, or the error that it raised.
    """
    return map_ahead(lambda photo: (photo, _pixels_or_error(photo, channels)), photos, num_ahead=num_ahead)


def _pixels_or_error(photo, channels):
    if isinstance(photo, np.ndarray):
        return photo
    try:
        return read_image(photo, channels)
    except (OSError, ValueError) as error:
        return error

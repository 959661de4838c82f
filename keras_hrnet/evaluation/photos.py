"""Photos on disk: finds them, and reads them as RGB pixels, ahead of who uses them."""

import collections
import concurrent.futures
import os
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np

from keras_hrnet.picture_files.listing import PICTURE_ENDINGS, names_below
from keras_hrnet.picture_files.pixels import rgb_pixels
from keras_hrnet.picture_files.reading import UnusableFileError, read_file

NUM_READERS = 2

Photo = str | os.PathLike | np.ndarray


def find_photos(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Lists the photos in a folder and in the folders below it.

    Args:
        folder: hidden files and folders in it are left out.

    Returns:
        Their paths, sorted, at least one.

    Raises:
        FileNotFoundError: if there is no such folder, no photo in it, or a link in it leads to no folder.
        PermissionError: if a folder cannot be read.
        ValueError: if a link leads to a folder that it lies in.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"Received the folder {str(folder)!r}. Expected it to be there. Check the name.")
    photos = sorted(folder / name for name in names_below(folder) if name.lower().endswith(PICTURE_ENDINGS))
    if not photos:
        raise FileNotFoundError(
            f"Received the folder {str(folder)!r}, which holds no photo. Expected files that end in "
            f"{', '.join(PICTURE_ENDINGS)}. Check the name, or convert them."
        )
    return photos


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Reads a picture file as RGB, the right way up, as training reads it.

    Args:
        path: a PNG, JPEG or other file that Pillow reads; `keras_hrnet.picture_files.pixels.rgb_pixels` says what
            becomes of grey, palettes, CMYK, transparency and 16 bits a channel.

    Returns:
        uint8 `(height, width, 3)`, RGB in [0, 255].

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no whole picture, larger than `keras_hrnet.picture_files.opening.MAX_PIXELS`, or has more
            than 16 bits a channel.
    """
    path = pathlib.Path(path)
    if not path.is_file() and not path.is_symlink():
        raise FileNotFoundError(f"Received the path {str(path)!r}. Expected a picture file. Check the name.")
    try:
        return rgb_pixels(read_file(path), path)
    except UnusableFileError as error:
        if error.kind not in ("damaged", "cut short", "no picture"):
            raise
        raise ValueError(
            f"Received the file {str(path)!r}, which Pillow cannot read: it {error.found}. Expected {error.expected}. "
            f"{error.cure}"
        ) from error


def read_ahead(photos: Iterable[Photo], num_ahead: int) -> Iterator[tuple[Photo, np.ndarray | Exception]]:
    """Reads photos on threads of its own, so that a network does not wait for files.

    Args:
        photos: paths; what is an array already is handed on.
        num_ahead: how many images may wait.

    Yields:
        Pairs in order: the photo, and its pixels as `read_image` gives them, or the error that it raised.
    """
    with concurrent.futures.ThreadPoolExecutor(NUM_READERS) as pool:
        waiting, rest = collections.deque(), iter(photos)
        try:
            while True:
                for photo in rest:
                    waiting.append((photo, pool.submit(_pixels_or_error, photo)))
                    if len(waiting) > num_ahead:
                        break
                if not waiting:
                    return
                photo, pixels = waiting.popleft()
                yield photo, pixels.result()
        finally:
            for _, future in waiting:
                future.cancel()


def _pixels_or_error(photo):
    if isinstance(photo, np.ndarray):
        return photo
    try:
        return read_image(photo)
    except (OSError, ValueError) as error:
        return error

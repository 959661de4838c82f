"""Photos on disk: finds them, and reads them as RGB pixels, ahead of who uses them."""

import collections
import concurrent.futures
import os
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np
import PIL.Image
import PIL.ImageOps

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
NUM_READERS = 2

Photo = str | os.PathLike | np.ndarray


def find_photos(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Lists the photos in a folder and in the folders below it.

    Args:
        folder: hidden files and folders in it are left out.

    Returns:
        Their paths, sorted, at least one.

    Raises:
        FileNotFoundError: if there is no such folder, or no photo in it.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"Received the folder {str(folder)!r}. Expected it to be there. Check the name.")
    photos = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in ENDINGS
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not photos:
        raise FileNotFoundError(
            f"Received the folder {str(folder)!r}, which holds no photo. Expected files that end in "
            f"{', '.join(ENDINGS)}. Check the name, or convert them."
        )
    return photos


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Reads a picture file as RGB, the right way up.

    Args:
        path: a PNG, JPEG or other file that Pillow reads, of 8 bits a channel.

    Returns:
        uint8 `(height, width, 3)`, RGB in [0, 255].

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no whole picture, or has more than 8 bits a channel.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Received the path {str(path)!r}. Expected a picture file. Check the name.")
    try:
        with PIL.Image.open(path) as picture:
            if picture.mode.startswith(("I", "F")):
                raise ValueError(
                    f"Received the picture {str(path)!r} of mode {picture.mode!r}, more than 8 bits a channel. "
                    "Expected 8 bits. Scale its values to 0 to 255 and save it again."
                )
            return np.asarray(PIL.ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(
            f"Received the file {str(path)!r}, which Pillow cannot read ({error}). Expected a whole PNG or JPEG file. "
            "Fetch it again, or convert it."
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

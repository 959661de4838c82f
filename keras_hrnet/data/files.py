"""Cityscapes on disk: which files belong together, and whether they hold what training needs."""

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from keras_hrnet.labels import TRAIN_ID_OF_ID, UNKNOWN_ID

SPLITS = {"train": ("train",), "val": ("val",), "test": ("test",), "trainval": ("train", "val")}
"""The folders that each split reads."""

IMAGE_FOLDER, IMAGE_ENDING = "leftImg8bit", "_leftImg8bit.png"
LABEL_FOLDER, LABEL_ENDING = "gtFine", "_gtFine_labelIds.png"

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}
"""PNG specification, third edition, table 11.1."""

KNOWN_IDS = bytes(value for value in range(256) if TRAIN_ID_OF_ID[value] != UNKNOWN_ID)
"""The values that a label image may hold."""


class Pair(NamedTuple):
    """An image and its label image."""

    image: Path
    label: Path


class PngHeader(NamedTuple):
    """What a PNG file says of itself in its first 26 bytes; `bit_depth` is in bits a channel."""

    height: int
    width: int
    bit_depth: int
    color_type: int

    @property
    def format(self):
        """The pixel format in words, such as "8-bit RGB"."""
        return f"{self.bit_depth}-bit {COLOR_TYPES.get(self.color_type, f'colour type {self.color_type}')}"


def find_pairs(root, split):
    """Finds the images of a split and their label images.

    The images decide: a label image without an image is left out.

    Args:
        root: the folder that holds `leftImg8bit` and `gtFine`.
        split: "train", "val", "test", or "trainval" for train and val together.

    Returns:
        A list of `Pair`, sorted by city and file name within each folder.

    Raises:
        ValueError: if there is no such split.
        FileNotFoundError: if the root, a folder of the split, its images or a label image is missing.
    """
    if split not in SPLITS:
        raise ValueError(f"Cityscapes has no split {split!r}. Expected one of {', '.join(SPLITS)}. Choose one of them.")
    root = Path(root)
    _require_layout(root)
    return [pair for folder in SPLITS[split] for pair in _pairs_of_folder(root, folder)]


def check_pairs(pairs, *, contents=True):
    """Checks all files of a data set before the first epoch, on as many threads as there are cores.

    Args:
        pairs: what `find_pairs` returned.
        contents: whether to read whole files (`check_image`, `check_label`), or only their headers.

    Returns:
        A list with the `PngHeader` of each image.

    Raises:
        ValueError: for the first pair, in order, with a file that cannot be used.
    """
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda pair: check_pair(pair, contents=contents), pairs))


def check_pair(pair, *, contents=True):
    """Checks an image and its label image, and that they have one size.

    Args:
        pair: a `Pair`.
        contents: whether to read whole files, or only their headers.

    Returns:
        The `PngHeader` of the image.

    Raises:
        ValueError: if either file cannot be used, or their sizes differ.
    """
    image = check_image(pair.image, contents=contents)
    label = check_label(pair.label, contents=contents)
    if image[:2] != label[:2]:
        raise ValueError(
            f"{pair.label} is {label.height}x{label.width} (height x width), and its image {pair.image} is "
            f"{image.height}x{image.width}. Expected one size. Restore the two files from the same source."
        )
    return image


def check_image(path, *, contents=True):
    """Checks that a file is an undamaged 8-bit RGB PNG, without inflating it.

    Args:
        path: the file.
        contents: whether to compare the checksum of each chunk, or only to read the header.

    Returns:
        Its `PngHeader`.

    Raises:
        ValueError: if it is not a PNG, damaged, or of another pixel format.
    """
    header = read_png_header(path)
    if (header.bit_depth, header.color_type) != (8, 2):
        raise ValueError(
            f"{path} is {header.format}. Expected an image of 8-bit RGB. "
            f"Convert it, for example with Pillow's `Image.convert('RGB')`, or restore the original."
        )
    if contents:
        _check_chunks(path)
    return header


def check_label(path, *, contents=True):
    """Checks that a file is an undamaged 8-bit grey PNG that holds label ids of the Cityscapes table.

    Args:
        path: the file.
        contents: whether to compare checksums and to look at every pixel, or only to read the header.

    Returns:
        Its `PngHeader`.

    Raises:
        ValueError: if it is not a PNG, damaged, of another pixel format, or holds a foreign id.
    """
    header = read_png_header(path)
    if (header.bit_depth, header.color_type) != (8, 0):
        raise ValueError(
            f"{path} is {header.format}. Expected label ids as 8-bit grey.{_format_hint(header)} "
            f"Restore the original *{LABEL_ENDING}."
        )
    if contents:
        _check_chunks(path)
        _check_ids(path)
    return header


def read_png_header(path):
    """Reads the size and the pixel format of a PNG file.

    Args:
        path: the file.

    Returns:
        A `PngHeader`.

    Raises:
        ValueError: if the file does not begin as a PNG does.
    """
    with open(path, "rb") as file:
        start = file.read(26)
    if len(start) < 26 or not start.startswith(PNG_SIGNATURE) or start[12:16] != b"IHDR":
        raise ValueError(
            f"{path} is not a PNG file: it begins with {start[:8]!r}. Expected {PNG_SIGNATURE!r} and a header. "
            f"Restore the file from its source."
        )
    width, height, bit_depth, color_type = struct.unpack(">IIBB", start[16:26])
    return PngHeader(height, width, bit_depth, color_type)


def _require_layout(root):
    missing = [name for name in (IMAGE_FOLDER, LABEL_FOLDER) if not (root / name).is_dir()]
    if missing:
        raise FileNotFoundError(
            f"The Cityscapes root {root} {_found_in(root)}. Expected the folders {IMAGE_FOLDER} and {LABEL_FOLDER} in "
            f"it; missing: {', '.join(missing)}. {_layout_cure(root, missing)}"
        )


def _layout_cure(root, missing):
    near = [*root.absolute().parents[:3], *(path for path in _entries(root) if path.is_dir())]
    for candidate in near:
        if (candidate / IMAGE_FOLDER).is_dir() and (candidate / LABEL_FOLDER).is_dir():
            return f"Use the root {candidate} instead."
    archives = {IMAGE_FOLDER: "leftImg8bit_trainvaltest.zip", LABEL_FOLDER: "gtFine_trainvaltest.zip"}
    return f"Unpack {' and '.join(archives[name] for name in missing)} there."


def _found_in(folder):
    if not folder.is_dir():
        return "is not a folder" if folder.exists() else "does not exist"
    names = [path.name for path in _entries(folder)]
    if not names:
        return "is empty"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"holds {', '.join(names[:5])}{more}"


def _entries(folder):
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _pairs_of_folder(root, folder):
    image_root = root / IMAGE_FOLDER / folder
    if not image_root.is_dir():
        raise FileNotFoundError(
            f"There is no folder {image_root}; {image_root.parent} {_found_in(image_root.parent)}. "
            f"Expected one folder a split. Unpack leftImg8bit_trainvaltest.zip at {root}, or choose another split."
        )
    images = sorted(image_root.glob(f"*/*{IMAGE_ENDING}"))
    if not images:
        raise FileNotFoundError(
            f"There is no image in {image_root}, which {_found_in(image_root)}. Expected files named "
            f"{{city}}/{{city}}_*{IMAGE_ENDING}. Unpack leftImg8bit_trainvaltest.zip at {root}."
        )
    pairs = [Pair(image, _label_of(root, folder, image)) for image in images]
    without = [pair for pair in pairs if not pair.label.is_file()]
    if without:
        raise FileNotFoundError(
            f"{len(without)} of {len(pairs)} images in {image_root} have no label image. The first is "
            f"{without[0].image}; expected its label image at {without[0].label}. "
            f"Unpack gtFine_trainvaltest.zip at {root}, or remove these images."
        )
    return pairs


def _label_of(root, folder, image):
    name = image.name.removesuffix(IMAGE_ENDING) + LABEL_ENDING
    return root / LABEL_FOLDER / folder / image.parent.name / name


def _check_chunks(path):
    # Length, type, data and checksum follow one another until the chunk IEND (PNG specification, section 5.3).
    data = memoryview(Path(path).read_bytes())
    start, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND":
        stop = start + 12 + int.from_bytes(data[start : start + 4])
        kind = bytes(data[start + 4 : start + 8])
        if stop > len(data):
            raise ValueError(
                f"{path} ends after {len(data)} bytes, in the middle of its data. Expected a whole PNG file, up to "
                f"its chunk IEND. Restore the file from its source."
            )
        if zlib.crc32(data[start + 4 : stop - 4]) != int.from_bytes(data[stop - 4 : stop]):
            raise ValueError(
                f"{path} is damaged: the chunk {kind.decode('latin-1')!r} at byte {start} does not have the checksum "
                f"that it states. Expected an undamaged PNG file. Restore the file from its source."
            )
        start = stop


def _check_ids(path):
    try:
        with Image.open(path) as image:
            foreign = image.tobytes().translate(None, KNOWN_IDS)
    except (OSError, SyntaxError) as error:  # Pillow raises both for pixel data that it cannot inflate
        raise ValueError(
            f"{path} cannot be decoded ({error}). Expected an undamaged PNG file. Restore the file from its source."
        ) from error
    if foreign:
        values = sorted(set(foreign))
        raise ValueError(
            f"{path} holds the label ids {_shortened(values)}. Expected the ids of the Cityscapes table: 0 to 33, and "
            f"255 for −1. {_ids_cure(values)}"
        )


def _shortened(values):
    return ", ".join(map(str, values[:8])) + (f" and {len(values) - 8} more" if len(values) > 8 else "")


def _ids_cure(values):
    if len(values) > 34:
        return f"It looks like a grey picture: restore the original *{LABEL_ENDING}."
    return f"Restore the original *{LABEL_ENDING}, or give these pixels an id of the table (0 is ignored)."


def _format_hint(header):
    if header.bit_depth == 16:
        return " It looks like an image of instance ids (*_gtFine_instanceIds.png)."
    if header.color_type in (2, 6):
        return " It looks like a colour image (*_gtFine_color.png)."
    return ""

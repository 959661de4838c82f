"""Writes a synthetic data set of streets, in the folders, with the names and in the file formats of Cityscapes.

It replaces the real data set, which may not be redistributed, in first trials of the package, in tests and in
demonstrations. `keras_hrnet.streets` draws the pictures.
"""

import collections
import concurrent.futures
import dataclasses
import json
import operator
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from keras_hrnet.data_sets.cityscapes import LABELS
from keras_hrnet.replacing import replacing
from keras_hrnet.streets import paint_street

CITIES = {
    "train": ("aldenbruck", "fernhafen", "kronweiler", "lindmark", "ostermoor", "steinfurten"),
    "val": ("birkenau", "marienthor", "wellingholm"),
    "test": ("grauburg", "seeheide"),
}
"""Fictional cities, which differ between splits as in the real data set."""

MARKER = "synthetic.json"
SMALLEST_SIZE = (64, 128)
LARGEST_SIZE = (1024, 2048)
# The real data set labels the 20th frame of each sequence.
FRAME = 19
# The only label ids in the label files of the real test split, in addition to 0 (`unlabeled`).
DUMMY_IDS = (1, 2, 3)
# The run-length strategy of zlib compresses these pictures 30 % faster than level 1, to the size of level 6.
RUN_LENGTH = 3


@dataclasses.dataclass(frozen=True)
class SyntheticSet:
    """A data set that `synthesize` has written.

    Args:
        root: the folder that contains `leftImg8bit` and `gtFine`.
        num_train, num_val, num_test: number of images in each split.
        size: `(height, width)` in pixels.
        seed: the seed of the pictures.
    """

    root: pathlib.Path
    num_train: int
    num_val: int
    num_test: int
    size: tuple[int, int]
    seed: int


def synthesize(
    root: str | os.PathLike,
    *,
    num_train: int = 40,
    num_val: int = 10,
    num_test: int = 5,
    size: tuple[int, int] = (256, 512),
    seed: int = 0,
    num_workers: int | None = None,
    on_image: Callable[[pathlib.Path], Any] | None = None,
) -> SyntheticSet:
    """Writes a synthetic data set of streets in the layout of Cityscapes.

    Each image has the same four files as in the real data set: `leftImg8bit` (RGB, 8 bits), `labelIds` (gray, 8 bits),
    `instanceIds` (gray, 16 bits: the label id or, for labels with instances, 1000 times the label id plus the number of
    the instance) and `color` (RGBA, 8 bits, opaque). The labels of the test split are dummies, as in the real data set.
    A train or val split of at least five images shows all 19 classes. Each picture depends only on `seed`, its split
    and its number in the split. The same arguments write the same bytes, and a larger `size` shows the same streets at
    a higher resolution.

    Args:
        root: folder to write to; it is created if it is missing.
        num_train, num_val, num_test: number of images in each split.
        size: `(height, width)` in pixels, from (64, 128) to (1024, 2048).
        seed: an integer; each seed gives different streets.
        num_workers: number of threads that finish and write images while the next image is drawn; None uses one for
            each processor.
        on_image: function that is called with the path of each image, in order, after its four files are written.

    Raises:
        TypeError: if a number is not an integer.
        ValueError: if a number is out of its range.
        FileExistsError: if `root` is a file, or contains images or labels that are not of the same synthetic data set.

    Example:
        >>> import tempfile
        >>> written = synthesize(tempfile.mkdtemp(), num_train=1, num_val=1, num_test=0, size=(64, 128))
        >>> sorted(path.name for path in written.root.iterdir())
        ['gtFine', 'leftImg8bit', 'synthetic.json']
    """
    counts = {"train": num_train, "val": num_val, "test": num_test}
    counts = {split: _at_least(count, 0, f"num_{split}") for split, count in counts.items()}
    num_workers = _at_least(os.cpu_count() or 1 if num_workers is None else num_workers, 1, "num_workers")
    numbers = {f"num_{split}": count for split, count in counts.items()}
    written = SyntheticSet(pathlib.Path(root), **numbers, size=_check_size(size), seed=_integer(seed, "seed"))
    _claim(written)
    with concurrent.futures.ThreadPoolExecutor(num_workers) as executor:
        waiting = collections.deque()
        for split, count in counts.items():
            for number in range(count):
                painting = paint_street(written.size, f"{written.seed}/{split}/{number}", number)
                waiting.append(executor.submit(_write, painting, written.root, split, number))
                _finish(waiting, 2 * num_workers, on_image)
        _finish(waiting, 0, on_image)
    return written


def _finish(waiting, most, on_image):
    """Waits, in order, until at most `most` images are unfinished."""
    while len(waiting) > most:
        path = waiting.popleft().result()
        if on_image is not None:
            on_image(path)


def _integer(value, name):
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"Received {name}={value!r}. Expected an integer. Pass one.") from None


def _at_least(value, smallest, name):
    value = _integer(value, name)
    if value < smallest:
        raise ValueError(f"Received {name}={value}. Expected at least {smallest}. Pass a larger number.")
    return value


def _check_size(size):
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise ValueError(
            f"Received size={size!r}. Expected two integers, (height, width). Pass (256, 512), for example."
        )
    size = tuple(_integer(pixels, "size") for pixels in size)
    nearest = tuple(np.clip(size, SMALLEST_SIZE, LARGEST_SIZE).tolist())
    if size != nearest:
        raise ValueError(
            f"Received size={size}. Expected (height, width) from {SMALLEST_SIZE} to {LARGEST_SIZE}. Pass "
            f"the nearest supported size, {nearest}."
        )
    return size


def _claim(written):
    """Refuses to overwrite anything but the same synthetic data set, and writes the marker that identifies it."""
    root = written.root
    if root.exists() and not root.is_dir():
        raise FileExistsError(
            f"Received root={str(root)!r}, which is a file. Expected a folder, or a path that does not exist. Choose "
            "another path."
        )
    marker = root / MARKER
    arguments = dataclasses.asdict(written) | {"size": list(written.size)}
    del arguments["root"]
    if marker.exists():
        found = _read_marker(marker)
        if found != arguments:
            raise FileExistsError(
                f"{str(root)!r} contains a synthetic data set that was written with {found}. Expected the arguments of "
                f"this call, {arguments}. Delete that folder, choose another, or pass the same arguments."
            )
        return
    for folder in ("leftImg8bit", "gtFine"):
        if (root / folder).exists() and any((root / folder).iterdir()):
            raise FileExistsError(
                f"{str(root / folder)!r} contains files, and {MARKER} is missing next to it. Expected an empty folder, "
                "or a synthetic data set. Choose an empty or new folder; nothing was changed."
            )
    with replacing(marker) as part:
        part.write_text(json.dumps(arguments, indent=2) + "\n", encoding="utf-8")


def _read_marker(marker):
    try:
        return json.loads(marker.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FileExistsError(
            f"{str(marker)!r} cannot be read ({error}). Expected the arguments of the synthetic data set in this "
            "folder, as JSON. Delete the folder, or choose another."
        ) from error


def _write(painting, root, split, number):
    """Writes the four files of one image; returns the path of the image."""
    picture = painting.photograph()
    cities = CITIES[split]
    city = cities[number % len(cities)]
    name = f"{city}_{number // len(cities):06d}_{FRAME:06d}"
    images, labels = (root / kind / split / city for kind in ("leftImg8bit", "gtFine"))
    label_ids, instance_ids = picture.label_ids, picture.instance_ids
    if split == "test":
        label_ids = np.where(np.isin(label_ids, DUMMY_IDS), label_ids, np.uint8(0))
        instance_ids = label_ids
    _save(picture.image, images / f"{name}_leftImg8bit.png")
    _save(label_ids, labels / f"{name}_gtFine_labelIds.png")
    _save(instance_ids.astype(np.uint16), labels / f"{name}_gtFine_instanceIds.png")
    _save(_color_table().take(label_ids, axis=0), labels / f"{name}_gtFine_color.png")
    return images / f"{name}_leftImg8bit.png"


def _color_table():
    """Returns red, green, blue and opacity of each label id, uint8 `(34, 4)`."""
    rows = sorted((label.id, label.color) for label in LABELS if label.id >= 0)
    return np.array([(*color, 255) for _, color in rows], np.uint8)


def _save(pixels, path):
    with replacing(path) as part:
        Image.fromarray(pixels).save(part, format="PNG", compress_level=1, compress_type=RUN_LENGTH)

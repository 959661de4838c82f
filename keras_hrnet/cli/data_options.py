"""The options that describe a data set: the root of a known one, or the folders and mask values of your own."""

import dataclasses
import functools
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keras_hrnet.data_sets import DATA_SETS, Classes, DataSet
from keras_hrnet.data_sets.published import standardize_classes
from keras_hrnet.suggestion import suggestion

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_hrnet.data.label_coding import LabelCoding

DEFAULT_DATA_SET = "cityscapes"

data_option = functools.partial(typer.Option, rich_help_panel="Data")
"""Declares an option that the help of a command lists under “Data”."""

Root = Annotated[
    pathlib.Path | None,
    data_option("--data", help="Root of a known data set, or the folder that `data pack` wrote."),
]
DataSetName = Annotated[
    str | None,
    data_option(help=f"Name of the known data set; {DEFAULT_DATA_SET} by default. One of {', '.join(DATA_SETS)}."),
]
Images = Annotated[
    pathlib.Path | None,
    data_option(
        help=(
            "Your own images instead of --data: a folder, a pattern such as 'photos/*.jpg', or a folder that `data "
            "pack` wrote."
        )
    ),
]
Masks = Annotated[
    pathlib.Path | None,
    data_option(help="Masks of --images, matched by name: a folder, or a pattern such as 'photos/*_L.png'."),
]
ValImages = Annotated[pathlib.Path | None, data_option(help="Your own validation images.")]
ValMasks = Annotated[pathlib.Path | None, data_option(help="Masks of --val-images.")]
ValShare = Annotated[
    float | None,
    data_option(
        help="Share of --images to validate on instead of --val-images, such as 0.2. The images are selected by name."
    ),
]
ClassNames = Annotated[
    str | None,
    data_option(
        "--classes",
        help="Class names separated by commas, the number of classes, or the name of a known data set, such as camvid.",
    ),
]
IgnoreLabel = Annotated[
    str | None,
    data_option(help="Mask values to ignore, separated by commas; 255 by default. 'none' ignores no value."),
]
IdMap = Annotated[
    str | None,
    data_option(help="Class of each mask value, such as 0:sky,255:leaf, or a file that lists them."),
]
Palette = Annotated[
    str | None,
    data_option(help="Color of each class, for color masks, such as #000000,#00c800, or a file that lists them."),
]


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """A data set, as the options of a command describe it. See the help of `Root`, `Images` and the other options.

    Args:
        classes: the text of --classes, or classes known from elsewhere, such as those of a network.

    Raises:
        ValueError: if the options contradict one another, or one of them cannot be parsed.
    """

    data: str | os.PathLike | None = None
    data_set: str | None = None
    images: str | os.PathLike | None = None
    masks: str | os.PathLike | None = None
    val_images: str | os.PathLike | None = None
    val_masks: str | os.PathLike | None = None
    val_share: float | None = None
    classes: str | Classes | Sequence[str] | None = None
    ignore_label: str | None = None
    id_map: str | None = None
    palette: str | None = None

    def __post_init__(self) -> None:
        own = {name: value for name, value in vars(self).items() if name not in ("data", "data_set") and value}
        if (self.data is None) == (self.images is None) or (self.data is not None and own):
            given = ", ".join(f"{_option(name)} {value}" for name, value in vars(self).items() if value is not None)
            raise ValueError(
                f"Received {given or 'no data'}. Expected either --data, the root of a known data set, or --images and "
                "--masks with the options that describe them. Pass one or the other."
            )
        if self.data_set is not None and (self.data_set not in DATA_SETS or self.data is None):
            raise ValueError(
                f"Received --data-set {self.data_set} and --data {self.data}. Expected one of "
                f"{', '.join(DATA_SETS)}, and the root of that data set. Correct the name, or pass the "
                f"root.{suggestion(self.data_set, DATA_SETS)}"
            )
        if self.val_share is not None and self.val_images is not None:
            raise ValueError(
                f"Received --val-share {self.val_share} and --val-images {self.val_images}. Expected one of them. "
                "Leave one out."
            )
        for images, masks in (("images", "masks"), ("val_images", "val_masks")):
            self._check_masks(images, masks)
        if self.classes is None and (self.id_map or self.palette):
            raise ValueError(
                f"Received --id-map {self.id_map} and --palette {self.palette} without --classes. Expected the names "
                "of the classes, or their number. Pass --classes."
            )
        # Files are read only after all options have been validated.
        _ = self.coding

    @property
    def has_validation(self) -> bool:
        """Whether the options specify validation images."""
        return self.data is not None or self.val_images is not None or self.val_share is not None

    @property
    def row(self) -> DataSet:
        """The known data set at --data."""
        return DATA_SETS[self.data_set or DEFAULT_DATA_SET]

    @property
    def coding(self) -> "LabelCoding | None":
        """The coding of classes in the masks; None if the options do not specify it."""
        from keras_hrnet.data.label_coding import coding_of, coding_of_data_set

        if self.data is not None:
            return coding_of_data_set(self.row)
        if self.classes is None:
            return None
        return coding_of(parse_classes(self.classes), **self._values())

    def dataset(self, split: str, **arguments: Any) -> "tf.data.Dataset":
        """Makes the dataset of a split: "train", "val", or another split of a known data set.

        Args:
            split: name of the split. For your own images, "val" means --val-images, or the share that --val-share
                selects; without these options, it means all images.
            **arguments: further arguments of `keras_hrnet.data.folders`, such as `batch_size`.
        """
        import keras_hrnet.data

        if self.data is not None:
            return getattr(keras_hrnet.data, self.row.name)(self.data, split, **arguments)
        return keras_hrnet.data.folders(
            *self.folders_of(split),
            parse_classes(self._given_classes()),
            **self._values(),
            **({} if self.val_share is None else {"split": split, "val_share": self.val_share}),
            **arguments,
        )

    def check_files(self, *splits: str) -> None:
        """Refuses folders of your own data that are missing or do not match, before Keras is imported.

        Args:
            *splits: names of the splits whose folders are checked.

        Raises:
            FileNotFoundError: if a folder is missing or has no picture, or an image has no mask.
            ValueError: as `keras_hrnet.data.folders`.
        """
        from keras_hrnet.data.files.folders import find_folder_pairs
        from keras_hrnet.data.files.parts import part_of

        for split in splits if self.data is None else ():
            images, masks = self.folders_of(split)
            if masks is not None:
                find_folder_pairs(images, masks, None if self.val_share is None else part_of(split, self.val_share))

    def folders_of(self, split: str) -> tuple[str | os.PathLike, str | os.PathLike | None]:
        """Returns the images and the masks of a split of your own data, before --val-share divides them."""
        is_val = split == "val" and self.val_images is not None
        return (self.val_images, self.val_masks) if is_val else (self.images, self.masks)

    def _check_masks(self, images, masks):
        require_masks(*((_option(name), getattr(self, name)) for name in (images, masks)))

    def _values(self):
        return {
            "ignore_label": parse_ignore_label(self.ignore_label),
            "id_map": parse_id_map(self.id_map),
            "palette": parse_palette(self.palette),
        }

    def _given_classes(self):
        if self.classes is None:
            raise ValueError(
                f"Received --images {self.images} without --classes. Expected the names of the classes, or their "
                "number. Pass --classes background,leaf, or the name of a data set."
            )
        return self.classes


Folder = tuple[str, str | os.PathLike | None]
"""An option as it is typed, such as "--images", and its value."""


def require_masks(images: Folder, masks: Folder, cure: str = "") -> None:
    """Checks that images have masks, unless they were packed with them.

    Args:
        images: the option for the images.
        masks: the option for their masks.
        cure: what else the user can do, as a sentence that begins with a space.

    Raises:
        ValueError: if only one of them has a value, and it is not a folder that `data pack` wrote.
    """
    if (images[1] is None) == (masks[1] is None):
        return
    from keras_hrnet.data.records.layout import is_packed

    if images[1] is None or not is_packed(images[1]):
        (name, folder), (missing, _) = (masks, images) if images[1] is None else (images, masks)
        raise ValueError(
            f"Received {name} {folder} without {missing}. Expected both, unless the images were packed by `data pack`, "
            f"which includes their masks. Pass {missing}.{cure}"
        )


def parse_classes(classes: str | Classes | Sequence[str]) -> Classes:
    """Parses names separated by commas, a number of classes, or the name of a data set."""
    if not isinstance(classes, str):
        return standardize_classes(classes)
    if classes.strip().isdecimal():
        from keras_hrnet.data.label_coding import coding_of

        if int(classes) == 1:
            raise _one_class(classes, "2")
        return coding_of(int(classes)).classes
    names = classes if classes in DATA_SETS else [name.strip() for name in classes.split(",")]
    if len(names) == 1:
        raise _one_class(classes, f"background,{classes}")
    return standardize_classes(names)


def _one_class(classes, better):
    return ValueError(
        f"Received --classes {classes}, a single class. Expected at least two, because all other pixels need a class. "
        f"Pass --classes {better}, with 0 for the background in the masks."
    )


def parse_ignore_label(text: str | None) -> tuple[int, ...] | None:
    """Parses integers separated by commas, or "none"; None stays None."""
    if text is None:
        return None
    if text == "none":
        return ()
    try:
        return tuple(int(value) for value in text.split(","))
    except ValueError:
        raise ValueError(
            f"Received --ignore-label {text!r}. Expected mask values separated by commas, or none. Write them "
            "like 255, or 0,255."
        ) from None


def parse_id_map(text: str | None) -> Mapping[int, int | str] | None:
    """Parses pairs such as "0:background,255:leaf", also as JSON or from a file of that name; None stays None."""
    if text is None:
        return None
    pairs = re.split(r"[,\n]", _content(text).strip().strip("{}").strip().strip(","))
    matches = [re.fullmatch(r'\s*"?(-?\d+)"?\s*[:=]\s*"?(.*?)"?\s*', pair) for pair in pairs if pair.strip()]
    if not matches or None in matches:
        raise ValueError(
            f"Received --id-map {text!r}. Expected the class of each mask value, separated by commas, or a file that "
            "lists them. Write them like 0:background,255:leaf."
        )
    found = {int(value): int(name) if name.isdecimal() else name for value, name in (m.groups() for m in matches)}
    if len(found) != len(matches):
        raise ValueError(f"Received --id-map {text!r}, which lists a value twice. Expected each once. Correct it.")
    return found


def parse_palette(text: str | None) -> list[tuple[int, ...]] | None:
    """Parses colors such as "#000000,#00c800" or "0,0,0;0,200,0", also from a file of that name; None stays None."""
    if text is None:
        return None
    content = _content(text)
    digits = re.fullmatch(r"[\s,;:()\[\]]*(?:#[0-9a-fA-F]{6}[\s,;:]*)+", content) and re.findall(r"#(\w{6})", content)
    if digits:
        return [tuple(bytes.fromhex(color)) for color in digits]
    numbers = [int(number) for number in re.findall(r"\d+", content)]
    if not numbers or len(numbers) % 3 or re.search(r"[^\d\s,;:()\[\]]", content):
        raise ValueError(
            f"Received --palette {text!r}. Expected red, green and blue of each class, or a file that lists them. "
            "Write them like #000000,#00c800, or 0,0,0;0,200,0."
        )
    return [tuple(numbers[i : i + 3]) for i in range(0, len(numbers), 3)]


def _content(text):
    """Returns the content of the file that a text names, or the text itself if there is no such file."""
    is_file = len(text) < 255 and pathlib.Path(text).is_file()
    return pathlib.Path(text).read_text(encoding="utf-8") if is_file else text


def _option(name):
    return f"--{name.replace('_', '-')}"

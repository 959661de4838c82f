"""The description of a data set, whose values a TOML file in this folder states."""

import dataclasses
from collections.abc import Mapping

from keras_hrnet.data_sets.classes import IGNORE_LABEL, Classes, Color
from keras_hrnet.data_sets.label_values import LabelValues

TRAINVAL = "trainval"
"""The split that joins `train` and `val`, for every data set that has both."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """The layout of the files of a data set.

    In both patterns, `{split}` stands for the folder of a split, and each `*` for any text without a slash: the same in
    the path of an image and in that of its label image.

    Args:
        images: pattern of the paths of images, relative to the root, such as "images/{split}/*.jpg".
        labels: pattern of the paths of label images, such as "masks/{split}/*.png".
        split_folders: folder names of splits that differ from the name of the split.
        archives: the published archive that holds a folder and its contents, by the path of the folder.
        lists: the path of the text file that names the images of a split, such as "lists/{split}.txt". The first word
            of each line is the name of an image, with or without its folder and its ending. With None, a split consists
            of all images that match its pattern.

    Raises:
        ValueError: if a pattern has no star, has two in one name, or has another number of stars than the other
            pattern.
    """

    images: str
    labels: str
    split_folders: Mapping[str, str] = dataclasses.field(default_factory=dict)
    archives: Mapping[str, str] = dataclasses.field(default_factory=dict)
    lists: str | None = None

    def __post_init__(self) -> None:
        names = f"{self.images}/{self.labels}".split("/")
        if not self.images.count("*") == self.labels.count("*") > 0 or any(name.count("*") > 1 for name in names):
            raise ValueError(
                f"Received the patterns {self.images!r} and {self.labels!r}. Expected the same number of stars in "
                "both, for the text that the paths of an image and its label image share: at least one star, and at "
                "most one in each name. Correct them."
            )

    def patterns_of(self, split: str) -> tuple[str, str]:
        """Returns the patterns of the images and label images of a split."""
        return self._of_split(self.images, split), self._of_split(self.labels, split)

    def list_of(self, split: str) -> str | None:
        """Returns the path of the text file that names the images of a split; None if there is none."""
        return self.lists and self._of_split(self.lists, split)

    def folders_of(self, split: str) -> tuple[str, str]:
        """Returns the paths of the folders that hold all images and all label images of a split."""
        images, labels = (pattern.partition("*")[0].rpartition("/")[0] for pattern in self.patterns_of(split))
        return images, labels

    def _of_split(self, path, split):
        return path.replace("{split}", self.split_folders.get(split, split))


@dataclasses.dataclass(frozen=True)
class DataSet:
    """The description of a data set.

    Args:
        name: name of the function that reads it: `keras_hrnet.data.<name>`.
        title: its usual name, for messages.
        classes: the classes that a network learns.
        train_ids: the train id of each value that its label images store, or of each color if they are color pictures;
            255 for ignored pixels.
        layout: the published layout of its files.
        num_images: number of published images, by split.
        license: the permitted uses, as a sentence.
        source: the way to obtain the data set, as a sentence.
        class_weights: the weights of the classes in the loss of the published recipe.
        label_values: the values that its label images may hold; None for those of `train_ids`.
        other_layouts: other layouts, into which tools arrange its files.

    Raises:
        ValueError: if a train id is not a class, or the number of weights differs from that of the classes.
    """

    name: str
    title: str
    classes: Classes
    train_ids: Mapping[int, int] | Mapping[Color, int]
    layout: Layout
    num_images: Mapping[str, int]
    license: str
    source: str
    class_weights: tuple[float, ...] | None = None
    label_values: LabelValues | None = None
    other_layouts: tuple[Layout, ...] = ()

    def __post_init__(self) -> None:
        count, ids = len(self.classes.names), set(self.train_ids.values()) - {IGNORE_LABEL}
        if ids != set(range(count)) or self.classes.ignore_label != IGNORE_LABEL:
            raise ValueError(
                f"Received the train ids {sorted(ids)} for the {count} classes of {self.title}, and the ignored label "
                f"{self.classes.ignore_label}. Expected 0 to {count - 1}, and {IGNORE_LABEL} for ignored pixels. "
                "Correct the data set."
            )
        if self.class_weights is not None and len(self.class_weights) != count:
            raise ValueError(
                f"Received {len(self.class_weights)} class weights for the {count} classes of {self.title}. Expected "
                "one for each. Correct the data set."
            )
        if self.label_values is None:
            cure = f"Restore the file from its source: {self.source}"
            by_color = {"values": (), "colors": self.train_ids} if self.is_read_by_color else {"values": self.train_ids}
            object.__setattr__(self, "label_values", LabelValues(**by_color, cure=cure))

    @property
    def is_read_by_color(self) -> bool:
        """Whether its label images are color pictures."""
        return isinstance(next(iter(self.train_ids)), tuple)

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts of its files, the published one first."""
        return (self.layout, *self.other_layouts)

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of its splits."""
        return (*self.num_images, *([TRAINVAL] if {"train", "val"} <= set(self.num_images) else []))

    def parts_of(self, split: str) -> tuple[str, ...]:
        """Returns the published splits that a split consists of.

        Raises:
            ValueError: if there is no such split.
        """
        if split not in self.splits:
            raise ValueError(
                f"{self.title} has no split {split!r}. Expected one of {', '.join(self.splits)}. Choose one of them."
            )
        return ("train", "val") if split == TRAINVAL else (split,)

    def archive_of(self, folder: str) -> str:
        """Names the archive to unpack for a folder, given by its path relative to the root."""
        holding = [held for held in self.layout.archives if f"{folder}/".startswith(f"{held}/")]
        return self.layout.archives[max(holding, key=len)] if holding else f"{self.title} ({self.source})"

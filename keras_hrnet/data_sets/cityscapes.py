"""Cityscapes: its label table, class weights, and file layout."""

import dataclasses

from keras_hrnet.data_sets.classes import Classes
from keras_hrnet.data_sets.label_values import LabelValues
from keras_hrnet.data_sets.table import data_set_of, read_table


@dataclasses.dataclass(frozen=True)
class Label:
    """One row of the Cityscapes label table.

    Args:
        name: name of the label in the data set's own tables.
        id: the value in `*_gtFine_labelIds.png`; −1 is the license plate.
        train_id: the class that a network learns, 0 to 18; 255 and −1 (the license plate) are ignored.
        category: the coarser group.
        category_id: the number of that group, 0 to 7.
        has_instances: whether `*_gtFine_instanceIds.png` distinguishes single objects of this label.
        ignore_in_eval: whether the official evaluator ignores it.
        color: red, green and blue, each in [0, 255], in `*_gtFine_color.png`.
    """

    name: str
    id: int
    train_id: int
    category: str
    category_id: int
    has_instances: bool
    ignore_in_eval: bool
    color: tuple[int, int, int]


_TABLE = read_table("cityscapes")

LABELS = tuple(Label(*values, color=tuple(color)) for *values, color in _TABLE.pop("labels"))
"""The 35 rows, in the official order."""

CLASSES = tuple(sorted((label for label in LABELS if 0 <= label.train_id < 255), key=lambda label: label.train_id))
"""The 19 rows that a network learns, by train id."""

CLASS_NAMES = tuple(label.name for label in CLASSES)
"""The names of the 19 classes, by train id."""

ID_OF_TRAIN_ID = tuple(label.id for label in CLASSES)
"""The label ids of the 19 classes, by train id."""

PALETTE = tuple(label.color for label in CLASSES)
"""Red, green and blue of the 19 classes, by train id."""

CLASS_WEIGHTS = tuple(_TABLE.pop("class_weights"))
"""The weights of the 19 classes in the published recipe's cross-entropy, by train id."""

CITYSCAPES = data_set_of(
    _TABLE,
    name="cityscapes",
    classes=Classes(CLASS_NAMES, PALETTE),
    # Label images are unsigned, so they can store id −1 (license plate) only as 255.
    train_ids={label.id % 256: label.train_id % 256 for label in LABELS},
    class_weights=CLASS_WEIGHTS,
    label_values=LabelValues(
        values=(label.id % 256 for label in LABELS),
        palette_images=False,
        expected="the ids of the Cityscapes table: 0 to 33, and 255 for −1",
        cure="Restore the original *_labelIds.png, or give these pixels an id of the table (0 is ignored).",
        original="*_labelIds.png",
        beside={(16, 0): "*_instanceIds.png", (8, 6): "*_color.png"},
    ),
)
"""The data set with its fine annotation."""

EXTRA = "train_extra"
"""The split that has only coarse annotation."""

COARSE = dataclasses.replace(
    CITYSCAPES,
    layout=dataclasses.replace(CITYSCAPES.layout, labels="gtCoarse/{split}/*/*_gtCoarse_labelIds.png"),
    num_images={"train": 2975, "val": 500, EXTRA: 19998},
)
"""The data set with its coarse annotation."""

ANNOTATIONS = {"fine": CITYSCAPES, "coarse": COARSE}

PUBLISHED_SIZE = (1024, 2048)
"""Height and width of all images, in pixels."""

BROKEN_NAME = "troisdorf_000000_000073"
BROKEN_IMAGE = f"leftImg8bit/{EXTRA}/troisdorf/{BROKEN_NAME}_leftImg8bit.png"
"""An image that is one black channel in leftImg8bit_trainextra.zip, as users report (mrharicot/monodepth#140)."""

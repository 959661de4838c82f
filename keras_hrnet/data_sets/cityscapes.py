"""Cityscapes: its label table, class weights, and where its files lie.

The table is that of `cityscapesscripts/helpers/labels.py` (version 2.2.4).
"""

import dataclasses

from keras_hrnet.data_sets.classes import Classes
from keras_hrnet.data_sets.data_set import DataSet, Layout
from keras_hrnet.data_sets.label_values import LabelValues


@dataclasses.dataclass(frozen=True)
class Label:
    """One row of the Cityscapes label table.

    Args:
        name: what the label is called in the data set's own tables.
        id: the value in `*_gtFine_labelIds.png`; −1 is the license plate.
        train_id: the class that a network learns, 0 to 18; 255 is ignored, and −1 (the license plate) is too.
        category: the coarser group.
        category_id: the number of that group, 0 to 7.
        has_instances: whether single objects of it are told apart in `*_gtFine_instanceIds.png`.
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


LABELS = (
    Label("unlabeled", 0, 255, "void", 0, False, True, (0, 0, 0)),
    Label("ego vehicle", 1, 255, "void", 0, False, True, (0, 0, 0)),
    Label("rectification border", 2, 255, "void", 0, False, True, (0, 0, 0)),
    Label("out of roi", 3, 255, "void", 0, False, True, (0, 0, 0)),
    Label("static", 4, 255, "void", 0, False, True, (0, 0, 0)),
    Label("dynamic", 5, 255, "void", 0, False, True, (111, 74, 0)),
    Label("ground", 6, 255, "void", 0, False, True, (81, 0, 81)),
    Label("road", 7, 0, "flat", 1, False, False, (128, 64, 128)),
    Label("sidewalk", 8, 1, "flat", 1, False, False, (244, 35, 232)),
    Label("parking", 9, 255, "flat", 1, False, True, (250, 170, 160)),
    Label("rail track", 10, 255, "flat", 1, False, True, (230, 150, 140)),
    Label("building", 11, 2, "construction", 2, False, False, (70, 70, 70)),
    Label("wall", 12, 3, "construction", 2, False, False, (102, 102, 156)),
    Label("fence", 13, 4, "construction", 2, False, False, (190, 153, 153)),
    Label("guard rail", 14, 255, "construction", 2, False, True, (180, 165, 180)),
    Label("bridge", 15, 255, "construction", 2, False, True, (150, 100, 100)),
    Label("tunnel", 16, 255, "construction", 2, False, True, (150, 120, 90)),
    Label("pole", 17, 5, "object", 3, False, False, (153, 153, 153)),
    Label("polegroup", 18, 255, "object", 3, False, True, (153, 153, 153)),
    Label("traffic light", 19, 6, "object", 3, False, False, (250, 170, 30)),
    Label("traffic sign", 20, 7, "object", 3, False, False, (220, 220, 0)),
    Label("vegetation", 21, 8, "nature", 4, False, False, (107, 142, 35)),
    Label("terrain", 22, 9, "nature", 4, False, False, (152, 251, 152)),
    Label("sky", 23, 10, "sky", 5, False, False, (70, 130, 180)),
    Label("person", 24, 11, "human", 6, True, False, (220, 20, 60)),
    Label("rider", 25, 12, "human", 6, True, False, (255, 0, 0)),
    Label("car", 26, 13, "vehicle", 7, True, False, (0, 0, 142)),
    Label("truck", 27, 14, "vehicle", 7, True, False, (0, 0, 70)),
    Label("bus", 28, 15, "vehicle", 7, True, False, (0, 60, 100)),
    Label("caravan", 29, 255, "vehicle", 7, True, True, (0, 0, 90)),
    Label("trailer", 30, 255, "vehicle", 7, True, True, (0, 0, 110)),
    Label("train", 31, 16, "vehicle", 7, True, False, (0, 80, 100)),
    Label("motorcycle", 32, 17, "vehicle", 7, True, False, (0, 0, 230)),
    Label("bicycle", 33, 18, "vehicle", 7, True, False, (119, 11, 32)),
    Label("license plate", -1, -1, "vehicle", 7, False, True, (0, 0, 142)),
)
"""The 35 rows, in the official order."""

CLASSES = tuple(sorted((label for label in LABELS if 0 <= label.train_id < 255), key=lambda label: label.train_id))
"""The 19 rows that a network learns, by train id."""

CLASS_NAMES = tuple(label.name for label in CLASSES)
"""The names of the 19 classes, by train id."""

ID_OF_TRAIN_ID = tuple(label.id for label in CLASSES)
"""The label ids of the 19 classes, by train id."""

PALETTE = tuple(label.color for label in CLASSES)
"""Red, green and blue of the 19 classes, by train id."""

# HRNet-Semantic-Segmentation, lib/datasets/cityscapes.py.
CLASS_WEIGHTS = (
    0.8373,
    0.918,
    0.866,
    1.0345,
    1.0166,
    0.9969,
    0.9754,
    1.0489,
    0.8786,
    1.0023,
    0.9539,
    0.9843,
    1.1116,
    0.9037,
    1.0865,
    1.0955,
    1.0865,
    1.1529,
    1.0507,
)
"""The weights of the 19 classes in the published recipe's cross-entropy, by train id."""

CITYSCAPES = DataSet(
    name="cityscapes",
    title="Cityscapes",
    classes=Classes(CLASS_NAMES, PALETTE),
    # A label image is unsigned, so id −1 (license plate) can only stand in it as 255.
    train_ids={label.id % 256: label.train_id % 256 for label in LABELS},
    layout=Layout(
        images="leftImg8bit/{split}/*/*_leftImg8bit.png",
        labels="gtFine/{split}/*/*_gtFine_labelIds.png",
        archives={
            "leftImg8bit": "leftImg8bit_trainvaltest.zip",
            "leftImg8bit/train_extra": "leftImg8bit_trainextra.zip",
            "gtFine": "gtFine_trainvaltest.zip",
            "gtCoarse": "gtCoarse.zip",
        },
    ),
    # README of cityscapesScripts.
    num_images={"train": 2975, "val": 500, "test": 1525},
    licence="Free for research and teaching that is not commercial; it may not be passed on.",
    source="Register at https://www.cityscapes-dataset.com, and download with `csDownload` of cityscapesScripts.",
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
"""The split that is annotated coarsely only."""

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
"""An image that leftImg8bit_trainextra.zip holds as one black channel, its users report (mrharicot/monodepth#140)."""

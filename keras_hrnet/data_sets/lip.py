"""Look into Person (LIP): the parts and clothes of single persons."""

from keras_hrnet.data_sets.classes import Classes
from keras_hrnet.data_sets.data_set import DataSet, Layout

# mmsegmentation, mmseg/datasets/lip.py.
COLORS = {
    "Background": (0, 0, 0),
    "Hat": (128, 0, 0),
    "Hair": (255, 0, 0),
    "Glove": (0, 85, 0),
    "Sunglasses": (170, 0, 51),
    "UpperClothes": (255, 85, 0),
    "Dress": (0, 0, 85),
    "Coat": (0, 119, 221),
    "Socks": (85, 85, 0),
    "Pants": (0, 85, 85),
    "Jumpsuits": (85, 51, 0),
    "Scarf": (52, 86, 128),
    "Skirt": (0, 128, 0),
    "Face": (0, 0, 255),
    "Left-arm": (51, 170, 221),
    "Right-arm": (0, 255, 255),
    "Left-leg": (85, 255, 170),
    "Right-leg": (170, 255, 85),
    "Left-shoe": (255, 255, 0),
    "Right-shoe": (255, 170, 0),
}
"""Red, green and blue of the 20 classes by name, by train id."""

LIP = DataSet(
    name="lip",
    title="LIP",
    # HRNet-Semantic-Segmentation, lib/datasets/lip.py: arms, legs and shoes.
    classes=Classes(tuple(COLORS), tuple(COLORS.values()), mirrored=((14, 15), (16, 17), (18, 19))),
    train_ids={i: i for i in range(len(COLORS))},
    # README of HRNet-Semantic-Segmentation.
    layout=Layout(
        images="TrainVal_images/{split}_images/*.jpg",
        labels="TrainVal_parsing_annotations/{split}_segmentations/*.png",
    ),
    # mmsegmentation, docs/en/user_guides/2_dataset_prepare.md.
    other_layouts=(Layout(images="{split}_images/*.jpg", labels="{split}_segmentations/*.png"),),
    num_images={"train": 30462, "val": 10000},
    licence="Its page states none: ask its authors before using it for anything but research.",
    source="Download TrainVal_images.zip and TrainVal_parsing_annotations.zip from "
    "https://lip.sysuhcp.com/overview.php.",
)
"""The data set of single persons."""

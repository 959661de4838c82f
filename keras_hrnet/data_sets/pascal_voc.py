"""PASCAL VOC 2012: 20 kinds of objects, and the background."""

from keras_hrnet.data_sets.classes import IGNORE_LABEL, Classes
from keras_hrnet.data_sets.data_set import DataSet, Layout

# The development kit: VOCinit.m and VOClabelcolormap.m; mmsegmentation, mmseg/datasets/voc.py.
COLORS = {
    "background": (0, 0, 0),
    "aeroplane": (128, 0, 0),
    "bicycle": (0, 128, 0),
    "bird": (128, 128, 0),
    "boat": (0, 0, 128),
    "bottle": (128, 0, 128),
    "bus": (0, 128, 128),
    "car": (128, 128, 128),
    "cat": (64, 0, 0),
    "chair": (192, 0, 0),
    "cow": (64, 128, 0),
    "diningtable": (192, 128, 0),
    "dog": (64, 0, 128),
    "horse": (192, 0, 128),
    "motorbike": (64, 128, 128),
    "person": (192, 128, 128),
    "pottedplant": (0, 64, 0),
    "sheep": (128, 64, 0),
    "sofa": (0, 192, 0),
    "train": (128, 192, 0),
    "tvmonitor": (0, 64, 128),
}
"""Red, green and blue of the 21 classes by name, by train id."""

PASCAL_VOC = DataSet(
    name="pascal_voc",
    title="PASCAL VOC 2012",
    classes=Classes(tuple(COLORS), tuple(COLORS.values())),
    # 255 is the border of objects, and what is difficult.
    train_ids={**{i: i for i in range(len(COLORS))}, 255: IGNORE_LABEL},
    layout=Layout(
        images="JPEGImages/*.jpg",
        labels="SegmentationClass/*.png",
        lists="ImageSets/Segmentation/{split}.txt",
    ),
    # The development kit's documentation, on the image sets of the segmentation task.
    num_images={"train": 1464, "val": 1449},
    licence="The images are under Flickr's terms of use.",
    source="Unpack VOCtrainval_11-May-2012.tar from http://host.robots.ox.ac.uk/pascal/VOC/voc2012: its folder "
    "VOCdevkit/VOC2012 is the root.",
)
"""The data set of the segmentation challenge, without the further annotations of SBD."""

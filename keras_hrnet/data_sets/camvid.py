"""CamVid: streets of Cambridge, in the 11 classes of the SegNet tutorial or in all that were labelled."""

import dataclasses

from keras_hrnet.data_sets.classes import IGNORE_LABEL, Classes
from keras_hrnet.data_sets.data_set import DataSet, Layout

# alexgkendall/SegNet-Tutorial, Scripts/test_segmentation_camvid.py.
COLORS = {
    "Sky": (128, 128, 128),
    "Building": (128, 0, 0),
    "Pole": (192, 192, 128),
    "Road": (128, 64, 128),
    "Pavement": (60, 40, 222),
    "Tree": (128, 128, 0),
    "SignSymbol": (192, 128, 128),
    "Fence": (64, 64, 128),
    "Car": (64, 0, 128),
    "Pedestrian": (64, 64, 0),
    "Bicyclist": (0, 128, 192),
}
"""Red, green and blue of the 11 classes by name, by train id."""

# label_colors.txt of http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid, in its order, without Void.
LABELED_COLORS = {
    "Animal": (64, 128, 64),
    "Archway": (192, 0, 128),
    "Bicyclist": (0, 128, 192),
    "Bridge": (0, 128, 64),
    "Building": (128, 0, 0),
    "Car": (64, 0, 128),
    "CartLuggagePram": (64, 0, 192),
    "Child": (192, 128, 64),
    "Column_Pole": (192, 192, 128),
    "Fence": (64, 64, 128),
    "LaneMkgsDriv": (128, 0, 192),
    "LaneMkgsNonDriv": (192, 0, 64),
    "Misc_Text": (128, 128, 64),
    "MotorcycleScooter": (192, 0, 192),
    "OtherMoving": (128, 64, 64),
    "ParkingBlock": (64, 192, 128),
    "Pedestrian": (64, 64, 0),
    "Road": (128, 64, 128),
    "RoadShoulder": (128, 128, 192),
    "Sidewalk": (0, 0, 192),
    "SignSymbol": (192, 128, 128),
    "Sky": (128, 128, 128),
    "SUVPickupTruck": (64, 128, 192),
    "TrafficCone": (0, 0, 64),
    "TrafficLight": (0, 64, 64),
    "Train": (192, 64, 128),
    "Tree": (128, 128, 0),
    "Truck_Bus": (192, 128, 192),
    "Tunnel": (64, 0, 64),
    "VegetationMisc": (192, 192, 0),
    "Wall": (64, 192, 0),
}
"""Red, green and blue of the 31 labels that are a class, by name."""

VOID = (0, 0, 0)
"""The colour of the 32nd label, Void: what belongs to no class."""

CAMVID = DataSet(
    name="camvid",
    title="CamVid",
    classes=Classes(tuple(COLORS), tuple(COLORS.values())),
    # 11 is Unlabelled.
    train_ids={**{i: i for i in range(len(COLORS))}, 11: IGNORE_LABEL},
    # The folder CamVid of alexgkendall/SegNet-Tutorial.
    layout=Layout(images="{split}/*.png", labels="{split}annot/*.png"),
    # The same files in folders of images and masks, with photos that were compressed again.
    other_layouts=(Layout(images="{split}/images/*.jpg", labels="{split}/masks/*.png"),),
    num_images={"train": 367, "val": 101, "test": 233},
    licence="For research and education; the tutorial is under CC BY-NC 4.0.",
    source="Clone https://github.com/alexgkendall/SegNet-Tutorial: its folder CamVid is the root.",
)
"""The photos of the SegNet tutorial, 480x360 (width x height), in 11 classes."""

CAMVID_32 = dataclasses.replace(
    CAMVID,
    name="camvid_32",
    title="CamVid with all labels",
    classes=Classes(tuple(LABELED_COLORS), tuple(LABELED_COLORS.values())),
    train_ids={**{color: i for i, color in enumerate(LABELED_COLORS.values())}, VOID: IGNORE_LABEL},
    layout=Layout(images="701_StillsRaw_full/*.png", labels="LabeledApproved_full/*_L.png", lists="{split}.txt"),
    other_layouts=(),
    licence="For research and education.",
    source="Unpack 701_StillsRaw_full.zip and LabeledApproved_full.zip from "
    "http://web4.cs.ucl.ac.uk/staff/g.brostow/MotionSegRecData into folders of these names, and put train.txt, val.txt "
    "and test.txt of https://github.com/alexgkendall/SegNet-Tutorial beside them.",
    label_values=None,
)
"""The photos as published, 960x720 (width x height), in 32 labels: 31 classes, and Void, which is ignored."""

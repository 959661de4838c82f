"""BDD100K: streets of the USA, in the classes of Cityscapes."""

from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.data_sets.data_set import DataSet, Layout

BDD100K = DataSet(
    name="bdd100k",
    title="BDD100K",
    # bdd100k/bdd100k, bdd100k/label/label.py and doc/source/format.rst: names, colours and train ids of the 19 classes
    # are those of Cityscapes, and label images store train ids.
    classes=CITYSCAPES.classes,
    train_ids={**{i: i for i in range(len(CITYSCAPES.classes.names))}, 255: IGNORE_LABEL},
    # bdd100k/bdd100k, doc/source/download.rst.
    layout=Layout(images="images/10k/{split}/*.jpg", labels="labels/sem_seg/masks/{split}/*.png"),
    num_images={"train": 7000, "val": 1000},
    licence="Free for teaching, research and purposes that are not for profit.",
    source="Download the 10K images and the labels of semantic segmentation from https://dl.cv.ethz.ch/bdd100k/data.",
)
"""The 10K images, which have labels for semantic segmentation."""

"""What is known of data sets: one file for each, plain data."""

from keras_hrnet.data_sets.ade20k import ADE20K
from keras_hrnet.data_sets.bdd100k import BDD100K
from keras_hrnet.data_sets.camvid import CAMVID, CAMVID_32
from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.data_sets.classes import IGNORE_LABEL, Classes, palette
from keras_hrnet.data_sets.coco_stuff import COCO_STUFF, COCO_STUFF_10K
from keras_hrnet.data_sets.data_set import DataSet, Layout
from keras_hrnet.data_sets.label_values import LabelValues
from keras_hrnet.data_sets.lip import LIP
from keras_hrnet.data_sets.mapillary import MAPILLARY
from keras_hrnet.data_sets.pascal_context import PASCAL_CONTEXT, PASCAL_CONTEXT_60
from keras_hrnet.data_sets.pascal_voc import PASCAL_VOC

DATA_SETS = {
    data_set.name: data_set
    for data_set in (
        CITYSCAPES,
        CAMVID,
        CAMVID_32,
        BDD100K,
        MAPILLARY,
        ADE20K,
        COCO_STUFF,
        COCO_STUFF_10K,
        PASCAL_VOC,
        PASCAL_CONTEXT,
        PASCAL_CONTEXT_60,
        LIP,
    )
}
"""The data sets by name; `keras_hrnet.data` has a function of that name for each."""

__all__ = ["DATA_SETS", "IGNORE_LABEL", "Classes", "DataSet", "LabelValues", "Layout", "palette"]

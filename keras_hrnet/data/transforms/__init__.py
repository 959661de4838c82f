"""One image and its label become a training crop: scaled, rotated, cut, recoloured, blurred and mirrored."""

from keras_hrnet.data.transforms.augmentation import Augmentation, augmented

__all__ = ["Augmentation", "augmented"]

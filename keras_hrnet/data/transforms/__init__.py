"""Makes a training crop of an image and its label: scaled, rotated, cropped, recolored, blurred and mirrored."""

from keras_hrnet.data.transforms.augmentation import Augmentation, augmented

__all__ = ["Augmentation", "augmented"]

"""The interface by which networks of every format are run, from images to outputs."""

import abc
from collections.abc import Iterable

import keras
import numpy as np

from keras_hrnet.models.interface import channel_axis_of, has_own_unit, images_for, num_channels


class Runner(abc.ABC):
    """A network that is ready to run.

    Attributes:
        dtype: dtype of its input images.
        image_size: (height, width) that it was built for; None if it accepts any size.
        batch_size: number of images in a batch; None for any number.
        channels: number of channels of the images.
    """

    dtype: str = "uint8"
    image_size: tuple[int, int] | None = None
    batch_size: int | None = None
    channels: int = 3

    @abc.abstractmethod
    def run(self, images: np.ndarray) -> np.ndarray:
        """Runs a batch of images of `dtype`."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Runs any number of images.

        Args:
            images: `(num_images, height, width, channels)`, RGB in [0, 255] or the input of the network.

        Returns:
            Logits or probabilities `(num_images, ..., num_classes)`, channels last, or labels.
        """
        step = self.batch_size or len(images)
        if np.dtype(self.dtype).kind == "u" and images.dtype.kind == "f":
            images = np.rint(images)
        # The last batch is padded with copies of the last image, whose outputs are dropped.
        missing = -len(images) % step
        filled = np.concatenate([images, np.repeat(images[-1:], missing, axis=0)]) if missing else images
        answers = [self.run(filled[i : i + step].astype(self.dtype)) for i in range(0, len(filled), step)]
        # Full-size logits are large, so a single batch of them is not copied.
        return (answers[0] if len(answers) == 1 else np.concatenate(answers))[: len(images)]


class KerasRunner(Runner):
    """A Keras model on the active backend.

    Args:
        model: a functional network from images to logits or labels.
        axis: axis of the classes in its logits, −1 or 1; None means the axis of the images' channels.
        batch_size: as in `Runner`.
    """

    def __init__(self, model: keras.Model, axis: int | None = None, batch_size: int | None = None) -> None:
        self.model, self.batch_size, self.channels = model, batch_size, num_channels(model)
        if has_own_unit(model):
            self.dtype = "float32"
        self.axis = channel_axis_of(model) if axis is None else axis
        _, *shape = model.inputs[0].shape
        self.image_size = known_size(shape[:2] if channel_axis_of(model) == -1 else shape[1:])

    def run(self, images: np.ndarray) -> np.ndarray:
        answers = self.model.predict_on_batch(images_for(self.model, images))
        return np.moveaxis(answers, self.axis, -1) if answers.ndim == 4 else answers


def known_size(lengths: Iterable[int | str | None]) -> tuple[int, int] | None:
    """Returns (height, width), or None if one of them is not a number."""
    lengths = tuple(lengths)
    return lengths if all(isinstance(length, int) for length in lengths) else None

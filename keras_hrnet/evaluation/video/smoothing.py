"""Averages the probabilities of successive frames, so that labels flicker less."""

import keras
import numpy as np

from keras_hrnet.layers.labels import argmax
from keras_hrnet.models.interface import label_dtype


class Smoothing:
    """The exponential average of the probabilities of a video's frames, and its largest: the labels.

    Args:
        share: of the average so far in the next one, at least 0 and below 1. With 0, each frame stands for itself.

    Call arguments:
        probabilities: float32 `(batch, height, width, num_classes)` in [0, 1], of successive frames.

    Returns:
        Labels `(batch, height, width)`, and the averages, like `probabilities`.
    """

    def __init__(self, share: float) -> None:
        self._share, self._average = np.float32(share), None

    def __call__(self, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._share:
            probabilities = np.array(probabilities)  # What a network returned may be read-only.
            for frame in probabilities:
                if self._average is not None:
                    frame *= 1 - self._share
                    frame += self._share * self._average
                self._average = frame
            self._average = self._average.copy()  # Not to keep the batch.
        labels = keras.ops.convert_to_numpy(argmax(keras.ops.convert_to_tensor(probabilities)))
        return labels.astype(label_dtype(probabilities.shape[-1])), probabilities


def check_smooth(smooth: float) -> None:
    """Refuses a share of the average that is none.

    Raises:
        ValueError: if it is below 0, or 1 and more.
    """
    if not 0 <= smooth < 1:
        raise ValueError(
            f"Received smooth={smooth}. Expected at least 0 and below 1: the share of the average so far. Pass 0.5 for "
            "half of it, or 0 to take each frame as it is."
        )

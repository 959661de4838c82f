"""Averages the probabilities of successive frames, so that labels flicker less."""

import keras
import numpy as np

from keras_hrnet.layers.labels import argmax
from keras_hrnet.models.interface import label_dtype


class Smoothing:
    """Averages the probabilities of a video's frames exponentially, and takes the labels from the averages.

    Args:
        share: weight of the previous average in the next one, at least 0 and below 1. With 0, frames are not averaged.

    Call arguments:
        probabilities: float32 `(batch, height, width, num_classes)` in [0, 1], of successive frames.

    Returns:
        Labels `(batch, height, width)`, and the averages, in the shape and dtype of `probabilities`.
    """

    def __init__(self, share: float) -> None:
        self._share, self._average = np.float32(share), None

    def __call__(self, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._share:
            probabilities = np.array(probabilities)  # The array that a network returns may be read-only.
            for frame in probabilities:
                if self._average is not None:
                    frame *= 1 - self._share
                    frame += self._share * self._average
                self._average = frame
            self._average = self._average.copy()  # A view would keep the whole batch in memory.
        labels = keras.ops.convert_to_numpy(argmax(keras.ops.convert_to_tensor(probabilities)))
        return labels.astype(label_dtype(probabilities.shape[-1])), probabilities


def check_smooth(smooth: float) -> None:
    """Refuses an invalid weight of the previous frames.

    Raises:
        ValueError: if it is below 0, or 1 or more.
    """
    if not 0 <= smooth < 1:
        raise ValueError(
            f"Received smooth={smooth}. Expected the weight of the previous frames, at least 0 and below 1. Pass 0.5 "
            "to weight them like the current frame, or 0 to turn averaging off."
        )

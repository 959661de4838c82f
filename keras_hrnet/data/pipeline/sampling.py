"""Selects the image for each place of an epoch, and the pixel that its crop must show.

Everything here depends only on the seed, the epoch and the place, and is computed inside `tf.data`, so that any process
can request any place, whatever was read before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_hrnet.backends.host_tensorflow import host_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

NO_FOCUS = (-1, -1)
"""The focus of a crop at any position."""


class Pick(NamedTuple):
    """The content of one place of an epoch.

    Args:
        index: the image, an int64 scalar.
        focus: row and column of the pixel that the crop must show, int32 `(2,)`; −1 and −1 for any crop.
        seed: seed of the crop, int64 `(2,)`.
    """

    index: Any
    focus: Any
    seed: Any


class EpochPlan:
    """Selects the images of an epoch: all fine images, or some, mixed with class-uniform crops and coarse images.

    An epoch has as many places as there are fine images. By default, each fine image has one place. Otherwise, the
    share `class_uniform` of the places shows crops around points of each class in turn, the share `coarse` shows coarse
    images, and the rest shows fine images, none of which is drawn twice. All points of a class are shown in an epoch
    before one of them is repeated, and all coarse images over several epochs.

    Args:
        num_fine: number of finely annotated images, which are numbered from 0.
        seed: integer that determines all choices.
        points: for each class, int32 `(num_points, 3)`: image, row and column (`class_points`).
        class_uniform: the share of places that is drawn from `points`, in [0, 1].
        num_coarse_images: number of coarsely annotated images, which are numbered from `num_fine`.
        coarse: the share of places that is drawn from coarse images, in [0, 1].

    Reference: Zhu et al., "Improving Semantic Segmentation via Video Propagation and Label Relaxation", section 3.3;
    NVIDIA semantic-segmentation, `datasets/uniform.py`, `build_epoch`. Unlike there, the places of a class without
    points go to the other classes, so that an epoch keeps its length.
    """

    def __init__(
        self,
        num_fine: int,
        *,
        seed: int,
        points: Sequence[np.ndarray] = (),
        class_uniform: float = 0.0,
        num_coarse_images: int = 0,
        coarse: float = 0.0,
    ):
        self.num_places = num_fine
        self._seed = seed
        self._points = [of_class for of_class in points if len(of_class)]
        self._num_uniform = round(class_uniform * num_fine) if self._points else 0
        self._num_coarse = round(coarse * num_fine) if num_coarse_images else 0
        self._num_coarse_images = num_coarse_images

    def pick(self, place: tf.Tensor, epoch: tf.Tensor) -> Pick:
        """Returns the content of a place of an epoch.

        Args:
            place: an int64 scalar from 0 to `num_places` − 1.
            epoch: an int64 scalar from 0.
        """
        tf = host_tensorflow()
        seed = tf.stack([tf.constant(self._seed, tf.int64), epoch])
        slot = _shuffled(place, seed, self.num_places)
        pick = Pick(slot, tf.constant(NO_FOCUS, tf.int32), tf.random.fold_in(seed, slot))
        if self._num_uniform + self._num_coarse == 0:
            return pick
        # The first slots are class-uniform, and the next ones are coarse. The rest show different fine images in each
        # epoch.
        pick = pick._replace(index=_shuffled(slot, tf.random.fold_in(seed, -1), self.num_places))
        if self._num_coarse:
            coarse = pick._replace(index=self._coarse_image(slot - self._num_uniform, epoch))
            pick = _where(slot < self._num_uniform + self._num_coarse, coarse, pick)
        if self._num_uniform:
            index, focus = self._class_point(slot, seed)
            pick = _where(slot < self._num_uniform, pick._replace(index=index, focus=focus), pick)
        return pick

    def _class_point(self, slot, seed):
        tf = host_tensorflow()
        num_points = np.array([len(of_class) for of_class in self._points])
        first = np.cumsum(num_points) - num_points
        which_class, turn = slot % len(num_points), slot // len(num_points)
        limit = tf.constant(num_points, tf.int64)[which_class]
        chosen = _shuffled(turn % limit, tf.random.fold_in(seed, which_class), limit)
        point = tf.constant(np.concatenate(self._points), tf.int32)[tf.constant(first, tf.int64)[which_class] + chosen]
        return tf.cast(point[0], tf.int64), point[1:]

    def _coarse_image(self, turn, epoch):
        tf = host_tensorflow()
        turn = tf.maximum(turn, 0) + epoch * self._num_coarse
        seed = tf.stack([tf.constant(self._seed, tf.int64), turn // self._num_coarse_images])
        return self.num_places + _shuffled(turn % self._num_coarse_images, seed, self._num_coarse_images)


def _shuffled(place, seed, num_places):
    return host_tensorflow().random.experimental.index_shuffle(place, seed, num_places - 1)


def _where(condition, chosen, other):
    return Pick(*(host_tensorflow().where(condition, *values) for values in zip(chosen, other, strict=True)))

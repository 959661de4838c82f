"""Runs a network on images under a protocol: whole or in tiles, at one or several scales, with or without flips."""

import math
from typing import Any

import keras
import numpy as np

from keras_hrnet.architecture import MIN_SIZE
from keras_hrnet.evaluation.log_scores import log_add, log_join, log_resize, log_softmax, mean_of_flips
from keras_hrnet.evaluation.protocol import Protocol
from keras_hrnet.evaluation.running import Runner
from keras_hrnet.evaluation.tiles import tiles, window_starts
from keras_hrnet.layers import Rescale
from keras_hrnet.layers.labels import argmax
from keras_hrnet.layers.resize import resize
from keras_hrnet.models.interface import (
    ForeignNetwork,
    check_images,
    check_model,
    check_pixels,
    check_size,
    data_format,
    image_size,
    images_for,
    label_dtype,
    layers_of,
    min_image_size,
    num_channels,
    num_classes,
    resize_convention,
    returns_labels,
    takes_pixels,
)
from keras_hrnet.models.network import labels_model, own_classes


class Segmenter:
    """A network under a protocol. It keeps compiled functions, so create it once for many images.

    Args:
        model: a network from RGB images to logits of their height and width; or the result of `labels_model`; or an
            exported file (`keras_hrnet.export.ExportedNetwork`).
        for_many: whether to prepare for many images: the argmax is then computed on the device, which requires
            compilation. Otherwise the network's own `predict_on_batch` is used, which may already be compiled.
        options: `scales`, `flip`, `tile`, `overlap` and `average`, as in `Protocol`.

    Raises:
        TypeError: if `model` is not a built functional model.
        ValueError: if its output is not a map of logits, an option is invalid, or the model returns labels, which
            cannot be averaged.
    """

    def __init__(self, model: keras.Model | ForeignNetwork, *, for_many: bool = True, **options: Any) -> None:
        check_model(model)
        self.protocol = Protocol(**options, hierarchical_scales=_hierarchical_scales(model))
        self.model = model
        # If the network does not state how it upsamples, half-pixel centers are used.
        self.align_corners = (resize_convention(model) or {"align_corners": False})["align_corners"]
        self._takes_pixels = takes_pixels(model)
        averages = self.protocol.scales != (1.0,) or self.protocol.flip
        if averages:
            self._check_returns_logits(f"an average: {self.protocol}")
        finds_labels = returns_labels(model) or (for_many and isinstance(model, keras.Model))
        self._run = Runner(model)
        self._run_labeler = Runner(labels_model(model)) if finds_labels and not averages else None

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuses an image that is too small for the network at one of the scales, or that differs from its fixed size.

        Args:
            size: (height, width) of the image, in pixels.

        Raises:
            ValueError: if its height or width is too small, or differs from the size that the network was built for.
        """
        protocol, least = self.protocol, min_image_size(self.model)
        seen = size if protocol.tile is None else tuple(map(min, size, protocol.tile))
        smallest = min(int(length * scale + 0.5) for scale in protocol.scales for length in seen)
        if smallest < least:
            pixels = int(smallest * min(protocol.hierarchical_scales or (1,)))
            enough = math.ceil(least / min(protocol.scales))
            raise ValueError(
                f"Received an image of {size[0]}x{size[1]} for the model {self.model.name!r}, whose input would be "
                f"{pixels} pixels ({protocol}). Expected at least {MIN_SIZE} at every scale. Enlarge the image to at "
                f"least {enough}x{enough}, leave out the smallest scale, or use larger tiles."
            )
        if protocol.tile is None and protocol.scales == (1.0,):
            images_for(self.model, np.empty((1, *size, num_channels(self.model)), np.uint8))

    def labels(self, images: np.ndarray) -> np.ndarray:
        """Predicts the class of every pixel.

        Args:
            images: uint8 or float `(batch, height, width, channels)`, or channels first: RGB in [0, 255], or as the
                network was built.

        Returns:
            uint8 `(batch, height, width)`, or int32 if there are more than 255 classes: train ids.

        Raises:
            ValueError: if they are not a batch of such images, or the model returns logits of another size. A network
                without normalization, or with its own mean, accepts any values.
        """
        return self._by_tiles(images, self._labels_of_tile)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Predicts the probability of each class at every pixel.

        Args:
            images: as in `labels`.

        Returns:
            float32 `(batch, height, width, num_classes)` in [0, 1], channels last; the sum over classes is 1. Under
            the official protocol it is the published code's sum of exponentials, divided by its sum over the classes.

        Raises:
            ValueError: as in `labels`; and if the model returns labels.
        """
        self._check_returns_logits("probabilities")
        return self._by_tiles(images, self._probabilities_of_tile)

    def _by_tiles(self, images, answer):
        protocol = self.protocol
        images = _channels_last(images, num_channels(self.model))
        if self._takes_pixels:
            check_pixels(images)
        size = images.shape[1:3]
        self.check_size(size)
        if protocol.tile is None:
            return answer(images)
        whole = None
        for tile in tiles(size, protocol.tile, protocol.overlap, protocol.scales):
            part = answer(images[:, *tile.seen])
            if whole is None:
                whole = np.empty((len(images), *size, *part.shape[3:]), part.dtype)
            whole[:, *tile.kept] = part[:, *tile.inside]
        return whole

    def _labels_of_tile(self, images):
        if self._run_labeler is None:
            if self.protocol.scales == (1.0,) and not self.protocol.flip:
                # The logits are on the host already; a tensor of them would be a copy.
                labels = np.argmax(self._logits(images), axis=-1)
            else:
                labels = keras.ops.convert_to_numpy(argmax(self._log_scores(images)))
            return labels.astype(label_dtype(num_classes(self.model)))
        images = images_for(self.model, images)
        labels = self._run_labeler(images)
        check_size(self.model, labels, image_size(self.model, images))
        return labels

    def _probabilities_of_tile(self, images):
        return keras.ops.convert_to_numpy(keras.ops.softmax(self._log_scores(images), axis=-1))

    def _log_scores(self, images):
        size, total = images.shape[1:3], None
        for scale in self.protocol.scales:
            answer = log_resize(self._at_scale(images, scale), size, self.align_corners)
            total = log_add(total, answer)
        return total

    def _at_scale(self, images, scale):
        size = images.shape[1:3]
        scaled_size = tuple(max(1, int(length * scale + 0.5)) for length in size)
        if scaled_size == size:
            return self._flipped(images)
        # The published code scales images as OpenCV does, regardless of the network's own convention.
        scaled = resize(images.astype("float32"), scaled_size, "bilinear", align_corners=False)
        scaled = keras.ops.convert_to_numpy(scaled)
        if scale <= 1 or self.protocol.average != "official":
            return self._flipped(scaled)
        rows, columns = (window_starts(*lengths) for lengths in zip(scaled_size, size, strict=True))
        strips = []
        for top in rows:
            windows = (scaled[:, top : top + size[0], left : left + size[1]] for left in columns)
            strips.append(log_join([self._flipped(window) for window in windows], columns, axis=2))
        return log_join(strips, rows, axis=1)

    def _flipped(self, images):
        """Returns log scores of images at the network's scale, averaged over flips if the protocol requires it."""
        logits, average = self._logits(images), self.protocol.average
        if self.protocol.flip:
            return mean_of_flips(logits, self._logits_of_mirrored(images), average)
        return keras.ops.convert_to_tensor(logits) if average == "official" else log_softmax(logits)

    def _logits_of_mirrored(self, images):
        logits, classes = self._logits(images[:, :, ::-1]), own_classes(self.model)
        ids = classes and classes.mirrored_ids
        return logits if ids is None else logits[..., list(ids)]

    def _logits(self, images):
        images = images_for(self.model, np.ascontiguousarray(images))
        logits = self._run(images)
        if data_format(self.model) == "channels_first":
            logits = np.moveaxis(logits, 1, -1)
        check_size(self.model, logits[..., 0], image_size(self.model, images))
        return logits

    def _check_returns_logits(self, asked):
        if returns_labels(self.model):
            raise ValueError(
                f"Received the model {self.model.name!r}, which returns labels, for {asked}. Expected logits, which "
                "can be averaged. Pass the model that was passed to `labels_model`."
            )


def _channels_last(images, channels):
    images = np.asarray(images)
    check_images(images, channels)
    return images if images.shape[-1] == channels else np.moveaxis(images, 1, -1)


def _hierarchical_scales(model):
    scales = {layer.scale for layer in layers_of(model) if isinstance(layer, Rescale)}
    if not scales and not any(layer.name == "scale_attn" for layer in layers_of(model)):
        return None
    return tuple(sorted({1.0, *scales}))

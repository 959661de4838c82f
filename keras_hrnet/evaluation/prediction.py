"""Predicts the labels of images: the public function `predict`."""

import collections
import itertools
import os
import pathlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import keras
import numpy as np

from keras_hrnet.data_sets import Classes
from keras_hrnet.data_sets.cityscapes import CITYSCAPES, ID_OF_TRAIN_ID
from keras_hrnet.evaluation.ahead import map_ahead, num_threads
from keras_hrnet.evaluation.photos import Photo, find_photos, read_ahead, read_image
from keras_hrnet.evaluation.pictures import Palette, as_rgb, colorize, overlay, painted_classes
from keras_hrnet.evaluation.protocol import Average
from keras_hrnet.evaluation.running import optimized_for
from keras_hrnet.evaluation.segmenter import Segmenter
from keras_hrnet.models.interface import ForeignNetwork, has_own_unit, num_channels
from keras_hrnet.models.network import checked_classes, classes_of
from keras_hrnet.printable import printable

NUM_BATCHES = 4
"""The number of batches of photos among which photos of the same size are collected, to be predicted together."""

Output = Literal["labels", "label_ids", "color", "overlay", "probabilities"]


def predict(
    model: keras.Model | ForeignNetwork,
    image: Photo | Sequence[Photo],
    *,
    output: Output = "labels",
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    tile: tuple[int, int] | None = None,
    overlap: int | None = None,
    average: Average = "official",
    palette: Palette = None,
    legend: bool = False,
    batch_size: int = 1,
    damaged: Literal["error", "skip"] = "error",
    on_image: Callable[[Photo], Any] | None = None,
) -> np.ndarray | list[np.ndarray | None] | dict[pathlib.Path, np.ndarray]:
    """Predicts the class of every pixel of an image, of a batch, of a list of images, or of a folder.

    JAX compiles for each new image size, TensorFlow for the first two; with a `tile`, all larger images have the same
    size. For many images, a float32 network of this package is optimized first (`keras_hrnet.optimize_for_inference`).

    Args:
        model: a network from RGB images to logits of their height and width; or the result of `labels_model`; or an
            exported file (`keras_hrnet.export.ExportedNetwork`).
        image: the path of a picture (PNG, JPEG or another format that Pillow reads; see `read_image`); or uint8
            `(height, width, 3)`, RGB in [0, 255]; or a batch, `(batch, height, width, 3)`; or a list of paths and
            images; or a folder, including its subfolders. A network for another number of channels accepts images with
            that number, also from files that `numpy.save` wrote.
        output: "labels" (train ids), "label_ids" (the ids of Cityscapes' files, for a network with its classes),
            "color", "overlay" (the colors over the image), or "probabilities".
        scales: factors of the image's height and width, whose predictions are averaged.
        flip: whether to average the predictions for the image and its mirror image.
        tile: (height, width) in pixels of tiles that the network predicts one by one, to save memory; None for whole
            images.
        overlap: minimum overlap of neighboring tiles in pixels; None for a quarter of the shorter side.
        average: "official" (as the published code) or "probabilities"; see `keras_hrnet.evaluation.Protocol`.
        palette: colors of the classes, as in `keras_hrnet.colorize`; None means those of the network.
        legend: whether to draw a legend of the classes that occur over the lower edge of an overlay.
        batch_size: number of files of the same size in a batch; they need not be adjacent.
        damaged: what to do about files in a list or folder that cannot be read: "error" reads all of them first and
            raises, "skip" leaves them out with one warning that counts and names them.
        on_image: called with each path of a list or folder after its prediction.

    Returns:
        At the size of the image: labels `(height, width)`, uint8, or int32 if there are more than 255 classes; label
        ids uint8 `(height, width)`; colors and overlay uint8 `(height, width, 3)`, RGB in [0, 255]; probabilities
        float32 `(height, width, num_classes)` in [0, 1]. A batch gives one array; a list gives a list, with None where
        a file was skipped; a folder gives a dict by path.

    Raises:
        FileNotFoundError: if there is no such file, or no photo in the folder.
        TypeError: if `model` is not a built functional model, or `image` is neither a path nor uint8.
        ValueError: if the file is not a readable picture, the array has another shape, an option is invalid, or the
            model returns logits of another size.

    Example:

    ```python
    labels = keras_hrnet.predict(model, "street.jpg")
    better = keras_hrnet.predict(model, "street.jpg", scales=(0.5, 1.0, 2.0), flip=True)
    masks = keras_hrnet.predict(model, "photos", output="overlay", tile=(1024, 2048))  # a dict by path
    ```
    """
    check_output(model, output, legend)
    is_one = isinstance(image, np.ndarray) or (_is_path(image) and not os.path.isdir(image))
    options = {"scales": scales, "flip": flip, "tile": tile, "overlap": overlap, "average": average}
    segmenter = Segmenter(model, for_many=False, **options)
    painting = {"output": output, "palette": palette, "legend": legend}
    if is_one:
        pixels = read_image(image, num_channels(model)) if _is_path(image) else image
        _check_image(pixels, model)
        is_batch = pixels.ndim == 4
        images = pixels if is_batch else pixels[np.newaxis]
        answer, paint = _answer_and_paint(segmenter, **painting)
        results = [paint(*pair) for pair in zip(images, answer(images), strict=True)]
        return np.stack(results) if is_batch else results[0]

    is_folder = _is_path(image)
    photos = find_photos(image, num_channels(model)) if is_folder else _checked_list(image, model)
    segmenter = Segmenter(optimized_for(model, len(photos)), for_many=output != "probabilities", **options)
    if damaged not in ("error", "skip"):
        raise ValueError(f"Received damaged={damaged!r}. Expected 'error' or 'skip'. Pass one of them.")
    if damaged == "error":
        for photo, pixels in read_ahead(photos, batch_size, num_channels(model)):
            error = pixels if isinstance(pixels, Exception) else _size_error(segmenter, photo, pixels)
            if error is not None:
                raise error
    results, errors = [], []
    for photo, result in predictions(segmenter, photos, **painting, batch_size=batch_size):
        errors += [result] if isinstance(result, Exception) else []
        results.append(None if isinstance(result, Exception) else result)
        if on_image is not None:
            on_image(photo)
    if errors:
        warnings.warn(f"Left out {len(errors)} of {len(photos)} files. {' '.join(map(str, errors))}", stacklevel=2)
    if is_folder:
        return {path: result for path, result in zip(photos, results, strict=True) if result is not None}
    return results


def predictions(
    segmenter: Segmenter,
    photos: Iterable[Photo],
    *,
    output: Output = "labels",
    palette: Palette = None,
    legend: bool = False,
    batch_size: int = 1,
    write: Callable[[Photo, np.ndarray], Any] | None = None,
) -> Iterator[tuple[Photo, Any]]:
    """Predicts many photos in batches of the same size, while the next ones are read and the previous ones are painted.

    Args:
        segmenter: the network under a protocol.
        photos: paths, and uint8 arrays `(height, width, channels)`.
        output: as in `predict`.
        palette: as in `predict`.
        legend: as in `predict`.
        batch_size: number of photos of the same size in a batch; they need not be adjacent.
        write: called with each photo and its result, on one of several threads, so that the network does not wait for
            the disk. An exception that it raises ends the iteration.

    Yields:
        Pairs in order: the photo, and its result as in `predict`, or the return value of `write`; or the error that
            explains why there is no result.
    """
    answer, paint = _answer_and_paint(segmenter, output, palette, legend)

    def finish(job):
        photo, pixels, found = job
        if isinstance(found, Exception):
            return photo, found
        result = paint(pixels, found)
        return photo, result if write is None else write(photo, result)

    # The memory for probabilities is proportional to the number of classes.
    num_ahead = 2 if output == "probabilities" else None
    return map_ahead(finish, _answers(segmenter, photos, answer, batch_size), num_ahead=num_ahead)


def _answers(segmenter, photos, answer, batch_size):
    """Yields each photo in order, with its pixels, and the prediction or the error that prevented it."""
    size = 1 if batch_size == 1 else NUM_BATCHES * batch_size
    reader = read_ahead(photos, max(size, 2 * num_threads()), num_channels(segmenter.model))
    window = collections.deque()
    while True:
        for photo, pixels in itertools.islice(reader, size - len(window)):
            error = pixels if isinstance(pixels, Exception) else _size_error(segmenter, photo, pixels)
            window.append([photo, pixels, error])
        if not window:
            return
        if window[0][2] is None:
            shape = window[0][1].shape
            batch = [entry for entry in window if entry[2] is None and entry[1].shape == shape][:batch_size]
            for entry, found in zip(batch, answer(np.stack([pixels for _, pixels, _ in batch])), strict=True):
                entry[2] = found
        yield window.popleft()


def check_output(model: keras.Model, output: str, legend: bool = False) -> None:
    """Refuses an output that a network cannot produce.

    Raises:
        ValueError: if there is no such output, the classes have no label ids, or a legend is requested for an output
            other than an overlay.
    """
    outputs = get_args(Output)
    if output not in outputs:
        raise ValueError(f"Received output={output!r}. Expected one of {', '.join(outputs)}. Pass one of them.")
    if legend and output != "overlay":
        raise ValueError(f"Received a legend for output={output!r}. Expected output='overlay'. Leave out the legend.")
    if output != "label_ids":
        return
    classes, count = classes_of(model), len(CITYSCAPES.classes.names)
    if classes.names == CITYSCAPES.classes.names:
        return
    listed = "".join(f", {name}" for name in classes.names[:3]) if classes.are_named else ""
    listed += ", …" if listed and len(classes.names) > 3 else ""
    advice = "Pass output='labels'."
    if not classes.are_named and len(classes.names) == count:
        advice = "If the network's classes are these, set model.classes = 'cityscapes', or pass --classes cityscapes."
    raise ValueError(
        f"Received output='label_ids' for the model {model.name!r} with {len(classes.names)} classes{listed}. Expected "
        f"the {count} classes of Cityscapes, whose label ids are known. {advice}"
    )


def painter(
    model: keras.Model | ForeignNetwork, output: Output, palette: Palette, legend: bool
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Returns the function that makes the output from an image and its predicted labels or probabilities.

    Args:
        model: the network that predicted them.
        output: as in `predict`.
        palette: as in `predict`.
        legend: as in `predict`.
    """
    if output in ("labels", "probabilities"):
        return lambda image, found: found
    if output == "label_ids":
        label_ids = np.asarray(ID_OF_TRAIN_ID, np.uint8)
        return lambda image, labels: label_ids[labels]
    classes = classes_to_paint(model, palette)
    if output == "color":
        return lambda image, labels: colorize(labels, classes)
    return lambda image, labels: overlay(as_rgb(image), labels, palette=classes, legend=legend)


def classes_to_paint(model: keras.Model | ForeignNetwork, palette: Palette) -> Classes:
    """Returns the classes of the palette if they have names; otherwise the network's classes in the palette's colors.

    Raises:
        ValueError: if the number of classes or colors differs from the network's, or the palette is invalid.
    """
    if palette is None:
        return classes_of(model)
    painted = painted_classes(palette, labels=None)
    return checked_classes(model, painted) if painted.are_named else replace(classes_of(model), colors=painted.colors)


def _size_error(segmenter, photo, pixels):
    try:
        segmenter.check_size(pixels.shape[:2])
    except ValueError as error:
        return ValueError(f"{printable(photo)}: {error}" if _is_path(photo) else str(error))
    return None


def _answer_and_paint(segmenter, output, palette, legend):
    """Returns a function that predicts a batch of images, and one that makes the output from a prediction."""
    answer = segmenter.probabilities if output == "probabilities" else segmenter.labels
    return answer, painter(segmenter.model, output, palette, legend)


def _is_path(image):
    return isinstance(image, (str, os.PathLike))


def _checked_list(images, model):
    if not isinstance(images, (list, tuple)):
        raise TypeError(
            f"Received an image of type {type(images).__name__}. Expected a path or a numpy array, or a list of them. "
            "Convert it with `np.asarray(image)`."
        )
    if not images:
        raise ValueError("Received an empty list of images. Expected at least one. Check how the list is made.")
    for image in images:
        if not _is_path(image):
            _check_image(image, model)
            _check_single(image)
        elif not os.path.isfile(image):
            raise FileNotFoundError(f"Received the path {str(image)!r}. Expected a picture file. Check the name.")
    return [pathlib.Path(image) if _is_path(image) else image for image in images]


def _check_single(image):
    if image.ndim != 3:
        raise ValueError(
            f"Received a list with an image of shape {image.shape}. Expected (height, width, channels). Pass the "
            "batch itself, not in a list."
        )


def _check_image(image, model):
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f"Received an image of type {type(image).__name__}. Expected a path or a numpy array. Convert it with "
            "`np.asarray(image)`."
        )
    if image.dtype != np.uint8 and not has_own_unit(model):
        raise TypeError(
            f"Received an image of dtype {image.dtype}. Expected uint8 with values 0 to 255. If its values are in [0, "
            "1], multiply them by 255 first; then use `.astype('uint8')`."
        )
    channels = num_channels(model)
    if image.ndim not in (3, 4) or image.shape[-1] != channels:
        advice = "Repeat a grayscale image three times; drop an alpha channel." if channels == 3 else ""
        raise ValueError(
            f"Received an image of shape {image.shape}. Expected (height, width, {channels}) or (batch, height, "
            f"width, {channels}). "
            f"{advice or f'The network was built for {channels} channels; pass images with that number.'}"
        )

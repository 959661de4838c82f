"""Predicts the frames of a video or of a camera: the public function `predict_video`."""

import contextlib
import dataclasses
import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_hrnet.data_sets import Classes
from keras_hrnet.evaluation.ahead import draw_ahead, map_ahead
from keras_hrnet.evaluation.legend import with_legend
from keras_hrnet.evaluation.pictures import Palette
from keras_hrnet.evaluation.prediction import Output, check_output, classes_to_paint, painter
from keras_hrnet.evaluation.protocol import Average
from keras_hrnet.evaluation.running import optimized_for
from keras_hrnet.evaluation.segmenter import Segmenter
from keras_hrnet.evaluation.video.reading import Frame, Video
from keras_hrnet.evaluation.video.smoothing import Smoothing, check_smooth
from keras_hrnet.models.interface import ForeignNetwork, num_channels

NUM_AHEAD = 4
"""The number of batches of frames that may wait for the network, and of predicted frames that may wait to be painted.
A frame of 1080x1920 and its overlay take 14 MB."""


@dataclasses.dataclass(frozen=True, eq=False)
class PredictedFrame:
    """A frame of a video with its prediction.

    Attributes:
        index: number of the frame, from 0.
        time: presentation time in seconds.
        duration: duration in seconds; 0 for a camera, because the time of the next frame is not known yet.
        image: uint8 `(height, width, 3)`, RGB in [0, 255], upright.
        labels: uint8 or int32 `(height, width)`, train ids, as `keras_hrnet.predict` returns them.
        result: the requested output, as `keras_hrnet.predict` returns it; the labels by default.
    """

    index: int
    time: float
    duration: float
    image: np.ndarray
    labels: np.ndarray
    result: np.ndarray


def predict_video(
    model: keras.Model | ForeignNetwork,
    video: str | os.PathLike | int,
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
    smooth: float = 0.0,
) -> Iterator[PredictedFrame]:
    """Predicts the class of every pixel of each frame of a video or of a camera.

    This function needs PyAV: `pip install "keras-hrnet[video]"`. While the network predicts, the next frames are
    decoded and the previous ones are painted on separate threads; the number of waiting frames is bounded. For 50 or
    more frames (300 on JAX), and for cameras, a float32 network of this package is optimized first
    (`keras_hrnet.optimize_for_inference`).

    Args:
        model: as in `keras_hrnet.predict`.
        video: the path of a file (MP4, MOV, Matroska, WebM, AVI and others), or the number of a camera, from 0. A
            camera provides frames until the iteration is ended. Rotated videos are turned upright.
        output: as in `keras_hrnet.predict`; determines `PredictedFrame.result`.
        scales: as in `keras_hrnet.predict`.
        flip: as in `keras_hrnet.predict`.
        tile: as in `keras_hrnet.predict`.
        overlap: as in `keras_hrnet.predict`.
        average: as in `keras_hrnet.predict`.
        palette: as in `keras_hrnet.predict`.
        legend: whether to draw a legend on overlays. It lists the classes that have occurred so far; a class keeps its
            position in the following frames.
        batch_size: number of frames in a batch. Frames of a camera are returned only when a batch is full.
        smooth: weight of the previous frames in a running average of the probabilities, at least 0 and below 1. With
            0, frames are not averaged. With 0.5, labels flicker less, but follow moving objects with a delay of about a
            frame. Averaging needs the probabilities of every class, which take more memory and time than labels.

    Returns:
        An iterator over the frames, in order. Close or exhaust it to close the file or release the camera.

    Raises:
        FileNotFoundError: if there is no such file or camera.
        ImportError: if PyAV is not installed.
        OSError: if the camera cannot be used.
        TypeError: if `model` is not a built functional model.
        ValueError: if the file is not a video that can be decoded, an option is invalid, or the network needs images
            of another size or number of channels. If a later part of the file is damaged, the iterator raises the error
            when it reaches that part.

    Example:

    ```python
    for frame in keras_hrnet.predict_video(model, "drive.mp4"):
        print(f"{frame.time:.2f} s: {(frame.labels == 0).mean():.0%} road")
    ```
    """
    check_output(model, output, legend)
    check_smooth(smooth)
    opened = Video(video)
    try:
        protocol = {"scales": scales, "flip": flip, "tile": tile, "overlap": overlap, "average": average}
        segmenter = segmenter_for(model, opened, output=output, smooth=smooth, **protocol)
    except BaseException:
        opened.close()
        raise
    painting = {"output": output, "palette": palette, "legend": legend}
    return _predicted(opened, segmenter, batch_size=batch_size, smooth=smooth, **painting)


def segmenter_for(
    model: keras.Model | ForeignNetwork, video: Video, *, output: Output, smooth: float, **protocol: Any
) -> Segmenter:
    """Creates the segmenter for the frames of a video.

    Args:
        model: as in `predict_video`.
        video: the video.
        output: as in `predict_video`.
        smooth: as in `predict_video`.
        protocol: `scales`, `flip`, `tile`, `overlap` and `average`, as in `predict_video`.

    Raises:
        TypeError: if `model` is not a built functional model.
        ValueError: if the network does not accept frames of this size, or of three channels, or an option is invalid.
    """
    finds_labels = output != "probabilities" and not smooth
    count = math.inf if video.num_frames is None else video.num_frames
    segmenter = Segmenter(optimized_for(model, count), for_many=finds_labels, **protocol)
    channels = num_channels(model)
    if channels != 3:
        raise ValueError(
            f"Received a video for the model {model.name!r}, which needs images with {channels} channels. Expected a "
            "network for 3 channels, because frames are RGB. Pass a network for RGB images."
        )
    segmenter.check_size(video.size)
    return segmenter


def video_predictions(
    video: Video,
    segmenter: Segmenter,
    *,
    output: Output = "labels",
    palette: Palette = None,
    legend: bool = False,
    batch_size: int = 1,
    smooth: float = 0.0,
    prepare: Callable[[Frame, np.ndarray], Any] | None = None,
) -> Iterator[tuple[Frame, np.ndarray, Any]]:
    """Predicts the frames of a video, while the next ones are decoded and the previous ones are painted.

    Args:
        video: the video.
        segmenter: the segmenter that `segmenter_for` returned.
        output: as in `predict_video`.
        palette: as in `predict_video`.
        legend: as in `predict_video`.
        batch_size: as in `predict_video`.
        smooth: as in `predict_video`.
        prepare: called with each frame and its result, on one of several threads.

    Yields:
        For each frame, in order: the frame, its labels, and its result or the return value of `prepare`.
    """
    paint = painter(segmenter.model, output, palette, legend=False)
    growing = GrowingLegend(classes_to_paint(segmenter.model, palette)) if legend else None

    def finish(job):
        frame, labels, found, entries = job
        result = paint(frame.image, found)
        if entries:
            result = with_legend(result, entries)
        return frame, labels, result if prepare is None else prepare(frame, result)

    # The frames of a camera must not be outdated when they are predicted, and probabilities take much memory.
    num_ahead = 1 if video.is_live or output == "probabilities" else NUM_AHEAD
    answer = _prediction_function(segmenter, output, smooth)
    with (
        contextlib.closing(draw_ahead(video.frames(), num_ahead=num_ahead * batch_size)) as frames,
        contextlib.closing(
            map_ahead(finish, _answers(answer, frames, batch_size, growing), num_ahead=num_ahead)
        ) as results,
    ):
        yield from results


class GrowingLegend:
    """The legend of a video. Once a class has occurred, it keeps its position, so that the entries do not jump.

    Args:
        classes: names and colors of the classes.
    """

    def __init__(self, classes: Classes) -> None:
        self._classes, self._seen = classes, []

    def entries(self, labels: np.ndarray) -> list[tuple[str, tuple[int, int, int]]]:
        """Returns the entries for the frames so far: pairs of a name and a color.

        Classes that are new in this frame are added at the end, the most frequent one first.

        Args:
            labels: integers `(height, width)`, train ids.
        """
        names, colors = self._classes.names, self._classes.colors
        pixels = np.bincount(labels.ravel(), minlength=len(names))[: len(names)]
        order = np.argsort(-pixels, kind="stable")[: np.count_nonzero(pixels)]
        self._seen += [int(label) for label in order if label not in self._seen]
        return [(names[label], colors[label]) for label in self._seen]


def _predicted(video, segmenter, **options):
    unit = video.time_base
    with video, contextlib.closing(video_predictions(video, segmenter, **options)) as predictions:
        for frame, labels, result in predictions:
            times = float(frame.pts * unit), float(frame.duration * unit)
            yield PredictedFrame(frame.index, *times, frame.image, labels, result)


def _prediction_function(segmenter, output, smooth):
    """Returns a function from a batch of frames to their labels, and to the labels or probabilities to paint."""
    if output != "probabilities" and not smooth:

        def answer(images):
            labels = segmenter.labels(images)
            return labels, labels

        return answer
    smoothing = Smoothing(smooth)

    def answer_with_probabilities(images):
        labels, probabilities = smoothing(segmenter.probabilities(images))
        return labels, probabilities if output == "probabilities" else labels

    return answer_with_probabilities


def _answers(answer, frames, batch_size, legend):
    """Yields each frame in order, with its labels, the labels or probabilities to paint, and its legend entries."""
    while batch := list(itertools.islice(frames, batch_size)):
        for frame, labels, found in zip(batch, *answer(np.stack([frame.image for frame in batch])), strict=True):
            yield frame, labels, found, legend and legend.entries(labels)

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
"""How many frames, or batches of them, may wait for the network, and how many for the painting. A frame of 1080x1920
and its overlay take 14 MB."""


@dataclasses.dataclass(frozen=True, eq=False)
class PredictedFrame:
    """A frame of a video, and what a network found in it.

    Attributes:
        index: its number, from 0.
        time: when it is shown, in seconds.
        duration: for how long, in seconds; 0 of a camera's, as nobody knows when the next one comes.
        image: uint8 `(height, width, 3)`, RGB in [0, 255], upright.
        labels: uint8 or int32 `(height, width)`, train ids, as `keras_hrnet.predict` gives them.
        result: the output that was asked for, as `keras_hrnet.predict` gives it; the labels by default.
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

    Needs PyAV: `pip install "keras-hrnet[video]"`. Frames are decoded ahead and painted behind on threads of their own,
    and a bounded number of them waits. From 50 frames on (300 on JAX), a float32 network of this package is optimized
    first (`keras_hrnet.optimize_for_inference`).

    Args:
        model: as in `keras_hrnet.predict`.
        video: the path of a file (MP4, MOV, Matroska, WebM, AVI and more), or the number of a camera, from 0, which
            has frames until the iteration is ended. Rotated videos are turned upright.
        output: as in `keras_hrnet.predict`: what `PredictedFrame.result` is.
        scales: as in `keras_hrnet.predict`.
        flip: as in `keras_hrnet.predict`.
        tile: as in `keras_hrnet.predict`.
        overlap: as in `keras_hrnet.predict`.
        average: as in `keras_hrnet.predict`.
        palette: as in `keras_hrnet.predict`.
        legend: whether an overlay gets a legend. It names the classes that have occurred so far, each at its place.
        batch_size: number of frames in a batch. With a camera, results come only when a batch is full.
        smooth: share of the average so far in the average of the probabilities of successive frames, at least 0 and
            below 1. 0 takes each frame as it is. With 0.5, labels flicker less and follow what moves a frame later. It
            needs the probabilities of every class, which take more memory and time than labels.

    Returns:
        An iterator of the frames, in order. Close it, or exhaust it, to close the file or the camera.

    Raises:
        FileNotFoundError: if there is no such file or camera.
        ImportError: if PyAV is not installed.
        OSError: if the camera cannot be used.
        TypeError: if `model` is no built functional model.
        ValueError: if the file is no video that can be decoded, an option is not possible, or the network takes images
            of another size or number of channels. A file that is damaged further on raises it at that frame.

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
    """Makes the segmenter of a video's frames.

    Args:
        model: as in `predict_video`.
        video: the frames.
        output: as in `predict_video`.
        smooth: as in `predict_video`.
        protocol: `scales`, `flip`, `tile`, `overlap` and `average`, as in `predict_video`.

    Raises:
        TypeError: if `model` is no built functional model.
        ValueError: if the network does not take the frames, or an option is not possible.
    """
    finds_labels = output != "probabilities" and not smooth
    count = math.inf if video.num_frames is None else video.num_frames
    segmenter = Segmenter(optimized_for(model, count), for_many=finds_labels, **protocol)
    channels = num_channels(model)
    if channels != 3:
        raise ValueError(
            f"Received a video for the model {model.name!r}, which takes images of {channels} channels. Expected 3, "
            "as frames are RGB. Pass a network for RGB images."
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
        video: the frames.
        segmenter: what `segmenter_for` made.
        output: as in `predict_video`.
        palette: as in `predict_video`.
        legend: as in `predict_video`.
        batch_size: as in `predict_video`.
        smooth: as in `predict_video`.
        prepare: called with each frame and its result, on one of several threads.

    Yields:
        In order: the frame, its labels, and its result, or what `prepare` returns.
    """
    paint = painter(segmenter.model, output, palette, legend=False)
    growing = GrowingLegend(classes_to_paint(segmenter.model, palette)) if legend else None

    def finish(job):
        frame, labels, found, entries = job
        result = paint(frame.image, found)
        if entries:
            result = with_legend(result, entries)
        return frame, labels, result if prepare is None else prepare(frame, result)

    # A camera's frames are not to be old when they are predicted, and probabilities take much memory.
    num_ahead = 1 if video.is_live or output == "probabilities" else NUM_AHEAD
    answer = _answerer(segmenter, output, smooth)
    with (
        contextlib.closing(draw_ahead(video.frames(), num_ahead=num_ahead * batch_size)) as frames,
        contextlib.closing(
            map_ahead(finish, _answers(answer, frames, batch_size, growing), num_ahead=num_ahead)
        ) as results,
    ):
        yield from results


class GrowingLegend:
    """The legend of a video: a class keeps its place from its first frame on, so that nothing jumps.

    Args:
        classes: their names and colors.
    """

    def __init__(self, classes: Classes) -> None:
        self._classes, self._seen = classes, []

    def entries(self, labels: np.ndarray) -> list[tuple[str, tuple[int, int, int]]]:
        """Returns pairs of a name and a color for all frames up to this one; new classes come last, the largest first.

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


def _answerer(segmenter, output, smooth):
    """Returns what the network does with a batch of frames: their labels, and what is to be painted."""
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
    """Yields each frame in order, with its labels, what is to be painted, and the entries of its legend."""
    while batch := list(itertools.islice(frames, batch_size)):
        for frame, labels, found in zip(batch, *answer(np.stack([frame.image for frame in batch])), strict=True):
            yield frame, labels, found, legend and legend.entries(labels)

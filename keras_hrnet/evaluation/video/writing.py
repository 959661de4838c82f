"""Writes frames as a video: pictures in codecs that browsers play, labels without loss, and the original sound."""

import contextlib
import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from keras_hrnet.evaluation.video.opening import require_av
from keras_hrnet.evaluation.video.reading import Frame, Video
from keras_hrnet.evaluation.video.sound import Sound
from keras_hrnet.replacing import is_out_of_room, replacing

Pixels = Literal["rgb24", "gray", "gray16le"]
"""The pixels to write: RGB pictures, labels of 8 bits, or labels of 16 bits."""

H264, VP9, FFV1 = "libx264", "libvpx-vp9", "ffv1"
CODECS = {".mp4": H264, ".m4v": H264, ".mov": H264, ".mkv": H264, ".webm": VP9}
"""The codec of pictures for each suffix. They are lossy; labels are therefore written as FFV1 in .mkv."""

OPTIONS = {
    # Without B-frames ("bf"), frames stay in order, and the last frame of a variable rate keeps its duration. CRF 18 is
    # hard to tell from lossless; "veryfast" leaves the cores to the network.
    H264: {"crf": "18", "preset": "veryfast", "bf": "0"},
    VP9: {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"},
    FFV1: {"level": "3"},
}
BT_709 = 1
"""The number of BT.709 in the lists of color primaries, transfer curves and matrices of ITU-T H.273."""


def check_video_target(target: str | os.PathLike, pixels: Pixels) -> None:
    """Refuses an output file whose format cannot store such pixels.

    Args:
        target: the file to write.
        pixels: the kind of pixels to write.

    Raises:
        ImportError: if PyAV is not installed.
        ValueError: if there is no codec for its suffix and the pixels, or PyAV was built without that codec.
    """
    av, suffix = require_av(), pathlib.Path(target).suffix.lower()
    if pixels != "rgb24" and suffix != ".mkv":
        raise ValueError(
            f"Received the output {str(target)!r} for labels. Expected a name that ends with .mkv, or a folder, "
            "because other formats are lossy and would change labels. Pass one of them."
        )
    if suffix not in CODECS:
        raise ValueError(
            f"Received the output {str(target)!r}. Expected a name that ends with {', '.join(CODECS)}, or a folder. "
            "Pass one of them."
        )
    codec = CODECS[suffix] if pixels == "rgb24" else FFV1
    if codec not in av.codecs_available:
        others = [each for each, name in CODECS.items() if name in av.codecs_available and pixels == "rgb24"]
        raise ValueError(
            f"Received the output {str(target)!r}, for which this PyAV lacks the codec {codec}. Expected a PyAV with "
            "that codec, such as the one on PyPI. Install it"
            f"{''.join(f', or pass a name that ends with {each}' for each in others[:1])}."
        )


@contextlib.contextmanager
def writing_video(
    target: str | os.PathLike, video: Video, pixels: Pixels = "rgb24", *, sound: bool = True
) -> Iterator["VideoWriter"]:
    """Opens a video for writing. The file is created only when it is complete, and not if the block raises an error.

    Args:
        target: the file to write; an existing one is replaced.
        video: the source of the frames, which determines the frame rate, the aspect ratio of pixels, and the sound.
        pixels: the kind of pixels to write.
        sound: whether to copy the sound. Labels and frames of a camera are always written without sound.

    Raises:
        OSError: if the file cannot be written, or the disk is full.
        ValueError: as `check_video_target`, or if the format does not support the sound.
    """
    check_video_target(target, pixels)
    with replacing(target) as part:
        writer = VideoWriter(part, video, pixels, sound and not video.is_live and pixels == "rgb24", target)
        try:
            yield writer
            writer.finish()
        finally:
            writer.abandon()


class VideoWriter:
    """A video that is being written; `writing_video` creates it.

    Attributes:
        size: (height, width) of the written frames. For pictures, both are rounded up to even numbers, which H.264 and
            VP9 require.
    """

    def __init__(self, part: pathlib.Path, video: Video, pixels: Pixels, sound: bool, target: str | os.PathLike):
        self._av, self._target, self._pixels = require_av(), target, pixels
        self._time_base, self._step = video.time_base, max(1, round(1 / (video.rate * video.time_base)))
        is_picture = pixels == "rgb24"
        self.size = tuple(length + length % 2 for length in video.size) if is_picture else video.size
        suffix = part.suffix.lower()
        codec = CODECS[suffix] if is_picture else FFV1
        # With the index at the beginning, browsers start to play before they have the complete file.
        options = {} if suffix in (".mkv", ".webm") else {"movflags": "+faststart"}
        form = {".mkv": "matroska", ".m4v": "mp4"}.get(suffix, suffix[1:])
        self._container, self._sound = self._av.open(f"file:{part}", "w", format=form, options=options), None
        stream = self._container.add_stream(codec, rate=video.rate, options=dict(OPTIONS[codec]))
        stream.height, stream.width = self.size
        stream.pix_fmt = "yuv420p" if is_picture else pixels
        context = stream.codec_context
        context.time_base = self._time_base
        if video.pixel_aspect is not None:
            context.sample_aspect_ratio = video.pixel_aspect
        if is_picture:
            context.color_primaries = context.color_trc = context.colorspace = BT_709
            context.color_range = self._av.video.reformatter.ColorRange.MPEG.value
        self._stream, self._durations, self._last, self._failure = stream, {}, None, None
        try:
            if sound:
                self._sound = Sound(video.name, video.start, self._container, target)
        except ValueError:
            self.abandon()
            raise

    def prepare(self, frame: Frame, picture: np.ndarray) -> Any:
        """Converts a picture or labels of the video's size to a frame for the codec. It may run on several threads."""
        height, width = (after - before for after, before in zip(self.size, picture.shape, strict=False))
        if height or width:
            picture = np.pad(picture, ((0, height), (0, width), (0, 0)), mode="edge")
        if self._pixels == "gray16le":
            picture = picture.astype("uint16")
        prepared = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=self._pixels)
        if self._pixels == "rgb24":
            matrix = self._av.video.reformatter.Colorspace.ITU709
            prepared = prepared.reformat(format="yuv420p", dst_colorspace=matrix)
        prepared.time_base = self._time_base
        return prepared

    def write(self, frame: Frame, prepared: Any) -> None:
        """Writes a prepared frame, and the sound up to it. Call it in the order of the frames.

        Raises:
            OSError: if the disk is full.
            ValueError: if the codec does not accept the frame.
        """
        # Two frames must not have the same time.
        prepared.pts = frame.pts if self._last is None else max(frame.pts, self._last + 1)
        self._last, self._durations[prepared.pts] = prepared.pts, frame.duration or self._step
        with self._explained_errors():
            if self._sound is not None:
                self._sound.copy_until(float(prepared.pts * self._time_base))
            self._mux(self._stream.encode(prepared))

    def finish(self) -> None:
        """Writes the remaining frames and sound, and the index.

        Raises:
            OSError: if the disk is full.
            ValueError: if FFmpeg cannot write them.
        """
        with self._explained_errors():
            self._mux(self._stream.encode())
            if self._sound is not None:
                self._sound.copy_until(math.inf)
            self._container.close()

    def abandon(self) -> None:
        """Closes all files, even if the video is incomplete."""
        if self._sound is not None:
            self._sound.close()
        with contextlib.suppress(self._av.FFmpegError, OSError, ValueError):
            self._container.close()

    def _mux(self, packets):
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, self._step)
            self._container.mux(packet)

    @contextlib.contextmanager
    def _explained_errors(self):
        if self._failure is not None:
            raise self._failure  # FFmpeg crashes where a frame follows a header that could not be written.
        try:
            yield
        except self._av.FFmpegError as error:
            self._failure = error
            if is_out_of_room(error):
                raise
            raise ValueError(
                f"{str(self._target)!r} cannot be written as a video ({error}). Expected the FFmpeg in PyAV to accept "
                "the frames. Pass a name with another suffix, or a folder."
            ) from error

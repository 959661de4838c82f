"""Writes frames as a video: pictures so that browsers play them, labels without loss, and the sound as it was."""

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
"""What is written: pictures; labels in a byte, or in two."""

H264, VP9, FFV1 = "libx264", "libvpx-vp9", "ffv1"
CODECS = {".mp4": H264, ".m4v": H264, ".mov": H264, ".mkv": H264, ".webm": VP9}
"""Of pictures, by the suffix of the file. Labels are FFV1 in .mkv, as all of these change some pixels."""

OPTIONS = {
    # The frames stay in order, so that the last of a variable rate keeps its duration. CRF 18 is hard to tell from
    # lossless; "veryfast" leaves the cores to the network.
    H264: {"crf": "18", "preset": "veryfast", "bf": "0"},
    VP9: {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"},
    FFV1: {"level": "3"},
}
BT_709 = 1
"""In the lists of primaries, curves and matrices of ITU-T H.273."""


def check_video_target(target: str | os.PathLike, pixels: Pixels) -> None:
    """Refuses a file that a video of such pixels cannot be written to.

    Raises:
        ImportError: if PyAV is not installed.
        ValueError: if its suffix has no codec for them, or PyAV was built without that codec.
    """
    av, suffix = require_av(), pathlib.Path(target).suffix.lower()
    if pixels != "rgb24" and suffix != ".mkv":
        raise ValueError(
            f"Received the output {str(target)!r} for labels. Expected a name that ends with .mkv, or a folder: in "
            "other videos, labels would change. Pass one of them."
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
            f"Received the output {str(target)!r}, for which this PyAV has no {codec}. Expected a PyAV with it, as "
            f"PyPI has. Install that{''.join(f', or pass a name that ends with {each}' for each in others[:1])}."
        )


@contextlib.contextmanager
def writing_video(
    target: str | os.PathLike, video: Video, pixels: Pixels = "rgb24", *, sound: bool = True
) -> Iterator["VideoWriter"]:
    """Opens a video for writing. It gets its name once it is whole; if an exception ends the block, nothing is left.

    Args:
        target: the file to write, replaced if it is there.
        video: what the frames come from: its rate, the shape of its pixels, and its sound.
        pixels: what is written.
        sound: whether to copy the sound.

    Raises:
        OSError: if the file cannot be written, or the disk is full.
        ValueError: as `check_video_target`, or if the format does not take the sound.
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
    """A video that is being written, by `writing_video`.

    Attributes:
        size: (height, width) of the pictures, those of the video made even, as H.264 and VP9 need it.
    """

    def __init__(self, part: pathlib.Path, video: Video, pixels: Pixels, sound: bool, target: str | os.PathLike):
        self._av, self._target, self._pixels = require_av(), target, pixels
        self._time_base, self._step = video.time_base, max(1, round(1 / (video.rate * video.time_base)))
        is_picture = pixels == "rgb24"
        self.size = tuple(length + length % 2 for length in video.size) if is_picture else video.size
        suffix = part.suffix.lower()
        codec = CODECS[suffix] if is_picture else FFV1
        # The index at the beginning: browsers start to play before they have the whole file.
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
        self._stream, self._durations, self._last = stream, {}, None
        try:
            if sound:
                self._sound = Sound(video.name, video.start, self._container, target)
        except ValueError:
            self.abandon()
            raise

    def prepare(self, frame: Frame, picture: np.ndarray) -> Any:
        """Converts a picture of the video's size, or labels, to what the codec takes; may run on several threads."""
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
        """Writes a frame that was prepared, and the sound up to it; call it in the order of the frames.

        Raises:
            OSError: if the disk is full.
            ValueError: if the codec does not take it.
        """
        # No two may have the same time. A frame of a camera lasts until the next one.
        prepared.pts = frame.pts if self._last is None else max(frame.pts, self._last + 1)
        self._last, self._durations[prepared.pts] = prepared.pts, frame.duration or self._step
        with self._told():
            if self._sound is not None:
                self._sound.copy_until(float(prepared.pts * self._time_base))
            self._mux(self._stream.encode(prepared))

    def finish(self) -> None:
        """Writes what is left, and the index.

        Raises:
            OSError: if the disk is full.
        """
        with self._told():
            self._mux(self._stream.encode())
            if self._sound is not None:
                self._sound.copy_until(math.inf)
            self._container.close()

    def abandon(self) -> None:
        """Closes what is open, whatever has been written."""
        if self._sound is not None:
            self._sound.close()
        with contextlib.suppress(self._av.FFmpegError, OSError, ValueError):
            self._container.close()

    def _mux(self, packets):
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, self._step)
            self._container.mux(packet)

    @contextlib.contextmanager
    def _told(self):
        try:
            yield
        except self._av.FFmpegError as error:
            if is_out_of_room(error):
                raise
            raise ValueError(
                f"{str(self._target)!r} cannot be written as a video ({error}). Expected FFmpeg in PyAV to take the "
                "frames. Try another suffix, or a folder."
            ) from error

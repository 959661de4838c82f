"""Reads the frames of a video or of a camera: upright, in order, and with their time stamps."""

import contextlib
import dataclasses
import fractions
import itertools
import math
import os
import time
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from keras_hrnet.evaluation.video.opening import damaged, no_frames, open_camera, open_file, require_av

TOLERANCE = 0.5
"""Seconds by which a video may end before the end that its file states."""

RATE = 30
"""Frames per second of a video that states no frame rate."""


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a video.

    Attributes:
        index: number of the frame, from 0.
        pts: presentation time, in units of the video's `time_base`.
        duration: duration in the same unit; 0 for a camera.
        image: uint8 `(height, width, 3)`, RGB in [0, 255], upright.
    """

    index: int
    pts: int
    duration: int
    image: np.ndarray


class Video:
    """A video or a camera that is open for reading; use it in a `with` statement.

    Times are those of the file. If its clock can start at any value, as in MPEG transport streams and for cameras,
    times are counted from the first picture or sound.

    Args:
        source: the path of a file, or the number of a camera, from 0.

    Attributes:
        name: the path, or "camera 0".
        is_live: whether it is a camera.
        size: (height, width) of the upright frames.
        time_base: the unit of time stamps, in seconds.
        rate: average number of frames per second.
        num_frames: number of frames, estimated from the duration if the file does not state it; None if it is unknown.
        pixel_aspect: width of an upright pixel divided by its height; None means square pixels.
        start: the time in the file that counts as 0, in seconds.

    Raises:
        FileNotFoundError: if there is no such file or camera.
        ImportError: if PyAV is not installed.
        OSError: if the camera cannot be used.
        ValueError: if the file is not a video that can be decoded.
    """

    def __init__(self, source: str | os.PathLike | int) -> None:
        self._av = require_av()
        self.is_live = isinstance(source, int)
        self.name = f"camera {source}" if self.is_live else source
        self._container, self._stream = open_camera(source) if self.is_live else open_file(source)
        if not self.is_live:
            self._stream.thread_type = "AUTO"  # For a camera, each thread would add a delay of one frame.
        self._decoded = self._decode()
        try:
            first = next(self._decoded, None)
            if first is None:
                raise no_frames(self.name)
        except BaseException:
            self.close()
            raise
        self._first, self.time_base = iter([first]), first.time_base or self._stream.time_base
        self.rate = self._stream.average_rate or self._stream.guessed_rate or fractions.Fraction(RATE)
        self.num_frames, self.start = self._count(), self._find_start(first)
        pixels, is_turned = _upright(first)
        self.size = pixels.shape[:2]
        aspect = self._stream.sample_aspect_ratio
        self.pixel_aspect = (1 / aspect if is_turned else aspect) if aspect and aspect != 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file, or releases the camera."""
        self._container.close()

    def frames(self) -> Iterator[Frame]:
        """Yields the frames from the first to the last. It can be called only once.

        Raises:
            UnusableFileError: if the file is damaged or truncated, or the size of the frames changes.
        """
        waiting = last = None
        for index, decoded in enumerate(itertools.chain(self._first, self._decoded)):
            pixels, _ = _upright(decoded)
            if pixels.shape[:2] != self.size:
                before, now = ("x".join(map(str, size)) for size in (self.size, pixels.shape[:2]))
                found = f"changes its frame size from {before} to {now} at frame {index}"
                raise damaged(self.name, found, expected="frames of a single size")
            last = self._time(decoded, last)
            frame = Frame(index, last, 0 if self.is_live else decoded.duration or self._step, pixels)
            if self.is_live:
                yield frame
                continue
            if waiting is not None:
                # If frames are stored in another order than shown, the duration of a packet can be wrong.
                yield dataclasses.replace(waiting, duration=max(0, last - waiting.pts))
            waiting = frame
        if waiting is not None:
            yield waiting

    @property
    def _step(self):
        return max(1, round(1 / (self.rate * self.time_base)))

    def _time(self, decoded, last):
        """Returns the time stamp of a frame; raw streams have none, so it is counted there."""
        if decoded.pts is not None:
            return decoded.pts - math.floor(self.start / self.time_base)
        return 0 if last is None else last + self._step

    def _count(self):
        stream, container = self._stream, self._container
        if self.is_live:
            return None
        if stream.frames:
            return stream.frames
        seconds = stream.duration * stream.time_base if stream.duration else (container.duration or 0) / 1e6
        return math.ceil(seconds * self.rate) or None

    def _find_start(self, first):
        if self.is_live:
            return (first.pts or 0) * self.time_base
        if not self._container.format.flags & self._av.format.Flags.ts_discont.value:
            return fractions.Fraction(0)
        streams = (*self._container.streams.video, *self._container.streams.audio)
        return min((each.start_time * each.time_base for each in streams if each.start_time), default=0)

    def _decode(self) -> Iterator[Any]:
        """Yields the frames of PyAV. Damaged frames of a camera are skipped; in a file, they raise an error."""
        count, end = 0, 0.0
        for packet in self._packets():
            if packet.pts is not None and packet.time_base:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream_index != self._stream.index:
                continue
            try:
                frames, fault = packet.decode(), "it is truncated" if packet.is_corrupt else None
            except self._av.FFmpegError as error:
                frames, fault = [], error.strerror
            if any(frame.is_corrupt for frame in frames):
                fault = fault or "its data are damaged"
            if fault is None:
                yield from frames
                count += len(frames)
            elif not self.is_live:
                raise damaged(self.name, f"cannot be decoded at {end:.2f} s ({fault})")
        stated = (self._container.duration or 0) / 1e6 + (self._container.start_time or 0) / 1e6
        if count and not self.is_live and end < stated - TOLERANCE:
            raise damaged(self.name, f"is truncated: it ends at {end:.2f} s, but states its end as {stated:.2f} s")

    def _packets(self):
        while True:
            try:
                yield from self._container.demux()
            except self._av.BlockingIOError:  # AVFoundation has no new frame yet.
                time.sleep(0.002)
            except self._av.FFmpegError as error:
                if not self.is_live:
                    raise damaged(self.name, f"cannot be read to its end ({error.strerror})") from error
                raise
            else:
                return


def _upright(frame):
    """Returns the pixels of a frame in upright orientation, and whether height and width were exchanged."""
    pixels, matrix = frame.to_ndarray(format="rgb24"), None
    with contextlib.suppress(KeyError):
        matrix = np.frombuffer(bytes(frame.side_data["DISPLAYMATRIX"]), "int32")
    if matrix is None:
        return pixels, False
    # A pixel at (x, y) moves to (a x + c y, b x + d y): FFmpeg, libavutil/display.h.
    a, b, _, c, d = (int(value) for value in matrix[:5])
    is_turned = abs(b) > abs(a)
    if is_turned:
        pixels, a, d = pixels.transpose(1, 0, 2), c, b
    pixels = pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(pixels), is_turned

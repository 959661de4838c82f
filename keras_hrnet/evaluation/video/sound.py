"""Copies the sound of a video to another file, packet by packet and without encoding it again."""

from __future__ import annotations

import fractions
import os
from typing import TYPE_CHECKING

from keras_hrnet.evaluation.video.opening import open_file, require_av
from keras_hrnet.printable import printable

if TYPE_CHECKING:
    import av.container


class Sound:
    """All sound streams of a video file. They are read independently of the pictures, because the file is opened again.

    Args:
        path: the video.
        start: the time in the file that counts as 0, in seconds.
        output: the container to write to; the streams are added to it on creation.
        target: path of the output, for error messages.

    Raises:
        ValueError: if the format of the output does not support the codec of the sound.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        start: fractions.Fraction,
        output: av.container.OutputContainer,
        target: str | os.PathLike,
    ) -> None:
        self._container, pictures = open_file(path)
        self._start, self._output, self._next = start, output, None
        pictures.discard = require_av().stream.Discard.all
        try:
            self._targets = {each.index: self._add(each, path, target) for each in self._container.streams.audio}
        except ValueError:
            self.close()
            raise
        self._packets = self._container.demux(*self._container.streams.audio) if self._targets else iter(())

    def copy_until(self, seconds: float) -> None:
        """Writes the remaining sound that begins before a time in seconds; infinity writes all of it."""
        while self._next is not None or self._advance():
            packet = self._next
            if float(packet.dts * packet.time_base) >= seconds:
                return
            packet.stream, self._next = self._targets[packet.stream_index], None
            self._output.mux(packet)

    def close(self) -> None:
        """Closes the video."""
        self._container.close()

    def _advance(self):
        for packet in self._packets:
            if packet.dts is None:  # This marks the end.
                continue
            shift = round(self._start / packet.time_base)
            packet.dts -= shift
            if packet.pts is not None:
                packet.pts -= shift
            self._next = packet
            return True
        return False

    def _add(self, stream, path, target):
        codec = stream.codec_context.name if stream.codec_context else "unknown"
        try:
            return self._output.add_stream_from_template(stream)
        except (ValueError, AttributeError) as error:
            raise ValueError(
                f"Received the output {printable(target)} for {printable(path)}, whose sound has the codec {codec}. "
                f"Expected a format that supports it; {self._output.format.name!r} does not. Write an .mkv file, or "
                "leave the sound out (--no-sound)."
            ) from error

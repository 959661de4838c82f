"""`keras-hrnet predict` on a video or a camera: finds the source, names the output, and writes each frame."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from keras_hrnet.cli.console import Console
from keras_hrnet.cli.outputs import FILE_ENDINGS, check_replaces_none, require_folder_of
from keras_hrnet.cli.progress import progress_bar
from keras_hrnet.cli.segmenting import Job, write_result
from keras_hrnet.cli.start import start
from keras_hrnet.replacing import replacing

if TYPE_CHECKING:
    import numpy as np

    from keras_hrnet.evaluation.segmenter import Segmenter
    from keras_hrnet.evaluation.video.reading import Frame, Video
    from keras_hrnet.evaluation.video.writing import VideoWriter

VIDEO_ENDINGS = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv",
    ".3gp", ".mxf",
)  # fmt: skip
"""The suffixes that distinguish videos from photos."""

KEPT_ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
"""Without --output, the result has the suffix of the video if it is one of these, to which its sound can be copied, and
.mp4 otherwise."""

NUM_WRITTEN_AHEAD = 2
"""The number of frames that may wait for the encoder."""


def find_video(paths: list[pathlib.Path], output: pathlib.Path | None) -> pathlib.Path | int | None:
    """Returns the video or the number of the camera that the command received; None if it received photos.

    Args:
        paths: the paths that the command received.
        output: the value of --output.

    Raises:
        FileNotFoundError: if there is no such video.
        ValueError: if there are other paths in addition to the video or camera.
    """
    numbers = [path for path in paths if str(path).isdecimal() and not path.exists()]
    videos = [path for path in paths if path.suffix.lower() in VIDEO_ENDINGS and not path.is_dir()]
    if output is not None and output.suffix.lower() in VIDEO_ENDINGS and not output.is_dir():
        videos = videos or [path for path in paths if path not in numbers]
    if not numbers and not videos:
        return None
    first = (numbers + videos)[0]
    if len(paths) > 1:
        raise ValueError(
            f"Received {len(paths)} paths, one of which is a video or a camera: {str(first)!r}. Expected only that. "
            "Run the command once for each video or camera."
        )
    if numbers:
        return int(str(first))
    if first.is_dir() or not first.exists():
        kind = "folder" if first.is_dir() else "path"
        raise FileNotFoundError(f"Received the {kind} {str(first)!r}. Expected a video. Check the name.")
    return first


def name_video_target(source: pathlib.Path | int, output: pathlib.Path | None, show: str) -> pathlib.Path:
    """Decides where the result of a video is written.

    Args:
        source: the video, or the number of a camera.
        output: the value of --output: a video, or a folder for a file for each frame. None names the result after the
            video.
        show: the value of --show.

    Raises:
        FileNotFoundError: if the folder of the output is missing.
        ValueError: if the output is a picture, cannot store the result, would replace the video, or is missing for a
            camera.
    """
    require_folder_of("--output", output)
    if output is None:
        if isinstance(source, int):
            raise ValueError(
                f"Received the camera {source} without --output. Expected a video or a folder to write. Pass --output."
            )
        suffix = source.suffix.lower() if source.suffix.lower() in KEPT_ENDINGS else ".mp4"
        suffix = {"labels": ".mkv", "label-ids": ".mkv", "probabilities": ""}.get(show, suffix)
        return source.with_name(f"{source.stem}_segmented{suffix}")
    suffix = "" if output.is_dir() else output.suffix.lower()
    if suffix in FILE_ENDINGS:
        raise ValueError(
            f"Received --output {str(output)!r} for a video. Expected a video, or a folder with a file for each frame. "
            "Pass one of them."
        )
    if suffix in VIDEO_ENDINGS and show == "probabilities":
        raise ValueError(
            f"Received --output {str(output)!r} for probabilities. Expected a folder, because an .npy file is written "
            "for each frame. Pass a folder."
        )
    if isinstance(source, pathlib.Path):
        check_replaces_none({source: output})
    return output


def segment_video(job: Job, source: pathlib.Path | int, target: pathlib.Path, *, sound: bool, smooth: float) -> None:
    """Segments a video or a camera.

    Args:
        job: the network and its options.
        source: the video, or the number of a camera.
        target: the file or folder that `name_video_target` returned.
        sound: whether to copy the sound.
        smooth: as in `keras_hrnet.predict_video`.

    Raises:
        FileNotFoundError: if there is no such camera.
        OSError: if the output cannot be written, or the disk is full.
        ValueError: if the video is damaged, or the network, an option or the output does not match it.
    """
    start()
    from keras_hrnet.evaluation.video.prediction import segmenter_for
    from keras_hrnet.evaluation.video.reading import Video
    from keras_hrnet.evaluation.video.smoothing import check_smooth
    from keras_hrnet.evaluation.video.writing import check_video_target, writing_video
    from keras_hrnet.models import classes_of
    from keras_hrnet.models.interface import label_dtype

    output, is_folder = job.output, target.is_dir() or target.suffix.lower() not in VIDEO_ENDINGS
    pixels = "gray" if output in ("labels", "label_ids") else "rgb24"
    if not is_folder:
        check_video_target(target, pixels)
    check_smooth(smooth)
    with Video(source) as video:
        network = job.open_network()
        if output == "labels" and label_dtype(len(classes_of(network).names)) != "uint8":
            pixels = "gray16le"
        ending = ".npy" if output == "probabilities" else ".png"
        opened = (
            _writing_files(target, ending, video) if is_folder else writing_video(target, video, pixels, sound=sound)
        )
        with opened as writer:
            segmenter = segmenter_for(network, video, output=output, smooth=smooth, **job.options)
            count = write_frames(video, segmenter, writer, **job.painting, smooth=smooth)
    console = Console(soft_wrap=True, highlight=False)
    if is_folder:
        console.print(f"Wrote {count} files to {target}, and their times to {FrameFiles.TABLE}")
        return
    console.print(f"Wrote {target}")
    if writer.size != video.size:
        before, after = ("x".join(map(str, size)) for size in (video.size, writer.size))
        console.print(
            f"The size is {after} instead of {before}, because the codec needs even sizes; edges are repeated."
        )


def write_frames(video: Video, segmenter: Segmenter, writer: VideoWriter | FrameFiles, **painting: Any) -> int:
    """Predicts the frames of a video and writes them, with a progress bar. Ctrl+C stops a camera without an error.

    Args:
        video: the video.
        segmenter: the segmenter that `segmenter_for` returned.
        writer: the writer of the frames.
        painting: options of `keras_hrnet.evaluation.video.prediction.video_predictions`.

    Returns:
        The number of frames.
    """
    from keras_hrnet.evaluation.ahead import map_ahead
    from keras_hrnet.evaluation.video.prediction import video_predictions

    if video.is_live:
        Console(highlight=False).print("Press Ctrl+C to stop.")
    count = 0
    with (
        contextlib.closing(video_predictions(video, segmenter, **painting, prepare=writer.prepare)) as predicted,
        contextlib.closing(
            map_ahead(lambda each: writer.write(each[0], each[2]), predicted, num_ahead=NUM_WRITTEN_AHEAD, threads=1)
        ) as written,
        progress_bar("Segmenting", video.num_frames, "frames") as advance,
    ):
        try:
            for _ in written:
                count += 1
                advance()
        except KeyboardInterrupt:
            if not video.is_live or not count:
                raise
    return count


class FrameFiles:
    """Writes a file for each frame, and a table of their times.

    Args:
        folder: the folder to write to.
        ending: suffix of the files, with its dot.
        time_base: the unit of time stamps, in seconds.
    """

    TABLE = "frames.csv"

    def __init__(self, folder: pathlib.Path, ending: str, time_base: Any) -> None:
        self._folder, self._ending, self._time_base = folder, ending, time_base
        self._lines = ["file,seconds"]

    def prepare(self, frame: Frame, result: np.ndarray) -> str:
        """Writes the file of a frame; may run on several threads.

        Raises:
            OSError: if it cannot be written.
        """
        name = f"{frame.index:06}{self._ending}"
        write_result(self._folder / name, result)
        return name

    def write(self, frame: Frame, name: str) -> None:
        """Adds a frame to the table; call it in the order of the frames."""
        self._lines.append(f"{name},{float(frame.pts * self._time_base):.6f}")

    def finish(self) -> None:
        """Writes the table.

        Raises:
            OSError: if it cannot be written.
        """
        with replacing(self._folder / self.TABLE) as part:
            part.write_text("\n".join(self._lines) + "\n")


@contextlib.contextmanager
def _writing_files(folder: pathlib.Path, ending: str, video: Video) -> Iterator[FrameFiles]:
    files = FrameFiles(folder, ending, video.time_base)
    yield files
    files.finish()

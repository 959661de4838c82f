"""Opens a video file or a camera; if it cannot be used, the error states why, and what to do."""

from __future__ import annotations

import os
import pathlib
import sys
import types
from typing import TYPE_CHECKING

from keras_hrnet.extras import require_packages
from keras_hrnet.mistaken import NUM_START_BYTES, mistaken_for
from keras_hrnet.picture_files.reading import RESTORE, UnusableFileError, read_file

if TYPE_CHECKING:
    import av.container
    import av.video.stream

FORMATS = (
    "asf", "avi", "dv", "flv", "gif", "h264", "hevc", "ivf", "m4v", "matroska", "mjpeg", "mov", "mpeg", "mpegts",
    "mpegvideo", "mxf", "nut", "ogg", "rm", "yuv4mpegpipe",
)  # fmt: skip
"""The formats of FFmpeg that are accepted. Playlists are excluded, because they can open other files and URLs."""

STARTS = ((4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (0, b"\x1aE\xdf\xa3"), (0, b"RIFF"), (0, b"OggS"), (0, b"FLV"))
"""Signatures of the common video formats, each with its offset: MP4 and MOV, Matroska and WebM, AVI, Ogg, FLV."""

PICTURES = (b"\x89PNG", b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe1", b"II*\0", b"MM\0*", b"BM")
"""The first bytes of PNG, JPEG, TIFF and BMP files."""

CAMERAS = {"linux": ("/dev/video{}", "v4l2", {}), "darwin": ("{}", "avfoundation", {"framerate": "30"})}
"""For each operating system: FFmpeg's name of a camera, the format that reads it, and the options."""


def require_av() -> types.ModuleType:
    """Imports PyAV.

    Raises:
        ImportError: if it is not installed; the message says how to install it.
    """
    require_packages(["av"], "videos", extra="video")
    import av

    return av


def open_file(path: str | os.PathLike) -> tuple[av.container.InputContainer, av.video.stream.VideoStream]:
    """Opens a video file.

    Returns:
        The open file, and its first video stream that is not cover art.

    Raises:
        FileNotFoundError: if there is no such file.
        UnusableFileError: if it cannot be read, is not a video, has no index, or has a codec that PyAV cannot decode.
    """
    av, path = require_av(), pathlib.Path(path)
    if not path.is_file() and not path.is_symlink():
        kind = "folder" if path.is_dir() else "path"
        raise FileNotFoundError(f"Received the {kind} {str(path)!r}. Expected a video file. Check the name.")
    if path.is_file() and path.stat().st_size == 0:
        raise UnusableFileError(path, "empty", found="is empty: it has 0 bytes", expected="a video")
    start = read_file(path, NUM_START_BYTES)
    options = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{path}", options=options)
    except av.FFmpegError as error:
        raise _no_video(path, start, error) from error
    try:
        return container, _video_in(av, container, path)
    except UnusableFileError:
        container.close()
        raise


def open_camera(number: int) -> tuple[av.container.InputContainer, av.video.stream.VideoStream]:
    """Opens a camera of this machine.

    Args:
        number: the number of the camera, from 0.

    Returns:
        The open camera, and its video stream.

    Raises:
        FileNotFoundError: if there is no such camera.
        OSError: if it cannot be used, for example because another program uses it; a `PermissionError` if access is
            denied.
    """
    av = require_av()
    name, kind, options = _camera(number)
    try:
        container = av.open(name, format=kind, options=options)
    except av.FFmpegError as error:
        expected = "Expected a camera that this user may access and that no other program uses."
        advice = "Close the other program, or correct the permissions."
        if isinstance(error, FileNotFoundError):
            found = sorted(pathlib.Path("/dev").glob("video*")) if kind == "v4l2" else []
            listed = ", ".join(each.name.removeprefix("video") for each in found)
            expected = f"Expected one of {listed}." if listed else "Expected a camera; none was found."
            advice = "Pass another number, or connect the camera."
        failure = type(error) if isinstance(error, FileNotFoundError | PermissionError) else OSError
        builtin = next(each for each in failure.__mro__ if each.__module__ == "builtins")
        message = f"Received the camera {number}, which cannot be opened ({error.strerror}). {expected} {advice}"
        raise builtin(message) from error
    return container, container.streams.video[0]


def no_frames(path: str | os.PathLike) -> UnusableFileError:
    """Creates the error for a file without a single frame of video."""
    return UnusableFileError(path, "no frames", found="contains no frame of video", expected="at least one")


def damaged(path: str | os.PathLike, found: str, expected: str = "an undamaged video") -> UnusableFileError:
    """Creates the error for a video that can be opened but not read to its end.

    Args:
        path: the video.
        found: description of the fault, to be read after the name of the file.
        expected: description of a correct file.
    """
    cure = f"{RESTORE} Or convert what FFmpeg can decode: ffmpeg -i damaged.mp4 -c:v libx264 -crf 12 repaired.mp4"
    return UnusableFileError(path, "damaged", found=found, expected=expected, cure=cure)


def _video_in(av, container, path):
    videos = [stream for stream in container.streams.video if not _is_cover(av, stream)]
    if not videos:
        found = "contains sound but no video" if container.streams.audio else "contains no video"
        raise UnusableFileError(path, "no video", found=found, expected="a video", cure="Check the name.")
    if videos[0].codec_context is None:
        raise UnusableFileError(
            path,
            "codec",
            found=f"is a video in a codec that PyAV {av.__version__} cannot decode",
            expected="a common codec, such as H.264, HEVC, VP9, AV1 or MPEG-4",
            cure="Convert it with a program that plays it, or install a newer PyAV.",
        )
    return videos[0]


def _is_cover(av, stream):
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _no_video(path, start, error):
    if isinstance(error, PermissionError):
        found = f"cannot be read ({error.strerror})"
        return UnusableFileError(path, "unreadable", found=found, expected="a file that this user may read")
    if mistaken := mistaken_for(start):
        return UnusableFileError(path, "no video", found=f"is {mistaken[0]}", expected="a video", cure=mistaken[1])
    if start.startswith(PICTURES):
        cure = "Rename it with the suffix of a picture, such as street.png: `predict` also segments pictures."
        return UnusableFileError(path, "no video", found="is a picture", expected="a video", cure=cure)
    if any(start[place:].startswith(sign) for place, sign in STARTS):
        found = "cannot be opened: it is damaged, or was truncated before its index was written"
        return UnusableFileError(path, "damaged", found=found, expected="an undamaged video")
    return UnusableFileError(
        path,
        "no video",
        found=f"is not a video in a supported format: it begins with {start[:8]!r}",
        expected="a format such as MP4, MOV, Matroska, WebM, AVI or MPEG-TS",
        cure="Convert it, or restore it from its source.",
    )


def _camera(number):
    if sys.platform in CAMERAS:
        name, kind, options = CAMERAS[sys.platform]
        return name.format(number), kind, options
    from av.device import enumerate_input_devices  # DirectShow identifies cameras by name.

    names = [each.name for each in enumerate_input_devices("dshow") if "video" in each.media_types]
    if number >= len(names):
        raise FileNotFoundError(
            f"Received the camera {number}. Expected a number below {len(names)}, the number of cameras that were "
            "found. Pass one, or connect the camera."
        )
    return f"video={names[number]}", "dshow", {}

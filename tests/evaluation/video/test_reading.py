"""Frames and their times as PyAV decodes them, upright; and what is wrong with a file or a camera."""

import importlib.util
import re
import sys

import av
import numpy as np
import pytest

from keras_hrnet.evaluation.video import opening
from keras_hrnet.evaluation.video.reading import Video

pytestmark = pytest.mark.once

UNEVEN = (0, 512, 700, 2000, 2500, 6000, 6512, 9000, 12000, 12001)


def read(path):
    with Video(path) as video:
        return [(float(frame.pts * video.time_base), frame.image) for frame in video.frames()]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mov", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx-vp9"), ("a.avi", "mpeg4")],
)
def test_pixels_and_times_are_those_of_pyav(name, codec, draw_video, decode_video, tmp_path):
    draw_video(tmp_path / name, codec=codec)
    found, expected = read(tmp_path / name), decode_video(tmp_path / name)
    assert len(found) == 12
    assert [time for time, _ in found] == pytest.approx([time for time, _ in expected], abs=1e-12)
    for (_, image), (_, pixels) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(image, pixels)


def test_a_variable_frame_rate_is_kept_and_a_frame_lasts_until_the_next(draw_video, tmp_path):
    draw_video(tmp_path / "a.mp4", UNEVEN)
    with Video(tmp_path / "a.mp4") as video:
        frames = list(video.frames())
    assert tuple(frame.pts for frame in frames) == UNEVEN
    assert [frame.duration for frame in frames] == [*np.diff(UNEVEN), 512]
    assert [frame.index for frame in frames] == list(range(10))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_turned_and_mirrored_videos_are_upright(degrees, is_mirrored, draw_video, decode_video, tmp_path):
    draw_video(tmp_path / "a.mp4", degrees=degrees, hflip=is_mirrored)
    for (_, image), (_, stored) in zip(read(tmp_path / "a.mp4"), decode_video(tmp_path / "a.mp4"), strict=True):
        expected = np.rot90(stored, degrees // 90)
        np.testing.assert_array_equal(image, expected[:, ::-1] if is_mirrored else expected)


def test_the_clock_of_a_transport_stream_begins_at_0(draw_video, decode_video, tmp_path):
    draw_video(tmp_path / "a.ts", range(15360, 15360 + 12 * 512, 512))
    stored, times = decode_video(tmp_path / "a.ts"), [time for time, _ in read(tmp_path / "a.ts")]
    assert stored[0][0] >= 1
    assert times[0] == 0
    np.testing.assert_allclose(np.diff(times), np.diff([time for time, _ in stored]), atol=1e-9)


def test_the_number_of_frames_is_known_or_estimated(draw_video, tmp_path):
    for name, least in (("a.mp4", 12), ("a.mkv", 12)):
        draw_video(tmp_path / name)
        with Video(tmp_path / name) as video:
            assert least <= video.num_frames <= least + 1


def raw(draw_video, path, size):
    draw_video(path.with_suffix(".h264"), size=size)
    return path.with_suffix(".h264").read_bytes()


def test_a_raw_stream_is_timed_by_its_rate(draw_video, tmp_path):
    raw(draw_video, tmp_path / "a", (64, 96))
    times = [time for time, _ in read(tmp_path / "a.h264")]
    assert len(times) == 12
    assert len(set(np.diff(times).round(6))) == 1


def test_a_video_that_changes_its_size_is_refused_at_that_frame(draw_video, tmp_path):
    parts = [raw(draw_video, tmp_path / "a", size) for size in ((64, 96), (96, 64))]
    (tmp_path / "two.h264").write_bytes(b"".join(parts))
    with pytest.raises(ValueError, match=r"changes its frame size from 64x96 to 96x64 at frame 12\. Expected"):
        read(tmp_path / "two.h264")


def broken(path, draw_video, kind):
    """Writes a file that is no whole video."""
    if kind == "missing":
        return
    if kind == "audio":
        with av.open(str(path), "w") as container:
            voice = container.add_stream("aac", rate=48000, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), "float32"), format="fltp", layout="mono")
            frame.sample_rate = 48000
            container.mux(voice.encode(frame))
            container.mux(voice.encode())
        return
    draw_video(path, range(0, 60 * 512, 512))
    data = path.read_bytes()
    middle = len(data) // 2
    texts = {"empty": b"", "text": b"hello there " * 100, "page": b"<!DOCTYPE html><title>Log in</title>"}
    texts |= {"playlist": b"ffconcat version 1.0\nfile other.mp4\n", "picture": b"\x89PNG\r\n\x1a\n" + bytes(99)}
    # Before the index, which comes last in .mp4.
    texts |= {"cut": data[:middle], "hole": data[: middle // 2] + bytes(600) + data[middle // 2 + 600 :]}
    path.write_bytes(texts.get(kind, data.replace(b"avc1", b"zzzz")))


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("a.mp4", "missing", r"Received the path '.*a\.mp4'\. Expected a video file\. Check the name"),
        ("a.mp4", "empty", r"a\.mp4 is empty: it has 0 bytes\. Expected a video"),
        ("a.mp4", "text", r"is not a video in a supported format: it begins with b'hello th'\. Expected a format"),
        ("a.mp4", "page", r"is a web page, “Log in”\. Expected a video\. Download the file itself"),
        ("a.mp4", "playlist", r"is not a video in a supported format: it begins with b'ffconcat'"),
        ("a.mp4", "picture", r"is a picture\. Expected a video\. Rename it with the suffix of a picture"),
        ("a.mp4", "audio", r"contains sound but no video\. Expected a video"),
        ("a.mp4", "codec", r"is a video in a codec that PyAV \S+ cannot decode\. Expected a common codec"),
        ("a.mp4", "cut", r"cannot be opened: it is damaged, or was truncated before its index was written"),
        ("a.mp4", "hole", r"cannot be decoded at \d\.\d\d s \(.*\)\. Expected an undamaged video\. .* ffmpeg -i"),
        ("a.mkv", "cut", r"is truncated: it ends at \d\.\d\d s, but states its end as 2\.00 s"),
    ],
)
def test_what_is_no_whole_video_is_named(name, kind, message, draw_video, tmp_path):
    broken(tmp_path / name, draw_video, kind)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_video(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Received the folder .* Expected a video file"):
        Video(tmp_path)


def test_without_pyav_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=re.escape('Expected them for videos. Install them: pip install "keras-hrnet[video]"')
    ):
        Video(tmp_path / "a.mp4")


def test_a_camera_has_frames_until_it_is_closed(monkeypatch):
    monkeypatch.setitem(opening.CAMERAS, "linux", ("testsrc=size=96x64:rate=30", "lavfi", {}))
    monkeypatch.setattr(opening.sys, "platform", "linux")
    with Video(0) as video:
        assert (video.is_live, video.num_frames, video.size, video.name) == (True, None, (64, 96), "camera 0")
        frames = video.frames()
        times = [float(next(frames).pts * video.time_base) for _ in range(5)]
    assert times == pytest.approx([i / 30 for i in range(5)])


@pytest.mark.skipif(sys.platform != "linux", reason="the camera has the name that Linux gives it")
def test_a_camera_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match=r"Received the camera 99, which cannot be opened \(No such file"):
        Video(99)

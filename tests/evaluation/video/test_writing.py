"""Videos that are written: times, sound and labels as they were, even sizes, and nothing half written."""

import fractions
import resource

import av
import numpy as np
import pytest

from keras_hrnet.evaluation.video.reading import Video
from keras_hrnet.evaluation.video.writing import writing_video

pytestmark = pytest.mark.once

UNEVEN = (0, 512, 700, 2000, 2500, 6000, 6512, 9000, 12000, 12001)


def copy(source, target, pixels="rgb24", picture=lambda frame: frame.image, **options):
    with Video(source) as video, writing_video(target, video, pixels, **options) as writer:
        for frame in video.frames():
            writer.write(frame, writer.prepare(frame, picture(frame)))
    return writer


def stamps(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [frame.pts * stream.time_base for frame in container.decode(stream)], container.duration / 1e6


def sound_of(path):
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        return [bytes(packet) for packet in packets], [float(packet.pts * packet.time_base) for packet in packets]


@pytest.mark.parametrize("name", ["b.mp4", "b.mov", "b.m4v"])
def test_times_and_the_last_duration_are_exact(name, draw_video, tmp_path):
    draw_video(tmp_path / "a.mp4", UNEVEN)
    copy(tmp_path / "a.mp4", tmp_path / name)
    times, seconds = stamps(tmp_path / name)
    assert times == stamps(tmp_path / "a.mp4")[0]
    assert seconds == pytest.approx((12001 + 512) / 15360, abs=1e-6)


@pytest.mark.parametrize(("source", "target"), [("a.mp4", "b.mkv"), ("a.webm", "b.webm")])
def test_matroska_and_webm_round_times_to_milliseconds(source, target, draw_video, tmp_path):
    draw_video(tmp_path / source, UNEVEN, codec="libvpx-vp9" if source == "a.webm" else "libx264")
    copy(tmp_path / source, tmp_path / target)
    np.testing.assert_allclose(np.array(stamps(tmp_path / target)[0], float), np.array(UNEVEN) / 15360, atol=0.0011)


def test_pictures_are_close_to_what_was_written_and_say_their_colors(draw_video, tmp_path):
    drawn = draw_video(tmp_path / "a.mp4")
    pictures = iter(drawn)
    copy(tmp_path / "a.mp4", tmp_path / "b.mp4", picture=lambda frame: next(pictures))
    with av.open(str(tmp_path / "b.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.colorspace, context.color_range) == ("h264", "yuv420p", 1, 1)
        for frame, picture in zip(container.decode(video=0), drawn, strict=True):
            difference = np.abs(frame.to_ndarray(format="rgb24").astype(int) - picture)
            assert difference.mean() < 10  # measured 3.2: there is one color for four pixels
            assert difference[50, 20].max() < 6  # in the middle of an area


@pytest.mark.parametrize(
    ("codec", "sound", "source", "target"),
    [
        ("libx264", "aac", "a.mp4", "b.mp4"),
        ("libx264", "aac", "a.mp4", "b.mkv"),
        ("libvpx-vp9", "libopus", "a.webm", "b.webm"),
        ("libvpx-vp9", "libopus", "a.webm", "b.mp4"),
        ("libx264", "aac", "a.ts", "b.mkv"),
    ],
)
def test_the_sound_is_copied_to_the_byte_and_stays_in_time(codec, sound, source, target, draw_video, tmp_path):
    draw_video(tmp_path / source, codec=codec, sound=sound)
    copy(tmp_path / source, tmp_path / target)
    (packets, times), (copied, copied_times) = sound_of(tmp_path / source), sound_of(tmp_path / target)
    headers = 7 if source == "a.ts" else 0  # of AAC in transport streams, which say what .mkv says once
    assert copied == [packet[headers:] for packet in packets]
    assert len(packets) > 15
    delay = [float(stamps(tmp_path / name)[0][0]) - when[1] for name, when in ((source, times), (target, copied_times))]
    assert delay[1] == pytest.approx(delay[0], abs=0.0015)
    copy(tmp_path / source, tmp_path / target, sound=False)
    with av.open(str(tmp_path / target)) as container:
        assert not container.streams.audio


def test_sound_that_a_format_does_not_take_is_refused(draw_video, tmp_path):
    draw_video(tmp_path / "a.mp4", sound="aac")
    with pytest.raises(
        ValueError, match=r"whose sound has the codec aac\. .* 'webm' does not\. Write an \.mkv file, or leave"
    ):
        copy(tmp_path / "a.mp4", tmp_path / "b.webm")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_odd_sizes_are_made_even_by_repeating_the_edge(draw_video, decode_video, tmp_path):
    draw_video(tmp_path / "a.mkv", size=(63, 95), codec="ffv1")
    writer = copy(tmp_path / "a.mkv", tmp_path / "b.mp4")
    assert writer.size == (64, 96)
    (_, before), (_, after) = decode_video(tmp_path / "a.mkv")[3], decode_video(tmp_path / "b.mp4")[3]
    assert after.shape == (64, 96, 3)
    assert np.abs(after[:63, :95].astype(int) - before).mean() < 4
    assert np.abs(after[63].astype(int) - after[62]).mean() < 4


@pytest.mark.parametrize(("pixels", "dtype", "most"), [("gray", "uint8", 256), ("gray16le", "int32", 1000)])
def test_labels_are_written_without_loss(pixels, dtype, most, draw_video, decode_video, tmp_path):
    draw_video(tmp_path / "a.mp4", UNEVEN, size=(63, 95) if pixels == "gray" else (64, 96), codec="mpeg4")
    random, labels = np.random.default_rng(0), []

    def drawn(frame):
        labels.append(random.integers(0, most, frame.image.shape[:2]).astype(dtype))
        return labels[-1]

    copy(tmp_path / "a.mp4", tmp_path / "labels.mkv", pixels, drawn)
    for (_, found), expected in zip(decode_video(tmp_path / "labels.mkv", pixels), labels, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_pixels_that_are_not_square_stay_so(draw_video, tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = fractions.Fraction(4, 3)
        stream.set_display_rotation(90)
        container.mux(stream.encode(av.VideoFrame(96, 64, "yuv420p")))
        container.mux(stream.encode())
    copy(tmp_path / "a.mp4", tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.sample_aspect_ratio) == (64, 96, 0.75)


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        ("b.avi", "rgb24", r"b\.avi'\. Expected a name that ends with \.mp4, \.m4v, \.mov, \.mkv, \.webm, or a folder"),
        ("b.mp4", "gray", r"b\.mp4' for labels\. Expected a name that ends with \.mkv, or a folder, because"),
        (f"{'n' * 260}.mp4", "rgb24", r"cannot be written \(.*\)\. Expected a file name and a folder that this user"),
    ],
)
def test_a_place_that_cannot_hold_the_video_is_refused(name, pixels, message, draw_video, tmp_path):
    draw_video(tmp_path / "a.mp4")
    with pytest.raises((ValueError, OSError), match=message):
        copy(tmp_path / "a.mp4", tmp_path / name, pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_pyav_without_a_codec_is_refused(draw_video, tmp_path, monkeypatch):
    draw_video(tmp_path / "a.mp4")
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    with pytest.raises(
        ValueError, match=r"this PyAV lacks the codec libx264\. .* or pass a name that ends with \.webm"
    ):
        copy(tmp_path / "a.mp4", tmp_path / "b.mp4")


def test_a_full_disk_is_named_and_leaves_what_was_there(draw_video, tmp_path):
    draw_video(tmp_path / "a.mp4", range(0, 40 * 512, 512))
    (tmp_path / "b.mp4").write_bytes(b"before")
    random, limits = np.random.default_rng(0), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"b\.mp4' cannot be written \(File too large; .* Expected enough space"):
            copy(
                tmp_path / "a.mp4",
                tmp_path / "b.mp4",
                picture=lambda frame: random.integers(0, 256, frame.image.shape, dtype="uint8"),
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "b.mp4").read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_frames_after_a_failure_do_not_reach_ffmpeg_which_would_crash(draw_video, tmp_path):
    draw_video(tmp_path / "a.mp4", range(0, 40 * 512, 512))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with (
            pytest.raises(OSError, match=r"b\.mp4' cannot be written \(File too large"),
            Video(tmp_path / "a.mp4") as video,
            writing_video(tmp_path / "b.mp4", video) as writer,
        ):
            failures = 0
            for frame in video.frames():
                try:
                    writer.write(frame, writer.prepare(frame, frame.image))
                except OSError as error:
                    failures, failure = failures + 1, error
            assert failures > 1
            raise failure
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_damaged_video_leaves_nothing(draw_video, tmp_path):
    draw_video(tmp_path / "a.mkv", range(0, 60 * 512, 512))
    data = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="is truncated"):
        copy(tmp_path / "a.mkv", tmp_path / "b.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]

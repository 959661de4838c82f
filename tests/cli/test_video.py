"""`keras-hrnet predict` on videos and cameras."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_hrnet
from keras_hrnet.cli import video as command
from keras_hrnet.evaluation.video import opening

pytestmark = pytest.mark.once


@pytest.fixture
def drive(draw_video, tmp_path):
    draw_video(tmp_path / "drive.mp4", range(0, 6 * 512, 512), size=(36, 48), sound="aac")
    return tmp_path / "drive.mp4"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_overlay_becomes_a_video_of_the_same_frames(invoke, saved_small_network, drive, decode_video):
    target = drive.with_name("overlay.mp4")
    options = ("--output", target, "--legend", "--classes", "cityscapes", "--smooth", 0.5, "--batch-size", 4)
    result = invoke("predict", saved_small_network, drive, *options)
    assert result.exit_code == 0, result.output
    assert f"Wrote {target}" in result.output
    written, source = decode_video(target), decode_video(drive)
    assert [time for time, _ in written] == [time for time, _ in source]
    network = keras.models.load_model(saved_small_network)
    network.classes = "cityscapes"
    expected = keras_hrnet.predict_video(network, drive, output="overlay", legend=True, smooth=0.5)
    for (_, pixels), frame in zip(written, expected, strict=True):
        assert np.abs(pixels.astype(int) - frame.result).mean() < 12  # of 36x48 pixels of letters and of noise


def test_labels_become_a_lossless_video_beside_the_video(invoke, saved_small_network, drive, decode_video):
    result = invoke("predict", saved_small_network, drive, "--show", "labels")
    assert result.exit_code == 0, result.output
    network = keras.models.load_model(saved_small_network)
    labels = decode_video(drive.with_name("drive_segmented.mkv"), "gray")
    for (_, found), (_, pixels) in zip(labels, decode_video(drive), strict=True):
        np.testing.assert_array_equal(found, keras_hrnet.predict(network, pixels))


@pytest.mark.parametrize("show", ["labels", "probabilities"])
def test_a_folder_gets_a_file_for_each_frame_and_their_times(show, invoke, saved_small_network, drive, decode_video):
    folder = drive.with_name("frames")
    result = invoke("predict", saved_small_network, drive, "--show", show, "--output", folder)
    assert result.exit_code == 0, result.output
    assert f"Wrote 6 files to {folder}, and their times to frames.csv" in result.output.replace("\n", " ")
    lines = (folder / "frames.csv").read_text().splitlines()
    ending = "npy" if show == "probabilities" else "png"
    assert lines[:3] == ["file,seconds", f"000000.{ending},0.000000", f"000001.{ending},0.033333"]
    assert names(folder) == [*(f"00000{i}.{ending}" for i in range(6)), "frames.csv"]
    network, (_, pixels) = keras.models.load_model(saved_small_network), decode_video(drive)[5]
    expected = keras_hrnet.predict(network, pixels, output=show)
    found = np.load(folder / "000005.npy") if ending == "npy" else np.asarray(Image.open(folder / "000005.png"))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_odd_size_is_said(invoke, saved_small_network, draw_video, tmp_path):
    draw_video(tmp_path / "odd.mkv", range(0, 3 * 512, 512), size=(35, 47), codec="ffv1")
    result = invoke("predict", saved_small_network, tmp_path / "odd.mkv", "--output", tmp_path / "overlay.mp4")
    assert "The size is 36x48 instead of 35x47, because the codec needs even sizes" in result.output


def press_ctrl_c(monkeypatch, after):
    """Interrupts the command after so many frames."""
    progress_bar = command.progress_bar

    def interrupted(*arguments):
        with progress_bar(*arguments) as advance:
            count = iter(range(after))

            def advance_or_end():
                advance()
                if next(count, None) is None:
                    raise KeyboardInterrupt

            yield advance_or_end

    monkeypatch.setattr(command, "progress_bar", command.contextlib.contextmanager(interrupted))


def test_ctrl_c_leaves_nothing_of_a_video(invoke, saved_small_network, drive, monkeypatch):
    press_ctrl_c(monkeypatch, after=2)
    result = invoke("predict", saved_small_network, drive, "--output", drive.with_name("overlay.mp4"))
    assert result.exit_code != 0
    assert names(drive.parent) == ["drive.mp4"]


def test_ctrl_c_ends_a_camera_and_keeps_what_it_saw(invoke, saved_small_network, tmp_path, monkeypatch, decode_video):
    monkeypatch.setattr(opening.sys, "platform", "linux")
    monkeypatch.setitem(opening.CAMERAS, "linux", ("testsrc=size=48x36:rate=30", "lavfi", {}))
    press_ctrl_c(monkeypatch, after=5)
    monkeypatch.chdir(tmp_path)
    result = invoke("predict", saved_small_network, "0", "--output", "seen.mp4")
    assert result.exit_code == 0, result.output
    assert "Press Ctrl+C to stop." in result.output
    times = [time for time, _ in decode_video("seen.mp4")]
    assert 6 <= len(times) <= 9
    assert times == pytest.approx([i / 30 for i in range(len(times))], abs=1e-4)
    assert names(tmp_path) == ["seen.mp4"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no.mp4",), "Received the path 'no.mp4'. Expected a video"),
        (
            ("drive.mp4", "drive.mp4"),
            "Received 2 paths, one of which is a video or a camera: 'drive.mp4'. Expected only",
        ),
        (("drive.mp4", "--output", "nowhere/a.mp4"), "Expected its folder to exist"),
        (("drive.mp4", "--output", "drive.mp4"), "would replace 'drive.mp4', which is to be segmented"),
        (("drive.mp4", "--output", "a.png"), "Expected a video, or a folder with a file for each frame"),
        (("drive.mp4", "--output", "a.avi"), "Expected a name that ends with .mp4, .m4v, .mov, .mkv, .webm, or a"),
        (("drive.mp4", "--output", "a.webm"), "whose sound has the codec aac"),
        (("drive.mp4", "--output", "a.mp4", "--show", "labels"), "Expected a name that ends with .mkv, or a folder"),
        (("drive.mp4", "--output", "a.mp4", "--show", "probabilities"), "Expected a folder, because an .npy file"),
        (("drive.mp4", "--smooth", "1"), "Received smooth=1.0"),
        (("drive.mp4", "--shard", "1/2"), "Received --shard, --resume or --engine with a video"),
        (("drive.mp4", "--show", "color", "--legend"), "Received --legend with --show color"),
        (("drive.mp4", "--hierarchical-scales", "0.5,1"), "runs at one scale"),
        (("street.png", "--output", "a.mp4"), "is a picture. Expected a video"),
        (("street.png", "--smooth", "0.5"), "Received --smooth or --no-sound with photos"),
        (("0",), "Received the camera 0 without --output"),
        (("7", "--output", "a.mp4"), "Received the camera 7, which cannot be opened"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments, message, invoke, saved_small_network, drive, monkeypatch):
    Image.fromarray(np.zeros((36, 48, 3), "uint8")).save(drive.with_name("street.png"))
    monkeypatch.chdir(drive.parent)
    assert message in str(invoke("predict", saved_small_network, *arguments).exception)
    assert names(drive.parent) == ["drive.mp4", "street.png"]

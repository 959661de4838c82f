"""Predictions on videos are those of their frames, and averages over frames are worked by hand."""

import threading

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.data_sets import Classes
from keras_hrnet.evaluation import labels_model, predict, predict_video
from keras_hrnet.evaluation.video.prediction import NUM_AHEAD, GrowingLegend
from keras_hrnet.evaluation.video.reading import Video
from keras_hrnet.evaluation.video.smoothing import Smoothing


@pytest.fixture(scope="module")
def drive(draw_video, tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "drive.mp4"
    draw_video(path)
    return path


@pytest.fixture(scope="module")
def network(small_network):
    keras.utils.set_random_seed(0)
    return small_network()


@pytest.mark.parametrize("batch_size", [1, 5])
def test_labels_and_times_are_those_of_the_frames(batch_size, drive, network, decode_video):
    found = list(keras_hrnet.predict_video(network, drive, batch_size=batch_size))
    expected = decode_video(drive)
    assert [frame.index for frame in found] == list(range(12))
    assert [frame.time for frame in found] == pytest.approx([time for time, _ in expected], abs=1e-12)
    assert [frame.duration for frame in found] == pytest.approx([1 / 30] * 12)
    for frame, (_, pixels) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(frame.image, pixels)
        np.testing.assert_array_equal(frame.labels, predict(network, pixels))
        assert np.shares_memory(frame.result, frame.labels)
    assert len(np.unique(found[0].labels)) > 2


@pytest.mark.once
def test_results_are_what_predict_gives(drive, network, decode_video):
    network.classes = "cityscapes"
    pixels = decode_video(drive)[0][1]
    for output in ("label_ids", "color", "overlay", "probabilities"):
        first = next(predict_video(network, drive, output=output, tile=(48, 64)))
        np.testing.assert_array_equal(first.result, predict(network, pixels, output=output, tile=(48, 64)))
        np.testing.assert_array_equal(first.labels, predict(network, pixels, tile=(48, 64)))


@pytest.mark.once
def test_the_average_of_frames_is_worked_by_hand():
    frames = np.array([[0.9, 0.1], [0.3, 0.7], [0.4, 0.6], [0.9, 0.1]], "float32").reshape(4, 1, 1, 2)
    expected = [0.9, 0.6, 0.5, 0.7]  # 0.5 of the frame, and 0.5 of the average so far
    smoothing = Smoothing(0.5)
    (labels, first), (more_labels, rest) = smoothing(frames[:1]), smoothing(frames[1:])
    averages = np.concatenate([first, rest])
    np.testing.assert_allclose(averages[:, 0, 0, 0], expected, atol=1e-6)
    np.testing.assert_allclose(averages.sum(-1), 1, atol=1e-6)
    assert np.concatenate([labels, more_labels]).ravel().tolist() == [0, 0, int(averages[2, 0, 0, 1] > 0.5), 0]
    labels, same = Smoothing(0.0)(frames)
    assert labels.ravel().tolist() == [0, 1, 1, 0]
    np.testing.assert_array_equal(same, frames)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_smoothing_averages_the_probabilities_of_the_frames(batch_size, drive, network, decode_video):
    average = None
    found = predict_video(network, drive, output="probabilities", smooth=0.75, batch_size=batch_size)
    for frame, (_, pixels) in zip(found, decode_video(drive), strict=True):
        now = predict(network, pixels, output="probabilities")
        average = now if average is None else 0.75 * average + 0.25 * now
        np.testing.assert_allclose(frame.result, average, atol=1e-6)
        np.testing.assert_array_equal(frame.labels, frame.result.argmax(-1))


@pytest.mark.once
def test_a_class_keeps_its_place_in_the_legend():
    legend = GrowingLegend(Classes(("road", "sky", "car"), ((1, 1, 1), (2, 2, 2), (3, 3, 3))))
    named = [[name for name, _ in legend.entries(np.array([labels]))] for labels in ([1, 1, 0], [0, 0, 1], [2, 2, 2])]
    assert named == [["sky", "road"], ["sky", "road"], ["sky", "road", "car"]]


@pytest.mark.once
def test_few_frames_wait_and_closing_ends_all_threads(draw_video, network, tmp_path, monkeypatch):
    drawn, frames = [], Video.frames

    def counted(video):
        for frame in frames(video):
            drawn.append(frame)
            yield frame

    monkeypatch.setattr(Video, "frames", counted)
    draw_video(tmp_path / "long.mp4", range(0, 90 * 512, 512))
    before = set(threading.enumerate())
    found = predict_video(network, tmp_path / "long.mp4", output="overlay")
    next(found)
    found.close()
    assert len(drawn) <= 3 * NUM_AHEAD
    assert set(threading.enumerate()) <= before


@pytest.mark.once
def test_what_cannot_be_predicted_is_refused_before_the_first_frame(drive, network, small_network):
    for smooth in (-0.1, 1, float("nan")):
        with pytest.raises(ValueError, match="Expected the weight of the previous frames, at least 0 and below 1"):
            predict_video(network, drive, smooth=smooth)
    with pytest.raises(ValueError, match="which returns labels, for probabilities"):
        next(predict_video(labels_model(network), drive, smooth=0.5))
    with pytest.raises(ValueError, match="Expected output='overlay'"):
        predict_video(network, drive, legend=True)
    gray = keras.Input((None, None, 1))
    with pytest.raises(ValueError, match=r"needs images with 1 channels\. Expected a network for 3 channels"):
        predict_video(keras.Model(gray, keras.layers.Conv2D(2, 1, data_format="channels_last")(gray)), drive)
    fixed = keras.Input((32, 32, 3))
    with pytest.raises(ValueError, match=r"Received images of shape \(1, 64, 96, 3\)"):
        predict_video(keras.Model(fixed, keras.layers.Conv2D(2, 1, data_format="channels_last")(fixed)), drive)


@pytest.mark.converts
def test_an_exported_file_predicts_as_it_predicts_photos(drive, network, decode_video, tmp_path):
    keras_hrnet.export_tflite(network, tmp_path / "small.tflite", image_size=(64, 96))
    exported = keras_hrnet.export.ExportedNetwork(tmp_path / "small.tflite")
    for frame, (_, pixels) in zip(predict_video(exported, drive), decode_video(drive), strict=True):
        np.testing.assert_array_equal(frame.labels, predict(exported, pixels))

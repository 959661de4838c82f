"""Files of events, written without the package `tensorboard` and read back with TensorFlow's protocol buffers."""

import io

import numpy as np
import PIL.Image
import pytest

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.data_sets import Classes
from keras_hrnet.evaluation import comparison, predict
from keras_hrnet.training.callbacks import PredictionImages, Scalars
from keras_hrnet.training.callbacks.event_file import EventFile

pytestmark = pytest.mark.once

NAMES = ("red", "green", "blue")
PALETTE = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


def events(folder):
    """Returns the records of a folder's files, each without the one that names the version."""
    tf = host_tensorflow()
    found = []
    for path in sorted(folder.iterdir()):
        assert path.name.startswith("events.out.tfevents.")
        records = [
            tf.compat.v1.Event.FromString(record) for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
        ]
        assert records[0].file_version == "brain.Event:2"
        found += [(event.step, event.summary.value[0]) for event in records[1:]]
    return found


def test_the_logs_are_two_runs_with_the_names_that_keras_gives_them(tmp_path):
    scalars = Scalars(tmp_path)
    scalars.on_train_begin()
    scalars.on_epoch_end(0, {"loss": 2.0, "val_loss": 3.0, "learning_rate": 0.5})
    scalars.on_epoch_end(1, {"loss": 1.0, "val_loss": 2.5, "learning_rate": 0.25})
    read = {
        run: [(step, value.tag, value.simple_value) for step, value in events(tmp_path / run)]
        for run in ("train", "validation")
    }
    assert read["train"] == [
        (0, "epoch_loss", 2.0),
        (0, "epoch_learning_rate", 0.5),
        (1, "epoch_loss", 1.0),
        (1, "epoch_learning_rate", 0.25),
    ]
    assert read["validation"] == [(0, "epoch_loss", 3.0), (1, "epoch_loss", 2.5)]
    scalars.on_train_end()


def test_files_are_in_the_order_in_which_they_were_written_even_if_the_clock_was_set_back(tmp_path, monkeypatch):
    names = []
    for now in (1000.5, 1000.7, 10.0):
        monkeypatch.setattr("time.time", lambda now=now: now)
        EventFile(tmp_path).close()
        names += [path.name for path in tmp_path.iterdir() if path.name not in names]
    assert names == sorted(names)
    assert len(names) == 3


def test_the_pictures_show_what_the_network_predicts(network, images, labels, tmp_path):
    pictures = PredictionImages(tmp_path, images[:2], labels[:2], class_names=NAMES, palette=PALETTE)
    model = network()
    pictures.set_model(model)
    pictures.on_train_begin()
    pictures.on_epoch_end(7)
    shown = events(tmp_path / "validation")
    assert [(step, value.tag) for step, value in shown] == [(7, "prediction/0"), (7, "prediction/1")]
    for (_, value), image, label in zip(shown, images, labels, strict=False):
        with PIL.Image.open(io.BytesIO(value.image.encoded_image_string)) as picture:
            expected = comparison(image, label, predict(model, image), class_names=NAMES, palette=PALETTE)
            np.testing.assert_array_equal(np.array(picture), np.array(expected))
            assert (value.image.width, value.image.height) == picture.size
    pictures.on_train_end()


def test_the_networks_classes_are_painted_where_none_are_given(network, images, labels, tmp_path):
    pictures, model = PredictionImages(tmp_path, images[:1], labels[:1]), network()
    model.classes = Classes(tuple(NAMES), PALETTE)
    pictures.set_model(model)
    pictures.on_train_begin()
    pictures.on_epoch_end(0)
    pictures.on_train_end()
    [(_, value)] = events(tmp_path / "validation")
    expected = comparison(images[0], labels[0], predict(model, images[0]), class_names=NAMES, palette=PALETTE)
    with PIL.Image.open(io.BytesIO(value.image.encoded_image_string)) as picture:
        np.testing.assert_array_equal(np.array(picture), np.array(expected))


def test_labels_of_another_size_are_refused_before_the_first_epoch(images, labels, tmp_path):
    with pytest.raises(ValueError, match=r"labels of shape \(4, 7\) for an image"):
        PredictionImages(tmp_path, images, labels[:, :, :7])
    assert not list(tmp_path.iterdir())

import itertools
import re
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_hrnet.data
from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.data.cityscapes import cityscapes
from keras_hrnet.data.files.cityscapes import find_pairs
from keras_hrnet.data.label_coding import coding_of_data_set
from keras_hrnet.data.pipeline.decoding import train_ids
from keras_hrnet.data_sets.cityscapes import CITYSCAPES, CLASS_NAMES, CLASS_WEIGHTS

SIZE = (24, 40)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def write_pair(root, split, name, image, ids):
    city = name.split("_")[0]
    save(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", image)
    save(root / "gtFine" / split / city / f"{name}_gtFine_labelIds.png", ids)


@pytest.fixture
def root(tmp_path, write_split):
    for split, num_images in (("train", 7), ("val", 3), ("test", 2)):
        write_split(tmp_path, split, num_images)
    return tmp_path


def numbers(batch):
    image, _ = batch
    return (image.numpy()[..., 2].max(axis=(1, 2)) // 10 - 1).tolist()


def epoch(dataset):
    return [(image.numpy(), label.numpy()) for image, label in dataset]


def equal(epoch, other):
    return all(
        np.array_equal(mine, its) for pair in zip(epoch, other, strict=True) for mine, its in zip(*pair, strict=True)
    )


@pytest.mark.once
class TestTrainingData:
    def test_batches_are_full_and_of_static_shape_and_known_number(self, root):
        dataset = cityscapes(root, "train", batch_size=3, crop_size=(16, 32))
        assert isinstance(dataset, tf.data.Dataset)
        assert dataset.element_spec == (
            tf.TensorSpec((3, 16, 32, 3), tf.uint8),
            tf.TensorSpec((3, 16, 32), tf.uint8),
        )
        assert len(dataset) == 2
        assert len(epoch(dataset)) == 2

    def test_every_image_comes_once_an_epoch_in_another_order_each_time(self, root):
        dataset = cityscapes(root, "train", crop_size=(16, 32))
        orders = [[numbers(batch)[0] for batch in dataset] for _ in range(4)]
        assert all(sorted(order) == list(range(7)) for order in orders)
        assert len(set(map(tuple, orders))) == 4

    def test_datasets_of_one_seed_agree_epoch_by_epoch_and_epochs_differ(self, root):
        dataset, twin = (cityscapes(root, "train", batch_size=2, crop_size=(16, 32), seed=5) for _ in range(2))
        other = cityscapes(root, "train", batch_size=2, crop_size=(16, 32), seed=6)
        first, second = epoch(dataset), epoch(dataset)
        tf.random.set_seed(9)  # only the argument counts
        assert equal(first, epoch(twin))
        assert equal(second, epoch(twin))
        assert not equal(first, second)
        assert not equal(first, epoch(other))

    def test_a_sample_does_not_depend_on_the_batch_size(self, root):
        whole, single = (cityscapes(root, "train", batch_size=size, crop_size=(16, 32)) for size in (7, 1))
        np.testing.assert_array_equal(epoch(whole)[0][0], np.concatenate([image for image, _ in epoch(single)]))

    def test_an_image_is_cropped_otherwise_in_every_epoch(self, root):
        dataset = cityscapes(root, "train", batch_size=7, crop_size=(16, 32))
        crops = [
            {number: image for number, image in zip(numbers(b), b[0].numpy(), strict=True)}
            for b in itertools.chain(dataset, dataset, dataset)
        ]
        assert len({crop[0].tobytes() for crop in crops}) == 3

    def test_repeating_goes_on_to_new_epochs(self, root):
        dataset = cityscapes(root, "train", batch_size=7, crop_size=(16, 32))
        first, second = dataset.repeat(2)
        twin = cityscapes(root, "train", batch_size=7, crop_size=(16, 32))
        assert equal(epoch(twin), [(first[0].numpy(), first[1].numpy())])
        assert equal(epoch(twin), [(second[0].numpy(), second[1].numpy())])

    def test_labels_are_train_ids_and_padding_is_ignored(self, root):
        labels = np.concatenate([label for _, label in epoch(cityscapes(root, "train", crop_size=(60, 100)))])
        assert set(np.unique(labels)) == {0, 1, 11, 18, 255}
        assert (labels == 255).mean() > 0.3

    def test_scale_1_and_the_whole_size_only_flip(self, root):
        image, label = (np.asarray(Image.open(path)) for path in find_pairs(root, "train")[0])
        dataset = cityscapes(root, "train", scales=(1.0, 1.0))
        assert dataset.element_spec[0].shape == (1, *SIZE, 3)
        seen = set()
        for _ in range(6):
            crop, ids = next((x, y) for x, y in epoch(dataset) if x[0, 0, 0, 2] == 10)
            flipped = not np.array_equal(crop[0], image)
            step = -1 if flipped else 1
            np.testing.assert_array_equal(crop[0], image[:, ::step])
            np.testing.assert_array_equal(ids[0], train_ids(label, coding_of_data_set(CITYSCAPES), "")[:, ::step])
            seen.add(flipped)
        assert seen == {True, False}

    def test_images_of_several_sizes_keep_theirs_without_crop_size(self, root, write_split):
        write_split(root, "train", 2, size=(30, 20))
        sizes = {image.shape[1:3] for image, _ in epoch(cityscapes(root, "train"))}
        assert sizes == {SIZE, (30, 20)}

    def test_trainval_trains_on_both(self, root):
        assert len(cityscapes(root, "trainval", crop_size=(16, 32))) == 10

    def test_evaluation_splits_can_train(self, root):
        assert len(cityscapes(root, "val", batch_size=2, crop_size=(16, 32), augment=True)) == 1


@pytest.mark.once
class TestEvaluationData:
    def test_whole_images_come_in_order_and_none_is_left_out(self, root):
        dataset = cityscapes(root, "val", batch_size=2)
        assert dataset.element_spec[0].shape.as_list() == [None, *SIZE, 3]
        assert len(dataset) == 2
        for _ in range(2):
            assert [numbers(batch) for batch in dataset] == [[0, 1], [2]]

    def test_the_batch_size_is_static_where_all_batches_are_full(self, root):
        assert cityscapes(root, "val").element_spec[1].shape == (1, *SIZE)
        assert cityscapes(root, "val", batch_size=3).element_spec[1].shape == (3, *SIZE)

    def test_images_are_untouched_and_labels_mapped(self, tmp_path):
        image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
        ids = np.arange(35, dtype=np.uint8).reshape(5, 7)
        ids[4, 6] = 255
        write_pair(tmp_path, "val", "bonn_000000_000019", image, ids)
        ((image_batch, label_batch),) = cityscapes(tmp_path, "val")
        np.testing.assert_array_equal(image_batch[0], image)
        expected = np.full(35, 255)
        expected[[7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]] = range(19)
        np.testing.assert_array_equal(label_batch[0], expected.reshape(5, 7))

    def test_training_images_can_be_evaluated(self, root):
        dataset = cityscapes(root, "train", augment=False)
        assert list(itertools.chain(*map(numbers, dataset))) == list(range(7))

    def test_the_test_split_has_images(self, root):
        assert len(epoch(cityscapes(root, "test"))) == 2

    def test_images_of_several_sizes_come_one_by_one(self, root, write_split):
        write_split(root, "val", 1, size=(30, 20))
        dataset = cityscapes(root, "val")
        assert dataset.element_spec[0].shape.as_list() == [1, None, None, 3]
        assert [image.shape[1:3] for image, _ in epoch(dataset)] == [(30, 20), SIZE, SIZE]


@pytest.mark.once
class TestErrorsBeforeTheFirstEpoch:
    def test_a_batch_of_more_than_all_images(self, root):
        with pytest.raises(ValueError, match=r"batch_size=8 for the 7 images.*Pass batch_size=7 or less"):
            cityscapes(root, "train", batch_size=8)
        assert len(cityscapes(root, "val", batch_size=8)) == 1

    def test_a_crop_of_evaluation_data(self, root):
        with pytest.raises(ValueError, match=r"crop_size=\(16, 32\) for evaluation.*Leave crop_size out"):
            cityscapes(root, "val", crop_size=(16, 32))

    def test_batches_of_whole_images_of_several_sizes(self, root, write_split):
        write_split(root, "train", 1, size=(30, 20))
        with pytest.raises(
            ValueError, match=r"000001_\S+ is 24x40 .*000000_\S+ is 30x20.*Pass crop_size, or batch_size=1"
        ):
            cityscapes(root, "train", batch_size=2)
        with pytest.raises(ValueError, match=r"is 30x20\. Expected the same size.* Pass batch_size=1\.$"):
            cityscapes(root, "train", batch_size=2, augment=False)

    def test_arguments_are_checked_before_any_file(self, tmp_path):
        with pytest.raises(ValueError, match=r"Received batch_size with 0\. Expected a positive integer"):
            cityscapes(tmp_path / "nowhere", "train", batch_size=0)

    def test_a_wrong_root(self, root):
        with pytest.raises(FileNotFoundError, match=re.escape(f"Use the root {root} instead")):
            cityscapes(root / "leftImg8bit", "train")

    def test_a_damaged_image(self, root):
        path = find_pairs(root, "train")[2].image
        damaged = bytearray(path.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=re.escape(f"{path} is damaged")):
            cityscapes(root, "train")
        with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid PNG"):
            epoch(cityscapes(root, "train", verify=False))

    def test_a_foreign_label_id(self, root):
        path = find_pairs(root, "val")[1].label
        save(path, np.full(SIZE, 77, np.uint8))
        with pytest.raises(ValueError, match=re.escape(f"{path} holds the values 77.")):
            cityscapes(root, "val")

    def test_pixel_formats_are_checked_without_verify(self, root):
        save(find_pairs(root, "val")[0].image, np.zeros(SIZE, np.uint8))
        with pytest.raises(ValueError, match="is 8-bit gray"):
            cityscapes(root, "val", verify=False)


@pytest.mark.once
class TestErrorsWhileReading:
    @pytest.mark.parametrize("split", ["train", "val"])
    def test_a_foreign_label_id_names_the_file(self, root, split):
        path = find_pairs(root, split)[1].label
        save(path, np.full(SIZE, 77, np.uint8))
        dataset = cityscapes(root, split, verify=False)
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=rf"{path.name}.*holds values that are not classes. Expected 0 to 33 and 255",
        ):
            epoch(dataset)

    @pytest.mark.parametrize("i", [0, 1])
    def test_a_file_that_changed_is_named(self, root, i):
        dataset = cityscapes(root, "val")
        path = find_pairs(root, "val")[2][i]
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"{path.name}.*has.*bytes.*Create the dataset again"):
            epoch(dataset)

    def test_a_file_that_disappeared_is_named(self, root):
        dataset = cityscapes(root, "val")
        path = find_pairs(root, "val")[0].image
        path.unlink()
        with pytest.raises(tf.errors.NotFoundError, match=path.name):
            epoch(dataset)

    def test_train_ids_refuses_a_foreign_id_eagerly(self):
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=r"(?s)here\.png.*holds values that are not classes. Expected 0 to 33 and 255",
        ):
            train_ids(np.uint8([[7, 34]]), coding_of_data_set(CITYSCAPES), "here.png")


def test_fit_and_evaluate_run_on_the_active_backend(root):
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(19, 1)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model.compile(optimizer=keras.optimizers.SGD(0.01), loss=loss)
    before = [np.array(weight) for weight in model.get_weights()]
    train = cityscapes(root, "train", batch_size=2, crop_size=(16, 32))
    history = model.fit(train, validation_data=cityscapes(root, "val"), epochs=2, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert np.isfinite(history.history["val_loss"]).all()
    assert all((weight != old).any() for weight, old in zip(model.get_weights(), before, strict=True))
    assert model.predict(cityscapes(root, "test"), verbose=0).shape == (2, *SIZE, 19)


@pytest.mark.once
class TestHostTensorflow:
    @staticmethod
    def hidden(monkeypatch, backend, error=None):
        calls = []

        def set_visible_devices(devices, device_type):
            calls.append((devices, device_type))
            if error:
                raise error

        monkeypatch.setattr(tf.config, "set_visible_devices", set_visible_devices)
        config = types.SimpleNamespace(backend=lambda: backend)
        monkeypatch.setitem(sys.modules, "keras", types.SimpleNamespace(config=config))
        assert host_tensorflow() is tf
        return calls

    def test_gpus_are_hidden_where_keras_runs_elsewhere(self, monkeypatch):
        assert self.hidden(monkeypatch, "jax") == [([], "GPU")]

    def test_gpus_stay_where_keras_runs_on_tensorflow(self, monkeypatch):
        assert self.hidden(monkeypatch, "tensorflow") == []

    def test_gpus_that_cannot_be_hidden_any_more_are_warned_of(self, monkeypatch):
        with pytest.warns(UserWarning, match="TensorFlow had set up the GPU.*before any other TensorFlow call"):
            self.hidden(monkeypatch, "torch", RuntimeError("Visible devices cannot be modified"))


def test_the_package_exports_the_class_table():
    assert keras_hrnet.data.CLASS_NAMES is CLASS_NAMES
    assert keras_hrnet.data.CLASS_WEIGHTS is CLASS_WEIGHTS
    assert keras_hrnet.data.cityscapes is cityscapes

"""What holds for the batches of every data set, shown on small Cityscapes roots."""

import warnings

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_hrnet.data import cityscapes, class_shares
from keras_hrnet.data.files.cityscapes import find_pairs
from keras_hrnet.data.records.packing import pack
from keras_hrnet.data_sets.cityscapes import CITYSCAPES

pytestmark = pytest.mark.once

CROP = {"crop_size": (16, 32)}
IDS = CITYSCAPES.label_values


def epoch(dataset):
    return [(image.numpy(), label.numpy()) for image, label in dataset]


def numbers(dataset):
    """The numbers of the images, by batch."""
    return [(image[..., 2].max(axis=(1, 2)) // 10).tolist() for image, _ in epoch(dataset)]


def assert_equal(batches, others):
    assert len(batches) == len(others) > 0
    for batch, other in zip(batches, others, strict=True):
        for mine, its in zip(batch, other, strict=True):
            np.testing.assert_array_equal(mine, its)


class TestParallelism:
    def test_batches_do_not_depend_on_the_number_of_threads(self, street_root):
        one, many = (cityscapes(street_root, "train", batch_size=2, num_parallel_calls=n, **CROP) for n in (1, 7))
        assert_equal(epoch(one), epoch(many))

    def test_without_an_order_the_samples_of_an_epoch_are_the_same(self, street_root):
        ordered, free = (cityscapes(street_root, "train", deterministic=choice, **CROP) for choice in (True, False))
        assert free.options().deterministic is False

        def samples(dataset):
            return sorted((image.tobytes(), label.tobytes()) for image, label in epoch(dataset))

        assert samples(ordered) == samples(free)


class TestCache:
    @pytest.mark.parametrize("split", ["train", "val"])
    def test_batches_from_the_cache_are_those_of_the_files(self, street_root, tmp_path, split):
        arguments = {"batch_size": 2, **CROP} if split == "train" else {}
        plain, memory, disk = (
            cityscapes(street_root, split, cache=cache, **arguments) for cache in (None, "memory", tmp_path / "cache")
        )
        for _ in range(2):
            batches = epoch(plain)
            assert_equal(batches, epoch(memory))
            assert_equal(batches, epoch(disk))

    def test_the_files_are_not_read_any_more(self, street_root):
        dataset = cityscapes(street_root, "val", cache="memory")
        for path in street_root.rglob("*.png"):
            path.unlink()
        assert len(epoch(dataset)) == 3


class TestRecords:
    @pytest.mark.parametrize("split", ["train", "val"])
    def test_batches_from_records_are_those_of_the_files(self, street_root, tmp_path, split):
        pack(find_pairs(street_root, split), tmp_path / "packed" / split, shard_size=5000, known=IDS)
        arguments = {"batch_size": 2, **CROP} if split == "train" else {}
        files, records = (cityscapes(root, split, **arguments) for root in (street_root, tmp_path / "packed"))
        for _ in range(2):
            assert_equal(epoch(files), epoch(records))

    def test_coarse_records_are_mixed_in(self, street_root, write_split, tmp_path):
        write_split(street_root, "train_extra", 4, annotation="gtCoarse", first=11)
        pack(find_pairs(street_root, "train"), tmp_path / "packed" / "train", known=IDS)
        pack(
            find_pairs(street_root, "train_extra", "coarse"),
            tmp_path / "packed" / "train_extra",
            known=IDS,
        )
        files, records = (cityscapes(root, "train", coarse=0.5, **CROP) for root in (street_root, tmp_path / "packed"))
        assert_equal(epoch(files), epoch(records))


class TestShards:
    def test_processes_together_read_the_batches_of_one(self, street_root):
        whole = cityscapes(street_root, "train", batch_size=4, **CROP)
        parts = [cityscapes(street_root, "train", batch_size=4, shard=(i, 2), **CROP) for i in range(2)]
        assert [len(part) for part in parts] == [1, 1]
        assert parts[0].element_spec[0].shape[0] == 2
        for _ in range(2):
            joined = [
                [np.concatenate(values) for values in zip(*batches, strict=True)]
                for batches in zip(*map(epoch, parts), strict=True)
            ]
            assert_equal(epoch(whole), joined)

    def test_no_image_comes_twice_in_an_epoch_and_only_the_last_partial_batch_is_dropped(self, street_root):
        parts = [cityscapes(street_root, "train", batch_size=3, shard=(i, 3), **CROP) for i in range(3)]
        seen = [number for part in parts for batch in numbers(part) for number in batch]
        assert len(seen) == len(set(seen)) == 6

    def test_evaluation_leaves_nothing_out_and_fills_up_with_ignored_images(self, street_root):
        parts = [epoch(cityscapes(street_root, "val", batch_size=2, shard=(i, 2))) for i in range(2)]
        assert [[image[0, 0, 0, 2] // 10 for image, _ in part] for part in parts] == [[1, 3], [2, 0]]
        filled_image, filled_label = parts[1][1]
        assert not filled_image.any()
        assert (filled_label == 255).all()
        whole = epoch(cityscapes(street_root, "val"))
        for number, (image, label) in enumerate(whole):
            np.testing.assert_array_equal(parts[number % 2][number // 2][0], image)
            np.testing.assert_array_equal(parts[number % 2][number // 2][1], label)

    def test_tensorflow_does_not_share_out_once_more(self, street_root):
        policy = cityscapes(street_root, "val", shard=(0, 2), batch_size=2).options().experimental_distribute
        assert policy.auto_shard_policy == tf.data.experimental.AutoShardPolicy.OFF

    def test_the_workers_of_a_strategy_can_be_told_their_shares(self, street_root):
        strategy = tf.distribute.MirroredStrategy(["CPU:0"])

        def shared(context):
            shard = (context.input_pipeline_id, context.num_input_pipelines)
            return cityscapes(street_root, "train", batch_size=2, shard=shard, **CROP)

        batches = list(strategy.distribute_datasets_from_function(shared))
        plain = epoch(cityscapes(street_root, "train", batch_size=2, **CROP))
        assert_equal(plain, [(image.numpy(), label.numpy()) for image, label in batches])


class TestClassUniform:
    @pytest.fixture(autouse=True)
    def _keras_home(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    @pytest.fixture
    def rare_root(self, street_root):
        """Image 5 has the only bicycle: a spot of 2x2 pixels; everything else is road."""
        for path in (street_root / "gtFine").rglob("*.png"):
            label = np.full((24, 40), 7, np.uint8)
            if "train" in str(path) and "000004_000019" in path.name:
                label[3:5, 30:32] = 33
            Image.fromarray(label).save(path)
        return street_root

    def test_crops_show_the_rare_class_as_often_as_the_common_one(self, rare_root):
        arguments = {"crop_size": (8, 8), "scales": (1.0, 1.0)}
        plain, uniform = (cityscapes(rare_root, "train", class_uniform=share, **arguments) for share in (0.0, 6 / 7))
        with_rare = [18 in label for _, label in epoch(uniform)]
        assert sum(with_rare) >= 3  # of the six class-uniform places, three are of bicycles
        rare = [np.mean([class_shares(dataset, 19)[18] for _ in range(5)]) for dataset in (plain, uniform)]
        assert rare[1] > 5 * rare[0]

    def test_points_are_found_once_for_all_datasets(self, rare_root, tmp_path):
        cityscapes(rare_root, "train", class_uniform=0.5, **CROP)
        (kept,) = (tmp_path / "keras" / "keras_hrnet").iterdir()
        time = kept.stat().st_mtime_ns
        cityscapes(rare_root, "train", class_uniform=0.3, batch_size=2, **CROP)
        assert kept.stat().st_mtime_ns == time

    def test_batches_are_still_a_function_of_the_seed(self, rare_root):
        first, second = (cityscapes(rare_root, "train", class_uniform=0.5, seed=2, **CROP) for _ in range(2))
        assert_equal(epoch(first), epoch(second))


class TestCoarse:
    def test_a_share_of_each_epoch_is_coarse(self, street_root, write_split):
        write_split(street_root, "train_extra", 4, annotation="gtCoarse", first=11)
        dataset = cityscapes(street_root, "train", coarse=3 / 7, scales=(1.0, 1.0))
        assert len(dataset) == 7
        epochs = [[number for (number,) in numbers(dataset)] for _ in range(4)]
        assert all(sum(number > 10 for number in images) == 3 for images in epochs)
        coarse = [number for images in epochs for number in images if number > 10]
        assert sorted(coarse) == sorted([11, 12, 13, 14] * 3)

    def test_coarse_images_alone(self, street_root, write_split):
        write_split(street_root, "train_extra", 4, annotation="gtCoarse")
        dataset = cityscapes(street_root, "train_extra", scales=(1.0, 1.0))
        assert sorted(number for (number,) in numbers(dataset)) == [1, 2, 3, 4]

    def test_coarse_labels_of_the_training_split(self, street_root, write_split):
        write_split(street_root, "train", 7, annotation="gtCoarse")
        assert len(cityscapes(street_root, "train", annotation="coarse", **CROP)) == 7


class TestDamagedFiles:
    @pytest.fixture
    def damaged(self, street_root):
        paths = sorted((street_root / "leftImg8bit/train/bonn").iterdir())[2:4]
        paths[0].write_bytes(paths[0].read_bytes()[:200])
        Image.new("L", (40, 24)).save(paths[1])
        return paths

    def test_the_first_one_is_an_error(self, street_root, damaged):
        with pytest.raises(ValueError, match=damaged[0].name):
            cityscapes(street_root, "train", **CROP)

    def test_they_are_skipped_counted_and_named_on_request(self, street_root, damaged):
        with pytest.warns(UserWarning, match="2 of 7 pairs") as warned:
            dataset = cityscapes(street_root, "train", damaged="skip", **CROP)
        assert all(path.name in str(warned[0].message) for path in damaged)
        assert warned[0].filename == __file__
        assert len(dataset) == 5
        assert not {3, 4} & {number for batch in numbers(dataset) for number in batch}

    def test_nothing_is_said_where_nothing_is_damaged(self, street_root):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(cityscapes(street_root, "train", damaged="skip", **CROP)) == 7

    def test_no_usable_file_is_an_error(self, street_root):
        for path in (street_root / "leftImg8bit/val").rglob("*.png"):
            path.write_bytes(b"")
        with pytest.raises(ValueError, match=r"None of the 3 pairs .* can be used. The first error: .*is empty"):
            cityscapes(street_root, "val", damaged="skip")

    def test_another_choice_is_refused(self, street_root):
        with pytest.raises(ValueError, match=r"damaged='ignore'\. Expected 'error' or 'skip'"):
            cityscapes(street_root, "val", damaged="ignore")

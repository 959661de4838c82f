import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_hrnet.data.files.pairs import check_pairs
from keras_hrnet.data.pipeline.sources import Files
from keras_hrnet.data.records.manifest import read_manifest
from keras_hrnet.data.records.packing import pack
from keras_hrnet.data.records.source import Records
from keras_hrnet.data_sets.cityscapes import CITYSCAPES

pytestmark = pytest.mark.once

IDS = CITYSCAPES.label_values


@pytest.fixture
def packed(pairs, tmp_path):
    """Records of seven pairs: 2, 2, 2 and 1 in a shard."""
    pack(pairs, tmp_path / "records", shard_size=12_000, known=IDS)
    return tmp_path / "records"


def shard(folder, number):
    return folder / f"records-{number:05d}-of-00004.tfrecord"


def change_manifest(folder, **fields):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


class TestReading:
    def test_every_sample_is_that_of_the_files_in_any_order_on_many_threads(self, packed, pairs):
        files, records = Files(pairs, check_pairs(pairs, known=IDS)), Records(packed)
        assert (records.sizes, records.in_python) == (files.sizes, files.in_python)
        assert records.occurring == files.occurring
        order = np.random.default_rng(0).integers(0, 7, 200)
        indices = tf.data.Dataset.from_tensor_slices(order)
        for mine, its in zip(
            indices.map(records.contents, num_parallel_calls=8),
            indices.map(files.contents, num_parallel_calls=8),
            strict=True,
        ):
            assert mine[:2] == its[:2]

    def test_names_tell_the_file_and_the_shard(self, packed):
        records = Records(packed)
        _, _, image_name, label_name = records.contents(tf.constant(3))
        city = "train/bonn/bonn_000003_000019"
        assert image_name.numpy().decode() == f"leftImg8bit/{city}_leftImg8bit.png in {shard(packed, 1)}"
        assert label_name.numpy().decode() == f"gtFine/{city}_gtFine_labelIds.png in {shard(packed, 1)}"
        assert records.names[3] == label_name.numpy().decode()

    def test_it_reads_in_a_compiled_function_too(self, packed, pairs):
        image, label, *_ = tf.function(Records(packed).contents)(tf.constant(6, tf.int64))
        assert (image.numpy(), label.numpy()) == tuple(path.read_bytes() for path in pairs[6])

    def test_several_folders_are_numbered_one_after_the_other(self, pairs, tmp_path):
        pack(pairs[:2], tmp_path / "train", known=IDS)
        pack(pairs[2:], tmp_path / "val", known=IDS)
        records = Records(tmp_path / "train", tmp_path / "val")
        assert [records.contents(tf.constant(i))[1].numpy() for i in range(7)] == [
            pair.label.read_bytes() for pair in pairs
        ]
        assert [name.rpartition("/")[0].rpartition("/")[2] for name in records.names] == ["train"] * 2 + ["val"] * 5

    def test_the_fingerprint_is_that_of_the_content_wherever_it_lies(self, packed, pairs, tmp_path):
        fingerprint = Records(packed).fingerprint
        shutil.copytree(packed, tmp_path / "copy")
        pack(pairs[:6], tmp_path / "other", known=IDS)
        assert Records(tmp_path / "copy").fingerprint == fingerprint
        assert Records(tmp_path / "other").fingerprint != fingerprint


class TestDamageWhileReading:
    # Length, its checksum, the first and a later byte of the record, and the checksum of that.
    @pytest.mark.parametrize("position", [0, 9, 12, 2000, -1])
    def test_a_damaged_sample_is_an_error_that_names_the_shard(self, packed, position):
        records = Records(packed)
        _, second = read_manifest(packed / "manifest.json")[1].records
        flip(shard(packed, 1), second.offset + position if position >= 0 else position)
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=rf"(?s)bonn_000003\S+ in {shard(packed, 1)}.*cannot be read"
        ):
            records.contents(tf.constant(3))
        for sound in (2, 4):
            records.contents(tf.constant(sound))

    @pytest.mark.parametrize("harm", ["cut short", "missing", "of other records"])
    def test_a_shard_that_changes_is_an_error_in_the_pipeline(self, packed, harm):
        dataset = tf.data.Dataset.range(7).map(Records(packed).contents, num_parallel_calls=2)
        if harm == "cut short":
            shard(packed, 3).write_bytes(shard(packed, 3).read_bytes()[:-1])
        elif harm == "missing":
            shard(packed, 3).unlink()
        else:
            shutil.copyfile(shard(packed, 2), shard(packed, 3))
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=f"{shard(packed, 3)}.*Run the same `keras-hrnet data pack` command"
        ):
            list(dataset)


class TestBadFolders:
    def test_a_folder_is_needed(self):
        with pytest.raises(ValueError, match="Received no folder of records"):
            Records()

    def test_a_missing_or_foreign_folder_is_named_with_what_is_there(self, packed):
        with pytest.raises(FileNotFoundError, match=r"/val does not exist; \S+ holds city, records. Expected records"):
            Records(packed.with_name("val"))
        with pytest.raises(FileNotFoundError, match=r"city holds gtFine, leftImg8bit; "):
            Records(packed.with_name("city"))

    def test_packing_that_did_not_finish_is_told_from_nothing(self, packed):
        (packed / "manifest.json").unlink()
        with pytest.raises(
            FileNotFoundError, match=rf"{packed} has no manifest.json, because packing did not finish.*Run"
        ):
            Records(packed)

    def test_a_missing_shard_is_named(self, packed):
        shard(packed, 2).unlink()
        with pytest.raises(
            FileNotFoundError, match=f"{shard(packed, 2)} is missing. Expected what manifest.json states"
        ):
            Records(packed, verify=False)

    def test_a_shard_of_another_length_is_named(self, packed):
        size = shard(packed, 2).stat().st_size
        shard(packed, 2).write_bytes(shard(packed, 2).read_bytes() + b"?")
        with pytest.raises(ValueError, match=rf"{shard(packed, 2)} has {size + 1} bytes instead of {size}\. .*Run"):
            Records(packed, verify=False)

    def test_a_shard_with_another_checksum_is_named_where_all_is_verified(self, packed):
        flip(shard(packed, 3), 700)
        Records(packed, verify=False)
        with pytest.raises(ValueError, match=rf"{shard(packed, 3)} has the SHA-256 \w{{64}} instead of \w{{64}}"):
            Records(packed)

    def test_what_an_earlier_version_packed_is_read(self, packed):
        shards = json.loads((packed / "manifest.json").read_text())["shards"]
        for shard in shards:
            del shard["occurring"]
            for sample in shard["samples"]:
                del sample["image_by_pillow"], sample["label_by_pillow"], sample["as_pixels"]
        new = Records(packed)
        change_manifest(packed, version=1, shards=shards)
        old = Records(packed)
        assert (old.fingerprint, old.in_python, old.occurring) == (new.fingerprint, [(False, False)] * 7, None)

    @pytest.mark.parametrize(
        ("field", "value"), [("image", 3), ("height", "24"), ("width", -1), ("offset", None), ("label_by_pillow", 1)]
    )
    def test_a_field_of_another_kind_is_named(self, packed, field, value):
        shards = json.loads((packed / "manifest.json").read_text())["shards"]
        shards[1]["samples"][0][field] = value
        change_manifest(packed, shards=shards)
        with pytest.raises(ValueError, match=rf"is not a manifest of records \(TypeError: {field} is {value!r}\)"):
            Records(packed)

    @pytest.mark.parametrize(("field", "message"), [("offset", "begins at byte"), ("length", "(take|begins at byte)")])
    def test_records_that_do_not_follow_one_another_are_refused(self, packed, field, message):
        shards = json.loads((packed / "manifest.json").read_text())["shards"]
        shards[1]["samples"][1][field] -= 1
        change_manifest(packed, shards=shards)
        with pytest.raises(ValueError, match=rf"manifest.json is not a manifest .*'{shards[1]['name']}' {message}"):
            Records(packed)

    @pytest.mark.parametrize("keep", [0, 2])
    def test_a_manifest_without_a_sample_is_refused(self, packed, keep):
        shards = json.loads((packed / "manifest.json").read_text())["shards"][:keep]
        change_manifest(packed, shards=[{**shard, "samples": []} for shard in shards])
        with pytest.raises(ValueError, match=r"is not a manifest of records \(ValueError: it names no sample\)"):
            Records(packed)

    def test_a_newer_manifest_asks_for_a_newer_package(self, packed):
        change_manifest(packed, version=4)
        with pytest.raises(
            ValueError, match=r"manifest.json has the format 'keras_hrnet records', version 4. .*Update"
        ):
            Records(packed)

    @pytest.mark.parametrize(
        "content",
        ["", "[]", "{}", "[" * 100_000, '{"format": "keras_hrnet records", "version": 1, "shards": [{}]}'],
        ids=range(5),
    )
    def test_what_is_no_manifest_is_named(self, packed, content):
        (packed / "manifest.json").write_text(content)
        with pytest.raises(ValueError, match=r"manifest.json is not a manifest of records \(.*Restore the file, or"):
            Records(packed)

import json
import resource
import shutil
import struct

import pytest
import tensorflow as tf
from PIL import Image

from keras_hrnet.data.files.cityscapes import find_pairs
from keras_hrnet.data.files.pairs import Pair
from keras_hrnet.data.records import packing
from keras_hrnet.data.records.manifest import read_manifest, sha256_of
from keras_hrnet.data.records.packing import pack
from keras_hrnet.data.records.source import Records
from keras_hrnet.data_sets import LabelValues
from keras_hrnet.data_sets.cityscapes import CITYSCAPES

pytestmark = pytest.mark.once

IDS = CITYSCAPES.label_values
SHARD_SIZE = 12_000  # room for two pairs


@pytest.fixture
def out(tmp_path):
    return tmp_path / "records"


@pytest.fixture
def packed(pairs, out):
    pack(pairs, out, shard_size=SHARD_SIZE, known=IDS)
    return out


def shards_of(folder):
    return sorted(folder.glob("*.tfrecord"))


class TestWhatIsWritten:
    def test_any_reader_of_tfrecords_finds_the_files_as_they_were_and_in_order(self, packed, pairs):
        features = {
            name: tf.io.FixedLenFeature((), tf.string) for name in ("image", "label", "image_name", "label_name")
        }
        features |= {name: tf.io.FixedLenFeature((), tf.int64) for name in ("height", "width")}
        records = tf.data.TFRecordDataset([str(path) for path in shards_of(packed)])
        samples = [tf.io.parse_single_example(record, features) for record in records]
        assert [sample["image"].numpy() for sample in samples] == [pair.image.read_bytes() for pair in pairs]
        assert [sample["label"].numpy() for sample in samples] == [pair.label.read_bytes() for pair in pairs]
        assert [(int(sample["height"]), int(sample["width"])) for sample in samples] == [(24, 40 + i) for i in range(7)]
        assert samples[2]["image_name"] == b"leftImg8bit/train/bonn/bonn_000002_000019_leftImg8bit.png"
        assert samples[2]["label_name"] == b"gtFine/train/bonn/bonn_000002_000019_gtFine_labelIds.png"

    def test_the_manifest_tells_where_each_record_lies(self, packed):
        manifest = json.loads((packed / "manifest.json").read_text())
        assert (manifest["version"], manifest["num_samples"]) == (3, 7)
        for shard in manifest["shards"]:
            content = (packed / shard["name"]).read_bytes()
            assert len(content) == shard["size"]
            assert sha256_of(packed / shard["name"]) == shard["sha256"]
            # A record begins with its length, as eight bytes of which the lowest comes first, and a checksum of four.
            for sample in shard["samples"]:
                assert struct.unpack_from("<Q", content, sample["offset"]) == (sample["length"],)
                record = content[sample["offset"] + 12 :][: sample["length"]]
                assert sample["image"].encode() in record and sample["label"].encode() in record

    def test_a_shard_takes_no_more_than_its_size(self, packed):
        assert [path.name for path in shards_of(packed)] == [f"records-0000{i}-of-00004.tfrecord" for i in range(4)]
        assert [len(shard.records) for shard in read_manifest(packed / "manifest.json")] == [2, 2, 2, 1]
        assert all(path.stat().st_size <= SHARD_SIZE for path in shards_of(packed))

    def test_a_sample_larger_than_a_shard_has_one_of_its_own(self, pairs, out):
        assert pack(pairs, out, shard_size=1, known=IDS).num_shards == 7

    def test_only_shards_and_the_manifest_are_left(self, packed):
        assert len(list(packed.iterdir())) == 5

    def test_the_same_files_elsewhere_give_the_same_bytes(self, packed, root, tmp_path, contents):
        shutil.move(root, tmp_path / "moved")
        pack(
            find_pairs(tmp_path / "moved", "train"),
            tmp_path / "again",
            shard_size=SHARD_SIZE,
            known=IDS,
        )
        assert contents(tmp_path / "again") == contents(packed)

    def test_it_reports_what_it_did_and_calls_back_for_each_sample(self, pairs, out):
        calls = []
        packed = pack(pairs, out, shard_size=SHARD_SIZE, on_sample=lambda: calls.append(1), known=IDS)
        assert packed == (7, 4, 0, sum(path.stat().st_size for path in shards_of(out)))
        assert len(calls) == 7

    def test_photos_and_masks_of_ones_own_can_be_packed(self, tmp_path, out):
        pair = Pair(tmp_path / "photos" / "leaf.jpg", tmp_path / "masks" / "leaf.png")
        for path, mode in zip(pair, ("RGB", "L"), strict=True):
            path.parent.mkdir()
            Image.new(mode, (8, 6), 77 if mode == "L" else "green").save(path)
        pack([pair], out, known=LabelValues(frozenset([77])))
        assert Records(out).sizes == [(6, 8)]
        assert Records(out).names[0].startswith("masks/leaf.png in ")


class TestPackingAgain:
    def test_nothing_is_written_where_all_is_there(self, packed, pairs, monkeypatch):
        monkeypatch.setattr(packing, "_write_shard", None)
        calls = []
        again = pack(pairs, packed, shard_size=SHARD_SIZE, on_sample=lambda: calls.append(1), known=IDS)
        assert (again.num_kept, len(calls)) == (4, 7)

    @pytest.mark.parametrize("harm", ["missing", "cut short", "a byte changed"])
    def test_only_what_is_harmed_is_written_anew(self, packed, pairs, harm, contents):
        before = contents(packed)
        path = shards_of(packed)[1]
        if harm == "missing":
            path.unlink()
        else:
            content = before[path.name]
            path.write_bytes(content[:-1] if harm == "cut short" else content[:99] + b"?" + content[100:])
        times = {other: other.stat().st_mtime_ns for other in shards_of(packed) if other != path}
        assert pack(pairs, packed, shard_size=SHARD_SIZE, known=IDS).num_kept == 3
        assert contents(packed) == before
        assert times == {other: other.stat().st_mtime_ns for other in times}

    def test_a_damaged_file_stops_it_and_finished_shards_are_kept(self, pairs, out, contents):
        sound = pairs[5].label.read_bytes()
        pairs[5].label.write_bytes(sound[:-20] + bytes(20))
        with pytest.raises(ValueError, match=r"bonn_000005_000019_gtFine_labelIds.png"):
            pack(pairs, out, shard_size=SHARD_SIZE, known=IDS)
        names = [f"records-0000{i}-of-00004.tfrecord" for i in range(2)]
        assert sorted(contents(out)) == sorted([*names, *(f"{name}.json" for name in names)])
        pairs[5].label.write_bytes(sound)
        assert pack(pairs, out, shard_size=SHARD_SIZE, known=IDS).num_kept == 2
        assert len(Records(out).names) == 7

    @pytest.mark.parametrize("finished", [True, False])
    @pytest.mark.parametrize("other", ["samples", "shard size", "lengths", "number"])
    def test_other_samples_are_refused_and_nothing_is_touched(self, pairs, out, other, finished, contents):
        broken = pairs[6].image.read_bytes()
        if not finished:
            pairs[6].image.write_bytes(broken[:-20] + bytes(20))
            with pytest.raises(ValueError, match="damaged"):
                pack(pairs, out, shard_size=SHARD_SIZE, known=IDS)
            pairs[6].image.write_bytes(broken)
        else:
            pack(pairs, out, shard_size=SHARD_SIZE, known=IDS)
        before = contents(out)
        wanted, size = list(pairs), SHARD_SIZE
        if other == "samples":
            wanted.reverse()
        elif other == "shard size":
            size = 2**28
        elif other == "lengths":
            pairs[0].label.write_bytes(pairs[0].label.read_bytes() + b"?")
        else:
            wanted = wanted[:4]
        with pytest.raises(ValueError, match=r"Pack to another folder, or remove"):
            pack(wanted, out, shard_size=size, known=IDS)
        assert contents(out) == before

    def test_the_first_difference_is_named(self, packed, pairs):
        difference = r"'gtFine/\S+bonn_000000\S+' \(\d+ bytes, image \d+\) instead of 'gtFine/\S+bonn_000006\S+' "
        with pytest.raises(ValueError, match=difference):
            pack(pairs[::-1], packed, shard_size=SHARD_SIZE, known=IDS)
        with pytest.raises(ValueError, match=r"records-00000-of-00004.tfrecord, although 7 shards are planned"):
            pack(pairs, packed, shard_size=1, known=IDS)

    def test_a_shard_that_holds_fewer_samples_than_are_to_come_is_named(self, pairs, out):
        pack(pairs[:3], out, known=IDS)
        with pytest.raises(ValueError, match=r"3 samples in records-00000-of-00001.tfrecord instead of 7"):
            pack(pairs, out, known=IDS)

    @pytest.mark.parametrize(
        "name", [".records-00001-of-00004-part-0123abcd.tfrecord", "records-00001-of-00004.tfrecord.part"]
    )
    def test_what_a_killed_process_left_is_removed_now_and_of_an_earlier_version(self, packed, pairs, name, contents):
        expected = contents(packed)
        (packed / "manifest.json").unlink()
        shards_of(packed)[1].rename(packed / name)
        for path in shards_of(packed):
            path.unlink()
        pack(pairs, packed, shard_size=SHARD_SIZE, known=IDS)
        assert contents(packed) == expected

    @pytest.mark.parametrize("name", ["holiday.png", "records-00000-of-00004.tfrecord", "val/photo.png"])
    def test_a_folder_with_foreign_files_is_refused(self, pairs, out, name, contents):
        path = out / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"mine")
        with pytest.raises(
            ValueError, match=f"{out} holds {name.split('/')[0]}. Expected .* packing these 7 samples into 4 shards"
        ):
            pack(pairs, out, shard_size=SHARD_SIZE, known=IDS)
        assert path.read_bytes() == b"mine"

    def test_a_file_in_place_of_the_folder_is_refused(self, pairs, out):
        out.write_bytes(b"mine")
        with pytest.raises(NotADirectoryError, match=r"is a file. Expected a folder to pack to"):
            pack(pairs, out, known=IDS)


class TestRoom:
    def test_a_disk_that_is_too_small_is_noticed_before(self, pairs, out, monkeypatch):
        usage = shutil.disk_usage(out.parent)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=12_000))
        with pytest.raises(OSError, match=r"12,000 bytes free. Expected 3\d,\d{3} bytes, for 4 shards"):
            pack(pairs, out, shard_size=SHARD_SIZE, known=IDS)
        assert not out.exists()

    def test_a_disk_that_fills_up_leaves_what_packing_goes_on_from(self, pairs, out, contents, tmp_path):
        Image.effect_noise((200, 100), 99).convert("RGB").save(pairs[4].image)
        Image.new("L", (200, 100)).save(pairs[4].label)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, hard))
        try:
            with pytest.raises(OSError, match=r"00002-of-\d+.tfrecord could not be written .*finished shards"):
                pack(pairs, out, shard_size=SHARD_SIZE, known=IDS)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not list(out.glob(".*"))
        assert len(shards_of(out)) == 2
        with pytest.raises(FileNotFoundError, match="packing did not finish"):
            Records(out)
        assert pack(pairs, out, shard_size=SHARD_SIZE, known=IDS).num_kept == 2
        pack(pairs, tmp_path / "at once", shard_size=SHARD_SIZE, known=IDS)
        assert contents(out) == contents(tmp_path / "at once")


class TestBadInput:
    def test_no_pairs_are_refused(self, out):
        with pytest.raises(ValueError, match="Received no pairs"):
            pack([], out, known=IDS)

    @pytest.mark.parametrize(("size", "error"), [(1e9, TypeError), ("1", TypeError), (0, ValueError)])
    def test_a_shard_size_is_a_positive_integer(self, pairs, out, size, error):
        with pytest.raises(error, match=f"Received shard_size={size!r}. Expected"):
            pack(pairs, out, shard_size=size, known=IDS)

    def test_a_file_of_another_pixel_format_is_found_before_anything_is_written(self, pairs, out):
        Image.new("RGB", (46, 24)).save(pairs[6].label)
        with pytest.raises(ValueError, match=r"bonn_000006\S+ is 8-bit RGB"):
            pack(pairs, out, shard_size=SHARD_SIZE, known=IDS)
        assert not out.exists()

    def test_a_file_that_changes_while_it_is_packed_is_refused(self, pairs, out):
        label = pairs[6].label
        longer = label.read_bytes() + b"?"
        with pytest.raises(
            ValueError, match=rf"{label} now has {len(longer)} bytes. Expected the {len(longer) - 1} bytes"
        ):
            pack(
                pairs,
                out,
                shard_size=SHARD_SIZE,
                on_sample=lambda: label.write_bytes(longer),
                known=IDS,
            )

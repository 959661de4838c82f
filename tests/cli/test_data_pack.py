import shutil

import numpy as np
import pytest
import typer.testing
from PIL import Image

from keras_hrnet import cli
from keras_hrnet.data import camvid, folders
from keras_hrnet.data.records.source import Records

pytestmark = pytest.mark.once


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments):
        return typer.testing.CliRunner().invoke(cli.app, ["data", "pack", *map(str, arguments)])

    return run


def write_pair(root, split, number, labels="gtFine"):
    name = f"bonn_{number:06d}_000019"
    rng = np.random.default_rng(number)
    files = {
        root / "leftImg8bit" / split / "bonn" / f"{name}_leftImg8bit.png": rng.integers(0, 256, (24, 40, 3), "uint8"),
        root / labels / split / "bonn" / f"{name}_{labels}_labelIds.png": rng.integers(0, 34, (24, 40), "uint8"),
    }
    for path, pixels in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return list(files)


@pytest.fixture
def root(tmp_path):
    for number in range(3):
        write_pair(tmp_path / "my city", "train", number)
    write_pair(tmp_path / "my city", "val", 3)
    return tmp_path / "my city"


def test_train_and_val_are_packed_and_it_says_how_to_use_them(run, root, tmp_path):
    result = run(root, tmp_path / "out")
    assert result.exit_code == 0, result.output
    size = sum(path.stat().st_size for path in (tmp_path / "out" / "train").glob("*.tfrecord"))
    assert f"{tmp_path / 'out' / 'train'}: 3 samples in 1 shard, {size:,} bytes, " in result.output
    for split, num_samples in (("train", 3), ("val", 1)):
        assert f"keras_hrnet.data.cityscapes('{tmp_path / 'out'}', '{split}')\n" in result.output
        assert len(Records(tmp_path / "out" / split).names) == num_samples


def test_pixels_are_packed_on_request(run, root, tmp_path):
    result = run(root, tmp_path / "out", "--split", "train", "--pixels")
    assert result.exit_code == 0, result.output
    assert Records(tmp_path / "out" / "train").in_python == [(True, True)] * 3


def test_packing_again_keeps_what_is_there(run, root, tmp_path):
    run(root, tmp_path / "out", "--split", "train")
    result = run(root, tmp_path / "out", "--split", "train", "--split", "val")
    assert "3 samples in 1 shard (1 existed already)" in result.output
    assert "1 sample in 1 shard, " in result.output


def test_coarse_annotations_have_folders_of_their_own(run, root, tmp_path):
    write_pair(root, "val", 3, labels="gtCoarse")
    write_pair(root, "train_extra", 4, labels="gtCoarse")
    result = run(root, tmp_path / "out", "--split", "val", "--annotation", "coarse")
    assert f"cityscapes('{tmp_path / 'out'}', 'val', annotation='coarse')\n" in result.output
    result = run(root, tmp_path / "out", "--split", "train_extra")
    assert f"cityscapes('{tmp_path / 'out'}', 'train_extra')\n" in result.output
    assert Records(tmp_path / "out" / "val_coarse").names[0].startswith("gtCoarse/val/")
    assert len(Records(tmp_path / "out" / "train_extra").names) == 1


def test_a_shard_size_is_in_mebibytes(run, root, tmp_path):
    size = (1000, 1000)
    for path in root.rglob("*.png"):
        pixels = np.random.default_rng(0).integers(0, 34, (*size, 3) if "leftImg8bit" in path.name else size, "uint8")
        Image.fromarray(pixels).save(path, compress_level=0)
    result = run(root, tmp_path / "out", "--split", "train", "--shard-size", 9)
    assert "3 samples in 2 shards" in result.output


def test_a_damaged_file_stops_it_or_is_left_out_and_named(run, root, tmp_path):
    _, label = write_pair(root, "train", 7)
    label.write_bytes(label.read_bytes()[:-20] + bytes(20))
    result = run(root, tmp_path / "out", "--split", "train")
    assert isinstance(result.exception, ValueError)
    assert str(label) in str(result.exception)
    result = run(root, tmp_path / "out", "--split", "train", "--skip-damaged")
    assert "1 of 4 pairs cannot be used and are skipped:\n" in result.output
    assert str(label) in result.output
    assert "3 samples in 1 shard" in result.output


def test_a_split_that_is_missing_is_refused_before_another_is_packed(run, root, tmp_path):
    assert "no split 'everything'" in str(run(root, tmp_path / "out", "--split", "everything").exception)
    shutil.rmtree(root / "leftImg8bit" / "val")
    assert isinstance(run(root, tmp_path / "out").exception, FileNotFoundError)
    assert not (tmp_path / "out").exists()


def test_ones_own_images_and_masks_are_packed(run, root, tmp_path):
    image, mask = write_pair(tmp_path, "own", 1)
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    for path, folder in ((image, photos), (mask, masks)):
        folder.mkdir()
        shutil.copy(path, folder / "1.png")
    result = run(tmp_path / "out", "--images", photos, "--masks", masks)
    assert result.exit_code == 0, result.output
    assert f"keras_hrnet.data.folders('{tmp_path / 'out'}', None, classes)" in result.output
    assert len(Records(tmp_path / "out").names) == 1


@pytest.mark.parametrize(
    "arguments",
    [["out"], ["root", "out", "more"], ["root", "out", "--images", "a", "--masks", "b"], ["out", "--images", "a"]],
    ids=" ".join,
)
def test_a_source_that_is_not_clear_is_refused(run, arguments):
    result = run(*arguments)
    assert isinstance(result.exception, ValueError)
    assert "Expected ROOT and OUT, or OUT with --images and --masks" in str(result.exception)


def test_a_known_data_set_is_packed_by_its_row(run, tmp_path):
    for folder, pixels in (("val", np.zeros((2, 3, 3), "uint8")), ("valannot", np.full((2, 3), 11, "uint8"))):
        (tmp_path / "camvid" / folder).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "camvid" / folder / "a.png")
    result = run("--data-set", "camvid", tmp_path / "camvid", tmp_path / "out", "--split", "val")
    assert result.exit_code == 0, result.output
    assert f"keras_hrnet.data.camvid('{tmp_path / 'out'}', 'val')" in result.output
    with pytest.raises(ValueError, match="hold no pixel of a class: all are ignored"):
        camvid(tmp_path / "out", "val")
    assert "Expected none" in str(run("--data-set", "camvid", ".", "x", "--annotation", "fine").exception)


def test_a_share_is_packed_into_a_folder_of_its_own(run, tmp_path):
    for i in range(5):
        for folder, pixels in (("photos", np.zeros((2, 3, 3), "uint8")), ("masks", np.full((2, 3), i % 2, "uint8"))):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / f"{i}.png")
    own = ("--images", tmp_path / "photos", "--masks", tmp_path / "masks")
    result = run(*own, "--val-share", 0.2, tmp_path / "out", "--classes", "a,b")
    assert result.exit_code == 0, result.output
    val = folders(tmp_path / "photos", tmp_path / "masks", 2, split="val", val_share=0.2)
    packed = folders(tmp_path / "out" / "val", None, 2)
    assert packed.image_names == val.image_names
    assert len(folders(tmp_path / "out" / "train", None, 2)) == 4
    with pytest.raises(ValueError, match=r"Pack them with .*--val-share"):
        folders(tmp_path / "out" / "train", None, 2, split="val", val_share=0.2)
    Image.fromarray(np.full((2, 3), 2, "uint8")).save(tmp_path / "masks" / "0.png")
    assert "holds the values 2" in str(run(*own, tmp_path / "other", "--classes", "a,b").exception)

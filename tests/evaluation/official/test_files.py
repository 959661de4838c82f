"""Finding the files of each pair, and reading them."""

import pathlib
import shutil

import numpy as np
import PIL.Image
import pytest

from keras_hrnet.evaluation.official.files import find_pairs, read_instance_image, read_label_image

pytestmark = pytest.mark.once

NAMES = ("aachen_000000_000019", "aachen_000001_000019", "bonn_000000_000019")


@pytest.fixture
def root(tmp_path):
    """A Cityscapes root with three truths and their instances, and a folder of predictions; the files are empty."""
    for name in NAMES:
        folder = tmp_path / "gtFine" / "val" / name.split("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        for kind in ("labelIds", "instanceIds", "color"):
            (folder / f"{name}_gtFine_{kind}.png").touch()
        (tmp_path / "results" / "deeper").mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / "deeper" / f"{name}_leftImg8bit.png").touch()
    return tmp_path


def find(root, *, predictions=None, ground_truth=None, split="val", instances=True):
    return find_pairs(predictions or root / "results", ground_truth or root, split=split, instances=instances)


def test_each_truth_gets_its_prediction_and_its_instances(root):
    pairs = find(root)
    assert [pair.truth.name for pair in pairs] == [f"{name}_gtFine_labelIds.png" for name in NAMES]
    assert [pair.prediction.name for pair in pairs] == [f"{name}_leftImg8bit.png" for name in NAMES]
    assert [pair.instances for pair in pairs] == [
        pathlib.Path(str(pair.truth).replace("labelIds", "instanceIds")) for pair in pairs
    ]


def test_any_folder_of_truths_is_searched_below(root):
    assert find(root, ground_truth=root / "gtFine" / "val", split="train") == find(root)


def test_paths_may_be_strings(root):
    assert find_pairs(str(root / "results"), str(root), split="val", instances=True) == find(root)


def test_the_name_of_a_prediction_may_end_with_its_frame(root):
    folder = root / "results" / "deeper"
    (folder / f"{NAMES[0]}_leftImg8bit.png").rename(folder / f"{NAMES[0]}.png")
    assert find(root)[0].prediction.name == f"{NAMES[0]}.png"


def test_other_files_beside_the_predictions_do_no_harm(root):
    for name in ("notes.txt", f"{NAMES[0]}.json", "cologne_000000_000019.png", f"._{NAMES[0]}.png"):
        (root / "results" / name).touch()
    assert len(find(root)) == 3


def test_hidden_files_beside_the_truths_are_left_alone(root):
    (root / "gtFine" / "val" / "bonn" / f"._{NAMES[2]}_gtFine_labelIds.png").touch()
    assert len(find(root)) == 3


def test_missing_predictions_are_counted_and_the_first_is_named(root):
    for name in NAMES[1:]:
        (root / "results" / "deeper" / f"{name}_leftImg8bit.png").unlink()
    message = (
        rf"no prediction for 2 of 3 .*{NAMES[1]}_gtFine_labelIds.png. Expected a file {NAMES[1]}\*.png in .*results"
    )
    with pytest.raises(FileNotFoundError, match=message):
        find(root)


def test_two_predictions_for_one_truth_are_both_named(root):
    (root / "results" / f"{NAMES[2]}_color.png").touch()
    with pytest.raises(ValueError, match=rf"Found 2 predictions for .*{NAMES[2]}_color.png and .*leftImg8bit.png. Exp"):
        find(root)


def test_missing_instances_are_named_with_the_two_ways_out(root):
    (root / "gtFine" / "val" / "bonn" / f"{NAMES[2]}_gtFine_instanceIds.png").unlink()
    message = rf"no instances for 1 of 3 .*{NAMES[2]}_gtFine_instanceIds.png. .*Restore .* `instances=False`"
    with pytest.raises(FileNotFoundError, match=message):
        find(root)


def test_instances_are_not_needed_where_they_are_not_scored(root):
    (root / "gtFine" / "val" / "bonn" / f"{NAMES[2]}_gtFine_instanceIds.png").unlink()
    assert [pair.instances for pair in find(root, instances=False)] == [None] * 3


def test_a_missing_split_is_refused_with_those_that_are_there(root):
    with pytest.raises(FileNotFoundError, match=r"split='test'.*Expected an existing split: val"):
        find(root, split="test")


def test_an_empty_gtfine_has_no_splits(root):
    shutil.rmtree(root / "gtFine" / "val")
    with pytest.raises(FileNotFoundError, match=r"an existing split: none"):
        find(root)


def test_a_folder_without_truths_is_refused(root):
    with pytest.raises(FileNotFoundError, match=r"ground_truth=.*results'.* no file \*_gtFine_labelIds.png"):
        find(root, ground_truth=root / "results")


def test_folders_that_do_not_exist_are_refused(root):
    with pytest.raises(FileNotFoundError, match=r"predictions=.*nowhere'. Expected a folder that exists"):
        find(root, predictions=root / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"ground_truth=.*nowhere'. Expected a folder that exists"):
        find(root, ground_truth=root / "nowhere")


def saved(path, pixels, mode=None):
    image = PIL.Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


IDS = np.arange(24, dtype=np.uint8).reshape(4, 6)


def test_a_gray_png_gives_its_values(tmp_path):
    pixels = read_label_image(saved(tmp_path / "gray.png", IDS))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, IDS)


def test_a_png_with_a_palette_gives_its_indices(tmp_path):
    image = PIL.Image.fromarray(IDS)
    image.putpalette([value for i in range(256) for value in (255 - i, 7, i)])
    image.save(tmp_path / "palette.png")
    with PIL.Image.open(tmp_path / "palette.png") as written:
        assert written.mode == "P"
    pixels = read_label_image(tmp_path / "palette.png")
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, IDS)


def test_instances_keep_their_16_bits(tmp_path):
    ids = IDS.astype(np.uint16) * 1400
    pixels = read_instance_image(saved(tmp_path / "instances.png", ids))
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, ids)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "1"])
def test_labels_of_other_channels_are_refused(tmp_path, mode):
    path = saved(tmp_path / "labels.png", IDS, mode)
    with pytest.raises(
        ValueError, match=rf"labels.png of mode '{mode}'.*Expected one channel of 8 bits.*Write the ids"
    ):
        read_label_image(path)


def test_labels_of_16_bits_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"labels.png of mode 'I.*Expected one channel of 8 bits"):
        read_label_image(saved(tmp_path / "labels.png", IDS.astype(np.uint16)))


def test_instances_of_8_bits_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"instances.png of mode 'L'.*Expected one channel of 16 bits"):
        read_instance_image(saved(tmp_path / "instances.png", IDS))


def test_a_file_cut_off_anywhere_is_refused_by_its_name(tmp_path):
    whole = saved(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 34, (8, 8), np.uint8)).read_bytes()
    path = tmp_path / "cut.png"
    # Check sums and a chunk without content take the last 20 bytes or so: the image is whole without them.
    for length in range(len(whole) - 24):
        path.write_bytes(whole[:length])
        with pytest.raises(
            ValueError, match=r"the file .*cut.png, which cannot be read \(.*Expected a complete PNG file"
        ):
            read_label_image(path)


def test_a_png_with_a_broken_middle_is_refused_by_its_name(tmp_path):
    whole = saved(tmp_path / "whole.png", IDS).read_bytes()
    path = tmp_path / "broken.png"
    # Pixels that are said to be fewer bytes than they are: what follows them is then no chunk.
    start = whole.index(b"IDAT") - 4
    length = int.from_bytes(whole[start : start + 4])
    path.write_bytes(whole[:start] + (length - 17).to_bytes(4) + whole[start + 4 :])
    with pytest.raises(ValueError, match=r"the file .*broken.png, which cannot be read"):
        read_label_image(path)


def test_a_jpeg_called_png_is_refused(tmp_path):
    PIL.Image.fromarray(IDS).save(tmp_path / "labels.png", format="JPEG")
    with pytest.raises(ValueError, match=r"the file .*labels.png, which cannot be read"):
        read_label_image(tmp_path / "labels.png")

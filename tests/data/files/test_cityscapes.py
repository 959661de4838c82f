import re

import numpy as np
import pytest

from keras_hrnet.data.files.cityscapes import find_pairs

pytestmark = pytest.mark.once


def message(*parts):
    return ".*".join(re.escape(str(part)) for part in parts)


class TestPairs:
    def test_they_are_sorted_by_city_and_name(self, root):
        pairs = find_pairs(root, "train")
        names = ["bonn_000001_000019", "bonn_000002_000019", "ulm_000001_000019"]
        assert [pair.image.name for pair in pairs] == [f"{name}_leftImg8bit.png" for name in names]
        assert [pair.label.name for pair in pairs] == [f"{name}_gtFine_labelIds.png" for name in names]
        assert all(path.is_file() for pair in pairs for path in pair)

    def test_trainval_is_train_and_then_val(self, root):
        assert find_pairs(str(root), "trainval") == find_pairs(root, "train") + find_pairs(root, "val")

    def test_a_label_without_an_image_is_left_out(self, root, write_pair):
        write_pair(root, "val", "ulm_000009_000019", image=False)
        assert len(find_pairs(root, "val")) == 1

    def test_hidden_files_are_passed_over(self, root):
        image = find_pairs(root, "val")[0].image
        (image.parent / f"._{image.name}").write_bytes(b"what macOS leaves on foreign disks")
        (image.parent.parent / ".DS_Store").write_bytes(b"")
        assert len(find_pairs(root, "val")) == 1


class TestCoarse:
    def test_the_extra_split_has_coarse_labels(self, root, write_pair):
        write_pair(root, "train_extra", "trier_000000_000000", annotation="coarse")
        (pair,) = find_pairs(root, "train_extra", "coarse")
        assert pair.image == root / "leftImg8bit/train_extra/trier/trier_000000_000000_leftImg8bit.png"
        assert pair.label == root / "gtCoarse/train_extra/trier/trier_000000_000000_gtCoarse_labelIds.png"

    def test_an_image_has_either_label(self, root, write_pair):
        write_pair(root, "val", "aachen_000000_000019", annotation="coarse")
        fine, coarse = find_pairs(root, "val")[0], find_pairs(root, "val", annotation="coarse")[0]
        assert fine.image == coarse.image
        assert fine.label != coarse.label

    def test_the_extra_split_has_no_fine_labels(self, root):
        expected = message("no fine label images for the split 'train_extra', only coarse ones", "annotation='coarse'")
        with pytest.raises(ValueError, match=expected):
            find_pairs(root, "train_extra")

    def test_the_test_split_has_no_coarse_labels(self, root):
        expected = message("no coarse label images for the split 'test'", "train, val, train_extra, trainval")
        with pytest.raises(ValueError, match=expected):
            find_pairs(root, "test", "coarse")

    def test_missing_coarse_labels_name_their_archive(self, root):
        with pytest.raises(FileNotFoundError, match=message("missing: gtCoarse. Unpack gtCoarse.zip there")):
            find_pairs(root, "val", "coarse")
        (root / "gtCoarse").mkdir()
        with pytest.raises(FileNotFoundError, match=message("1 of 1 images", "Unpack gtCoarse.zip at")):
            find_pairs(root, "val", "coarse")

    def test_missing_extra_images_name_their_archive(self, root, write_pair):
        write_pair(root, "train_extra", "trier_000000_000000", annotation="coarse", image=False)
        with pytest.raises(FileNotFoundError, match=r"Unpack leftImg8bit_trainextra\.zip at"):
            find_pairs(root, "train_extra", "coarse")

    def test_an_unknown_annotation_is_refused(self, root):
        with pytest.raises(ValueError, match=r"no annotation 'rough'\. Expected one of fine, coarse"):
            find_pairs(root, "val", "rough")


class TestMissingFiles:
    def test_an_unknown_split_is_refused(self, root):
        with pytest.raises(ValueError, match=r"no split 'valid'\. Expected one of train, val, test, trainval"):
            find_pairs(root, "valid")

    def test_a_missing_root_is_named(self, tmp_path):
        expected = message(
            tmp_path / "nowhere", "does not exist", "missing: leftImg8bit, gtFine", "Unpack leftImg8bit_"
        )
        with pytest.raises(FileNotFoundError, match=expected):
            find_pairs(tmp_path / "nowhere", "train")

    def test_a_root_that_is_a_file_is_named(self, root):
        file = find_pairs(root, "val")[0].image
        with pytest.raises(FileNotFoundError, match="is not a folder"):
            find_pairs(file, "train")

    @pytest.mark.parametrize("inside", ["leftImg8bit", "leftImg8bit/train", "gtFine/train/bonn"])
    def test_a_root_too_deep_is_corrected(self, root, inside):
        with pytest.raises(FileNotFoundError, match=message(root / inside, "holds", f"Use the root {root} instead")):
            find_pairs(root / inside, "train")

    def test_a_root_too_high_is_corrected(self, root):
        with pytest.raises(FileNotFoundError, match=message(f"Use the root {root} instead")):
            find_pairs(root.parent, "train")

    def test_a_root_without_labels_names_the_archive(self, root):
        (root / "gtFine").rename(root.parent / "elsewhere")
        expected = message("holds leftImg8bit", "missing: gtFine. Unpack gtFine_trainvaltest.zip there")
        with pytest.raises(FileNotFoundError, match=expected):
            find_pairs(root, "train")

    def test_a_missing_split_names_those_found(self, root):
        with pytest.raises(FileNotFoundError, match=message(root / "leftImg8bit/test", "holds train, val")):
            find_pairs(root, "test")

    def test_an_empty_split_says_what_the_folder_holds(self, root, write_image):
        (root / "leftImg8bit/test").mkdir()
        with pytest.raises(FileNotFoundError, match=r"in .*test, which is empty.*named \*/\*_leftImg8bit\.png"):
            find_pairs(root, "test")
        for i in range(7):
            write_image(root / f"leftImg8bit/test/{i}_leftImg8bit.png", np.zeros((4, 4), np.uint8))
        with pytest.raises(FileNotFoundError, match=r"which holds 0_leftImg8bit.png, .* and 2 more"):
            find_pairs(root, "test")

    def test_an_image_without_a_label_is_named(self, root):
        missing = find_pairs(root, "train")[1]
        missing.label.unlink()
        expected = message("1 of 3 images", missing.image, missing.label, "gtFine_trainvaltest.zip")
        with pytest.raises(FileNotFoundError, match=expected):
            find_pairs(root, "train")

    @pytest.mark.parametrize("folder", ["leftImg8bit/train", "gtFine/train/bonn"])
    def test_a_folder_that_may_not_be_read_is_named(self, root, forbidden, folder):
        forbidden(root / folder)
        with pytest.raises(PermissionError, match=message(f"The folder {root / folder} cannot be read", "chmod")):
            find_pairs(root, "train")

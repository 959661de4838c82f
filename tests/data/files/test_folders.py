import re

import numpy as np
import pytest

from keras_hrnet.data.files.folders import find_folder_pairs, match_folders
from keras_hrnet.data.files.parts import Part

pytestmark = pytest.mark.once


def message(*parts):
    return ".*".join(re.escape(str(part)) for part in parts)


@pytest.fixture
def photos(tmp_path, noise):
    for name in ("b.jpg", "a/2.JPG", "a/10.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        noise(tmp_path / "photos" / name)
    return tmp_path / "photos"


@pytest.fixture
def masks(tmp_path, write_image):
    for name in ("b.png", "a/2.png", "a/10.png"):
        write_image(tmp_path / "masks" / name, np.zeros((30, 40), np.uint8))
    return tmp_path / "masks"


class TestTwoFolders:
    def test_files_are_matched_by_their_path_up_to_the_suffix(self, photos, masks):
        pairs = find_folder_pairs(photos, str(masks))
        assert [pair.image.relative_to(photos).as_posix() for pair in pairs] == ["a/10.png", "a/2.JPG", "b.jpg"]
        assert [pair.label.relative_to(masks).as_posix() for pair in pairs] == ["a/10.png", "a/2.png", "b.png"]

    def test_masks_without_an_image_and_other_files_are_left_out(self, photos, masks, write_image):
        alone = write_image(masks / "c.png", np.zeros((4, 4), np.uint8))
        (photos / "notes.txt").write_text("")
        (photos / "._b.jpg").write_bytes(b"")
        assert len(find_folder_pairs(photos, masks)) == 3
        assert match_folders(photos, masks).labels_alone == [alone]

    def test_a_folder_of_masks_may_lie_inside_that_of_the_images(self, photos, masks):
        inside = masks.rename(photos / "masks")
        assert len(find_folder_pairs(photos, inside)) == 3

    def test_images_without_a_mask_are_counted_with_the_nearest_name(self, photos, masks):
        (masks / "a/2.png").rename(masks / "a/2_mask.png")
        (masks / "b.png").unlink()
        (masks / "a/3.png").write_bytes(b"")
        first = message(f"2 of 3 images in {photos}", photos / "a/2.JPG", masks / "a/2.png")
        with pytest.raises(FileNotFoundError, match=first + r".*nearest name without an image is 'a/2_mask'\. Rename"):
            find_folder_pairs(photos, masks)

    def test_an_image_too_many_is_told_from_one_of_another_name(self, photos, masks):
        (masks / "b.png").unlink()
        with pytest.raises(FileNotFoundError, match=r"1 of 3 images.*all of them have an image"):
            find_folder_pairs(photos, masks)

    @pytest.mark.parametrize("argument", ["images", "labels"])
    def test_a_missing_folder_is_named(self, photos, masks, argument):
        folders = {"images": photos, "labels": masks} | {argument: photos.parent / "nowhere"}
        expected = message(f"{argument}='{photos.parent / 'nowhere'}', which does not exist", "holds masks, photos")
        with pytest.raises(FileNotFoundError, match=expected):
            find_folder_pairs(**folders)

    def test_an_empty_folder_is_named(self, photos, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(
            FileNotFoundError, match=message("no picture in", "empty, which is empty", "Expected PNG, TIFF or BMP f")
        ):
            find_folder_pairs(photos, tmp_path / "empty")
        with pytest.raises(FileNotFoundError, match=message("no picture in", "Expected PNG, JPEG or other")):
            find_folder_pairs(tmp_path / "empty", photos)

    def test_a_folder_that_may_not_be_read_is_named(self, photos, masks, forbidden):
        forbidden(masks / "a")
        with pytest.raises(PermissionError, match=message(f"The folder {masks / 'a'} cannot be read")):
            find_folder_pairs(photos, masks)

    def test_two_files_of_one_name_are_refused(self, photos, masks, noise):
        noise(photos / "b.png")
        expected = message(photos / "b.jpg", "b.png have the same name up to the suffix", "Rename or remove")
        with pytest.raises(ValueError, match=expected):
            find_folder_pairs(photos, masks)

    def test_one_folder_for_both_is_refused(self, photos):
        with pytest.raises(ValueError, match="for both images and labels"):
            find_folder_pairs(photos, photos)


class TestPatterns:
    """`IMG_L.png` beside `IMG.jpg`, and other names that share a part."""

    @pytest.fixture
    def beside(self, tmp_path, noise, write_image):
        for name in ("a", "sub/b"):
            noise(tmp_path / "both" / f"{name}.jpg")
            write_image(tmp_path / "both" / f"{name}_L.png", np.zeros((30, 40), np.uint8))
        return tmp_path / "both"

    @pytest.mark.parametrize(("images", "labels"), [("*.jpg", "*_L.png"), ("*", "*_L"), ("", "*_L.png")])
    def test_masks_may_lie_beside_their_images(self, beside, images, labels):
        pairs = find_folder_pairs(beside / images, f"{beside}/{labels}")
        assert pairs == [(beside / f"{name}.jpg", beside / f"{name}_L.png") for name in ("a", "sub/b")]

    def test_both_names_may_have_something_before_and_after_what_they_share(self, tmp_path, noise, write_image):
        noise(tmp_path / "x" / "img_1_rgb.jpg")
        mask = write_image(tmp_path / "y" / "mask-1.png", np.zeros((30, 40), np.uint8))
        assert find_folder_pairs(tmp_path / "x/img_*_rgb.jpg", tmp_path / "y/mask-*.png")[0].label == mask

    def test_a_pattern_that_would_match_is_proposed(self, photos, masks):
        for path in sorted(masks.rglob("*.png")):
            path.rename(path.with_name(f"{path.stem}_L.png"))
        with pytest.raises(FileNotFoundError, match=message(f"pass the pattern {masks}/*_L.png for them")):
            find_folder_pairs(photos, masks)
        assert len(find_folder_pairs(photos, masks / "*_L.png")) == 3

    def test_a_mask_that_is_missing_is_named_by_the_pattern(self, beside):
        (beside / "sub/b_L.png").unlink()
        with pytest.raises(FileNotFoundError, match=message("1 of 2 images", f"Expected {beside}/sub/b_L.png; all of")):
            find_folder_pairs(beside / "*.jpg", beside / "*_L.png")

    def test_no_file_of_a_pattern_is_said(self, beside):
        with pytest.raises(FileNotFoundError, match=message("no picture that is named *_M.png in", "or pattern")):
            find_folder_pairs(beside / "*.jpg", beside / "*_M.png")

    @pytest.mark.parametrize("pattern", ["*_*.png", "*/b.png"])
    def test_other_stars_are_refused(self, beside, pattern):
        with pytest.raises((ValueError, FileNotFoundError), match=r"Expected one star|which does not exist"):
            find_folder_pairs(beside / "*.jpg", beside / pattern)


class TestUnicode:
    """macOS stores the accent of a name as a letter of its own, other systems as one with the letter."""

    def test_names_that_look_equal_are_matched(self, tmp_path, noise, write_image):
        image = noise(tmp_path / "photos" / "caf\u00e9" / "\u00e9.jpg")
        mask = write_image(tmp_path / "masks" / "cafe\u0301" / "e\u0301.png", np.zeros((30, 40), np.uint8))
        assert find_folder_pairs(tmp_path / "photos", tmp_path / "masks") == [(image, mask)]

    def test_two_files_whose_names_look_equal_are_said_to_be_so(self, tmp_path, noise):
        for name in ("\u00e9.jpg", "e\u0301.jpg"):
            noise(tmp_path / "photos" / name)
        with pytest.raises(ValueError, match=r"up to the suffix, which Unicode can write in two ways. Expected one"):
            find_folder_pairs(tmp_path / "photos", tmp_path)


class TestAShare:
    def test_it_follows_from_the_names_in_the_folder(self, photos, masks):
        val, train = (find_folder_pairs(photos, masks, Part(split, 0.3)) for split in ("val", "train"))
        assert [pair.image.name for pair in val + train] == ["2.JPG", "10.png", "b.jpg"]
        pairs = find_folder_pairs(photos, masks)
        assert find_folder_pairs(*zip(*pairs, strict=True), Part("val", 0.3)) == val


class TestTwoSequences:
    def test_files_are_matched_by_their_place(self, photos, masks):
        pairs = find_folder_pairs([photos / "b.jpg", str(photos / "a/10.png")], (masks / "a/2.png", masks / "b.png"))
        assert pairs == [(photos / "b.jpg", masks / "a/2.png"), (photos / "a/10.png", masks / "b.png")]

    def test_a_missing_file_is_named(self, photos, masks):
        expected = message(
            "1 of the 1 images and as many label images are missing", masks / "no.png", "Check the paths"
        )
        with pytest.raises(FileNotFoundError, match=expected):
            find_folder_pairs([photos / "b.jpg"], [masks / "no.png"])

    @pytest.mark.parametrize(("num_images", "num_labels"), [(1, 0), (1, 2), (0, 0)])
    def test_other_lengths_are_refused(self, photos, masks, num_images, num_labels):
        with pytest.raises(ValueError, match=f"Received {num_images} images and {num_labels} labels"):
            find_folder_pairs([photos / "b.jpg"] * num_images, [masks / "b.png"] * num_labels)

    def test_a_folder_and_a_sequence_are_refused(self, photos, masks):
        expected = message(f"images='{photos}' and labels=a list. Expected two folders, or two sequences")
        with pytest.raises(TypeError, match=expected):
            find_folder_pairs(photos, [masks])

    @pytest.mark.parametrize("images", [3, [3], None])
    def test_what_is_no_path_is_refused(self, images):
        with pytest.raises(TypeError, match=r"Received images=a .*Expected a folder, or a sequence of paths"):
            find_folder_pairs(images, ["a.png"])

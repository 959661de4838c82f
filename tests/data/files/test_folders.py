import re

import numpy as np
import pytest

from keras_hrnet.data.files.folders import find_folder_pairs, match_folders

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
            FileNotFoundError, match=message("no picture in", "empty, which is empty", "Expected PNG f")
        ):
            find_folder_pairs(photos, tmp_path / "empty")
        with pytest.raises(FileNotFoundError, match=message("no picture in", "Expected PNG or JPEG files")):
            find_folder_pairs(tmp_path / "empty", photos)

    def test_a_folder_that_may_not_be_read_is_named(self, photos, masks, forbidden):
        forbidden(masks / "a")
        with pytest.raises(PermissionError, match=message(f"The folder {masks / 'a'} cannot be read")):
            find_folder_pairs(photos, masks)

    def test_two_files_of_one_name_are_refused(self, photos, masks, noise):
        noise(photos / "b.png")
        expected = message(photos / "b.jpg", "b.png have one name up to their suffix", "Rename or remove")
        with pytest.raises(ValueError, match=expected):
            find_folder_pairs(photos, masks)

    def test_one_folder_for_both_is_refused(self, photos):
        with pytest.raises(ValueError, match="for both images and labels"):
            find_folder_pairs(photos, photos)


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

import re

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data.files.cityscapes import find_pairs
from keras_hrnet.data.files.pairs import check_pairs, examine, usable_pairs
from keras_hrnet.data_sets import LabelValues
from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.picture_files.reading import UnusableFileError

pytestmark = pytest.mark.once

IDS = CITYSCAPES.label_values


def message(*parts):
    return ".*".join(re.escape(str(part)) for part in parts)


class TestCheckPairs:
    def test_the_headers_of_the_images_are_returned_in_order(self, root, write_pair):
        write_pair(root, "train", "zug_000001_000019", size=(10, 12))
        sizes = [headers.image[:2] for headers in check_pairs(find_pairs(root, "train"), known=IDS)]
        assert sizes == [(6, 8), (6, 8), (6, 8), (10, 12)]

    @pytest.mark.parametrize("contents", [True, False])
    @pytest.mark.parametrize("size", [(8, 6), (6, 9), (7, 8)])
    def test_a_label_of_another_size_is_named(self, root, write_image, contents, size):
        pairs = find_pairs(root, "train")
        write_image(pairs[1].label, np.zeros(size, np.uint8))
        expected = message(f"{pairs[1].label} is {size[0]}x{size[1]} (height x width)", f"{pairs[1].image} is 6x8")
        with pytest.raises(UnusableFileError, match=expected):
            check_pairs(pairs, known=IDS, contents=contents)

    @pytest.mark.parametrize(
        ("size", "cure"),
        [
            ((8, 6), "Rotate the label image by a quarter"),
            ((12, 16), r"Resize the label image without blending its values: `Image.*NEAREST"),
            ((6, 9), "Restore the two files from the same source"),
        ],
    )
    def test_what_to_do_depends_on_how_the_sizes_differ(self, root, write_image, size, cure):
        pairs = find_pairs(root, "train")
        write_image(pairs[1].label, np.zeros(size, np.uint8))
        with pytest.raises(UnusableFileError, match=cure):
            check_pairs(pairs, known=IDS)

    def test_a_mask_of_the_pixels_before_the_image_was_turned_is_told(self, root, noise):
        pairs, exif = find_pairs(root, "train"), Image.Exif()
        exif[0x0112] = 8
        noise(pairs[0].image, (6, 8), exif=exif)
        with pytest.raises(UnusableFileError, match=r"read upright, by its Exif data \(orientation 8\)"):
            check_pairs(pairs, known=LabelValues(values=[7]))

    def test_contents_are_read_only_where_wanted(self, root, write_image):
        pairs = find_pairs(root, "train")
        write_image(pairs[2].label, np.full((6, 8), 99, np.uint8))
        check_pairs(pairs, known=IDS, contents=False)
        with pytest.raises(UnusableFileError, match="the values 99"):
            check_pairs(pairs, known=IDS)

    def test_the_first_fault_in_order_is_raised(self, root):
        pairs = find_pairs(root, "train")
        for pair in pairs[1:]:
            pair.label.write_bytes(b"")
            pair.image.write_bytes(b"")
        with pytest.raises(UnusableFileError, match=message(pairs[1].image, "is empty")):
            check_pairs(pairs, known=IDS)

    def test_known_values_are_those_of_the_data_set(self, root):
        pairs = find_pairs(root, "train")
        assert len(check_pairs(pairs, known=LabelValues(values=[7]))) == 3
        with pytest.raises(UnusableFileError, match=r"values 7\. Expected only 8"):
            check_pairs(pairs, known=LabelValues(values=[8]))


class TestUsablePairs:
    def test_pairs_that_cannot_be_used_are_left_out_with_their_errors(self, root, write_image):
        pairs = find_pairs(root, "train")
        write_image(pairs[0].label, np.full((6, 8), 99, np.uint8))
        pairs[2].image.write_bytes(b"")
        usable = usable_pairs(pairs, known=IDS)
        assert usable.pairs == [pairs[1]]
        assert [headers.image[:2] for headers in usable.headers] == [(6, 8)]
        assert [pair for pair, _ in usable.left_out] == [pairs[0], pairs[2]]
        assert [error.kind for _, error in usable.left_out] == ["foreign values", "empty"]
        assert str(pairs[2].image) in str(usable.left_out[1][1])

    def test_headers_alone_can_be_read(self, root, write_image):
        pairs = find_pairs(root, "train")
        write_image(pairs[0].label, np.full((6, 8), 99, np.uint8))
        assert len(usable_pairs(pairs, known=IDS, contents=False).pairs) == 3
        assert len(usable_pairs(pairs, known=LabelValues(values=[99])).pairs) == 1

    def test_sound_pairs_are_all_kept(self, root):
        pairs = find_pairs(root, "train")
        assert usable_pairs(pairs, known=IDS).pairs == pairs
        assert usable_pairs(pairs, known=IDS).left_out == []


def test_everything_that_is_wrong_is_found(root, write_image):
    (image, label), (_, other), (_, small) = find_pairs(root, "train")
    write_image(small, np.zeros((3, 4), np.uint8))
    other.write_bytes(b"")
    header, faults, labels = examine(image, [label, other, small], known=IDS)
    assert header[:2] == (6, 8)
    assert [header[:2] for header in labels] == [(6, 8), (3, 4)]
    assert [(fault.path, fault.kind) for fault in faults] == [(other, "empty"), (small, "sizes differ")]
    image.write_bytes(b"")
    header, faults, _ = examine(image, [label, other, small], known=IDS)
    assert header is None
    assert [fault.path for fault in faults] == [image, other]

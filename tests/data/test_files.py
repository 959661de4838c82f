import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data.files import PNG_SIGNATURE, check_image, check_label, check_pairs, find_pairs, read_png_header

pytestmark = pytest.mark.once


def write_png(path, array, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path)
    return path


def write_pair(root, split, name, size=(6, 8)):
    city = name.split("_")[0]
    rng = np.random.default_rng(0)
    write_png(
        root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png",
        rng.integers(0, 256, (*size, 3), dtype=np.uint8),
    )
    write_png(root / "gtFine" / split / city / f"{name}_gtFine_labelIds.png", np.full(size, 7, np.uint8))


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "cityscapes"
    for name in ("ulm_000001_000019", "bonn_000002_000019", "bonn_000001_000019"):
        write_pair(root, "train", name)
    write_pair(root, "val", "aachen_000000_000019")
    return root


def noise_png(path):
    return write_png(path, np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))


def message(*parts):
    return ".*".join(re.escape(str(part)) for part in parts)


class TestFindPairs:
    def test_pairs_are_sorted_by_city_and_name(self, root):
        pairs = find_pairs(root, "train")
        assert [pair.image.name[:-16] for pair in pairs] == [
            "bonn_000001_000019",
            "bonn_000002_000019",
            "ulm_000001_000019",
        ]
        assert [pair.label.name[:-20] for pair in pairs] == [pair.image.name[:-16] for pair in pairs]
        assert all(pair.label.is_file() for pair in pairs)

    def test_trainval_is_train_and_then_val(self, root):
        assert find_pairs(str(root), "trainval") == find_pairs(root, "train") + find_pairs(root, "val")

    def test_a_label_without_an_image_is_left_out(self, root):
        write_png(root / "gtFine/val/ulm/ulm_000009_000019_gtFine_labelIds.png", np.zeros((6, 8), np.uint8))
        assert len(find_pairs(root, "val")) == 1

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

    def test_an_empty_split_says_what_the_folder_holds(self, root):
        (root / "leftImg8bit/test").mkdir()
        with pytest.raises(FileNotFoundError, match=r"no image in .*test, which is empty.*\{city\}"):
            find_pairs(root, "test")
        for i in range(7):
            noise_png(root / f"leftImg8bit/test/{i}_leftImg8bit.png")
        with pytest.raises(FileNotFoundError, match=r"which holds 0_leftImg8bit.png, .* and 2 more"):
            find_pairs(root, "test")

    def test_an_image_without_a_label_is_named(self, root):
        missing = find_pairs(root, "train")[1]
        missing.label.unlink()
        expected = message("1 of 3 images", missing.image, missing.label, "gtFine_trainvaltest.zip")
        with pytest.raises(FileNotFoundError, match=expected):
            find_pairs(root, "train")


class TestCheckImage:
    def test_the_header_is_height_width_bits_and_colour_type(self, tmp_path):
        header = check_image(noise_png(tmp_path / "a.png"))
        assert header == (30, 40, 8, 2)
        assert header.format == "8-bit RGB"

    @pytest.mark.parametrize(
        ("array", "mode", "found"),
        [
            (np.zeros((4, 4), np.uint8), None, "8-bit grey"),
            (np.zeros((4, 4), np.uint16), None, "16-bit grey"),
            (np.zeros((4, 4, 4), np.uint8), None, "8-bit RGBA"),
            (np.zeros((4, 4, 2), np.uint8), None, "8-bit grey with alpha"),
            (np.arange(768, dtype=np.uint32).astype(np.uint8).reshape(16, 16, 3), "P", "8-bit palette"),
        ],
    )
    def test_another_pixel_format_is_named(self, tmp_path, array, mode, found):
        path = write_png(tmp_path / "a.png", array, mode)
        with pytest.raises(ValueError, match=message(f"{path} is {found}. Expected an image of 8-bit RGB")):
            check_image(path)

    @pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 a JPEG, say, of some length"])
    def test_a_file_that_is_no_png_is_named(self, tmp_path, content):
        path = tmp_path / "a.png"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message(f"{path} is not a PNG file", "Expected")):
            check_image(path, contents=False)

    @pytest.mark.parametrize("kept", [27, 40, 1000, -1, -12])
    def test_a_truncated_file_is_named(self, tmp_path, kept):
        path = noise_png(tmp_path / "a.png")
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(ValueError, match=message(path, "ends after", "bytes, in the middle")):
            check_image(path)

    def test_a_flipped_bit_anywhere_is_found(self, tmp_path):
        path = noise_png(tmp_path / "a.png")
        whole = path.read_bytes()
        for position in (30, len(whole) // 2, len(whole) - 14, len(whole) - 2):
            damaged = bytearray(whole)
            damaged[position] ^= 1
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=message(path, "is damaged: the chunk")):
                check_image(path)
            check_image(path, contents=False)


class TestCheckLabel:
    def test_every_id_of_the_table_passes(self, tmp_path):
        ids = np.uint8([*range(34), 255])
        assert check_label(write_png(tmp_path / "a.png", ids[None]))[:2] == (1, 35)

    def test_foreign_ids_are_named(self, tmp_path):
        path = write_png(tmp_path / "a.png", np.uint8([[7, 34, 254]]))
        with pytest.raises(ValueError, match=message(f"{path} holds the label ids 34, 254. Expected", "0 to 33")):
            check_label(path)
        check_label(path, contents=False)

    def test_a_grey_picture_is_recognised(self, tmp_path):
        path = write_png(tmp_path / "a.png", np.arange(256, dtype=np.uint8)[None])
        with pytest.raises(ValueError, match=r"34, 35, 36, 37, 38, 39, 40, 41 and 213 more.*a grey picture"):
            check_label(path)

    def test_a_colour_image_is_recognised(self, tmp_path):
        path = write_png(tmp_path / "a.png", np.zeros((4, 4, 4), np.uint8))
        with pytest.raises(ValueError, match=r"8-bit RGBA\. Expected label ids as 8-bit grey.*gtFine_color"):
            check_label(path)

    def test_instance_ids_are_recognised(self, tmp_path):
        path = write_png(tmp_path / "a.png", np.zeros((4, 4), np.uint16))
        with pytest.raises(ValueError, match=r"16-bit grey.*gtFine_instanceIds"):
            check_label(path)

    def test_a_palette_is_refused(self, tmp_path):
        path = write_png(tmp_path / "a.png", np.zeros((4, 4), np.uint8), "P")
        with pytest.raises(ValueError, match=r"8-bit palette|1-bit palette"):
            check_label(path)

    def test_a_flipped_bit_is_found(self, tmp_path):
        path = write_png(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
        damaged = bytearray(path.read_bytes())
        damaged[45] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            check_label(path)

    def test_undecodable_pixels_are_found_behind_right_checksums(self, tmp_path):
        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0))
        path = tmp_path / "a.png"
        path.write_bytes(PNG_SIGNATURE + header + chunk(b"IDAT", b"not deflated") + chunk(b"IEND", b""))
        with pytest.raises(ValueError, match=message(f"{path} cannot be decoded")):
            check_label(path)


class TestCheckPairs:
    def test_the_headers_of_the_images_are_returned_in_order(self, root):
        write_pair(root, "train", "zug_000001_000019", size=(10, 12))
        sizes = [header[:2] for header in check_pairs(find_pairs(root, "train"))]
        assert sizes == [(6, 8), (6, 8), (6, 8), (10, 12)]

    @pytest.mark.parametrize("contents", [True, False])
    def test_a_label_of_another_size_is_named(self, root, contents):
        pairs = find_pairs(root, "train")
        write_png(pairs[1].label, np.zeros((8, 6), np.uint8))
        with pytest.raises(ValueError, match=message(f"{pairs[1].label} is 8x6", f"{pairs[1].image} is 6x8")):
            check_pairs(pairs, contents=contents)

    def test_contents_are_read_only_where_wanted(self, root):
        pairs = find_pairs(root, "train")
        write_png(pairs[2].label, np.full((6, 8), 99, np.uint8))
        check_pairs(pairs, contents=False)
        with pytest.raises(ValueError, match="label ids 99"):
            check_pairs(pairs)


def test_a_header_is_read_from_26_bytes(tmp_path):
    path = noise_png(tmp_path / "a.png")
    path.write_bytes(path.read_bytes()[:26])
    assert read_png_header(path) == (30, 40, 8, 2)

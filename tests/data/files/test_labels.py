import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from keras_hrnet.data.files.labels import check_label
from keras_hrnet.data.files.png import PNG_SIGNATURE
from keras_hrnet.data_sets import LabelValues
from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.evaluation.official.files import read_label_image
from keras_hrnet.picture_files.pixels import stored_values
from keras_hrnet.picture_files.reading import UnusableFileError

pytestmark = pytest.mark.once

IDS = CITYSCAPES.label_values
THREE = LabelValues(values=range(3))
COLORS = LabelValues(values=(), colors=[(0, 0, 0), (255, 0, 0), (0, 128, 255)])


def message(*parts):
    return ".*".join(re.escape(str(part)) for part in parts)


def palette_image(path, indices, bits):
    image = Image.fromarray(np.uint8(indices))
    image.putpalette([value for i in range(2**bits) for value in (255 - i, i, 0)])
    image.save(path, bits=bits)
    return path


def gray_png(path, values, bits):
    """Gray of few bits, which Pillow does not write, without filters."""
    values = np.array(values)
    places = [bit for bit in range(bits - 1, -1, -1)]
    rows = [np.packbits([value >> place & 1 for value in row for place in places]).tobytes() for row in values]

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    path.write_bytes(PNG_SIGNATURE + header + pixels + chunk(b"IEND", b""))
    return path


class TestCityscapesIds:
    def test_every_id_of_the_table_passes(self, tmp_path, write_image):
        ids = np.uint8([*range(34), 255])
        assert check_label(write_image(tmp_path / "a.png", ids[None]), known=IDS)[:2] == (1, 35)

    def test_foreign_ids_are_named_with_what_to_do(self, tmp_path, write_image):
        path = write_image(tmp_path / "a.png", np.uint8([[7, 34, 254]]))
        expected = message(f"{path} holds the values 34, 254. Expected the ids", "0 to 33, and 255", "Restore the orig")
        with pytest.raises(UnusableFileError, match=expected):
            check_label(path, known=IDS)
        check_label(path, known=IDS, contents=False)

    def test_a_gray_picture_is_recognized(self, tmp_path, write_image):
        path = write_image(tmp_path / "a.png", np.arange(256, dtype=np.uint8)[None])
        with pytest.raises(UnusableFileError, match=r"34, 35, 36, 37, 38, 39, 40, 41 and 213 more.*a gray picture"):
            check_label(path, known=IDS)

    @pytest.mark.parametrize(
        ("array", "mode", "found"),
        [
            (np.zeros((4, 4, 4), np.uint8), None, r"8-bit RGBA\. Expected label values as 8-bit gray\..*_color\.png"),
            (np.zeros((4, 4), np.uint16), None, r"16-bit gray.*_instanceIds\.png"),
            (np.zeros((4, 4), np.uint8), "P", r"-bit palette\. Expected label values as 8-bit gray\. Restore"),
            (np.zeros((4, 4, 3), np.uint8), None, r"8-bit RGB\. Expected label values as 8-bit gray\. Restore"),
        ],
    )
    def test_another_pixel_format_is_named(self, tmp_path, write_image, array, mode, found):
        with pytest.raises(UnusableFileError, match=found):
            check_label(write_image(tmp_path / "a.png", array, mode), known=IDS, contents=False)

    def test_a_flipped_bit_is_found(self, tmp_path, write_image):
        path = write_image(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
        damaged = bytearray(path.read_bytes())
        damaged[45] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(UnusableFileError, match="damaged"):
            check_label(path, known=IDS)

    def test_undecodable_pixels_are_found_behind_right_checksums(self, tmp_path):
        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0))
        path = tmp_path / "a.png"
        path.write_bytes(PNG_SIGNATURE + header + chunk(b"IDAT", b"not deflated") + chunk(b"IEND", b""))
        with pytest.raises(UnusableFileError, match=message(f"{path} cannot be decoded")):
            check_label(path, known=IDS)


class TestValuesOfOnesOwn:
    def test_gray_values_are_compared(self, tmp_path, write_image):
        path = write_image(tmp_path / "a.png", np.uint8([[0, 1, 2, 3]]))
        expected = message(f"{path} holds the values 3. Expected only 0 to 2. Change these pixels")
        with pytest.raises(UnusableFileError, match=expected):
            check_label(path, known=THREE)
        check_label(path, known=LabelValues(values=range(4)))

    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    def test_the_values_of_a_palette_image_are_its_indices(self, tmp_path, bits):
        largest = 2**bits - 1
        path = palette_image(tmp_path / "a.png", [[0, largest]], bits)
        assert check_label(path, known=LabelValues(values=[0, largest])).format == f"{bits}-bit palette"
        with pytest.raises(UnusableFileError, match=f"holds the values {largest}\\. Expected only 0\\."):
            check_label(path, known=LabelValues(values=[0]))

    @pytest.mark.parametrize(
        ("array", "mode", "found", "cure"),
        [
            (np.zeros((4, 4, 3), np.uint8), None, "8-bit RGB", "--palette '#000000,#ff0000'"),
            (np.zeros((4, 4, 4), np.uint8), None, "8-bit RGBA", "alpha channel"),
            (np.zeros((4, 4, 2), np.uint8), None, "8-bit gray with alpha", "alpha channel"),
        ],
    )
    def test_another_pixel_format_is_named_with_its_cure(self, tmp_path, write_image, array, mode, found, cure):
        path = write_image(tmp_path / "a.png", array, mode)
        with pytest.raises(UnusableFileError, match=message(f"{path} is {found}. Expected", "palette image", cure)):
            check_label(path, known=THREE)

    @pytest.mark.parametrize("bits", [1, 2, 4, 16])
    def test_gray_values_of_any_depth_are_those_that_are_stored(self, tmp_path, bits):
        largest = min(2**bits - 1, 255)
        path = gray_png(tmp_path / "a.png", [[0, largest], [1, 0]], bits)
        header = check_label(path, known=LabelValues(values=[0, 1, largest]))
        assert header == (2, 2, f"{bits}-bit gray", True, frozenset([0, 1, largest]))
        np.testing.assert_array_equal(stored_values(path, path), [[0, largest], [1, 0]])
        with pytest.raises(UnusableFileError, match=f"holds the values {largest}"):
            check_label(path, known=LabelValues(values=[0, 1][: 1 if bits == 1 else 2]))

    def test_a_value_of_16_bits_that_no_class_can_have_is_named(self, tmp_path):
        path = gray_png(tmp_path / "a.png", [[0, 300]], 16)
        with pytest.raises(UnusableFileError, match=message("holds the values 300. Expected only 0 to 2")):
            check_label(path, known=THREE)

    @pytest.mark.parametrize("suffix", ["tif", "bmp"])
    def test_other_files_without_loss_are_read(self, tmp_path, write_image, suffix):
        path = write_image(tmp_path / f"a.{suffix}", np.uint8([[0, 1, 2]]))
        assert check_label(path, known=THREE).occurring == {0, 1, 2}
        assert check_label(path, known=THREE, contents=False)[:3] == (1, 3, "8-bit gray")

    @pytest.mark.parametrize(("suffix", "kind"), [("jpg", "JPEG"), ("webp", "WEBP")])
    def test_a_lossy_file_is_refused(self, tmp_path, write_image, suffix, kind):
        path = write_image(tmp_path / f"a.{suffix}", np.zeros((8, 8), np.uint8))
        with pytest.raises(UnusableFileError, match=message(path, f"is a {kind}", "lossy", "Write it again as PNG")):
            check_label(path, known=THREE, contents=False)

    @pytest.mark.parametrize("contents", [True, False])
    def test_a_mask_is_turned_by_its_exif_data_as_its_image_is(self, tmp_path, contents):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(np.uint8([[0, 1, 2]])).save(tmp_path / "a.png", exif=exif)
        assert check_label(tmp_path / "a.png", known=THREE, contents=contents)[:2] == (3, 1)
        np.testing.assert_array_equal(stored_values(tmp_path / "a.png", ""), [[0], [1], [2]])
        # What scores as Cityscapes does reads it in the same way.
        np.testing.assert_array_equal(read_label_image(tmp_path / "a.png"), [[0], [1], [2]])

    def test_what_to_do_about_foreign_values_can_be_said(self, tmp_path, write_image):
        path = write_image(tmp_path / "a.png", np.uint8([[9]]))
        with pytest.raises(UnusableFileError, match=r"Expected some\. Ask\."):
            check_label(path, known=LabelValues(values=[0], expected="some", cure="Ask."))


class TestColors:
    def test_known_colors_pass(self, tmp_path, write_image):
        path = write_image(tmp_path / "a.png", np.uint8([[[0, 0, 0], [255, 0, 0], [0, 128, 255]]]))
        assert check_label(path, known=COLORS)[:2] == (1, 3)

    def test_foreign_colors_are_named(self, tmp_path, write_image):
        path = write_image(tmp_path / "a.png", np.uint8([[[0, 0, 0], [255, 0, 1]]]))
        expected = message(f"{path} holds the colors (255, 0, 1). Expected only the 3 colors", "(0, 128, 255)")
        with pytest.raises(UnusableFileError, match=expected):
            check_label(path, known=COLORS)
        check_label(path, known=COLORS, contents=False)

    def test_a_photograph_is_recognized(self, tmp_path, noise):
        with pytest.raises(UnusableFileError, match="hundreds of colors, as a photograph"):
            check_label(noise(tmp_path / "a.png"), known=COLORS)

    def test_gray_images_may_lie_among_them(self, tmp_path, write_image):
        known = LabelValues(values=range(3), colors=[(0, 0, 0)])
        check_label(write_image(tmp_path / "a.png", np.uint8([[0, 1, 2]])), known=known)


@settings(deadline=None, max_examples=50)
@given(st.sets(st.integers(0, 255), min_size=1, max_size=40), st.sets(st.integers(0, 255), min_size=1, max_size=40))
def test_exactly_the_values_that_are_not_known_are_foreign(tmp_path_factory, stored, known):
    path = tmp_path_factory.mktemp("labels") / "a.png"
    Image.fromarray(np.uint8([sorted(stored)])).save(path)
    if stored <= known:
        check_label(path, known=LabelValues(values=known))
    else:
        first = min(stored - known)
        with pytest.raises(UnusableFileError, match=rf"holds the values {first}[,. ]"):
            check_label(path, known=LabelValues(values=known))

import re

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data.files.images import check_image
from keras_hrnet.data.files.reading import UnusableFileError

pytestmark = pytest.mark.once


def message(*parts):
    return ".*".join(re.escape(str(part)) for part in parts)


def cut(path, kept):
    path.write_bytes(path.read_bytes()[:kept])


class TestPng:
    def test_the_header_is_height_width_bits_and_colour_type(self, tmp_path, noise):
        header = check_image(noise(tmp_path / "a.png"))
        assert header == (30, 40, 8, 2)
        assert header.format == "8-bit RGB"

    @pytest.mark.parametrize(
        ("array", "mode", "found", "cure"),
        [
            (np.zeros((4, 4), np.uint8), None, "8-bit grey", "convert('RGB')"),
            (np.zeros((4, 4), np.uint16), None, "16-bit grey", "Divide its values by 257"),
            (np.zeros((4, 4, 4), np.uint8), None, "8-bit RGBA", "drops the transparency"),
            (np.zeros((4, 4, 2), np.uint8), None, "8-bit grey with alpha", "drops the transparency"),
            (
                np.arange(768, dtype=np.uint32).astype(np.uint8).reshape(16, 16, 3),
                "P",
                "8-bit palette",
                "convert('RGB')",
            ),
        ],
    )
    def test_another_pixel_format_is_named_with_its_cure(self, tmp_path, write_image, array, mode, found, cure):
        path = write_image(tmp_path / "a.png", array, mode)
        expected = message(f"{path} is {found}. Expected an image of 8-bit RGB. ", cure)
        for contents in (True, False):
            with pytest.raises(UnusableFileError, match=expected):
                check_image(path, contents=contents)

    @pytest.mark.parametrize("kept", [27, 40, 1000, -1, -12])
    def test_a_file_cut_short_is_named(self, tmp_path, noise, kept):
        path = noise(tmp_path / "a.png")
        cut(path, kept)
        with pytest.raises(UnusableFileError, match=message(path, "ends after", "bytes, in the middle")):
            check_image(path)

    def test_a_flipped_bit_anywhere_is_found(self, tmp_path, noise):
        path = noise(tmp_path / "a.png")
        whole = path.read_bytes()
        for position in (30, len(whole) // 2, len(whole) - 14, len(whole) - 2):
            damaged = bytearray(whole)
            damaged[position] ^= 1
            path.write_bytes(damaged)
            with pytest.raises(UnusableFileError, match=message(path, "is damaged: the chunk")):
                check_image(path)
            check_image(path, contents=False)

    def test_a_header_is_read_from_26_bytes(self, tmp_path, noise):
        path = noise(tmp_path / "a.png")
        cut(path, 26)
        assert check_image(path, contents=False) == (30, 40, 8, 2)
        cut(path, 25)
        with pytest.raises(UnusableFileError, match="is not a PNG file: it begins with"):
            check_image(path, contents=False)


class TestJpeg:
    def test_the_header_is_height_width_mode_and_orientation(self, tmp_path, noise):
        path = noise(tmp_path / "a.jpg")
        assert check_image(path) == check_image(path, contents=False) == (30, 40, "RGB", 1)

    def test_the_content_decides_and_not_the_name(self, tmp_path, noise):
        path = noise(tmp_path / "a.jpg").rename(tmp_path / "a.png")
        assert check_image(path).mode == "RGB"

    @pytest.mark.parametrize(("mode", "found"), [("L", "JPEG in grey"), ("CMYK", "JPEG in CMYK")])
    def test_another_pixel_format_is_named(self, tmp_path, noise, mode, found):
        path = noise(tmp_path / "a.jpg")
        Image.open(path).convert(mode).save(path)
        with pytest.raises(UnusableFileError, match=message(f"{path} is {found}. Expected an image of 8-bit RGB")):
            check_image(path)

    @pytest.mark.parametrize("orientation", [2, 3, 6, 8])
    def test_an_image_turned_by_its_exif_data_is_refused_with_its_cure(self, tmp_path, noise, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = noise(tmp_path / "a.jpg", exif=exif)
        expected = message(path, f"orientation {orientation}", "exif_transpose")
        for contents in (True, False):
            with pytest.raises(UnusableFileError, match=expected):
                check_image(path, contents=contents)

    @pytest.mark.parametrize("orientation", [0, 1, 9])
    def test_an_image_that_no_program_turns_may_have_exif_data(self, tmp_path, noise, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert check_image(noise(tmp_path / "a.jpg", exif=exif)).orientation == orientation

    def test_exif_data_that_nothing_can_read_turns_nothing(self, tmp_path, noise):
        for exif in (b"Exif\0\0XXXXXXXXXXXX", b"Exif\0\0MM\0*\0\0"):
            assert check_image(noise(tmp_path / "a.jpg", exif=exif, dpi=(72, 72))).orientation == 1

    @pytest.mark.parametrize("progressive", [False, True])
    def test_every_file_cut_short_is_named(self, tmp_path, noise, progressive):
        path = noise(tmp_path / "a.jpg", progressive=progressive)
        whole = path.read_bytes()
        for kept in (4, 100, len(whole) // 2, len(whole) - 10, len(whole) - 1):
            path.write_bytes(whole[:kept])
            with pytest.raises(UnusableFileError, match=message(path, "cannot be decoded")) as caught:
                check_image(path)
            assert kept < 100 or caught.value.kind == "cut short"


class TestAnyFile:
    def test_an_empty_file_is_named(self, tmp_path):
        path = tmp_path / "a.png"
        path.write_bytes(b"")
        with pytest.raises(UnusableFileError, match=message(f"{path} is empty: it has 0 bytes. Expected a picture")):
            check_image(path)

    @pytest.mark.parametrize("content", [b"BM a bitmap, say, of some length", b"x"])
    def test_a_file_that_is_no_picture_is_named(self, tmp_path, content):
        path = tmp_path / "a.png"
        path.write_bytes(content)
        with pytest.raises(UnusableFileError, match=message(f"{path} is not a PNG or JPEG file: it begins with")):
            check_image(path, contents=False)

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path, monkeypatch):
        def forbid(*arguments):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("builtins.open", forbid)
        expected = message(tmp_path / "a.png", "cannot be read (Permission denied)", "Mend its permissions")
        with pytest.raises(UnusableFileError, match=expected):
            check_image(tmp_path / "a.png")

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(UnusableFileError, match=message(tmp_path / "a.png", "No such file")):
            check_image(tmp_path / "a.png")

import re
import struct
import zlib
from functools import partial

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data.files.images import check_image
from keras_hrnet.data.files.labels import check_label
from keras_hrnet.data_sets import LabelValues
from keras_hrnet.evaluation import read_image
from keras_hrnet.picture_files.reading import UnusableFileError

pytestmark = pytest.mark.once

check_any_label = partial(check_label, known=LabelValues(values=range(256)))


def message(*parts):
    return ".*".join(re.escape(str(part)) for part in parts)


def cut(path, kept):
    path.write_bytes(path.read_bytes()[:kept])


class TestPng:
    def test_the_header_is_height_width_and_format(self, tmp_path, noise):
        assert check_image(noise(tmp_path / "a.png")) == (30, 40, "8-bit RGB", 1, False)

    @pytest.mark.parametrize(
        ("array", "mode", "found", "by_pillow"),
        [
            (np.zeros((4, 4), np.uint8), None, "8-bit gray", False),
            (np.zeros((4, 4), np.uint16), None, "16-bit gray", True),
            (np.zeros((4, 4, 4), np.uint8), None, "8-bit RGBA", True),
            (np.zeros((4, 4, 2), np.uint8), None, "8-bit gray with alpha", True),
            (np.arange(768, dtype=np.uint32).astype(np.uint8).reshape(16, 16, 3), "P", "8-bit palette", True),
        ],
    )
    def test_other_pixel_formats_are_read_too(self, tmp_path, write_image, array, mode, found, by_pillow):
        path = write_image(tmp_path / "a.png", array, mode)
        for contents in (True, False):
            header = check_image(path, contents=contents)
            assert header == (*array.shape[:2], found, 1, by_pillow)

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
        assert check_image(path, contents=False)[:3] == (30, 40, "8-bit RGB")
        cut(path, 25)
        with pytest.raises(UnusableFileError, match="is not a PNG file: it begins with"):
            check_image(path, contents=False)

    @pytest.mark.parametrize(
        ("chunk", "found"), [(b"IHDR", "it has two headers"), (b"IEND", "it ends before any pixel")]
    )
    @pytest.mark.parametrize("reader", [check_image, check_any_label])
    def test_a_chunk_in_the_wrong_place_is_found(self, tmp_path, write_image, chunk, found, reader):
        path = write_image(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
        data = path.read_bytes()
        length = int.from_bytes(data[8:12]) if chunk == b"IHDR" else 0
        content = chunk + data[16 : 16 + length]
        more = struct.pack(">I", length) + content + struct.pack(">I", zlib.crc32(content))
        path.write_bytes(data[:33] + more + data[33:])
        with pytest.raises(UnusableFileError, match=message(f"{path} is damaged: {found}")):
            reader(path)


class TestJpeg:
    def test_the_header_is_height_width_format_and_orientation(self, tmp_path, noise):
        path = noise(tmp_path / "a.jpg")
        assert check_image(path) == check_image(path, contents=False) == (30, 40, "JPEG in RGB", 1, False)

    def test_the_content_decides_and_not_the_name(self, tmp_path, noise):
        path = noise(tmp_path / "a.jpg").rename(tmp_path / "a.png")
        assert check_image(path).format == "JPEG in RGB"

    @pytest.mark.parametrize("orientation", [2, 3, 6, 8])
    def test_an_image_turned_by_its_exif_data_has_the_size_that_it_has_upright(self, tmp_path, noise, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = noise(tmp_path / "a.jpg", exif=exif)
        size = (40, 30) if orientation > 4 else (30, 40)
        for contents in (True, False):
            assert check_image(path, contents=contents) == (*size, "JPEG in RGB", orientation, True)

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

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            (b"x", "is not a picture: it begins with b'x'"),
            (b"BM a bitmap, say, of some length", "cannot be decoded (Truncated File Read)"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "is a Git LFS pointer"),
            (b"\n<!DOCTYPE html><html><body>Log in", "is a web page"),
            (b"<html>", "is a web page"),
        ],
    )
    @pytest.mark.parametrize("reader", [check_image, check_any_label])
    def test_a_file_that_is_no_picture_is_named(self, tmp_path, content, found, reader):
        path = tmp_path / "a.png"
        path.write_bytes(content)
        for contents in (True, False):
            with pytest.raises(UnusableFileError, match=message(f"{path} {found}")):
                reader(path, contents=contents)

    @pytest.mark.parametrize("reader", [check_image, check_any_label])
    def test_a_link_to_nothing_says_where_it_leads(self, tmp_path, reader):
        (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
        (tmp_path / "b.png").symlink_to(tmp_path / "b.png")
        for name, found in (
            ("a", "gone.png, which cannot be read (No such file"),
            ("b", "b.png, which cannot be read"),
        ):
            with pytest.raises(UnusableFileError, match=message(f"{name}.png is a link to ", found)) as caught:
                reader(tmp_path / f"{name}.png")
            assert caught.value.kind == "broken link"

    def test_numbers_of_32_bits_have_no_rule(self, tmp_path, write_image):
        path = write_image(tmp_path / "a.tif", np.zeros((4, 4), np.float32))
        expected = message(path, "mode 'F', more than 16 bits per channel", "Scale its values to 0 to 255")
        for contents in (True, False):
            with pytest.raises(UnusableFileError, match=expected):
                check_image(path, contents=contents)

    @pytest.mark.parametrize("reader", [check_image, check_any_label, partial(check_image, contents=False), read_image])
    def test_a_header_that_says_more_than_the_file_can_hold_takes_no_memory(self, tmp_path, noise, reader):
        data = noise(tmp_path / "a.png", (4, 4)).read_bytes()
        header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
        (tmp_path / "a.png").write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
        with pytest.raises(ValueError, match=r"a.png.*states a size of 20000x20000 .* pixels, and has \d+ bytes"):
            reader(tmp_path / "a.png")


class TestTheLimitOfPixels:
    """One for all readers, which a user can raise; Pillow's own does not count."""

    @pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp"])
    def test_a_picture_above_it_is_named_with_its_size_and_how_to_raise_it(self, tmp_path, noise, suffix, monkeypatch):
        path = noise(tmp_path / f"a.{suffix}")
        monkeypatch.setenv("KERAS_HRNET_MAX_PIXELS", "1199")
        expected = message(
            f"{path} has 30x40 (height x width) = 1,200 pixels, or is damaged. Expected at most 1,199 pixels.",
            "raise the limit: set the environment variable KERAS_HRNET_MAX_PIXELS to 1200.",
        )
        for reader in (check_image, partial(check_image, contents=False), read_image, check_any_label):
            if reader is not check_any_label or suffix in ("png", "tif", "bmp"):
                with pytest.raises(ValueError, match=expected):
                    reader(path)
        monkeypatch.setenv("KERAS_HRNET_MAX_PIXELS", "1200")
        assert check_image(path)[:2] == read_image(path).shape[:2] == (30, 40)

    @pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp"])
    def test_pillows_limit_is_none(self, tmp_path, noise, suffix, monkeypatch):
        path = noise(tmp_path / f"a.{suffix}")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
        assert check_image(path)[:2] == read_image(path).shape[:2] == (30, 40)
        assert Image.MAX_IMAGE_PIXELS == 10

    @pytest.mark.parametrize("text", ["many", "0", "-5", ""])
    def test_another_word_for_it_is_refused(self, tmp_path, noise, text, monkeypatch):
        monkeypatch.setenv("KERAS_HRNET_MAX_PIXELS", text)
        with pytest.raises(ValueError, match=message(f"Received KERAS_HRNET_MAX_PIXELS={text!r}")):
            check_image(noise(tmp_path / "a.png"))

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path, monkeypatch):
        def forbid(*arguments):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("builtins.open", forbid)
        expected = message(tmp_path / "a.png", "cannot be read (Permission denied)", "Correct its permissions")
        with pytest.raises(UnusableFileError, match=expected):
            check_image(tmp_path / "a.png")

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(UnusableFileError, match=message(tmp_path / "a.png", "No such file")):
            check_image(tmp_path / "a.png")

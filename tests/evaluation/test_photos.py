"""Photos in folders, and reading them ahead."""

import struct
import threading
import time

import numpy as np
import PIL.Image
import pytest

from keras_hrnet.evaluation import photos
from keras_hrnet.evaluation.photos import find_photos, read_ahead

pytestmark = pytest.mark.once


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for i, path in enumerate(paths):
        PIL.Image.fromarray(np.full((2, 3, 3), i, np.uint8)).save(path)
    return paths


def test_photos_are_found_in_order_whatever_case_their_ending_has(files):
    upper = files[0].rename(files[0].with_name("A.PNG"))
    (files[0].parent / "a.txt").write_text("not a photo")
    assert find_photos(files[0].parent) == [*files[1:], upper]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such'. Expected an existing folder"):
        find_photos(tmp_path / "no such")


def test_photos_are_read_in_order_and_arrays_handed_on(files):
    array = np.full((2, 3, 3), 77, np.uint8)
    read = list(read_ahead([files[1], array, files[0]], 2))
    assert [photo if isinstance(photo, np.ndarray) else photo.name for photo, _ in read][::2] == ["1.png", "0.png"]
    assert [pixels[0, 0, 0] for _, pixels in read] == [1, 77, 0]


def test_an_error_comes_in_the_photos_place(files):
    files[1].write_bytes(b"no picture")
    read = list(read_ahead(files[:3], 4))
    assert [isinstance(pixels, Exception) for _, pixels in read] == [False, True, False]


def test_no_more_photos_wait_than_asked_for_and_none_is_read_after_the_last_one_wanted(files, monkeypatch):
    started, before = [], set(threading.enumerate())
    monkeypatch.setattr(
        photos, "read_image", lambda path, channels: started.append(path) or np.zeros((1, 1, 3), np.uint8)
    )
    reader = read_ahead(files, 2)
    next(reader)
    time.sleep(0.05)
    assert len(started) <= 3
    reader.close()
    assert set(threading.enumerate()) <= before


def test_a_picture_that_would_fill_the_memory_is_refused(files, monkeypatch):
    monkeypatch.setenv("KERAS_HRNET_MAX_PIXELS", "5")
    with pytest.raises(ValueError, match=r"0.png has 2x3 .* = 6 pixels, or is damaged. Expected at most 5 pixels"):
        photos.read_image(files[0])


# Where the header of each kind of file states the height, or where the field that does begins, and how it is written.
HEIGHTS = {
    "webp": (b"\x9d\x01\x2a", 5, "<H"),  # RFC 6386, section 9.1: after a start code of three bytes and the width.
    "tif": (struct.pack("<HH", 257, 4), 8, "<L"),  # TIFF 6.0, section 8: ImageLength, a LONG.
    "bmp": (struct.pack("<L", 40), 8, "<L"),  # BITMAPINFOHEADER, which begins with its size.
    "jpg": (b"\xff\xc0", 5, ">H"),  # ITU T.81, section B.2.2: after SOF0, its length and a byte of precision.
}


@pytest.mark.parametrize("kind", HEIGHTS)
def test_a_header_that_states_more_pixels_than_fit_into_the_file_is_refused_before_memory_is_allocated(kind, tmp_path):
    path = tmp_path / f"a.{kind}"
    PIL.Image.new("RGB", (4000, 8)).save(path)
    photos.read_image(path)
    content = bytearray(path.read_bytes())
    field, offset, number = HEIGHTS[kind]
    struct.pack_into(number, content, content.index(field) + offset, 16_000)
    path.write_bytes(content)
    message = rf"a\.{kind}'.* states a size of 16000x4000 .* bytes\. Expected an undamaged file, .* pixels per byte"
    with pytest.raises(ValueError, match=message):
        photos.read_image(path)


def test_links_are_followed_and_those_that_lead_nowhere_named(files, tmp_path):
    folder = tmp_path / "more"
    (folder / "sub").mkdir(parents=True)
    files[0].rename(folder / "sub" / "0.png")
    (tmp_path / "linked").symlink_to(folder)
    assert tmp_path / "linked" / "sub" / "0.png" in find_photos(tmp_path)
    (folder / "sub" / "loop").symlink_to(folder)
    with pytest.raises(ValueError, match=r"loop is a link to .*more, a folder that contains it.*Remove the link"):
        find_photos(tmp_path)
    (folder / "sub" / "loop").unlink()
    (folder / "summer").symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"summer is a link to .*gone, which does not exist"):
        find_photos(tmp_path)
    (folder / "summer").unlink()
    (folder / "lost.png").symlink_to(tmp_path / "gone.png")
    assert folder / "lost.png" in find_photos(tmp_path)
    with pytest.raises(ValueError, match=r"lost.png is a link to .*gone.png, which cannot be read"):
        photos.read_image(folder / "lost.png")

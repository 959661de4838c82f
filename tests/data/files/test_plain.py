"""What the check of a data set passes, training reads: both decode with the same decoders."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data import folders
from keras_hrnet.data.files.survey import check_folders

pytestmark = pytest.mark.once

SIZE = (24, 32)
PHOTO = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


def saved(pixels, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def with_data(png, change):
    """A PNG with other pixel data, whose checksums are right."""
    start = png.index(b"IDAT")
    length = int.from_bytes(png[start - 4 : start])
    body = b"IDAT" + change(png[start + 4 : start + 4 + length])
    return (
        png[: start - 4] + (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4) + png[start + length + 8 :]
    )


def halved(png):
    return with_data(png, lambda data: data[: len(data) // 2])


def unknown_filter(png):
    return with_data(png, lambda data: zlib.compress(b"\x09" + zlib.decompress(data)[1:]))


def with_empty_chunk(png, kind=b"gAMA"):
    return png[:33] + bytes(4) + kind + zlib.crc32(kind).to_bytes(4) + png[33:]


def large_text(png):
    text = b"tEXtnote\0" + bytes(range(1, 256)) * 8000
    return png[:33] + (len(text) - 4).to_bytes(4) + text + zlib.crc32(text).to_bytes(4) + png[33:]


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes three pairs, the second of which has other contents, and their folders."""

    def write(image=None, label=None, ending=".png"):
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir()
        for name in "abc":
            changed = name == "b"
            photo = saved(PHOTO, "JPEG" if ending == ".jpg" else "PNG")
            mask = saved(np.arange(SIZE[0] * SIZE[1], dtype=np.uint8).reshape(SIZE) % 3)
            (tmp_path / f"images/{name}{ending}").write_bytes(image(photo) if image and changed else photo)
            (tmp_path / f"masks/{name}.png").write_bytes(label(mask) if label and changed else mask)
        return tmp_path / "images", tmp_path / "masks"

    return write


DAMAGED = [
    {"image": halved},
    {"image": unknown_filter},
    {"label": halved},
    {"label": unknown_filter},
    {"label": lambda png: png[:60]},
    {"image": lambda jpeg: jpeg[:-40] + bytes(38) + jpeg[-2:], "ending": ".jpg"},
    {"image": lambda jpeg: jpeg[: len(jpeg) // 2], "ending": ".jpg"},
    {"image": with_empty_chunk},
    {"label": with_empty_chunk},
    {"image": lambda png: with_empty_chunk(png, b"tRNS")},
    {"label": large_text},
]


@pytest.mark.parametrize("changes", DAMAGED)
def test_what_the_check_passes_is_read_and_what_it_names_is_left_out(write, changes, recwarn):
    images, masks = write(**changes)
    survey = check_folders(images, masks)
    faulty = [finding.path.stem for finding in survey.findings]
    assert faulty in ([], ["b"])
    dataset = folders(images, masks, 3, damaged="skip")
    assert len(list(dataset)) == 3 - len(faulty)
    assert [str(masks / "b.png") in str(w.message) or str(images / "b") in str(w.message) for w in recwarn] == (
        [True] * len(faulty)
    )


@pytest.mark.parametrize("changes", DAMAGED[:5])
def test_pixels_that_are_missing_or_damaged_are_named_by_the_check(write, changes):
    images, masks = write(**changes)
    (finding,) = check_folders(images, masks).findings
    assert finding.path.stem == "b"
    assert finding.path.parent == (masks if "label" in changes else images)
    assert "cannot be decoded" in finding.message or "middle of its data" in finding.message


@pytest.mark.parametrize("name", ["not utf-8 \udcff", "escape\x1b[31m", "line\nfeed", "[b]", "-rf", "n" * 251])
def test_files_of_any_name_are_read(write, name):
    """A name is bytes to the system, and need not be UTF-8."""
    images, masks = write()
    try:
        for folder in (images, masks):
            (folder / "b.png").rename(folder / f"{name}.png")
    except (OSError, UnicodeError):
        return  # The file system takes no such names.
    assert check_folders(images, masks).ok
    assert len(list(folders(images, masks, 3))) == 3

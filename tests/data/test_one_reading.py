"""One file, one reading: every road that a picture takes into the package gives the same pixels."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, PngImagePlugin

from keras_hrnet.cli.export import _fitted
from keras_hrnet.data import folders
from keras_hrnet.data.files.folders import find_folder_pairs
from keras_hrnet.data.files.images import check_image
from keras_hrnet.data.records.packing import pack
from keras_hrnet.data_sets import LabelValues
from keras_hrnet.evaluation import read_image
from keras_hrnet.evaluation.photos import read_ahead

pytestmark = pytest.mark.once

SIZE = (45, 62)


def photo():
    """Noise over a gradient: what the two ways to transform a JPEG back decode most differently."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    gradient = np.stack([4 * rows, 4 * columns, 2 * rows + 2 * columns], axis=-1)
    return np.uint8(np.clip(gradient + np.random.default_rng(0).normal(0, 40, gradient.shape), 0, 255))


PHOTO = photo()
GRAY = PHOTO[..., 1]
DEEP = GRAY.astype(np.uint16) * 256 + PHOTO[..., 0]
IMAGE = Image.fromarray(PHOTO)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def with_orientation(kind, orientation, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(IMAGE, kind, exif=exif, **options)


def deep_png(pixels):
    """A PNG of 16 bits a channel, which Pillow does not write."""
    return tf.io.encode_png(pixels).numpy()


def turned(orientation, pixels=PHOTO):
    """The pixels upright, by the definition of Exif 2.32: which sides of the picture row 0 and column 0 are."""
    rows, columns = {
        1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
        5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
    }[orientation]  # fmt: skip
    if rows in ("left", "right"):
        pixels, rows, columns = pixels.transpose(1, 0, 2), columns, rows
    return pixels[:: -1 if rows == "bottom" else 1, :: -1 if columns == "right" else 1]


def with_text(keyword, text):
    info = PngImagePlugin.PngInfo()
    info.add_itxt(keyword, text)
    return saved(IMAGE, "PNG", pnginfo=info)


def exif_at_the_end(data):
    """Moves the chunk to where some programs write it."""
    start = data.index(b"eXIf") - 4
    stop = start + 12 + int.from_bytes(data[start : start + 4])
    return data[:start] + data[stop:-12] + data[start:stop] + data[-12:]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def interlaced():
    """Adam7, which Pillow does not write: rows of all seven passes, unfiltered."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = [row for top, left, down, right in passes for row in PHOTO[top::down, left::right]]
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", SIZE[1], SIZE[0], 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


RGB_AND_ALPHA = np.dstack([PHOTO, GRAY])
EXACT = {
    "PNG": (saved(IMAGE, "PNG"), PHOTO),
    "PNG, gray": (saved(Image.fromarray(GRAY), "PNG"), np.dstack([GRAY] * 3)),
    "PNG, 1 bit": (saved(Image.fromarray(GRAY > 99), "PNG"), np.dstack([(GRAY > 99) * np.uint8(255)] * 3)),
    "PNG, gray and alpha": (saved(Image.fromarray(np.dstack([GRAY] * 2)), "PNG"), np.dstack([GRAY] * 3)),
    "PNG, RGBA": (saved(Image.fromarray(RGB_AND_ALPHA), "PNG"), PHOTO),
    "PNG, a transparent color": (saved(IMAGE, "PNG", transparency=tuple(map(int, PHOTO[0, 0]))), PHOTO),
    "PNG, 16 bits, gray": (deep_png(DEEP[..., None]), np.dstack([GRAY] * 3)),
    "PNG, 16 bits, RGB": (deep_png(PHOTO.astype(np.uint16) * 256 + 255), PHOTO),
    "PNG, 16 bits, RGBA": (deep_png(RGB_AND_ALPHA.astype(np.uint16) * 256 + 255), PHOTO),
    "PNG, a comment": (with_text("Software", "x"), PHOTO),
    "PNG, XMP": (with_text("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>'), turned(6)),
    "PNG, Exif at its end": (exif_at_the_end(with_orientation("PNG", 6)), turned(6)),
    "PNG, interlaced": (interlaced(), PHOTO),
    "TIFF": (saved(IMAGE, "TIFF"), PHOTO),
    "TIFF, LZW": (saved(IMAGE, "TIFF", compression="tiff_lzw"), PHOTO),
    "TIFF, 16 bits, gray": (saved(Image.fromarray(DEEP), "TIFF"), np.dstack([GRAY] * 3)),
    "TIFF, CMYK": (saved(IMAGE.convert("CMYK"), "TIFF"), PHOTO),
    "BMP": (saved(IMAGE, "BMP"), PHOTO),
    "WebP": (saved(IMAGE, "WEBP", lossless=True), PHOTO),
    "WebP, animated": (
        saved(IMAGE, "WEBP", lossless=True, save_all=True, append_images=[Image.fromarray(255 - PHOTO)]), PHOTO,
    ),
    "PNG, animated": (saved(IMAGE, "PNG", save_all=True, append_images=[Image.fromarray(255 - PHOTO)]), PHOTO),
    **{f"PNG, Exif {i}": (with_orientation("PNG", i), turned(i)) for i in range(1, 9)},
    **{f"TIFF, Exif {i}": (with_orientation("TIFF", i), turned(i)) for i in range(1, 9)},
    **{f"WebP, Exif {i}": (with_orientation("WEBP", i, lossless=True), turned(i)) for i in range(1, 9)},
}  # fmt: skip
LOSSY = {
    "JPEG": saved(IMAGE, "JPEG", quality=75, subsampling="4:2:0"),
    "JPEG, all colors": saved(IMAGE, "JPEG", quality=95, subsampling="4:4:4"),
    "JPEG, progressive": saved(IMAGE, "JPEG", quality=40, progressive=True),
    "JPEG, gray": saved(Image.fromarray(GRAY), "JPEG"),
    "JPEG, CMYK": saved(IMAGE.convert("CMYK"), "JPEG"),
    "JPEG, several pictures": saved(IMAGE, "MPO", save_all=True, append_images=[IMAGE]),
    "PNG, palette": saved(IMAGE.quantize(50), "PNG"),
    "PNG, palette of 4 bits": saved(IMAGE.quantize(12), "PNG", bits=4),
    "PNG, palette with transparency": saved(IMAGE.quantize(50), "PNG", transparency=3),
    "GIF": saved(IMAGE, "GIF"),
    "GIF, animated": saved(IMAGE, "GIF", save_all=True, append_images=[Image.fromarray(255 - PHOTO)]),
    "TIFF, JPEG inside": saved(IMAGE, "TIFF", compression="jpeg"),
    "WebP, lossy": saved(IMAGE, "WEBP"),
    **{f"JPEG, Exif {i}": with_orientation("JPEG", i, quality=95) for i in range(1, 9)},
}
FILES = {name: contents for name, (contents, _) in EXACT.items()} | LOSSY


@pytest.fixture(scope="module")
def roads(tmp_path_factory):
    """What every road makes of every file, and the pixels of evaluation and training from files, cache and records."""
    root = tmp_path_factory.mktemp("roads")
    (root / "photos").mkdir()
    (root / "masks").mkdir()
    paths = {}
    for number, (name, contents) in enumerate(FILES.items()):
        paths[name] = root / "photos" / f"{number:03d}.png"  # the content decides, not the name
        paths[name].write_bytes(contents)
        height, width = check_image(paths[name])[:2]
        Image.new("L", (width, height), number).save(root / "masks" / f"{number:03d}.png")
    pairs, known = find_folder_pairs(root / "photos", root / "masks"), LabelValues(values=range(len(FILES)))
    pack(pairs, root / "packed", known=known)
    pack(pairs, root / "pixels", known=known, as_pixels=True)
    whole = {"augment": False}
    own = (root / "photos", root / "masks", len(FILES))
    datasets = {
        "evaluation": folders(*own, **whole),
        "headers only": folders(*own, verify=False, **whole),
        "cache": folders(*own, cache="memory", **whole),
        "records": folders(root / "packed", None, len(FILES), **whole),
        "records of pixels": folders(root / "pixels", None, len(FILES), **whole),
    }
    found = {road: [image.numpy()[0] for image, _ in dataset] for road, dataset in datasets.items()}
    found["ahead"] = [pixels for _, pixels in read_ahead(paths.values(), 4)]
    unchanged = {"scales": (1.0, 1.0), "flip": 0.0, "crop_size": (70, 70)}
    found["training"] = {}
    for image, label in folders(*own, **unchanged):
        # A mask holds the number of its file, and what lies beyond it is 255.
        number = label.numpy().min()
        rows, columns = np.nonzero(label[0].numpy() == number)
        found["training"][number] = image.numpy()[0, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return paths, found


@pytest.mark.parametrize("name", FILES)
def test_every_road_gives_the_pixels_that_prediction_reads(name, roads):
    paths, found = roads
    expected = read_image(paths[name])
    number = list(FILES).index(name)
    for road, pixels in found.items():
        np.testing.assert_array_equal(pixels[number], expected, err_msg=f"{name} by {road}")
    np.testing.assert_array_equal(_fitted(expected, expected.shape[:2]), expected)
    for contents in (True, False):
        assert check_image(paths[name], contents=contents)[:2] == expected.shape[:2]


@pytest.mark.parametrize("name", EXACT)
def test_what_is_stored_without_loss_is_read_by_the_stated_rule(name, roads):
    paths, _ = roads
    np.testing.assert_array_equal(read_image(paths[name]), EXACT[name][1])


def test_a_turned_jpeg_is_upright(roads):
    paths, _ = roads
    stored = read_image(paths["JPEG, Exif 1"])
    for orientation in range(1, 9):
        pixels = read_image(paths[f"JPEG, Exif {orientation}"])
        np.testing.assert_array_equal(pixels, turned(orientation, stored))


def test_only_what_tensorflow_reads_in_the_same_way_is_left_to_it(roads):
    paths, _ = roads
    left = {name for name, path in paths.items() if not check_image(path, contents=False).by_pillow}
    assert left == {
        "PNG", "PNG, gray", "PNG, a transparent color", "PNG, a comment", "PNG, interlaced", "PNG, animated",
        "PNG, Exif 1", "JPEG", "JPEG, all colors", "JPEG, progressive", "JPEG, gray", "JPEG, several pictures",
        "JPEG, Exif 1",
    }  # fmt: skip

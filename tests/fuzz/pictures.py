"""Readers of pictures and label images: checks, prediction, the official scores, and the pipeline after a check."""

import io
import zlib

import numpy as np
from PIL import Image

from keras_hrnet.data.files.images import check_image
from keras_hrnet.data.files.labels import check_label
from keras_hrnet.data.files.survey import ANY_VALUE
from keras_hrnet.data.pipeline.decoding import decode_image, decode_label
from keras_hrnet.evaluation.official.files import read_instance_image, read_label_image
from keras_hrnet.evaluation.photos import read_image
from keras_hrnet.picture_files.reading import UnusableFileError
from tests.fuzz.harness import Reader
from tests.fuzz.mutation import damage_bytes

ROWS, COLUMNS = np.mgrid[:24, :32]
PHOTO = np.stack([8 * COLUMNS, 10 * ROWS, 4 * ROWS + 4 * COLUMNS], axis=-1).astype(np.uint8)
LABEL = (ROWS // 8 + COLUMNS // 8).astype(np.uint8)
CHUNKS = ("gAMA", "cHRM", "pHYs", "sRGB", "tRNS", "acTL", "fcTL", "fdAT", "iCCP", "eXIf", "PLTE", "IHDR", "IDAT")


def saved(pixels, kind, mode=None, **options):
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(file, kind, **options)
    return file.getvalue()


def png_photos(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    modes = [saved(PHOTO, "PNG", mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1")]
    return [*modes, saved(PHOTO, "PNG", exif=exif), saved(LABEL.astype(np.uint16) * 256, "PNG")]


def other_photos(folder):
    jpegs = [saved(PHOTO, "JPEG"), saved(PHOTO, "JPEG", "L"), saved(PHOTO, "JPEG", progressive=True)]
    tiffs = [saved(PHOTO, "TIFF", compression=kind) for kind in (None, "tiff_lzw", "tiff_deflate", "jpeg")]
    webps = [saved(PHOTO, "WEBP"), saved(PHOTO, "WEBP", lossless=True)]
    return [*jpegs, *tiffs, *webps, saved(PHOTO, "BMP"), saved(PHOTO, "GIF"), saved(PHOTO, "JPEG", "CMYK")]


def labels(folder):
    pngs = [saved(LABEL, "PNG"), saved(LABEL, "PNG", "P"), saved(LABEL % 2 * 255, "PNG", "1")]
    return [*pngs, saved(LABEL.astype(np.uint16), "PNG"), saved(LABEL, "BMP"), saved(LABEL, "TIFF")]


def chunk(kind, data=b""):
    body = kind.encode() + data
    return len(data).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)


def hostile_pngs():
    """Chunks that are empty, large, or state a size far beyond the file; all checksums are right."""
    for png in (saved(PHOTO, "PNG"), saved(LABEL, "PNG")):
        for kind in CHUNKS:
            yield png[:33] + chunk(kind) + png[33:]
        yield png[:33] + chunk("tEXt", b"note\0" + b"x" * 2**21) + png[33:]
        yield png[:33] + chunk("zTXt", b"note\0\0" + zlib.compress(bytes(2**24))) + png[33:]
        yield png[:33] + chunk("eXIf", b"Exif\0\0MM\0*" + bytes(range(256))) + png[33:]
        for side in (60000, 2**31 - 1, 0):
            header = side.to_bytes(4) * 2 + png[24:29]
            yield png[:8] + chunk("IHDR", header) + png[33:]
        yield png[:8] + chunk("IHDR", (60000).to_bytes(4) * 2 + png[24:29]) + chunk("IDAT", bytes(4_700_000))
        for size in (0, 1, 40):
            yield png[:33] + chunk("IDAT", zlib.compress(bytes(10_000))[:size]) + chunk("IEND")


def damage_png(content, generator):
    """Damages bytes, and mostly makes the checksums right again, as no reader looks behind a wrong one."""
    damaged = damage_bytes(content, generator)
    return damaged if generator.random() < 0.3 else _with_right_checksums(damaged)


def _with_right_checksums(png):
    made, start = [png[:8]], 8
    while start + 12 <= len(png):
        stop = start + 12 + int.from_bytes(png[start : start + 4])
        if stop > len(png):
            break
        made += [png[start : stop - 4], zlib.crc32(png[start + 4 : stop - 4]).to_bytes(4)]
        start = stop
    return b"".join([*made, png[start:]])


def train_on_image(path):
    """What the check passes, training reads."""
    header = check_image(path)
    assert decode_image(path.read_bytes(), str(path), header.by_pillow).shape[:2] == header[:2]


def train_on_label(path):
    """What the check passes, training reads; without the whole check, errors have the name all the same."""
    header = check_label(path, known=ANY_VALUE)
    assert decode_label(path.read_bytes(), None, str(path), header.by_pillow).shape == header[:2]


def look_at_header(path):
    check_image(path, contents=False)


def label_of(path):
    check_label(path, known=ANY_VALUE, contents=False)


UNUSABLE = (UnusableFileError,)
PNG = {"damage": damage_png, "hostile": lambda: list(hostile_pngs()), "suite_inputs": 20}
READERS = [
    Reader("image to train on, PNG", "a.png", png_photos, train_on_image, UNUSABLE, **PNG),
    Reader("image to train on, others", "a.img", other_photos, train_on_image, UNUSABLE),
    Reader("label to train on", "a.png", labels, train_on_label, UNUSABLE, **PNG),
    Reader("header of an image", "a.png", png_photos, look_at_header, UNUSABLE, **PNG),
    Reader("header of a label", "a.png", labels, label_of, UNUSABLE, **PNG),
    Reader("photo to predict, PNG", "a.png", png_photos, read_image, **PNG),
    Reader("photo to predict, others", "a.img", other_photos, read_image),
    Reader("official label", "a.png", lambda folder: labels(folder)[:2], read_label_image, **PNG),
    Reader("official instances", "a.png", lambda folder: labels(folder)[3:4], read_instance_image, **PNG),
]

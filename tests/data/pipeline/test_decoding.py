import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_hrnet.data.label_coding import coding_of, coding_of_data_set
from keras_hrnet.data.pipeline.decoding import decode_image, decode_label, stored_values, train_ids
from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.evaluation import read_image

pytestmark = pytest.mark.once

VALUES = np.random.default_rng(0).integers(0, 4, (5, 7), dtype=np.uint8)
COLORS = np.uint8([[9, 0, 0], [0, 0, 1], [0, 1, 0], [255, 255, 255]])


def encoded(image, **options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def with_palette(bits):
    image = Image.frombytes("P", VALUES.shape[::-1], VALUES.tobytes())
    # Grey levels in another order than the values: a decoder that looks at the colours gives something else.
    image.putpalette([level for grey in (200, 50, 100, 0) for level in (grey, grey, grey)])
    return encoded(image, bits=bits)


FILES = {
    "grey": encoded(Image.fromarray(VALUES)),
    "palette of 8 bits": with_palette(8),
    "palette of 2 bits": with_palette(2),
    "colours": encoded(Image.fromarray(COLORS[VALUES])),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_of_label_gives_the_stored_values_eagerly_and_in_tf_data(kind):
    palette = tuple(map(tuple, COLORS.tolist()))
    np.testing.assert_array_equal(decode_label(FILES[kind], palette), VALUES)
    dataset = tf.data.Dataset.from_tensors(FILES[kind]).map(lambda data: decode_label(data, palette))
    assert dataset.element_spec == tf.TensorSpec((None, None), tf.uint8)
    np.testing.assert_array_equal(next(iter(dataset)), VALUES)


def test_pillow_and_tensorflow_read_the_same_values():
    np.testing.assert_array_equal(stored_values(FILES["grey"]), VALUES)


def test_a_color_without_a_class_gives_254():
    pixels = COLORS[VALUES]
    pixels[2, 3] = 8, 0, 0
    expected = VALUES.copy()
    expected[2, 3] = 254
    np.testing.assert_array_equal(decode_label(encoded(Image.fromarray(pixels)), COLORS.tolist()), expected)


def photo():
    """Noise over a gradient: what the two ways to transform a JPEG back decode most differently."""
    rows, columns = np.mgrid[:45, :62]
    gradient = np.stack([4 * rows, 4 * columns, 2 * rows + 2 * columns], axis=-1)
    return np.uint8(np.clip(gradient + np.random.default_rng(0).normal(0, 40, gradient.shape), 0, 255))


@pytest.mark.parametrize(
    ("mode", "name", "options"),
    [
        ("RGB", "a.png", {}),
        ("L", "a.png", {}),
        ("RGB", "a.jpg", {"quality": 75, "subsampling": "4:2:0"}),
        ("RGB", "a.jpg", {"quality": 95, "subsampling": "4:4:4"}),
        ("RGB", "a.jpg", {"quality": 40, "progressive": True}),
        ("L", "a.jpg", {"quality": 75}),
    ],
)
def test_training_reads_the_pixels_that_prediction_reads(mode, name, options, tmp_path):
    Image.fromarray(photo()).convert(mode).save(tmp_path / name, **options)
    contents = (tmp_path / name).read_bytes()
    expected = read_image(tmp_path / name)
    np.testing.assert_array_equal(decode_image(contents), expected)
    dataset = tf.data.Dataset.from_tensors(contents).map(decode_image)
    assert dataset.element_spec == tf.TensorSpec((None, None, 3), tf.uint8)
    np.testing.assert_array_equal(next(iter(dataset)), expected)


def test_stored_values_become_train_ids():
    np.testing.assert_array_equal(
        train_ids(np.uint8([[7, 33], [0, 255]]), coding_of_data_set(CITYSCAPES), ""), [[0, 18], [255, 255]]
    )
    binary = coding_of(2, id_map={0: 0, 255: 1}, ignore_label=None)
    np.testing.assert_array_equal(train_ids(np.uint8([[0, 255]]), binary, ""), [[0, 1]])


def test_a_value_that_is_no_class_is_refused_with_the_name_of_the_file():
    message = r"(?s)here\.png.*holds values that are no class. Expected 0 to 33 and 255"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        train_ids(np.uint8([[7, 34]]), coding_of_data_set(CITYSCAPES), "here.png")

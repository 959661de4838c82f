import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_hrnet.data.label_coding import coding_of, coding_of_data_set
from keras_hrnet.data.pipeline.decoding import decode_image, decode_label, train_ids
from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.picture_files.pixels import stored_values

pytestmark = pytest.mark.once

VALUES = np.random.default_rng(0).integers(0, 4, (5, 7), dtype=np.uint8)
COLORS = np.uint8([[9, 0, 0], [0, 0, 1], [0, 1, 0], [255, 255, 255]])


def encoded(image, **options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def with_palette(bits):
    image = Image.frombytes("P", VALUES.shape[::-1], VALUES.tobytes())
    # Gray levels in another order than the values: a decoder that looks at the colors gives something else.
    image.putpalette([level for gray in (200, 50, 100, 0) for level in (gray, gray, gray)])
    return encoded(image, bits=bits)


FILES = {
    "gray": encoded(Image.fromarray(VALUES)),
    "palette of 8 bits": with_palette(8),
    "palette of 2 bits": with_palette(2),
    "colors": encoded(Image.fromarray(COLORS[VALUES])),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_of_label_gives_the_stored_values_eagerly_and_in_tf_data(kind):
    palette = tuple(map(tuple, COLORS.tolist()))
    np.testing.assert_array_equal(decode_label(FILES[kind], palette), VALUES)
    dataset = tf.data.Dataset.from_tensors(FILES[kind]).map(lambda data: decode_label(data, palette))
    assert dataset.element_spec == tf.TensorSpec((None, None), tf.uint8)
    np.testing.assert_array_equal(next(iter(dataset)), VALUES)


def test_pillow_and_tensorflow_read_the_same_values():
    np.testing.assert_array_equal(stored_values(FILES["gray"], "a.png"), VALUES)


def test_a_color_without_a_class_gives_254():
    pixels = COLORS[VALUES]
    pixels[2, 3] = 8, 0, 0
    expected = VALUES.copy()
    expected[2, 3] = 254
    np.testing.assert_array_equal(decode_label(encoded(Image.fromarray(pixels)), COLORS.tolist()), expected)


def test_what_pillow_decodes_may_say_so_itself():
    np.testing.assert_array_equal(decode_label(FILES["gray"], in_python=True), VALUES)
    image = Image.fromarray(COLORS[VALUES])
    np.testing.assert_array_equal(decode_image(encoded(image), in_python=True), COLORS[VALUES])
    np.testing.assert_array_equal(decode_image(encoded(image)), COLORS[VALUES])


@pytest.mark.parametrize("decode", [decode_image, decode_label])
def test_a_file_that_pillow_cannot_decode_is_named(decode):
    dataset = tf.data.Dataset.from_tensors(b"no picture").map(lambda data: decode(data, name="a.tif", in_python=True))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"a.tif is not a picture: it begins with b'no pictu'"):
        next(iter(dataset))


def test_a_value_of_16_bits_that_is_no_class_is_refused():
    data = encoded(Image.fromarray(np.uint16([[0, 300]])))
    with pytest.raises(ValueError, match=r"a.png holds the value 300. Expected at most 255"):
        decode_label(data, name="a.png")


def test_stored_values_become_train_ids():
    np.testing.assert_array_equal(
        train_ids(np.uint8([[7, 33], [0, 255]]), coding_of_data_set(CITYSCAPES), ""), [[0, 18], [255, 255]]
    )
    binary = coding_of(2, id_map={0: 0, 255: 1}, ignore_label=None)
    np.testing.assert_array_equal(train_ids(np.uint8([[0, 255]]), binary, ""), [[0, 1]])


def test_a_value_that_is_no_class_is_refused_with_the_name_of_the_file():
    message = r"(?s)here\.png.*holds values that are not classes. Expected 0 to 33 and 255"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        train_ids(np.uint8([[7, 34]]), coding_of_data_set(CITYSCAPES), "here.png")

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_hrnet.hub import HRNetImageConverter, HRNetImageSegmenterPreprocessor

ROW = np.array([[0, 10, 20, 31, 40, 50]], "uint8")
IMAGE = np.repeat(np.repeat(ROW, 4, axis=0)[..., None], 3, axis=2)
LABEL = np.arange(24, dtype="uint8").reshape(4, 6)


def preprocessor(image_size, **options):
    return HRNetImageSegmenterPreprocessor(HRNetImageConverter(image_size=image_size, **options))


def eagerly(layer, *arrays):
    return keras.tree.map_structure(keras.ops.convert_to_numpy, layer(*arrays))


def in_tf_data(layer, *arrays):
    """Runs the layer on one element whose size `tf.data` does not know."""
    signature = tuple(tf.TensorSpec((None,) * min(x.ndim, 2) + x.shape[2:], x.dtype) for x in arrays)
    dataset = tf.data.Dataset.from_generator(lambda: iter([arrays]), output_signature=signature).map(layer)
    return next(iter(dataset.as_numpy_iterator()))


both_ways = pytest.mark.parametrize("run", [eagerly, in_tf_data])


@both_ways
def test_pixels_are_means_and_labels_are_picked(run):
    image, label = run(preprocessor((2, 3)), IMAGE, LABEL)
    # Halved: means of two neighbors, of which bytes are rounded to even when called.
    np.testing.assert_allclose(image[..., 0], [[5, 25.5, 45]] * 2, atol=0.5)
    # The nearest of two pixels as near as each other is the one after.
    np.testing.assert_array_equal(label, [[7, 9, 11], [19, 21, 23]])
    assert label.dtype == "uint8"


@both_ways
def test_labels_are_cut_with_the_image(run):
    image, label = run(preprocessor((4, 4), crop_to_aspect_ratio=True), IMAGE, LABEL)
    np.testing.assert_array_equal(image[..., 0], ROW[:, 1:5].repeat(4, axis=0))
    np.testing.assert_array_equal(label, LABEL[:, 1:5])


@both_ways
def test_labels_are_ignored_where_the_image_is_padded(run):
    image, label = run(preprocessor((6, 6), pad_to_aspect_ratio=True), IMAGE, LABEL)
    np.testing.assert_array_equal(image[1:5], IMAGE)
    np.testing.assert_array_equal(label[1:5], LABEL)
    assert np.all(image[[0, 5]] == 0)
    assert np.all(label[[0, 5]] == 255)


def test_an_image_is_stretched_unless_told_to_be_cut():
    assert HRNetImageConverter().crop_to_aspect_ratio is False


@both_ways
@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_labels_may_have_a_channel_and_keep_their_dtype(dtype, run):
    _, label = run(preprocessor((2, 3)), IMAGE, LABEL[..., None].astype(dtype))
    np.testing.assert_array_equal(label[..., 0], [[7, 9, 11], [19, 21, 23]])
    assert label.dtype == dtype


def test_a_batch_and_its_weights_go_through():
    weights = np.ones((2,), "float32")
    image, label, weight = eagerly(preprocessor((2, 3)), np.stack([IMAGE] * 2), np.stack([LABEL] * 2), weights)
    assert image.shape == (2, 2, 3, 3)
    np.testing.assert_array_equal(label, [[[7, 9, 11], [19, 21, 23]]] * 2)
    np.testing.assert_array_equal(weight, weights)


def test_lists_are_taken_for_arrays():
    _, label = eagerly(preprocessor((2, 3)), IMAGE.tolist(), LABEL.tolist())
    np.testing.assert_array_equal(label, [[7, 9, 11], [19, 21, 23]])


def test_the_size_may_be_set_later():
    layer = preprocessor(None)
    image, label = eagerly(layer, IMAGE, LABEL)
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(label, LABEL)
    layer.image_size = (2, 3)
    image, label = eagerly(layer, IMAGE, LABEL)
    assert (image.shape, label.shape) == ((2, 3, 3), (2, 3))


def test_labels_stay_as_they_are_on_demand():
    layer = HRNetImageSegmenterPreprocessor(HRNetImageConverter(image_size=(2, 3)), resize_output_mask=False)
    np.testing.assert_array_equal(eagerly(layer, IMAGE, LABEL)[1], LABEL)


def test_without_a_converter_nothing_changes():
    image, label = eagerly(HRNetImageSegmenterPreprocessor(), IMAGE, LABEL)
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(label, LABEL)


def test_pixels_in_0_to_1_are_scaled_on_demand():
    image = eagerly(HRNetImageConverter(scale=255.0), np.full((2, 2, 3), 0.5, "float32"))
    np.testing.assert_array_equal(image, 127.5)


def test_channels_first_images_keep_their_labels():
    layer = preprocessor((2, 3), data_format="channels_first")
    image, label = eagerly(layer, np.moveaxis(IMAGE, -1, 0).astype("float32"), LABEL)
    np.testing.assert_array_equal(image[0], [[5, 25.5, 45]] * 2)
    np.testing.assert_array_equal(label, [[7, 9, 11], [19, 21, 23]])


def test_a_config_makes_the_same_preprocessor():
    converter = HRNetImageConverter(
        image_size=(2, 3), pad_to_aspect_ratio=True, antialias=True, data_format="channels_first"
    )
    layer = HRNetImageSegmenterPreprocessor(converter, resize_output_mask=False)
    copy = HRNetImageSegmenterPreprocessor.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert copy.resize_output_mask is False
    assert copy.image_converter.data_format == "channels_first"
    assert (copy.image_size, copy.image_converter.pad_to_aspect_ratio) == ((2, 3), True)

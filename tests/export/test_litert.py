"""Running `.tflite` files, on one made without Keras."""

import numpy as np
import pytest

from keras_hrnet.export import run_tflite
from keras_hrnet.export.litert import TFLiteModel, operators


@pytest.fixture(scope="module")
def doubling_file(tmp_path_factory):
    """Takes two images of 1 x 2 pixels, and adds each to itself."""
    import tensorflow as tf

    module = tf.Module()
    module.double = tf.function(lambda image: image + image, input_signature=[tf.TensorSpec((2, 1, 2, 3))])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.double.get_concrete_function()], module)
    path = tmp_path_factory.mktemp("files") / "double.tflite"
    path.write_bytes(converter.convert())
    return path


@pytest.mark.parametrize("number", [1, 2, 5])
def test_any_number_of_images_is_answered(doubling_file, number):
    images = np.arange(number * 6).reshape(number, 1, 2, 3).astype(np.uint8)
    answers = run_tflite(doubling_file, images)
    assert answers.dtype == np.float32
    np.testing.assert_array_equal(answers, 2.0 * images)


def test_latency_is_a_time(doubling_file):
    model = TFLiteModel(doubling_file)
    model(np.zeros((1, 1, 2, 3)))
    assert 0 < model.latency() < 1


def test_operators_are_counted_by_name(doubling_file):
    assert operators(doubling_file) == {"ADD": 1}


def test_images_of_another_size_are_refused(doubling_file):
    with pytest.raises(ValueError, match=r"images of shape \(1, 2, 2, 3\) .*Expected \(num_images, 1, 2, 3\)"):
        run_tflite(doubling_file, np.zeros((1, 2, 2, 3), np.uint8))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.tflite'. Expected a .tflite file"):
        run_tflite(tmp_path / "none.tflite", np.zeros((1, 1, 2, 3)))


def test_a_file_that_is_none_is_named(tmp_path):
    (tmp_path / "text.tflite").write_text("not a model")
    with pytest.raises(ValueError, match=r"text.tflite', which LiteRT cannot run"):
        run_tflite(tmp_path / "text.tflite", np.zeros((1, 1, 2, 3)))

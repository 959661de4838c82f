"""The class of the largest logit, beside the operation of Keras that it stands for."""

import keras
import numpy as np
import pytest

from keras_hrnet.layers.labels import Labels, argmax

SHAPE = (2, 3, 4, 5)


@pytest.fixture
def logits():
    return keras.ops.convert_to_tensor(np.random.default_rng(0).standard_normal(SHAPE).astype("float32"))


@pytest.mark.parametrize("axis", [-1, 1])
def test_it_is_the_operation_of_keras(logits, axis):
    classes, expected = argmax(logits, axis), keras.ops.argmax(logits, axis)
    assert keras.utils.standardize_dtype(classes.dtype) == keras.utils.standardize_dtype(expected.dtype) == "int32"
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(classes), keras.ops.convert_to_numpy(expected))


def test_the_first_of_equal_logits_counts():
    logits = keras.ops.convert_to_tensor(np.array([[1, 2, 2], [0, 0, 0]], "float32"))
    assert keras.ops.convert_to_numpy(argmax(logits)).tolist() == [1, 0]


def test_nothing_else_of_the_size_of_the_logits_is_made(logits):
    if keras.config.backend() == "torch":
        pytest.skip("PyTorch has an operation that does not need such memory")
    if keras.config.backend() == "jax":
        import jax

        assert "select" not in str(jax.make_jaxpr(argmax)(logits))
        return
    import tensorflow as tf

    graph = tf.function(argmax).get_concrete_function(tf.TensorSpec(SHAPE)).graph
    assert [op.type for op in graph.get_operations() if op.outputs and op.outputs[0].shape == SHAPE] == ["Placeholder"]


def test_the_layer_finds_labels_where_half_precision_would_not():
    # Equal in bfloat16, whose numbers next to 1 are 2**-7 apart.
    logits = np.array([[[[1.0, 1.001]]]], "float32")
    labels = Labels(dtype="mixed_bfloat16")(logits)
    assert keras.utils.standardize_dtype(labels.dtype) == "uint8"
    assert keras.ops.convert_to_numpy(labels).tolist() == [[[1]]]


@pytest.mark.parametrize("axis", [-1, 1])
def test_the_layer_is_saved_and_tells_its_shape(logits, axis, tmp_path):
    image = keras.Input(SHAPE[1:])
    model = keras.Model(image, Labels(axis, "int32")(image))
    assert model.output_shape == ((None, 3, 4) if axis == -1 else (None, 4, 5))
    assert model.outputs[0].dtype == "int32"
    model.save(tmp_path / "labels.keras")
    loaded = keras.models.load_model(tmp_path / "labels.keras")
    np.testing.assert_array_equal(loaded.predict_on_batch(logits), keras.ops.convert_to_numpy(argmax(logits, axis)))

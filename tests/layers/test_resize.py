import functools

import keras
import numpy as np
import pytest

from keras_hrnet.layers import Resize, resize
from keras_hrnet.layers.resize import by_matrices, interpolation_matrix

CONVENTIONS = [("bilinear", False), ("bilinear", True), ("nearest", False)]
SIZES = [
    ((3, 4), (6, 8)),
    ((5, 7), (9, 13)),
    ((9, 13), (5, 7)),
    ((1, 1), (3, 2)),
    ((4, 1), (1, 5)),
    ((17, 25), (65, 97)),
]


@pytest.mark.parametrize(
    ("interpolation", "align_corners", "expected"),
    [
        # Samples at -0.25 (held at the edge), 0.25, 0.75, 1.25 (held).
        ("bilinear", False, [0.0, 0.25, 0.75, 1.0]),
        # Samples at 0, 1/3, 2/3, 1.
        ("bilinear", True, [0.0, 1 / 3, 2 / 3, 1.0]),
        ("nearest", False, [0.0, 0.0, 1.0, 1.0]),
    ],
)
def test_a_line_of_two_pixels_becomes_four_as_by_hand(interpolation, align_corners, expected):
    line = np.array([0.0, 1.0], "float32").reshape(1, 1, 2, 1)
    result = keras.ops.convert_to_numpy(resize(line, (1, 4), interpolation, align_corners))
    np.testing.assert_allclose(result.ravel(), expected, atol=1e-7)


@pytest.mark.parametrize(("interpolation", "align_corners"), CONVENTIONS)
@pytest.mark.parametrize(("source", "target"), SIZES)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_the_backends_own_operation_equals_the_matrices(interpolation, align_corners, source, target, data_format):
    x = np.random.default_rng(0).uniform(-1, 1, (2, *source, 3)).astype("float32")
    x = keras.ops.convert_to_tensor(x if data_format == "channels_last" else np.moveaxis(x, -1, 1))
    own = keras.ops.convert_to_numpy(resize(x, target, interpolation, align_corners, data_format))
    matrix_of = functools.partial(interpolation_matrix, interpolation=interpolation, align_corners=align_corners)
    generic = keras.ops.convert_to_numpy(by_matrices(x, target, matrix_of, data_format))
    np.testing.assert_allclose(own, generic, atol=5e-5)  # measured 4.6e-6, from float32 positions


@pytest.mark.parametrize("source", range(1, 40, 3))
def test_nearest_picks_the_pixel_that_pytorch_picks(source):
    import torch

    for target in range(1, 80):
        line = torch.arange(source, dtype=torch.float32).reshape(1, 1, source)
        expected = torch.nn.functional.interpolate(line, target, mode="nearest").numpy().ravel()
        if target in (2 * source, 2 * source - 1, 4 * source, source):  # the sizes of branches that meet
            matrix = keras.ops.convert_to_numpy(interpolation_matrix(source, target, "nearest", False))
            np.testing.assert_array_equal(matrix.argmax(1), expected)


@pytest.mark.parametrize(("interpolation", "align_corners"), CONVENTIONS)
def test_the_gradient_equals_that_of_the_matrices(interpolation, align_corners):
    x = np.random.default_rng(0).uniform(-1, 1, (1, 4, 5, 2)).astype("float32")
    inputs = keras.Input((4, 5, 2))
    bias = keras.layers.EinsumDense("bhwc,cd->bhwd", (None, None, 2), name="scale")
    reference = keras.Input((8, 9, 1))
    model = keras.Model([inputs, reference], Resize(interpolation, align_corners)([bias(inputs), reference]))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    kernel = np.array(keras.ops.convert_to_numpy(bias.kernel))
    target = np.random.default_rng(1).uniform(-1, 1, (1, 8, 9, 2)).astype("float32")
    model.train_on_batch([x, np.zeros((1, 8, 9, 1), "float32")], target)
    moved = kernel - keras.ops.convert_to_numpy(bias.kernel)

    rows = keras.ops.convert_to_numpy(interpolation_matrix(4, 8, interpolation, align_corners))
    columns = keras.ops.convert_to_numpy(interpolation_matrix(5, 9, interpolation, align_corners))
    error = np.einsum("Hh,Ww,bhwc,cd->bHWd", rows, columns, x, kernel) - target
    by_hand = np.einsum("bHWd,Hh,Ww,bhwc->cd", 2 * error / error.size, rows, columns, x)
    np.testing.assert_allclose(moved, by_hand, atol=2e-6)  # measured 6e-8


def test_a_layer_of_ones_own_may_resize_images_of_unknown_size():
    @keras.saving.register_keras_serializable(package="tests")
    class Twice(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.resize = Resize(data_format="channels_last")

        def call(self, x):
            return self.resize([x, keras.ops.repeat(keras.ops.repeat(x, 2, axis=1), 2, axis=2)])

    image = keras.Input((None, None, 2))
    model = keras.Model(image, Twice()(image))  # Keras traces it for lack of `compute_output_shape`.
    x = np.random.default_rng(0).uniform(0, 1, (1, 5, 4, 2)).astype("float32")
    expected = keras.ops.convert_to_numpy(resize(x, (10, 8)))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(x)), expected, atol=1e-6)


def test_a_map_of_the_right_size_is_returned_untouched():
    x = keras.ops.ones((1, 2, 3, 1))
    assert resize(x, (2, 3)) is x


def test_an_unknown_interpolation_is_refused():
    with pytest.raises(
        ValueError, match=r"Received interpolation='bicubic'\. Expected one of \('bilinear', 'nearest'\)"
    ):
        Resize("bicubic")


def test_aligned_corners_under_nearest_are_refused():
    with pytest.raises(ValueError, match="interpolation='nearest' with align_corners=True"):
        Resize("nearest", align_corners=True)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="tests TensorFlow's own operation under XLA")
def test_a_gradient_in_half_precision_compiles_under_xla():
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(resize(tf.nn.relu(x), (8, 8)))
        return tape.gradient(total, x)

    assert gradient(tf.ones((1, 4, 4, 2), tf.bfloat16)).numpy().sum() == 128

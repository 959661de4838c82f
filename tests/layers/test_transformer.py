"""What window attention, stochastic depth and separable fusion compute, by hand."""

import keras
import numpy as np
import pytest

from keras_hrnet import layers

OPTIONS = {"data_format": "channels_last"}


def randomized(layer, shape):
    layer.build(shape)
    generator = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(generator.normal(0, 0.5, weight.shape))
    return layer


def attention_by_hand(layer, x):
    """Attends window by window, head by head and query by query, over an image of (height, width, channels)."""
    window, heads = layer.window_size, layer.num_heads
    weights = {w.path.split("/", 1)[1]: keras.ops.convert_to_numpy(w).astype("float64") for w in layer.weights}
    table = weights["relative_position_bias_table"]
    padding = [(-length % window) for length in x.shape[:2]]
    padded = np.pad(x, [*((p // 2, p - p // 2) for p in padding), (0, 0)])
    query, key, value = (padded @ weights[f"{n}_proj/kernel"] + weights[f"{n}_proj/bias"] for n in ("q", "k", "v"))
    out, size = np.zeros(padded.shape), x.shape[2] // heads
    for y, x0 in np.ndindex(*padded.shape[:2]):
        rows, columns = (slice(i // window * window, i // window * window + window) for i in (y, x0))
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = key[rows, columns, part] @ query[y, x0, part] / np.sqrt(size)
            for i, j in np.ndindex(window, window):
                down, right = y % window - i + window - 1, x0 % window - j + window - 1
                scores[i, j] += table[head, down * (2 * window - 1) + right]
            shares = np.exp(scores) / np.exp(scores).sum()
            out[y, x0, part] = np.einsum("ij,ijc->c", shares, value[rows, columns, part])
    out = out @ weights["out_proj/kernel"] + weights["out_proj/bias"]
    top, left = (p // 2 for p in padding)
    return out[top : top + x.shape[0], left : left + x.shape[1]]


@pytest.mark.parametrize("size", [(6, 3), (7, 5)])
def test_a_pixel_attends_to_its_window_with_a_bias_for_each_relative_position(size):
    x = np.random.default_rng(1).normal(size=(2, *size, 4)).astype("float32")
    layer = randomized(layers.WindowAttention(2, 3, **OPTIONS), x.shape)
    expected = [attention_by_hand(layer, image.astype("float64")) for image in x]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x)), expected, atol=1e-5)  # measured 1e-6


def test_stochastic_depth_leaves_out_whole_samples_and_divides_the_others():
    x = np.ones((64, 2, 3, 4), "float32")
    y = keras.ops.convert_to_numpy(layers.StochasticDepth(0.25, seed=1)(x, training=True)).reshape(64, -1)
    kept = y[:, 0] > 0
    assert 32 < kept.sum() < 60
    np.testing.assert_allclose(y, np.where(kept[:, None], 1 / 0.75, 0) * np.ones_like(y), rtol=1e-6)
    np.testing.assert_array_equal(layers.StochasticDepth(0.25)(x, training=False), x)


def test_a_rematerialized_block_draws_the_mask_of_its_forward_pass():
    """On PyTorch, the backward pass runs the block again: its gradient must be of the samples that were kept."""
    x = np.random.default_rng(0).normal(size=(8, 4, 4, 4)).astype("float32")
    trained = []
    for remat in (False, True):
        keras.utils.set_random_seed(0)
        image = keras.Input((4, 4, 4))
        branch = layers.TransformerBranch(2, 2, (0.5, 0.5), remat=remat, **OPTIONS)
        model = keras.Model(image, branch(image))
        generator = np.random.default_rng(1)
        for weight in model.weights:
            weight.assign(generator.uniform(0.5, 1.0, weight.shape))
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.train_on_batch(x, np.zeros_like(x))
        trained.append([keras.ops.convert_to_numpy(weight) for weight in model.weights])
    for plain, again in zip(*trained, strict=True):
        np.testing.assert_allclose(again, plain, atol=1e-4 * np.abs(plain).max())


def test_a_coarser_map_is_enlarged_by_its_factor_and_then_to_the_size_it_meets():
    fuse = layers.SeparableFuse(**OPTIONS)
    maps = [np.zeros((1, 5, 3, 1), "float32"), np.arange(6, dtype="float32").reshape(1, 3, 2, 1) + 1]
    fuse.build([x.shape for x in maps])
    fuse.convolutions["up_0_1"].conv.kernel.assign(np.ones((1, 1, 1, 1)))
    finest = keras.ops.convert_to_numpy(fuse([keras.ops.convert_to_tensor(x) for x in maps], training=False)[0])[
        0, ..., 0
    ]
    # 3x2 becomes 6x4 by nearest, and that 5x3 with aligned corners.
    enlarged = maps[1][0, ..., 0].repeat(2, axis=0).repeat(2, axis=1)
    rows, columns = np.linspace(0, 5, 5), np.linspace(0, 3, 3)
    expected = np.stack([np.interp(rows, np.arange(6), column) for column in enlarged.T], axis=1)
    expected = np.stack([np.interp(columns, np.arange(4), row) for row in expected])
    np.testing.assert_allclose(finest, expected / np.sqrt(1 + 1e-5), rtol=1e-5)


@pytest.mark.once
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.WindowAttention(0), "num_heads=0"),
        (lambda: layers.WindowAttention(1, 2.5), "window_size=2.5"),
        (lambda: layers.WindowAttention(3).build((None, 8, 8, 4)), "4 channels with num_heads=3"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()

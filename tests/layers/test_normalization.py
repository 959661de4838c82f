"""`BatchNorm` against `keras.layers.BatchNormalization`, which it stands for."""

import functools

import keras
import numpy as np
import pytest

from keras_hrnet.layers import BatchNorm, normalization


def pair(**options):
    """Both layers, with the same random weights."""
    layers = [cls(epsilon=1e-5, momentum=0.9, **options) for cls in (BatchNorm, keras.layers.BatchNormalization)]
    values = np.random.default_rng(0).uniform(0.5, 1.5, (4, 3)).astype("float32")
    for layer in layers:
        layer.build((None, None, None, 3))
        layer.set_weights(list(values))
    return layers


def maps(*shape):
    return np.random.default_rng(1).normal(2.0, 3.0, shape).astype("float32")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (1, 1, 1, 3), (1, 64, 64, 3)])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_values_and_statistics_are_kerass(training, shape, policy):
    ours, theirs = pair(dtype=policy)
    results = [keras.ops.cast(layer(maps(*shape), training=training), "float32") for layer in (ours, theirs)]
    # Measured 2e-6; a single pixel has no variance, which magnifies rounding by 1 / sqrt(epsilon): 5e-5. Half precision
    # rounds the result.
    tolerance = 2e-2 if policy != "float32" else 5e-4 if shape == (1, 1, 1, 3) else 2e-5
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, results), rtol=tolerance, atol=tolerance)
    for weight, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("trainable", [True, False])
def test_a_training_step_moves_weights_as_with_kerass(trainable):
    moved = []
    for layer in pair():
        layer.trainable = trainable
        model = keras.Sequential([keras.Input((6, 6, 3)), layer, keras.layers.Conv2D(2, 3, kernel_initializer="ones")])
        model.compile(keras.optimizers.SGD(0.01), "mse")
        model.train_on_batch(maps(2, 6, 6, 3), maps(2, 4, 4, 2))
        moved.append(model.get_weights())
    for ours, theirs in zip(*moved, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 2, 3), (None, None, None, 3)])
def test_statistics_are_of_the_batch_not_of_the_population(shape):
    layer, _ = pair()
    layer.set_weights([np.ones(3), np.zeros(3), np.zeros(3), np.zeros(3)])
    run = functools.partial(layer, training=True)
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        run = tf.function(run, input_signature=[tf.TensorSpec(shape)])
    elif None in shape:
        pytest.skip("only TensorFlow traces maps of unknown size")
    run(np.array([[[[0.0, 0, 0], [2.0, 4.0, 6.0]]]], "float32"))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer.moving_mean), [0.1, 0.2, 0.3], rtol=1e-5)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer.moving_variance), [0.1, 0.4, 0.9], rtol=1e-5)


def test_what_cannot_be_fused_is_left_to_keras():
    layer = BatchNorm(axis=1)
    x = np.moveaxis(maps(2, 5, 7, 3), -1, 1)
    expected = keras.layers.BatchNormalization(axis=1)(x, training=True)
    np.testing.assert_allclose(
        *(keras.ops.convert_to_numpy(value) for value in (layer(x, training=True), expected)), atol=2e-5
    )


@pytest.mark.parametrize("options", [{}, {"axis": 1}, {"scale": False, "center": False}, {"dtype": "mixed_bfloat16"}])
def test_two_replicas_with_the_same_maps_are_one(options, monkeypatch):
    monkeypatch.setattr(normalization, "sum_over_replicas", lambda x: 2 * x)
    moved = []
    for count in (1, 2):
        monkeypatch.setattr(normalization, "num_replicas", lambda count=count: count)
        layer = BatchNorm(**options)
        model = keras.Sequential([keras.Input((6, 6, 6)), layer, keras.layers.Conv2D(2, 3, kernel_initializer="ones")])
        model.compile(keras.optimizers.SGD(0.01), "mse")
        model.train_on_batch(100 + maps(2, 6, 6, 6), maps(2, 4, 4, 2))
        moved.append(model.get_weights())
    for ours, theirs in zip(*moved, strict=True):
        tolerance = 2e-2 if options.get("dtype") else 1e-4
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def test_pytorchs_own_operations_over_processes_are_those_of_all_backends(monkeypatch):
    if keras.config.backend() != "torch":
        pytest.skip("only PyTorch has operations of its own for several processes")
    import torch

    monkeypatch.setattr(normalization, "num_replicas", lambda: 2)
    # Another process, whose sums are three times those of this one.
    monkeypatch.setattr(normalization, "sum_over_replicas", lambda x: 4 * x)
    results = []
    for is_fusable in (True, False):
        monkeypatch.setattr(BatchNorm, "is_fusable", lambda *_, answer=is_fusable: answer)
        layer, _ = pair()
        x = torch.tensor(maps(2, 5, 7, 3), requires_grad=True)
        y = layer(x, training=True)
        (y * torch.tensor(maps(7, 2, 5, 3).reshape(y.shape))).sum().backward()
        tensors = (y, x.grad, layer.gamma.value.grad, layer.beta.value.grad, *(w.value for w in layer.weights))
        results.append([tensor.detach().numpy() for tensor in tensors])
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)  # measured 4e-7 of the largest


@pytest.mark.parametrize(("options", "mask"), [({"renorm": True}, None), ({}, np.ones((2, 5), "bool"))])
def test_what_replicas_cannot_put_together_is_refused(options, mask, monkeypatch):
    monkeypatch.setattr(normalization, "num_replicas", lambda: 2)
    with pytest.raises(ValueError, match=r"on 2 replicas\. Expected neither"):
        BatchNorm(**options)(maps(2, 5, 7, 3), training=True, mask=mask)

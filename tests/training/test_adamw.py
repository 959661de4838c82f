"""AdamW beside PyTorch's: single weights, and a small network."""

import keras
import numpy as np
import pytest
import torch

from keras_hrnet.training import AdamW, Poly

STEPS = 6
MEASURED_TENFOLD = {"rtol": 4e-6, "atol": 4e-6}
NO_DECAY = ("gamma", "relative_position_bias_table")
SHAPES = {"kernel": (2, 3), "gamma": (3,), "relative_position_bias_table": (3, 2), "head_kernel": (3, 2)}
SETTINGS = {"beta_1": 0.8, "beta_2": 0.99, "weight_decay": 0.3}


def arrays(seed, scale=1.0):
    rng = np.random.default_rng(seed)
    return [(scale * rng.standard_normal(shape)).astype("float32") for shape in SHAPES.values()]


# The last gradients are as small as those of a network's pixels: epsilon counts.
GRADIENTS = [arrays(1 + i, scale) for i, scale in enumerate((1, 1, 0.1, 1, 1e-4, 1e-7))]


def trained(optimizer, steps=GRADIENTS):
    variables = [keras.Variable(value, name=name) for name, value in zip(SHAPES, arrays(0), strict=True)]
    optimizer.build(variables)
    for gradients in steps:
        optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients])
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def trained_by_torch(schedule=None, clip=None, head_rate=1.0, steps=GRADIENTS, **settings):
    settings = {"lr": 0.1, "betas": (0.8, 0.99), "weight_decay": 0.3, **settings}
    weights = [torch.nn.Parameter(torch.from_numpy(value)) for value in arrays(0)]
    groups = [{"params": [weight]} for weight in weights]
    for group, name in zip(groups, SHAPES, strict=True):
        group.update({"weight_decay": 0.0} if name in NO_DECAY else {})
        group["factor"] = head_rate if name.startswith("head") else 1.0
    optimizer = torch.optim.AdamW(groups, **settings)
    for i, gradients in enumerate(steps):
        for group in optimizer.param_groups:
            group["lr"] = (schedule(i) if schedule else settings["lr"]) * group["factor"]
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = torch.from_numpy(gradient.copy())
        if clip:
            torch.nn.utils.clip_grad_norm_(weights, clip)
        optimizer.step()
    return [weight.detach().numpy() for weight in weights]


def assert_close(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, **MEASURED_TENFOLD)


def test_kernels_decay_and_scales_and_position_tables_do_not():
    assert_close(trained(AdamW(0.1, **SETTINGS)), trained_by_torch())


def test_published_betas_and_a_warm_up():
    optimizer = AdamW(Poly(0.1, 8, power=2.0, warmup_steps=2), weight_decay=0.3)
    theirs = trained_by_torch(lambda i: 0.1 * (1 - i / 8) ** 2 * min(1, (i + 1) / 3), betas=(0.9, 0.999))
    assert_close(trained(optimizer), theirs)


def test_clipping_is_that_of_all_gradients_together():
    assert_close(trained(AdamW(0.1, global_clipnorm=0.5, **SETTINGS)), trained_by_torch(clip=0.5))


def test_a_head_learns_and_decays_faster():
    optimizer = AdamW(0.01, rate_factors={"^head": 10.0}, **SETTINGS)
    assert_close(trained(optimizer), trained_by_torch(lr=0.01, head_rate=10.0))


def test_accumulated_batches_are_one_large_batch_to_everything():
    settings = {"use_ema": True, "ema_momentum": 0.7, **SETTINGS}
    accumulating = AdamW(Poly(0.1, 10), gradient_accumulation_steps=2, **settings)
    plain = AdamW(Poly(0.1, 10), **settings)
    means = [
        [(a + b) / 2 for a, b in zip(*pair, strict=True)] for pair in zip(GRADIENTS[::2], GRADIENTS[1::2], strict=True)
    ]
    assert_close(trained(accumulating), trained(plain, means))
    averages = [
        [keras.ops.convert_to_numpy(value) for value in optimizer.variables if "average" in value.path]
        for optimizer in (accumulating, plain)
    ]
    assert len(averages[0]) == len(SHAPES)
    assert_close(*averages)


def test_it_is_rebuilt_from_its_configuration():
    optimizer = AdamW(Poly(0.1, 9), rate_factors={"head": 2.0}, use_ema=True, clipnorm=1.0, **SETTINGS)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    for one, other in zip(trained(again), trained(optimizer), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("way", ["graph", "xla", "distributed"])
def test_weights_move_as_under_torch_however_tensorflow_runs(way):
    if keras.config.backend() != "tensorflow":
        pytest.skip("only TensorFlow runs a step in several ways")
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(["CPU:0"]) if way == "distributed" else tf.distribute.get_strategy()
    with strategy.scope():
        variables = [keras.Variable(value, name=name) for name, value in zip(SHAPES, arrays(0), strict=True)]
        optimizer = AdamW(0.1, **SETTINGS)
        optimizer.build(variables)

    def update(factors):
        with tf.GradientTape() as tape:
            products = zip(factors, variables, strict=True)
            loss = sum(tf.reduce_sum(factor * variable.value) for factor, variable in products)
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]))

    step = tf.function(lambda factors: strategy.run(update, (factors,)), jit_compile=way == "xla")
    for gradients in GRADIENTS:
        step([tf.constant(gradient) for gradient in gradients])
    assert_close([keras.ops.convert_to_numpy(variable) for variable in variables], trained_by_torch())


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_it_trains_in_mixed_precision(policy):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype=policy)])
    model.compile(AdamW(0.1, use_ema=True), "mse")
    before = model.get_weights()
    history = model.fit(np.ones((4, 4), "float32"), np.ones((4, 3), "float32"), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))


def test_a_small_network_trains_as_under_torch():
    rng = np.random.default_rng(0)
    images = rng.standard_normal((4, 8, 8, 3)).astype("float32")
    targets = rng.standard_normal((4, 2)).astype("float32")
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        keras.layers.Conv2D(4, 3),
        keras.layers.BatchNormalization(epsilon=1e-5),
        keras.layers.ReLU(),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2),
    ])  # fmt: skip
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2),
    )  # fmt: skip
    kernel, bias = model.layers[0].get_weights()
    dense, offset = model.layers[-1].get_weights()
    with torch.no_grad():
        theirs[0].weight.copy_(torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()))
        theirs[0].bias.copy_(torch.from_numpy(bias.copy()))
        theirs[5].weight.copy_(torch.from_numpy(dense.T.copy()))
        theirs[5].bias.copy_(torch.from_numpy(offset.copy()))
    parameters = list(theirs.parameters())
    groups = [
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": 0.5},
        {"params": [each for each in parameters if each.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.01)
    model.compile(AdamW(0.01, weight_decay=0.5), "mse")
    for _ in range(STEPS):
        loss = torch.nn.functional.mse_loss(
            theirs(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())), torch.from_numpy(targets)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert float(model.train_on_batch(images, targets)) == pytest.approx(float(loss.detach()), rel=1e-5)
    np.testing.assert_allclose(model.layers[-1].get_weights()[0], theirs[5].weight.detach().numpy().T, atol=1e-5)
    expected = theirs[0].weight.detach().numpy().transpose(2, 3, 1, 0)
    np.testing.assert_allclose(model.layers[0].get_weights()[0], expected, atol=1e-5)


@pytest.mark.once
def test_a_beta_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"beta_2=1\.0\. Expected a number from 0 to below 1"):
        AdamW(0.1, beta_2=1.0)

"""Stochastic gradient descent, beside PyTorch's."""

import keras
import numpy as np
import pytest
import torch

from keras_hrnet.training import SGD, Poly

STEPS = 6
MEASURED_TWENTYFOLD = {"rtol": 2e-6, "atol": 1e-6}  # measured 5e-8


def start():
    return np.random.default_rng(0).standard_normal((2, 3)).astype("float32")


def gradients(count=STEPS):
    return np.random.default_rng(1).standard_normal((count, 2, 3)).astype("float32")


def trained(optimizer, steps, names=("weight",)):
    """The variables after steps with the same gradient for each of them."""
    variables = [keras.Variable(start(), name=name) for name in names]
    optimizer.build(variables)
    for gradient in steps:
        optimizer.apply([keras.ops.convert_to_tensor(gradient) for _ in variables])
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def trained_by_torch(steps, schedule=None, clip=None, **settings):
    weight = torch.nn.Parameter(torch.from_numpy(start()))
    optimizer = torch.optim.SGD([weight], **settings)
    for i, gradient in enumerate(steps):
        if schedule:
            optimizer.param_groups[0]["lr"] = schedule(i)
        weight.grad = torch.from_numpy(np.array(gradient))
        if clip:
            torch.nn.utils.clip_grad_norm_([weight], clip)
        optimizer.step()
    return weight.detach().numpy()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"momentum": 0.9},
        {"weight_decay": 0.3},
        {"momentum": 0.9, "weight_decay": 0.3},
        {"momentum": 0.9, "weight_decay": 0.3, "nesterov": True},
    ],
    ids=str,
)
def test_a_weight_moves_as_under_torch(settings):
    (weight,) = trained(SGD(0.1, **settings), gradients())
    np.testing.assert_allclose(weight, trained_by_torch(gradients(), lr=0.1, **settings), **MEASURED_TWENTYFOLD)


def test_two_steps_by_hand():
    weight = keras.Variable(np.array([2.0], "float32"))
    optimizer = SGD(0.1, momentum=0.5, weight_decay=0.25)
    optimizer.build([weight])
    optimizer.apply([keras.ops.convert_to_tensor([1.0])])
    # g = 1 + 0.25 * 2 = 1.5, v = 1.5, w = 2 - 0.15
    np.testing.assert_allclose(keras.ops.convert_to_numpy(weight), [1.85], rtol=1e-6)
    optimizer.apply([keras.ops.convert_to_tensor([1.0])])
    # g = 1 + 0.25 * 1.85 = 1.4625, v = 0.75 + 1.4625 = 2.2125, w = 1.85 - 0.22125
    np.testing.assert_allclose(keras.ops.convert_to_numpy(weight), [1.62875], rtol=1e-6)


def test_a_schedule_changes_the_rate_but_not_the_velocity():
    settings = {"momentum": 0.9, "weight_decay": 0.3}
    (weight,) = trained(SGD(Poly(0.1, 8, power=2.0, warmup_steps=2), **settings), gradients())
    expected = trained_by_torch(
        gradients(), schedule=lambda i: 0.1 * (1 - i / 8) ** 2 * min(1, (i + 1) / 3), lr=1, **settings
    )
    np.testing.assert_allclose(weight, expected, **MEASURED_TWENTYFOLD)


def test_clipping_comes_before_the_decay():
    (weight,) = trained(SGD(0.1, 0.9, weight_decay=0.3, global_clipnorm=0.5), gradients())
    expected = trained_by_torch(gradients(), clip=0.5, lr=0.1, momentum=0.9, weight_decay=0.3)
    np.testing.assert_allclose(weight, expected, **MEASURED_TWENTYFOLD)


def test_accumulated_batches_are_one_large_batch_to_everything():
    def optimizer(**settings):
        return SGD(
            Poly(0.1, 10), 0.9, weight_decay=0.3, global_clipnorm=0.5, use_ema=True, ema_momentum=0.7, **settings
        )

    small = gradients(3 * STEPS)
    accumulating, plain = optimizer(gradient_accumulation_steps=3), optimizer()
    (accumulated,) = trained(accumulating, small)
    (large,) = trained(plain, small.reshape(STEPS, 3, 2, 3).mean(axis=1))
    np.testing.assert_allclose(accumulated, large, **MEASURED_TWENTYFOLD)
    averages = [average_of(optimizer) for optimizer in (accumulating, plain)]
    np.testing.assert_allclose(*averages, **MEASURED_TWENTYFOLD)
    assert not np.allclose(averages[0], accumulated)


def average_of(optimizer):
    (average,) = [variable for variable in optimizer.variables if "average" in variable.path]
    return keras.ops.convert_to_numpy(average)


def test_the_average_of_the_weights_by_hand():
    weight = keras.Variable(np.array([1.0], "float32"))
    optimizer = SGD(1.0, use_ema=True, ema_momentum=0.75)
    optimizer.build([weight])
    for gradient in (1.0, -4.0, 0.0):  # the weight is 0, 4, 4
        optimizer.apply([keras.ops.convert_to_tensor([gradient])])
    # 0, then 0.75 * 0 + 0.25 * 4 = 1, then 0.75 * 1 + 0.25 * 4
    np.testing.assert_allclose(average_of(optimizer), [1.75], rtol=1e-6)


def test_some_weights_learn_faster():
    optimizer = SGD(0.01, 0.9, weight_decay=0.3, rate_factors={"^head": 10.0})
    backbone, head = trained(optimizer, gradients(), names=("backbone", "head"))
    settings = {"momentum": 0.9, "weight_decay": 0.3}
    np.testing.assert_allclose(backbone, trained_by_torch(gradients(), lr=0.01, **settings), **MEASURED_TWENTYFOLD)
    np.testing.assert_allclose(head, trained_by_torch(gradients(), lr=0.1, **settings), **MEASURED_TWENTYFOLD)


def test_some_weights_do_not_decay():
    optimizer = SGD(0.1, weight_decay=0.3)
    optimizer.exclude_from_weight_decay(var_names=["beta"])
    kernel, beta = trained(optimizer, gradients(), names=("kernel", "beta"))
    np.testing.assert_allclose(kernel, trained_by_torch(gradients(), lr=0.1, weight_decay=0.3), **MEASURED_TWENTYFOLD)
    np.testing.assert_allclose(beta, trained_by_torch(gradients(), lr=0.1), **MEASURED_TWENTYFOLD)


def test_the_learning_rate_can_be_set_and_read():
    optimizer = SGD(0.1)
    optimizer.learning_rate = 0.2
    assert float(optimizer.learning_rate) == pytest.approx(0.2)
    optimizer = SGD(Poly(0.1, 4, power=1), gradient_accumulation_steps=2)
    trained(optimizer, gradients(5))
    assert float(optimizer.learning_rate) == pytest.approx(0.05)  # two of four updates are done


def test_it_is_rebuilt_from_its_configuration():
    optimizer = SGD(Poly(0.1, 9), 0.9, True, 0.3, rate_factors={"weight": 2.0}, use_ema=True, clipnorm=1.0)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    np.testing.assert_array_equal(trained(again, gradients()), trained(optimizer, gradients()))


def test_an_embedding_moves_by_the_sum_of_its_gradients():
    embedding = keras.layers.Embedding(3, 2, embeddings_initializer="ones")
    model = keras.Sequential([keras.Input((3,), dtype="int32"), embedding])
    model.compile(SGD(0.5, momentum=0.9), "mse")
    model.train_on_batch(np.array([[0, 0, 1]], "int32"), np.zeros((1, 3, 2), "float32"))
    # The loss is a mean of 6 squares: g = 2 * 2 / 6 for the first row, 2 / 6 for the second.
    np.testing.assert_allclose(model.get_weights()[0], [[2 / 3] * 2, [5 / 6] * 2, [1] * 2], rtol=1e-6)


@pytest.mark.parametrize("way", ["graph", "xla", "distributed"])
def test_a_weight_moves_as_under_torch_however_tensorflow_runs(way):
    if keras.config.backend() != "tensorflow":
        pytest.skip("only TensorFlow runs a step in several ways")
    import tensorflow as tf

    settings = {"momentum": 0.9, "weight_decay": 0.3, "nesterov": True}
    strategy = tf.distribute.MirroredStrategy(["CPU:0"]) if way == "distributed" else tf.distribute.get_strategy()
    with strategy.scope():
        variable, optimizer = keras.Variable(start()), SGD(0.1, **settings)
        optimizer.build([variable])

    def update(factors):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(factors * variable.value)
        optimizer.apply(tape.gradient(loss, [variable.value]))

    step = tf.function(lambda factors: strategy.run(update, (factors,)), jit_compile=way == "xla")
    for gradient in gradients():
        step(tf.constant(gradient))
    expected = trained_by_torch(gradients(), lr=0.1, **settings)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), expected, **MEASURED_TWENTYFOLD)


@pytest.mark.parametrize(("momentum", "name"), [(0.9, "ResourceApplyMomentum"), (0.0, "ResourceApplyGradientDescent")])
def test_tensorflow_updates_a_weight_by_one_operation(momentum, name):
    if keras.config.backend() != "tensorflow":
        pytest.skip("tests an operation of TensorFlow")
    import tensorflow as tf

    variables, optimizer = [keras.Variable(start()) for _ in range(2)], SGD(0.1, momentum, weight_decay=0.3)
    optimizer.build(variables)
    step = tf.function(lambda *gradients: optimizer.apply(gradients))
    operations = step.get_concrete_function(*[tf.TensorSpec((2, 3))] * 2).graph.get_operations()
    written = [op.type for op in operations if op.type.startswith(("Resource", "Assign"))]
    assert sorted(written) == ["AssignVariableOp", *[name] * 2]  # the first counts the updates


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_it_trains_in_mixed_precision(policy):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype=policy)])
    model.compile(SGD(0.1, 0.9, weight_decay=0.01, use_ema=True), "mse")
    before = model.get_weights()
    history = model.fit(np.ones((4, 4), "float32"), np.ones((4, 3), "float32"), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"momentum": 1.0}, "momentum=1.0. Expected a number from 0 to below 1"),
        ({"nesterov": True}, "nesterov=True with momentum=0"),
    ],
    ids=str,
)
def test_a_number_out_of_range_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SGD(0.1, **settings)

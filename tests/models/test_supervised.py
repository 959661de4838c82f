"""Second losses: trained by Keras's own loop on every backend, and invisible to everyone else."""

import threading

import keras
import numpy as np
import pytest

from keras_hrnet.layers import Supervision
from keras_hrnet.models.supervised import SupervisedModel, supervised_model

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
Y = np.array([0, 1, 2, 1])


def build(weight=0.4, regularizer=None):
    inputs = keras.Input((3,), name="x")
    hidden = keras.layers.Dense(4, activation="tanh", name="hidden")(inputs)
    first = keras.layers.Dense(3, name="first", kernel_regularizer=regularizer)(hidden)
    second = keras.layers.Dense(3, name="second")(hidden)
    return supervised_model(inputs, [first, second], (weight,), "net")


def compiled(model, loss=None, **options):
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"], **options)
    return model


def logits(model, name):
    return np.array(keras.Model(model.input, model.get_layer(name).output).predict(X, verbose=0))


def cross_entropy(z, weights=None):
    z = z - z.max(-1, keepdims=True)
    losses = np.log(np.exp(z).sum(-1)) - z[np.arange(len(Y)), Y]
    return (losses * (1 if weights is None else weights)).mean()


def test_the_model_gives_the_first_tensor_everywhere():
    model = build()
    expected = logits(model, "first")
    assert model.output_shape == (None, 3)
    for answer in (model(X), model(X, training=True), model.predict(X, verbose=0), model.predict_on_batch(X)):
        assert tuple(answer.shape) == (4, 3)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(answer), expected, atol=1e-6)
    outer = keras.Sequential([keras.Input((3,)), model, keras.layers.Softmax()])
    assert outer.output_shape == (None, 3)


class Halved(keras.losses.SparseCategoricalCrossentropy):
    """A loss that names another for auxiliary logits, as OHEM does."""

    auxiliary = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def call(self, y_true, y_pred):
        return 0.5 * super().call(y_true, y_pred)


def test_the_others_take_the_loss_that_the_compiled_one_names_for_them():
    model = compiled(build(0.4), Halved(from_logits=True))
    expected = 0.5 * cross_entropy(logits(model, "first")) + 0.4 * cross_entropy(logits(model, "second"))
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0)[0], expected, rtol=1e-6)


@pytest.mark.parametrize("weight", [0.4, 2.0])
def test_training_and_evaluation_add_the_other_losses(weight):
    model = compiled(build(weight))
    expected = cross_entropy(logits(model, "first")) + weight * cross_entropy(logits(model, "second"))
    loss, accuracy = model.test_on_batch(X, Y)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    assert accuracy == np.mean(logits(model, "first").argmax(-1) == Y)
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0)[0], expected, rtol=1e-6)
    np.testing.assert_allclose(model.train_on_batch(X, Y)[0], expected, rtol=1e-6)


def test_one_step_moves_the_second_branch_by_its_share_of_the_gradient():
    model = compiled(build(0.4))
    z = logits(model, "second")
    shares = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    gradient = 0.4 * (shares - np.eye(3)[Y]).mean(0)
    before = keras.ops.convert_to_numpy(model.get_layer("second").bias)
    model.fit(X, Y, batch_size=4, verbose=0)
    moved = keras.ops.convert_to_numpy(model.get_layer("second").bias) - before
    np.testing.assert_allclose(moved, -0.1 * gradient, rtol=1e-4, atol=1e-7)


def test_sample_weights_reach_every_loss():
    model = compiled(build())
    weights = np.array([1.0, 0.0, 2.0, 0.5], "float32")
    expected = cross_entropy(logits(model, "first"), weights) + 0.4 * cross_entropy(logits(model, "second"), weights)
    np.testing.assert_allclose(model.test_on_batch(X, Y, sample_weight=weights)[0], expected, rtol=1e-6)


def test_a_penalty_of_a_layer_counts_once():
    model = compiled(build(regularizer=keras.regularizers.L2(0.5)))
    kernel = keras.ops.convert_to_numpy(model.get_layer("first").kernel)
    expected = cross_entropy(logits(model, "first")) + 0.4 * cross_entropy(logits(model, "second"))
    np.testing.assert_allclose(model.test_on_batch(X, Y)[0], expected + 0.5 * (kernel**2).sum(), rtol=1e-6)


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", ["sparse_categorical_crossentropy"]])
def test_a_loss_is_given_as_to_any_model_of_one_output(loss):
    model = compiled(build(), loss)
    assert np.isfinite(model.train_on_batch(X, Y)[0])


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables .'second/kernel':UserWarning")
def test_weight_zero_keeps_a_layer_and_does_not_train_it():
    model = compiled(build(0.0))
    np.testing.assert_allclose(model.test_on_batch(X, Y)[0], cross_entropy(logits(model, "first")), rtol=1e-6)
    before = keras.ops.convert_to_numpy(model.get_layer("second").kernel)
    model.train_on_batch(X, Y)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model.get_layer("second").kernel), before)
    assert len(model.weights) == 6


def test_what_leads_only_to_the_others_is_not_computed_for_a_prediction(monkeypatch):
    model = build()
    called, call = [], keras.layers.Dense.call
    monkeypatch.setattr(
        keras.layers.Dense, "call", lambda self, *a, **k: called.append(self.name) or call(self, *a, **k)
    )
    model(X)
    assert called == ["hidden", "first"]
    called.clear()
    with model.in_step():
        first, second = model(X)
    assert sorted(called) == ["first", "hidden", "second"]
    assert not np.allclose(keras.ops.convert_to_numpy(first), keras.ops.convert_to_numpy(second))


def test_a_step_in_one_thread_is_not_seen_in_another():
    model, answers = build(), []
    with model.in_step():
        thread = threading.Thread(target=lambda: answers.append(model(X)))
        thread.start()
        thread.join()
    assert tuple(answers[0].shape) == (4, 3)


def test_a_step_that_fails_leaves_nothing_behind():
    def loss(y, logits):
        raise RuntimeError("not today")

    model = compiled(build(), loss)
    for step in (model.train_on_batch, model.test_on_batch):
        with pytest.raises(RuntimeError, match="not today"):
            step(X, Y)
        assert tuple(model(X).shape) == (4, 3)


def test_a_saved_model_trains_on_as_before(tmp_path):
    model = compiled(build())
    model.train_on_batch(X, Y)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is SupervisedModel
    np.testing.assert_array_equal(logits(loaded, "second"), logits(model, "second"))
    np.testing.assert_allclose(loaded.train_on_batch(X, Y)[0], model.train_on_batch(X, Y)[0], rtol=1e-6)
    copy = keras.models.clone_model(model)
    assert type(copy) is SupervisedModel
    assert copy.supervision().loss_weights == (0.4,)


def test_a_training_loop_of_ones_own_may_ask_for_the_loss_of_one_tensor():
    model = compiled(build())
    loss = model.compute_loss(X, Y, model(X))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(loss), cross_entropy(logits(model, "first")), rtol=1e-6)


def test_supervision_refuses_a_negative_weight():
    with pytest.raises(ValueError, match=r"received loss_weights=\(-1,\)\. Expected numbers of at least 0"):
        Supervision((-1,))


def test_supervision_refuses_tensors_without_a_weight():
    x = keras.Input((3,))
    with pytest.raises(ValueError, match=r"received 3 tensors\. Expected 2: the output, and one for each"):
        Supervision((0.4,))([x, x, x])

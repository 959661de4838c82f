"""What the optimizers build on in Keras, and what they have in common."""

import configparser
import inspect
import pathlib

import keras
import numpy as np
import pytest
from packaging.requirements import Requirement

from keras_hrnet.training import SGD, AdamW, whole_batch
from keras_hrnet.training.whole_batch import WholeBatchOptimizer

# What `WholeBatchOptimizer` overrides or reads of Keras's optimizer and Keras does not document: methods, with their
# arguments, and attributes.
PRIVATE_METHODS = {
    "_apply_weight_decay": ["variables"],
    "_backend_increment_gradient_accumulators": ["grads", "acc_grads"],
    "_backend_update_step": ["grads", "trainable_variables", "learning_rate"],
    "_get_variable_index": ["variable"],
    "_update_model_variables_moving_average": ["trainable_variables"],
    "_use_weight_decay": ["variable"],
}
PRIVATE_ATTRIBUTES = ["_iterations", "_learning_rate", "_model_variables_moving_average"]
ADVICE = (
    "`WholeBatchOptimizer` builds on private methods of the optimizer of Keras 3.15, and this is Keras "
    f"{keras.version()}. Compare `keras.optimizers.Optimizer.apply`, and what it calls, with "
    "`keras_hrnet/training/whole_batch.py`; then move the bound of Keras's version in setup.cfg, and the names here."
)


def test_setup_allows_the_versions_of_keras_whose_private_methods_are_known():
    setup = configparser.ConfigParser()
    setup.read(pathlib.Path(__file__).parents[2] / "setup.cfg")
    lines = [line for line in setup["options"]["install_requires"].splitlines() if line]
    (bound,) = [each.specifier for each in map(Requirement, lines) if each.name == "keras"]
    assert bound.contains("3.15.0") and bound.contains("3.15.9") and not bound.contains("3.16.0")
    assert bound.contains(keras.version()), ADVICE


@pytest.mark.parametrize("name", PRIVATE_METHODS)
def test_keras_has_the_private_method(name):
    method = getattr(keras.optimizers.Optimizer, name, None)
    assert method is not None, f"There is no `{name}`. {ADVICE}"
    arguments = list(inspect.signature(method).parameters)
    assert arguments == ["self", *PRIVATE_METHODS[name]], f"`{name}` takes {arguments}. {ADVICE}"


@pytest.mark.parametrize("name", PRIVATE_ATTRIBUTES)
def test_keras_has_the_private_attribute(name):
    optimizer = keras.optimizers.SGD(use_ema=True)
    optimizer.build([keras.Variable(np.ones(3))])
    assert hasattr(optimizer, name), f"There is no `{name}`. {ADVICE}"


@pytest.mark.parametrize("name", [name for name in PRIVATE_METHODS if name in vars(WholeBatchOptimizer)])
def test_keras_calls_the_private_method_in_a_step(name, monkeypatch):
    called, method = [], getattr(WholeBatchOptimizer, name)
    monkeypatch.setattr(WholeBatchOptimizer, name, lambda *args: called.append(name) or method(*args))
    weight, optimizer = (
        keras.Variable(np.ones(3, "float32")),
        SGD(0.1, 0.9, use_ema=True, gradient_accumulation_steps=2),
    )
    optimizer.build([weight])
    for _ in range(2):
        optimizer.apply([keras.ops.ones(3)])
    # JAX accumulates without a branch.
    is_of_jax = keras.config.backend() == "jax" and name == "_backend_increment_gradient_accumulators"
    assert bool(called) != is_of_jax, f"`{name}` was not called. {ADVICE}"


@pytest.mark.once
@pytest.mark.parametrize("optimizer", [SGD, AdamW])
def test_a_negative_decay_is_refused(optimizer):
    with pytest.raises(ValueError, match=f"`{optimizer.__name__}` received weight_decay=-1.0. Expected at least 0"):
        optimizer(0.1, weight_decay=-1.0)


@pytest.mark.once
@pytest.mark.parametrize("optimizer", [SGD, AdamW])
def test_a_factor_for_no_weight_is_refused(optimizer):
    made = optimizer(0.1, rate_factors={"^heads": 10.0})
    with pytest.raises(ValueError, match=r"'\^heads'.*Their paths begin with head"):
        made.build([keras.Variable(np.ones(3), name="head")])


def test_gradients_are_put_together_before_they_are_clipped(monkeypatch):
    # Of two replicas, the other has the gradient (0, 4): the mean is (1.5, 2), and 2.5 long.
    theirs = keras.ops.convert_to_tensor(np.array([0, 4], "float32"))
    monkeypatch.setattr(whole_batch, "gradients_of_all", lambda gradients: [(ours + theirs) / 2 for ours in gradients])
    variable = keras.Variable(np.zeros(2, "float32"))
    optimizer = SGD(1.0, global_clipnorm=1.25)
    optimizer.build([variable])
    optimizer.apply([keras.ops.convert_to_tensor(np.array([3, 0], "float32"))])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), [-0.75, -1.0], rtol=1e-6)

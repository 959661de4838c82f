"""The statistics of batch normalization under averaged weights: those of training images, and only for a while."""

import keras
import numpy as np

from keras_hrnet.training import SGD
from keras_hrnet.training.callbacks import AveragedWeights
from keras_hrnet.training.callbacks.norm_statistics import NormStatistics

BATCHES = [np.random.default_rng(i).uniform(0, 255, (4, 6, 6, 3)).astype("float32") + 40 * i for i in range(3)]


def network():
    image = keras.Input((6, 6, 3))
    x = keras.layers.Dropout(0.5, seed=3)(image)
    x = keras.layers.BatchNormalization(axis=-1, momentum=0.9)(image) + 0 * x
    return keras.Model(image, keras.layers.Dense(2)(x))


def values(variables):
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def test_the_statistics_are_the_means_of_those_of_the_batches():
    model = network()
    norm = next(layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    seeds = [each for each in model.non_trainable_variables if "seed" in each.path]
    before = values(seeds)
    found = NormStatistics(model).estimate(BATCHES)
    means = [np.mean([batch.mean(axis=(0, 1, 2)) for batch in BATCHES], axis=0)]
    variances = [np.mean([batch.var(axis=(0, 1, 2)) for batch in BATCHES], axis=0)]
    for ours, expected in zip(found, means + variances, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4)
    np.testing.assert_array_equal(values([norm.moving_mean])[0], found[0])
    assert norm.momentum == 0.9
    assert len(seeds) == 1
    np.testing.assert_array_equal(values(seeds), before)


def test_a_validation_has_them_and_training_goes_on_with_its_own():
    model = network()
    model.compile(SGD(0.001, use_ema=True, ema_momentum=0.5), "mse")
    x, y = np.concatenate(BATCHES), np.zeros((12, 6, 6, 2), "float32")
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    norm = next(layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    averages = AveragedWeights(lambda: BATCHES)
    averages.set_model(model)
    own = values(model.variables)
    averages.on_test_begin()
    validated = values([norm.moving_mean, norm.moving_variance])
    np.testing.assert_allclose(validated[0], np.mean([b.mean(axis=(0, 1, 2)) for b in BATCHES], axis=0), rtol=1e-4)
    averages.on_test_end()
    for before, after in zip(own, values(model.variables), strict=True):
        np.testing.assert_array_equal(before, after)
    with averages.in_model():
        np.testing.assert_array_equal(values([norm.moving_mean, norm.moving_variance]), validated)
    for before, after in zip(own, values(model.variables), strict=True):
        np.testing.assert_array_equal(before, after)

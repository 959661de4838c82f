"""A network of three colors that learns in a few steps, and callbacks that are driven by hand."""

import keras
import numpy as np
import pytest

from keras_hrnet.evaluation.mean_iou import MeanIoU

SIZE = (4, 8)
COLORS = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250]], dtype="uint8")
LABELS = np.random.default_rng(0).integers(0, 3, (4, *SIZE)).astype("uint8")
IMAGES = COLORS[LABELS]


@pytest.fixture(scope="session")
def images():
    """uint8 `(4, 4, 8, 3)`: the color of a pixel is its class."""
    return IMAGES


@pytest.fixture(scope="session")
def labels():
    """uint8 `(4, 4, 8)`, train ids 0 to 2."""
    return LABELS


@pytest.fixture(scope="session")
def network():
    """Returns a function that builds and compiles a network of one 1x1 convolution; the same at each call."""

    def build(learning_rate=0.1, use_ema=False):
        image = keras.Input((*SIZE, 3))
        x = keras.layers.Rescaling(1 / 255)(image)
        x = keras.layers.Conv2D(3, 1, kernel_initializer=keras.initializers.RandomNormal(seed=1))(x)
        model = keras.Model(image, x)
        optimizer = keras.optimizers.SGD(learning_rate, momentum=0.9, use_ema=use_ema, ema_momentum=0.5)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss, metrics=[MeanIoU(3)])
        return model

    return build


@pytest.fixture(scope="session")
def fit(images, labels):
    """Returns a function that trains on all images, two a step, validates on the first two, and returns the history."""

    def run(model, callbacks=(), **options):
        options = {
            "batch_size": 2,
            "shuffle": False,
            "verbose": 0,
            "validation_data": (images[:2], labels[:2]),
            **options,
        }
        return model.fit(images, labels, callbacks=list(callbacks), **options).history

    return run


@pytest.fixture(scope="session")
def weights():
    """Returns a function that copies the weights of a model."""
    return lambda model: [np.array(keras.ops.convert_to_numpy(weight)) for weight in model.trainable_variables]


class SavesAName:
    """Stands for a model: `save` writes its name, and it has no optimizer."""

    optimizer = None
    trainable_variables = ()
    stop_training = False

    def __init__(self):
        self.name = ""

    def save(self, path):
        path.write_text(self.name)


@pytest.fixture
def saves_a_name():
    """A model whose file is its name."""
    return SavesAName()

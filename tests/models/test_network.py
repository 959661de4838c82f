"""`Network`: what it does beside `keras.Model`."""

import keras
import numpy as np

import keras_hrnet

VARIANT = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


def test_a_step_is_traced_once_with_its_optimizer_built():
    model = keras_hrnet.HRNet(VARIANT, 3, data_format="channels_last")
    calls = []

    def loss(labels, logits):
        calls.append(model.optimizer.built)
        return keras.ops.mean(logits)

    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss)
    images, labels = np.zeros((2, 32, 48, 3), "float32"), np.zeros((2, 32, 48), "uint8")
    model.train_on_batch(images, labels)
    model.train_on_batch(images, labels)
    assert calls[-1]
    if keras.config.backend() == "tensorflow":
        assert calls == [True]  # JAX and PyTorch ask for shapes before they build.

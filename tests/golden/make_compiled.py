"""Makes `compiled_on_BACKEND.keras`: a small network that was compiled with this package's optimizer, and trained.

Command: KERAS_BACKEND=torch python tests/golden/make_compiled.py, and so on for jax and tensorflow. The batches of
`compiled.npz` are the same each time; its losses are those of PyTorch.
"""

import pathlib

import keras
import numpy as np

from keras_hrnet.evaluation import MeanIoU
from keras_hrnet.layers import ConvNorm
from keras_hrnet.layers.convolution import HeNormalFanOut
from keras_hrnet.models.network import Network
from keras_hrnet.training import SGD, OhemCrossEntropy, Poly

FOLDER = pathlib.Path(__file__).parent
NUM_CLASSES, STEPS_BEFORE, STEPS_AFTER = 3, 3, 3


def main():
    backend = keras.config.backend()
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (STEPS_BEFORE + STEPS_AFTER, 2, 8, 12, 3), dtype="uint8")
    labels = generator.integers(0, NUM_CLASSES, images.shape[:-1], dtype="uint8")
    labels[:, :, 0] = 255

    keras.utils.set_random_seed(0)
    image = keras.Input((8, 12, 3))
    x = ConvNorm(4, 3, name="first")(keras.layers.Rescaling(1 / 255)(image))
    # Keras's own initializers draw other numbers on each backend.
    logits = keras.layers.Conv2D(NUM_CLASSES, 1, kernel_initializer=HeNormalFanOut(1), name="logits")(x)
    model = Network(image, logits)
    rate = Poly(0.1, 20, warmup_steps=2)
    settings = {"use_ema": True, "ema_momentum": 0.8, "gradient_accumulation_steps": 2, "global_clipnorm": 1.0}
    optimizer = SGD(rate, 0.9, weight_decay=0.01, rate_factors={"^logits/": 10.0}, **settings)
    model.compile(optimizer, OhemCrossEntropy(min_kept=50), metrics=[MeanIoU(NUM_CLASSES)])
    for i in range(STEPS_BEFORE):
        model.train_on_batch(images[i], labels[i])
    model.save(FOLDER / f"compiled_on_{backend}.keras")
    losses = [model.train_on_batch(images[i], labels[i])[0] for i in range(STEPS_BEFORE, len(images))]
    if backend == "torch":
        np.savez_compressed(
            FOLDER / "compiled.npz", images=images[STEPS_BEFORE:], labels=labels[STEPS_BEFORE:], losses=losses
        )
    print(backend, *losses)


if __name__ == "__main__":
    main()

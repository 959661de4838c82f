"""Compares choices in training: plain head, OCR, OHEM, class-uniform sampling, class weights, averaged weights.

Command:  python examples/benchmarks/training_choices.py streets --seeds 3
Hardware: any; each of the fifteen runs takes about two minutes of one CPU core on PyTorch.
Result:   a table of mIoU and of the IoU of rare classes, with mean and range over the seeds; see examples/training.md.

If `streets` does not exist, 160 streets of 256x512 are drawn for training, as by `keras-hrnet demo`, and 40 for
validation. All runs have the same number of steps, the optimizer of the demo and, with the same seed, the same batches,
except for class-uniform sampling. Results are kept in a file, so that an interrupted comparison is resumed.
"""

import argparse
import json
import pathlib

import keras
import numpy as np

import keras_hrnet
from keras_hrnet.data import CLASS_NAMES, cityscapes, class_shares, class_weights, synthesize
from keras_hrnet.training import CrossEntropy, OhemCrossEntropy

BATCH_SIZE, CROP_SIZE, NUM_RARE = 8, (64, 128), 5
# The same share of the pixels of a batch as published: 131072 in three images of 512x1024.
MIN_KEPT = BATCH_SIZE * CROP_SIZE[0] * CROP_SIZE[1] // 12
CHOICES = ("plain", "OCR", "OHEM", "class-uniform", "class weights")
AVERAGED = "averaged weights"
EMA_MOMENTUM = 0.95


class Last(keras.callbacks.Callback):
    """Keeps the weights of the last step, because `fit` finally replaces them by the averaged weights."""

    def on_epoch_end(self, epoch, logs=None):
        self.weights = self.model.get_weights()


def train(choice, root, seed, epochs, weights):
    keras.utils.set_random_seed(seed)
    head = {"head": "ocr", "ocr_channels": (64, 32)} if choice == "OCR" else {}
    model = keras_hrnet.HRNetW18Small(**head)
    share = 0.5 if choice == "class-uniform" else 0.0
    arguments = {"batch_size": BATCH_SIZE, "crop_size": CROP_SIZE, "scales": (0.5, 1.0), "seed": seed}
    data = cityscapes(root, "train", cache="memory", class_uniform=share, **arguments)
    steps = epochs * len(data)
    rate = keras.optimizers.schedules.CosineDecay(3e-4, steps - steps // 5, warmup_target=3e-3, warmup_steps=steps // 5)
    loss = CrossEntropy()
    if choice == "OHEM":
        loss = OhemCrossEntropy(min_kept=MIN_KEPT)
    if choice == "class weights":
        loss = CrossEntropy(weights)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, use_ema=True, ema_momentum=EMA_MOMENTUM)
    model.compile(optimizer, loss)
    last = Last()
    model.fit(data, epochs=epochs, shuffle=False, verbose=0, callbacks=[last])
    return model, last.weights


def scores(model, val):
    return [None if np.isnan(iou) else float(iou) for iou in keras_hrnet.evaluate(model, val).iou]


def measure(root, seeds, epochs, path):
    found = json.loads(path.read_text()) if path.exists() else {}
    val = cityscapes(root, "val")
    labels = cityscapes(root, "train", augment=False)
    weights = class_weights(class_shares(labels, len(CLASS_NAMES)))
    for seed in range(seeds):
        for choice in CHOICES:
            if f"{choice} {seed}" in found:
                continue
            model, last = train(choice, root, seed, epochs, weights)
            if choice == "plain":
                found[f"{AVERAGED} {seed}"] = scores(model, val)
            model.set_weights(last)
            found[f"{choice} {seed}"] = scores(model, val)
            path.write_text(json.dumps(found))
            print(f"{choice}, seed {seed}: {100 * np.nanmean(np.array(found[f'{choice} {seed}'], float)):.2f} %")
            keras.utils.clear_session()
    return found


def table(found, seeds, root):
    shares = class_shares(cityscapes(root, "val"), len(CLASS_NAMES))
    rare = [int(i) for i in np.argsort(np.where(shares > 0, shares, np.inf))[:NUM_RARE]]
    names = ", ".join(f"{CLASS_NAMES[i]} {100 * shares[i]:.2f} %" for i in rare)
    print(f"Rare classes, by their share of the pixels: {names}\n")
    print(f"| | mIoU % | IoU % of {CLASS_NAMES[rare[0]]} | mean IoU % of the {NUM_RARE} rarest |")
    print("| --- | ---: | ---: | ---: |")
    for choice in (*CHOICES, AVERAGED):
        iou = 100 * np.array([found[f"{choice} {seed}"] for seed in range(seeds)], float)
        columns = np.nanmean(iou, axis=1), iou[:, rare[0]], np.nanmean(iou[:, rare], axis=1)
        print(f"| {choice} | {' | '.join(f'{c.mean():.1f} ({c.min():.1f} to {c.max():.1f})' for c in columns)} |")


def main():
    parser = argparse.ArgumentParser(description="Compares choices in training.")
    parser.add_argument("root", type=pathlib.Path, help="the root of Cityscapes; drawn if it does not exist")
    parser.add_argument("--seeds", type=int, default=3, help="number of runs of each choice")
    parser.add_argument("--epochs", type=int, default=8, help="number of epochs of each run")
    parser.add_argument(
        "--results", type=pathlib.Path, default=pathlib.Path("training_choices.json"), help="JSON file of the results"
    )
    options = parser.parse_args()
    if not options.root.exists():
        synthesize(options.root, num_train=160, num_val=40, num_test=0, size=(256, 512))
    found = measure(options.root, options.seeds, options.epochs, options.results)
    table(found, options.seeds, options.root)


if __name__ == "__main__":
    main()

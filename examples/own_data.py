"""Trains a small HRNet on one's own images and masks: two folders of files with the same names.

Command:  python examples/own_data.py --images photos --masks masks --classes background,leaf,flower
Hardware: any; a GPU for more than a few hundred images.
Result:   a table of IoU by class on the fifth of the images that is kept apart, and own_data.keras.

A mask is a grey PNG of its image's size: 0 for the first class, 1 for the second, and so on; 255 is ignored.
"""

import argparse
import pathlib

import keras
import numpy as np
from PIL import Image

import keras_hrnet


def read_pairs(images, masks, size):
    """Reads all pairs at one (height, width): uint8 (N, H, W, 3) and uint8 (N, H, W)."""
    pixels, labels = [], []
    for path in sorted(pathlib.Path(images).iterdir()):
        mask = pathlib.Path(masks) / f"{path.stem}.png"
        if not mask.is_file():
            raise FileNotFoundError(f"{path} has no mask. Expected {mask}.")
        # Photos are blended when they are resized, labels never.
        pixels.append(np.asarray(Image.open(path).convert("RGB").resize(size[::-1], Image.Resampling.BILINEAR)))
        labels.append(np.asarray(Image.open(mask).resize(size[::-1], Image.Resampling.NEAREST)))
    return np.stack(pixels), np.stack(labels)


def main():
    parser = argparse.ArgumentParser(description="Trains HRNetW18Small on one's own data.")
    parser.add_argument("--images", required=True)
    parser.add_argument("--masks", required=True)
    parser.add_argument("--classes", required=True, help="names, by comma, in the order of the masks' numbers")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 512), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--out", default="own_data.keras")
    options = parser.parse_args()
    names = tuple(options.classes.split(","))

    x, y = read_pairs(options.images, options.masks, options.size)
    order = np.random.default_rng(0).permutation(len(x))
    val, train = order[: max(1, len(x) // 5)], order[max(1, len(x) // 5) :]

    model = keras_hrnet.HRNetW18Small(num_classes=len(names))
    steps = options.epochs * -(-len(train) // options.batch_size)
    model.compile(
        optimizer=keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(2e-3, steps), weight_decay=1e-4),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255),
    )
    model.fit(x[train], y[train], batch_size=options.batch_size, epochs=options.epochs)
    model.save(options.out)

    batches = ((x[[i]], y[[i]]) for i in val)
    print(keras_hrnet.evaluate(model, batches, class_names=names))


if __name__ == "__main__":
    main()

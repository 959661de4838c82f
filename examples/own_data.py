"""Trains a small HRNet on your own images and masks: two folders of files with the same names.

Command:  python examples/own_data.py --images photos --masks masks --classes background,leaf,flower
Hardware: any; use a GPU for more than a few hundred images.
Result:   own_data.keras, and a table of IoU by class, on the fifth of the images that is not used for training.

Images are PNG or JPEG files. A mask is a PNG file of the same size as its image, in which 0 is the first class, 1 is
the second class, and so on; 255 is ignored. See examples/data.md for color masks, other numbers and rare classes.
"""

import argparse

import keras

import keras_hrnet
from keras_hrnet.data import class_shares, folders


def main():
    parser = argparse.ArgumentParser(description="Trains HRNetW18Small on your own data.")
    parser.add_argument("--images", required=True, help="folder of the images")
    parser.add_argument("--masks", required=True, help="folder of the masks")
    parser.add_argument(
        "--classes", required=True, help="class names, separated by commas, in the order of the numbers"
    )
    parser.add_argument(
        "--crop", type=int, nargs=2, default=(256, 512), metavar=("HEIGHT", "WIDTH"), help="size of training crops"
    )
    parser.add_argument("--batch-size", type=int, default=8, help="number of images in a batch")
    parser.add_argument("--epochs", type=int, default=50, help="number of passes over the training images")
    parser.add_argument("--out", default="own_data.keras", help="file for the trained network")
    options = parser.parse_args()
    names = tuple(options.classes.split(","))

    own = {"images": options.images, "labels": options.masks, "classes": names, "val_share": 0.2}
    val = folders(**own, split="val")
    train = folders(**own, split="train", batch_size=options.batch_size, crop_size=tuple(options.crop), cache="memory")
    for name, share in zip(names, class_shares(val, len(names)), strict=True):
        print(f"{name}: {100 * share:.2f} % of the labeled pixels")

    model = keras_hrnet.HRNetW18Small(num_classes=len(names))
    rate = keras.optimizers.schedules.CosineDecay(2e-3, options.epochs * len(train))
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-4),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255),
    )
    model.fit(train, epochs=options.epochs)
    model.save(options.out)
    print(keras_hrnet.evaluate(model, val))


if __name__ == "__main__":
    main()

"""Trains HRNetW48 on Cityscapes by the published recipe, as far as plain Keras goes.

Command:  python examples/train_cityscapes.py --data data/cityscapes
Hardware: the published run took four GPUs of 16 GB; on fewer, lower --batch-size and --learning-rate alike.
Result:   published 80.9 % mIoU on the validation set from ImageNet weights (HRNet-Semantic-Segmentation, README). Not
          repeated here: the data set is not free to hand on. On synthetic streets it runs in the tests.

Numbers: HRNet-Semantic-Segmentation, experiments/cityscapes/seg_hrnet_w48_train_512x1024_*.yaml. Keras decouples the
weight decay from momentum, so its value is ten times the published 5e-4.
"""

import argparse
import pathlib

import keras

import keras_hrnet
from keras_hrnet.data import CLASS_NAMES, cityscapes


def arguments():
    parser = argparse.ArgumentParser(description="Trains HRNet on Cityscapes.")
    parser.add_argument("--data", required=True, help="folder that holds leftImg8bit and gtFine")
    parser.add_argument("--network", default="HRNetW48", help="HRNetW18Small to HRNetW64")
    parser.add_argument("--weights", help="a checkpoint to start from, .pth or .safetensors")
    parser.add_argument("--crop", type=int, nargs=2, default=(512, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch-size", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=484)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/cityscapes"))
    return parser.parse_args()


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    train = cityscapes(options.data, "train", batch_size=options.batch_size, crop_size=tuple(options.crop))
    val = cityscapes(options.data, "val")

    model = getattr(keras_hrnet, options.network)(len(CLASS_NAMES), weights=options.weights)
    steps = options.epochs * len(train)
    model.compile(
        optimizer=keras.optimizers.SGD(
            keras.optimizers.schedules.PolynomialDecay(options.learning_rate, steps, 0.0, power=0.9),
            momentum=0.9,
            weight_decay=5e-3,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255),
        metrics=[keras.metrics.MeanIoU(len(CLASS_NAMES), ignore_class=255, sparse_y_pred=False, name="mean_iou")],
    )
    best = options.out / "best.keras"
    callbacks = [
        keras.callbacks.ModelCheckpoint(best, monitor="val_mean_iou", mode="max", save_best_only=True),
        keras.callbacks.CSVLogger(options.out / "log.csv"),
        keras.callbacks.BackupAndRestore(options.out / "backup"),
    ]
    model.fit(train, validation_data=val, epochs=options.epochs, shuffle=False, callbacks=callbacks)

    print(keras_hrnet.evaluate(keras.models.load_model(best), val))


if __name__ == "__main__":
    main()

"""Trains HRNet on Cityscapes with a published recipe.

Command:  python examples/train_cityscapes.py --data data/cityscapes --weights imagenet
Hardware: the published run used four GPUs with 16 GB each. On one GPU, add --accumulate 4 (or 6, or 12), which
          accumulates gradients over this number of smaller batches.
Result:   the published result is 80.9 % mIoU on the validation images for HRNetW48 from ImageNet weights
          (HRNet-Semantic-Segmentation, README). It has not been reproduced here, because the data set may not be
          redistributed; tests run the script on synthetic streets.

It writes best.keras, last.keras, log.csv, curves.png, tensorboard and run.json to runs/cityscapes. The command
`keras-hrnet train` does the same, and more; see examples/training.md.
"""

import argparse

import keras_hrnet
from keras_hrnet.data import cityscapes
from keras_hrnet.training import RECIPES, resolve_recipe


def arguments():
    parser = argparse.ArgumentParser(description="Trains HRNet on Cityscapes.")
    parser.add_argument("--data", required=True, help="folder that holds leftImg8bit and gtFine")
    parser.add_argument("--network", default="HRNetW48", help="name of the network, such as HRNetW18Small or HRNetW64")
    parser.add_argument("--weights", help="imagenet, or a checkpoint to start from, `.pth` or `.safetensors`")
    parser.add_argument("--recipe", default="cityscapes", choices=RECIPES, help="recipe of the training")
    parser.add_argument(
        "--crop", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="size of training crops instead of the recipe's"
    )
    parser.add_argument("--epochs", type=int, help="number of epochs instead of the recipe's")
    parser.add_argument("--batch-size", type=int, help="batch size instead of the recipe's")
    parser.add_argument("--accumulate", type=int, help="number of smaller batches into which each batch is split")
    parser.add_argument("--out", default="runs/cityscapes", help="folder of the run")
    return parser.parse_args()


def main():
    options = arguments()
    changed = {
        "crop_size": options.crop,
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "gradient_accumulation": options.accumulate,
    }
    recipe = resolve_recipe(options.recipe, {name: value for name, value in changed.items() if value is not None})
    train = cityscapes(options.data, "train", **recipe.data_arguments())
    val = cityscapes(options.data, "val")

    model = getattr(keras_hrnet, options.network)(weights=options.weights)
    keras_hrnet.train(model, train, val, recipe=recipe, run_dir=options.out)
    print(keras_hrnet.evaluate(model, val))


if __name__ == "__main__":
    main()

"""Measures what class-uniform sampling changes: each class's share of the pixels, and of the crops that show it.

Command:  python examples/benchmarks/class_uniform.py data/cityscapes --rare train 2
Hardware: any CPU.
Result:   a table; see examples/data.md for the table of synthetic streets.
"""

import argparse
import pathlib
import tempfile

import numpy as np
from PIL import Image

from keras_hrnet.data import CLASS_NAMES, cityscapes
from keras_hrnet.data_sets.cityscapes import CLASSES


def shares(dataset, epochs):
    """Returns, for each class, its share of the labeled pixels, and the share of the crops that show it."""
    pixels, crops, num_crops = np.zeros(len(CLASS_NAMES)), np.zeros(len(CLASS_NAMES)), 0
    for _ in range(epochs):
        for _, labels in dataset:
            for label in labels.numpy():
                counts = np.bincount(label.ravel(), minlength=256)[: len(CLASS_NAMES)]
                pixels += counts
                crops += counts > 0
                num_crops += 1
    return pixels / pixels.sum(), crops / num_crops


def make_rare(root, copy, name, num_images):
    """Links the images of a root, and writes its labels; in all but a few images, one class is ignored."""
    (class_id,) = (label.id for label in CLASSES if label.name == name)
    (copy / "leftImg8bit").symlink_to(root.resolve() / "leftImg8bit")
    for path in sorted((root / "gtFine/train").rglob("*_labelIds.png")):
        ids = np.array(Image.open(path))
        if class_id in ids:
            num_images -= 1
            if num_images < 0:
                ids[ids == class_id] = 0
        written = copy / path.relative_to(root)
        written.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(ids).save(written)


def main():
    parser = argparse.ArgumentParser(description="Measures the shares of classes in crops.")
    parser.add_argument("root", type=pathlib.Path, help="the root of Cityscapes")
    parser.add_argument(
        "--rare", nargs=2, metavar=("CLASS", "IMAGES"), help="class to make rare, and number of images that keep it"
    )
    parser.add_argument("--crop", type=int, nargs=2, default=(512, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--share", type=float, default=0.5, help="share of each epoch that is class-uniform")
    parser.add_argument("--epochs", type=int, default=4, help="number of epochs to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = options.root
        if options.rare:
            root = pathlib.Path(folder)
            make_rare(options.root, root, options.rare[0], int(options.rare[1]))
        compare(root, options)


def compare(root, options):
    plain, uniform = (
        shares(
            cityscapes(root, "train", crop_size=tuple(options.crop), class_uniform=share, cache="memory"),
            options.epochs,
        )
        for share in (0.0, options.share)
    )
    print(f"| class | % of pixels | with class_uniform={options.share} | % of crops that show it | with it |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for row in zip(CLASS_NAMES, plain[0], uniform[0], plain[1], uniform[1], strict=True):
        print(f"| {row[0]} | {' | '.join(f'{100 * value:.2f}' for value in row[1:])} |")


if __name__ == "__main__":
    main()

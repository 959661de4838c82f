"""Makes `saved/NAME.keras` and `saved/outputs.npz`: small networks as version 0.1.0 saved them, and what they answered.

They show that later versions load them with the same numbers. They were made with the code of 6f5e1f7 and compressed
afterwards. A later version writes other files, so this script only says how these came about.

Command: KERAS_BACKEND=torch python tests/golden/make_saved.py
"""

import pathlib

import keras
import numpy as np

import keras_hrnet

FOLDER = pathlib.Path(__file__).parent / "saved"
VARIANT = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=4, modules=(1, 1, 1), blocks=1)
NETWORKS = {
    "fcn_channels_first": {"head": "fcn", "data_format": "channels_first", "align_corners": True, "output_stride": 4},
    "ocr": {"head": "ocr", "ocr_channels": (8, 4), "head_kernel_size": 3},
    "isa": {"head": "isa", "isa_channels": (8, 4), "isa_block_size": (2, 3)},
}


def main():
    FOLDER.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (1, 40, 56, 3), dtype="uint8")
    outputs = {"images": images}
    for i, (name, options) in enumerate(NETWORKS.items()):
        keras.utils.set_random_seed(i)
        model = keras_hrnet.HRNet(VARIANT, 5, **{"data_format": "channels_last", **options})
        for weight in model.weights:
            if "moving" in weight.path or "gamma" in weight.path or "beta" in weight.path:
                weight.assign(generator.uniform(0.5, 1.5, weight.shape).astype("float32"))
        save(model, name, images, outputs)
        if name == "ocr":
            save(keras_hrnet.optimize_for_inference(model), "ocr_optimized", images, outputs)
    np.savez_compressed(FOLDER / "outputs.npz", **outputs)


def save(model, name, images, outputs):
    model.save(FOLDER / f"{name}.keras")
    given = np.moveaxis(images, -1, 1) if "channels_first" in name else images
    for i, x in enumerate(keras.tree.flatten(model(given, training=False))):
        outputs[f"{name}_{i}"] = keras.ops.convert_to_numpy(x)


if __name__ == "__main__":
    main()

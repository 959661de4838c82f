"""Makes `isa_block.json` and `isa_block.npz` by running the published interlaced self-attention.

    python tests/golden/make_isa_block.py PATH_OF_A_CHECKOUT_OF_OPENSEG_PYTORCH

It needs PyTorch and the package's tests: the weights are drawn from their keys, as those of the other cases are.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import torch

CHANNELS, KEY_CHANNELS, VALUE_CHANNELS, FILTERS = 12, 4, 6, 10
BLOCK_SIZES = {"8x8": (8, 8), "2x3": (2, 3)}
IMAGE_SIZES = ((16, 24), (11, 13))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("reference", type=pathlib.Path)
    sys.path[:0] = [str(parser.parse_args().reference), str(pathlib.Path(__file__).parents[1])]
    from conftest import golden_weights
    from lib.models.modules.isa_block import ISA_Module

    arrays, keys = {}, {}
    generator = np.random.default_rng(0)
    inputs = {f"{h}x{w}": generator.standard_normal((2, h, w, CHANNELS)).astype("float32") for h, w in IMAGE_SIZES}
    for name, block_size in BLOCK_SIZES.items():
        module = ISA_Module(CHANNELS, KEY_CHANNELS, VALUE_CHANNELS, FILTERS, [list(block_size)], 0.05, "torchbn").eval()
        state = {k: v for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}
        keys = {key: list(value.shape) for key, value in state.items()}
        weights = {key: torch.from_numpy(value) for key, value in golden_weights(keys).items()}
        module.load_state_dict(weights, strict=False)
        for size, x in inputs.items():
            arrays[f"features_{size}"] = x
            maps = torch.from_numpy(x).permute(0, 3, 1, 2)
            with torch.no_grad():
                block, whole = module.stages[0](maps), module(maps)
            arrays[f"block_{name}_{size}"] = block.permute(0, 2, 3, 1).contiguous().numpy()
            arrays[f"module_{name}_{size}"] = whole.permute(0, 2, 3, 1).contiguous().numpy()
    folder = pathlib.Path(__file__).parent
    description = {"source": "openseg.pytorch, lib/models/modules/isa_block.py, ISA_Module", "keys": keys}
    (folder / "isa_block.json").write_text(json.dumps(description, indent=1) + "\n")
    np.savez_compressed(folder / "isa_block.npz", **arrays)


if __name__ == "__main__":
    main()

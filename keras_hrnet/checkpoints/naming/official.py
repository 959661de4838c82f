"""Names of the official files: HRNet-Semantic-Segmentation (plain) and HRNet-Image-Classification."""

import re

# What stands before the names when the file was saved from a wrapped model.
PREFIXES = ("module.", "model.")

# Keys that hold no weight of the network, with the reason.
NOT_WEIGHTS = (
    (r"(^|\.)num_batches_tracked$", "PyTorch's count of batches, which Keras does not keep"),
    (r"^loss\.", "the loss's own tensors, saved with the model"),
)

HEAD_KEYS = r"^(last_layer|incre_modules|downsamp_modules|final_layer|classifier)\."

# A weight's path in this package to the key of its module, first match.
_MODULES = (
    (r"^stem/", r""),
    (r"^(layer1)/block_(\d+)/", r"\1.\2."),
    # The new branch of a transition is a chain in the reference, hence one index more.
    (r"^transition(\d)/branch_\1/", r"transition\1.\1.0."),
    (r"^transition(\d)/branch_(\d)/", r"transition\1.\2."),
    (r"^stage(\d)/module_(\d+)/branch_(\d)/block_(\d+)/", r"stage\1.\2.branches.\3.\4."),
    (r"^stage(\d)/module_(\d+)/fuse/up_(\d)_(\d)/", r"stage\1.\2.fuse_layers.\3.\4."),
    (r"^stage(\d)/module_(\d+)/fuse/down_(\d)_(\d)_(\d)/", r"stage\1.\2.fuse_layers.\3.\4.\5."),
    (r"^incre_modules_(\d)/block_0/", r"incre_modules.\1.0."),
    (r"^downsamp_modules_(\d)/", r"downsamp_modules.\1."),
    (r"^(final_layer)/", r"\1."),
    (r"^last_layer_0/", r"last_layer."),
    (r"^last_layer_3/", r"last_layer.3."),
    (r"^(classifier)/", r"\1."),
)

# Inside the module: a numbered convolution has a normalisation of the same number, any other is a sequence.
_PARTS = (
    (r"conv(\d)/conv/", r"conv\1."),
    (r"conv(\d)/norm/", r"bn\1."),
    (r"downsample/conv/", r"downsample.0."),
    (r"downsample/norm/", r"downsample.1."),
    (r"(^|\.)conv/", r"\g<1>0."),
    (r"(^|\.)norm/", r"\g<1>1."),
)

_LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def key_of(path):
    """Names the key that a weight has in the official files.

    Args:
        path: the weight's path in the model, such as "stage2/module_0/branch_1/block_3/conv1/conv/kernel".

    Returns:
        The key, such as "stage2.0.branches.1.3.conv1.weight"; None if no official file holds that weight.
    """
    rest, _, leaf = path.rpartition("/")
    rest += "/"
    for pattern, replacement in _MODULES:
        key, found = re.subn(pattern, replacement, rest)
        if found:
            break
    else:
        return None
    for pattern, replacement in _PARTS:
        key = re.sub(pattern, replacement, key)
    return key + _LEAVES[leaf]


def describe(shapes):
    """Says which network a file holds, as far as its keys tell.

    Args:
        shapes: the shape of each array, by key.

    Returns:
        A dict that may hold "width", "stage1_blocks", "modules", "blocks" (as in `Variant`), "head" ("fcn",
        "classification" or None) and "num_classes".
    """
    facts = {}
    if (first := shapes.get("stage2.0.branches.0.0.conv1.weight")) is not None:
        facts["width"] = first[0]
    facts["stage1_blocks"] = _count(shapes, r"^layer1\.(\d+)\.")
    facts["modules"] = tuple(_count(shapes, rf"^stage{stage}\.(\d+)\.") for stage in (2, 3, 4))
    facts["blocks"] = _count(shapes, r"^stage2\.0\.branches\.0\.(\d+)\.")
    facts["head"] = None
    for head, key in (("fcn", "last_layer.3.weight"), ("classification", "classifier.weight")):
        if key in shapes:
            facts.update(head=head, num_classes=shapes[key][0])
    return facts


def _count(shapes, pattern):
    numbers = [int(match.group(1)) for match in map(re.compile(pattern).match, shapes) if match]
    return max(numbers, default=-1) + 1

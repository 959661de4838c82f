"""Which network weights were made for, read from their names and shapes, and the constructor call that builds it."""

import dataclasses
import re

from keras_hrnet.checkpoints.contents import read_contents
from keras_hrnet.checkpoints.convention import convention_of_file
from keras_hrnet.checkpoints.naming import is_backbone

# The rows of `keras_hrnet.models.VARIANTS`, which this folder may not import; a test holds them equal.
_LARGE = {"stage1_blocks": 4, "stage1_filters": 64, "modules": (1, 4, 3), "blocks": 4}
_CONSTRUCTORS = {
    "HRNetW18Small": {"width": 16, "stage1_blocks": 1, "stage1_filters": 32, "modules": (1, 1, 1), "blocks": 2},
    "HRNetW18SmallV2": {"width": 18, "stage1_blocks": 2, "stage1_filters": 64, "modules": (1, 3, 2), "blocks": 2},
    **{f"HRNetW{width}": {"width": width, **_LARGE} for width in (18, 30, 32, 40, 44, 48, 64)},
}

# Official names whose shapes tell the head.
_FCN_FIRST, _FCN_LAST = "last_layer.0.weight", "last_layer.3.weight"
_AUXILIARY_FIRST, _AUXILIARY_LAST = "aux_head.0.weight", "aux_head.3.weight"
_OCR_FIRST, _OCR_LAST = "conv3x3_ocr.0.weight", "cls_head.weight"
_OCR_KEY = "ocr_distri_head.object_context_block.f_pixel.0.weight"
_ATTENTION = "scale_attn.conv2.weight"
_CLASSIFIER = "classifier.weight"
HEAD_NAMES = (
    *(_FCN_FIRST, _FCN_LAST, _AUXILIARY_FIRST, _AUXILIARY_LAST),
    *(_OCR_FIRST, _OCR_LAST, _OCR_KEY, _ATTENTION, _CLASSIFIER),
)


@dataclasses.dataclass(frozen=True)
class Description:
    """The network that weights were made for.

    Args:
        variant: widths and depths, the arguments of a `Variant`; 0 where the weights do not tell.
        options: arguments of the constructor: "head", and, where they apply, "num_classes", "ocr_channels",
            "head_kernel_size", "align_corners", "interpolation".
        obstacle: what the head has that no network of this package has; None if there is nothing of the kind.
    """

    variant: dict
    options: dict
    obstacle: str | None = None

    @property
    def is_whole(self):
        """Whether the weights tell every number of it."""
        sizes = {name: value for name, value in self.variant.items() if name != "modules"}
        return all((*sizes.values(), *self.variant["modules"], self.options.get("num_classes", 1)))

    @property
    def call(self):
        """The constructor call that builds the network, to be pasted."""
        arguments = ", ".join(f"{name}={_quoted(value)}" for name, value in self.options.items())
        name = next((name for name, row in _CONSTRUCTORS.items() if row == self.variant), None)
        if name:
            return f"{name}({arguments})"
        row = ", ".join(f"{name}={value}" for name, value in self.variant.items())
        return f'HRNet(Variant("Own", {row}), {arguments})'


def describe_checkpoint(path):
    """Says which network a weight file was made for, without loading it into one.

    Args:
        path: the file (see `load_checkpoint`).

    Returns:
        A `Description`.

    Raises:
        ValueError: if it cannot be read, or holds no whole HRNet.
        FileNotFoundError, ImportError: as `load_checkpoint`.
    """
    described = describe_contents(read_contents(path))
    if not described.is_whole:
        raise ValueError(
            f"{str(path)!r} seems to be of `{described.call}`, which no network is. Expected the weights of a whole "
            "HRNet. Check that the file is whole, and where it comes from."
        )
    return described


def describe(shapes):
    """Describes the network that weights were made for.

    Args:
        shapes: the shapes of the weights in PyTorch's order, by official name. Of a head, `HEAD_NAMES` suffice.

    Returns:
        A `Description`.
    """
    width = _first_size(shapes, "stage2.0.branches.0.0.conv1.weight", "stage2.0.branches.0.0.conv2.weight")
    variant = {
        "width": width,
        "stage1_blocks": _count(shapes, r"layer1\.(\d+)\."),
        "stage1_filters": _first_size(shapes, "layer1.0.conv1.weight", "layer1.0.conv2.weight"),
        "modules": tuple(_count(shapes, rf"stage{stage}\.(\d+)\.") for stage in (2, 3, 4)),
        "blocks": _count(shapes, r"stage2\.0\.branches\.0\.(\d+)\."),
    }
    if shapes.keys() & {_OCR_FIRST, _OCR_LAST, _OCR_KEY, _ATTENTION}:
        return Description(variant, *_ocr_options(shapes, width))
    if shapes.keys() & {_FCN_FIRST, _FCN_LAST}:
        classes = _first_size(shapes, _FCN_LAST)
        return Description(variant, {"num_classes": classes, "head": "fcn", **_kernel_size(shapes, _FCN_FIRST)})
    if _CLASSIFIER in shapes:
        return Description(variant, {"num_classes": shapes[_CLASSIFIER][0], "head": "classification"})
    return Description(variant, {"head": None})


def describe_contents(contents):
    """Describes the network that a weight file was made for.

    Args:
        contents: the `Contents` of the file.

    Returns:
        A `Description`.
    """
    shapes = {contents.bare(key).removeprefix("backbone."): array.shape for key, array in contents.arrays.items()}
    shapes = {name: shape for name, shape in shapes.items() if is_backbone(name)}
    for name in HEAD_NAMES:
        if (shape := contents.shape_of(name)) is not None:
            shapes[name] = shape
    described = describe(shapes)
    if contents.has_activated_norm:
        return dataclasses.replace(described, obstacle="a head of InPlaceABN with leaky ReLU inside")
    convention = convention_of_file(contents)
    if convention and described.options["head"] not in (None, "classification"):
        return dataclasses.replace(described, options={**described.options, **convention.options})
    return described


def _ocr_options(shapes, width):
    head = "hierarchical" if _ATTENTION in shapes else "ocr"
    options = {"num_classes": _first_size(shapes, _OCR_LAST, _AUXILIARY_LAST), "head": head}
    if _OCR_FIRST in shapes and _OCR_KEY in shapes:
        options["ocr_channels"] = (shapes[_OCR_FIRST][0], shapes[_OCR_KEY][0])
    options |= _kernel_size(shapes, _AUXILIARY_FIRST)
    if _AUXILIARY_FIRST in shapes and _AUXILIARY_LAST in shapes:
        # openseg.pytorch's HRNet_W48_OCR_B narrows it to 256.
        middle, joined = shapes[_AUXILIARY_FIRST][0], width * (1 + 2 + 4 + 8)
        if middle == shapes[_AUXILIARY_LAST][1] != joined:
            return options, f"an auxiliary head of {middle} channels, not {joined}"
    return options, None


def _kernel_size(shapes, name):
    size = shapes[name][-1] if name in shapes else 1
    return {} if size == 1 else {"head_kernel_size": size}


def _first_size(shapes, *names):
    return next((shapes[name][0] for name in names if name in shapes), 0)


def _count(shapes, pattern):
    numbers = [int(match.group(1)) for match in map(re.compile(pattern).match, shapes) if match]
    return max(numbers, default=-1) + 1


def _quoted(value):
    return f'"{value}"' if isinstance(value, str) else str(value)

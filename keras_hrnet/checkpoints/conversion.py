"""Finds the value of each weight of a model in a weight file, and converts it exactly."""

import dataclasses
import re
from collections.abc import Mapping, Sequence, Set

import keras
import numpy as np

from keras_hrnet.checkpoints.contents import Contents
from keras_hrnet.checkpoints.naming import SEGMENTATION, name_of
from keras_hrnet.checkpoints.reading import is_pickle
from keras_hrnet.checkpoints.report import listed

# HRNet-Semantic-Segmentation, branch master, lib/models/sync_bn/inplace_abn/src/inplace_abn_cuda.cu, `forward_kernel`.
INPLACE_ABN_EPSILON = np.float32(1e-5)

# The path of the first kernel, in networks of all families.
FIRST_KERNEL = r"stem/conv1/conv/kernel$"
RGB_CHANNELS = 3


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the value of a weight comes from.

    Args:
        weight: the variable.
        name: the official name of the weight; None if it has none.
        key: the file's key for the weight; its path in the model if the format has no key for it.
        folded_key: the key of the bias that is folded into the weight, if this is a moving mean with such a bias.
        bare_kernel_key: the key of the kernel of the same layer, if the weight is a bias that files of this format do
            not have.
        is_adapted: whether the weight is the first kernel of a network whose number of channels differs from the
            file's three (RGB).
    """

    weight: keras.Variable
    name: str | None
    key: str
    folded_key: str | None = None
    bare_kernel_key: str | None = None
    is_adapted: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the file from which the value is computed."""
        return () if self.bare_kernel_key else tuple(key for key in (self.key, self.folded_key) if key)

    def can_be_filled(self, loadable: Set[str]) -> bool:
        """Whether these keys suffice for the value; a bias that is zero needs the kernel of its layer."""
        return loadable.issuperset((self.bare_kernel_key,) if self.bare_kernel_key else self.keys)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the array in the file must have, in PyTorch's order."""
        shape = tuple(self.weight.shape)
        if len(shape) != 4:
            return shape[::-1]
        height, width, channels, filters = shape
        channels = RGB_CHANNELS if self.is_adapted else channels
        return (channels, filters, height, width) if self.is_depthwise else (filters, channels, height, width)

    @property
    def is_depthwise(self) -> bool:
        """Whether it is the kernel of a depthwise convolution, which PyTorch holds as one filter for each channel."""
        return self.weight.path.endswith("/depthwise/kernel")

    def value(self, arrays: Mapping[str, np.ndarray], inplace_abn: bool) -> np.ndarray:
        """Returns the value of the weight, in Keras's layout.

        Args:
            arrays: the file's arrays, by key.
            inplace_abn: whether the normalization was InPlaceABN, which scales by |gamma| + 1e-5.
        """
        if self.bare_kernel_key:
            return np.zeros(self.weight.shape, "float32")
        array = arrays[self.key]
        if self.folded_key:
            array = array - arrays[self.folded_key]
        if inplace_abn and self.weight.path.endswith("/gamma"):
            array = np.abs(array) + INPLACE_ABN_EPSILON
        if self.is_adapted:
            array = adapted_kernel(array, self.weight.shape[2])
        # From PyTorch's (out, in, height, width) to (height, width, in, out), and from (out, in) to (in, out).
        if array.ndim == 4:
            return array.transpose((2, 3, 0, 1) if self.is_depthwise else (2, 3, 1, 0))
        return array.T


def adapted_kernel(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Makes a kernel for images of another number of channels from one for RGB.

    For one channel, it is the sum over the three: the result for a gray image is then that for the same image in RGB.
    For other numbers, the three are repeated in their order and multiplied by 3 / `channels`, which preserves the scale
    of the result.

    Args:
        kernel: `(filters, 3, height, width)`.
        channels: the number of channels of the images.

    Returns:
        `(filters, channels, height, width)`, of the same dtype.

    Reference: huggingface/pytorch-image-models, timm/models/_manipulate.py, `adapt_input_conv`.
    """
    if channels == 1:
        return kernel.sum(axis=1, keepdims=True, dtype=kernel.dtype)
    return kernel[:, np.arange(channels) % RGB_CHANNELS] * kernel.dtype.type(RGB_CHANNELS / channels)


def sources_of(model: keras.Model, contents: Contents) -> list[Source]:
    """Finds where the value of each weight of a network of this package comes from in a file."""
    named = [(weight, name_of(weight.path)) for weight in model.weights]
    held = {name for _, name in named}
    absent = [name for _, name in named if name and contents.format.lacks(name)]
    # A file with some of the biases that its format lacks is not of that format, and must have all of them.
    zeros = set() if any(contents.shape_of(name) is not None for name in absent) else set(absent)
    return [
        Source(
            weight,
            name,
            key=contents.key_of(name) or weight.path,
            folded_key=contents.folded_key_of(name, held),
            bare_kernel_key=contents.key_of(name.removesuffix("bias") + "weight") if name in zeros else None,
            is_adapted=_is_adapted(weight, contents.arrays.get(contents.key_of(name))),
        )
        for weight, name in named
    ]


def _is_adapted(weight, array):
    is_first = re.search(FIRST_KERNEL, weight.path) and array is not None and array.ndim == 4
    return bool(is_first and array.shape[1] == RGB_CHANNELS != weight.shape[2])


def uses_inplace_abn(contents: Contents, asked: bool | None) -> tuple[bool, tuple[str, ...]]:
    """Decides whether the normalization of a file is InPlaceABN: as the caller requests, or else by the file.

    Returns:
        The decision, and the sentences that report it.
    """
    if asked is not None:
        used, reason = asked, f"inplace_abn={asked} was passed"
    elif contents.has_activated_norm:
        used, reason = True, "the head's keys are those of InPlaceABN"
    elif contents.format is not SEGMENTATION:
        return False, ()
    elif contents.counts_batches:
        used, reason = False, "the file counts batches"
    elif is_pickle(contents.path):
        used, reason = True, "the file does not count batches, like PyTorch 0.4. Pass inplace_abn=False if it is not"
    else:
        used, reason = False, "PyTorch 0.4 did not write .safetensors"
    kind = "InPlaceABN, whose scales are |gamma| + 1e-5" if used else "plain batch normalization"
    return used, (f"the normalization is {kind}: {reason}",)


def conversion_notes(contents: Contents, sources: Sequence[Source]) -> list[str]:
    """Reports the biases that were folded or set to zero, and the channel order that the weights expect.

    Args:
        sources: one for each weight that is loaded.
    """
    folded = [source.folded_key for source in sources if source.folded_key]
    zeros = [source.weight.path for source in sources if source.bare_kernel_key]
    notes = [f"biases folded into the moving mean of the normalization after them: {listed(folded)}"] if folded else []
    if zeros:
        notes.append(f"biases that such files do not have, set to zero: {listed(zeros)}")
    for channels in (source.weight.shape[2] for source in sources if source.is_adapted):
        how = "summed over the three" if channels == 1 else f"repeated in their order, times {RGB_CHANNELS}/{channels}"
        notes.append(f"the first kernel, for RGB, was adapted to {channels} channel{'s' * (channels > 1)}: {how}")
    if contents.format.channel_order == "BGR":
        notes.append("trained on BGR pixels: pass images with reversed channels, images[..., ::-1]")
    return notes

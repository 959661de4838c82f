"""The contents of a weight file: its arrays by key, and the format of the keys."""

import collections
import dataclasses
import os
import pathlib
import re
from collections.abc import Collection

import numpy as np

from keras_hrnet.checkpoints import naming
from keras_hrnet.checkpoints.published import PublishedWeights, identify
from keras_hrnet.checkpoints.reading import read_checkpoint

# The prefix of the keys of a file that was saved from a wrapped model.
_WRAPPERS = r"(?:(?:module|model|_orig_mod|net|hrnet|encoder\.model)\.)*"
# The prefixes of a backbone inside another network: keys without the prefix belong to other parts.
_OF_PARTS = ("hrnet.", "encoder.model.")

# CSAILVision/semantic-segmentation-pytorch, train.py, `checkpoint`: two files, such as encoder_epoch_30.pth.
_PART_NAMES = r"^(encoder|decoder)(?=_)"

# mmpose, whose networks for key points have this head, whatever their backbone.
_KEY_POINTS = ("keypoint_head.", "key points")

# Keys that hold no weight of the network, with the reason.
_NOT_WEIGHTS = (
    (r"(^|\.)num_batches_tracked$", "PyTorch's batch counter, which Keras does not have"),
    (r"(^|\.)relative_position_index$", "an index that is computed from the window size"),
    (rf"^{_WRAPPERS}(loss|criterion)\.", "tensors of the loss, saved with the model"),
)


@dataclasses.dataclass(frozen=True)
class Contents:
    """A weight file, read and recognized.

    Args:
        path: the file.
        format: the format of its keys.
        prefix: the prefix of each key, such as "module.".
        arrays: the arrays that may be weights, by key, in PyTorch's layout.
        ignored: all other keys, each with the reason why it is not a weight.
        published: the row of the published file; None if it is not published.
    """

    path: str
    format: naming.Format
    prefix: str
    arrays: dict[str, np.ndarray]
    ignored: dict[str, str]
    published: PublishedWeights | None = None

    def key_of(self, name: str | None) -> str | None:
        """Returns the file's key for an official name; None if there is no name, or no key for it in this format."""
        return self._prefixed(name and self.format.key_of(name))

    def folded_key_of(self, name: str | None, held: Collection[str | None] = ()) -> str | None:
        """Returns the file's key of the bias that is folded into a moving mean of this name; None if there is none.

        Biases that are weights of the model, with names in `held`, are not folded.
        """
        return self._prefixed(name and self.format.folded_key_of(name, held))

    def _prefixed(self, key):
        return None if key is None else self.prefix + key

    def shape_of(self, name: str) -> tuple[int, ...] | None:
        """Returns the shape of the array of an official name; None if the file does not hold it."""
        array = self.arrays.get(self.key_of(name))
        return None if array is None else array.shape

    def is_head(self, key: str) -> bool:
        """Whether a key belongs to the file's head."""
        if self.prefix.endswith(_OF_PARTS) and not key.startswith(self.prefix):
            return True
        return re.match(self.format.head, self.bare(key)) is not None

    def bare(self, key: str) -> str:
        """Returns a key without the prefix."""
        return key.removeprefix(self.prefix)

    @property
    def task(self) -> str | None:
        """The task that its head was trained for, unless this is the classification of pixels or images."""
        prefix, task = _KEY_POINTS
        return task if any(self.bare(key).startswith(prefix) for key in self.arrays) else self.format.task

    @property
    def has_activated_norm(self) -> bool:
        """Whether its head was trained with the leaky ReLU of InPlaceABN."""
        pattern = self.format.activated_norm
        return pattern is not None and any(re.match(pattern, self.bare(key)) for key in self.arrays)

    @property
    def counts_batches(self) -> bool:
        """Whether it has the counters that PyTorch's batch normalization has had since 0.4.1."""
        return any(key.endswith("num_batches_tracked") for key in self.ignored)


def read_contents(path: str | os.PathLike, averaged: bool = False) -> Contents:
    """Reads a weight file and recognizes its format.

    Args:
        path: the file (see `read_checkpoint`). If a network is stored in two files, an encoder and a decoder, pass
            either: the other is also read if it is in the same folder.
        averaged: whether to read averaged weights (see `read_checkpoint`).

    Raises:
        ValueError: if the file cannot be read, holds no HRNet in a supported format, or has a weight that is NaN or
            infinite.
        FileNotFoundError, ImportError: as `read_checkpoint`.
    """
    arrays, ignored = _read_parts(path, averaged)
    weights = {}
    for key, array in arrays.items():
        reason = next((why for pattern, why in _NOT_WEIGHTS if re.search(pattern, key)), None)
        if reason:
            ignored[key] = reason
        else:
            weights[key] = array
    prefix = _prefix_of(weights)
    found = naming.recognize([key.removeprefix(prefix) for key in weights])
    if found is None:
        raise ValueError(
            f"{str(path)!r} holds no HRNet in a supported format: its first keys are {list(weights)[:3]}. Expected "
            "keys such as 'stage2.0.branches.0.0.conv1.weight', in one of the formats "
            f"{', '.join(one.title for one in naming.FORMATS)}. Check that the file holds an HRNet."
        )
    _check_finite(path, weights)
    return Contents(str(path), found, prefix, weights, ignored, identify(path))


def _check_finite(path, arrays):
    for key, array in arrays.items():
        if array.dtype.kind == "f" and (strange := int(np.count_nonzero(~np.isfinite(array)))):
            raise ValueError(
                f"{str(path)!r} holds the tensor {key!r}, in which {strange} of {array.size} values are NaN or "
                "infinite. Expected finite numbers. Use a checkpoint from before training diverged, or download the "
                "file again."
            )


def _read_parts(path, averaged):
    """Reads a file; if it is CSAILVision's encoder or decoder, reads both."""
    path = pathlib.Path(path)
    parts = {name: path.with_name(re.sub(_PART_NAMES, name, path.name)) for name in ("encoder", "decoder")}
    if not re.match(_PART_NAMES, path.name) or not all(part.is_file() for part in parts.values()):
        arrays, ignored = read_checkpoint(path, averaged)
        if all(re.match(naming.CSAILVISION.signature, key) for key in arrays):
            raise ValueError(
                f"{str(path)!r} holds only the decoder. Expected {parts['encoder'].name} next to it. Put it there, or "
                "load the encoder with skip_head=True."
            )
        return arrays, ignored
    arrays, ignored = {}, {}
    for name, part in parts.items():
        for target, found in zip((arrays, ignored), read_checkpoint(part, averaged), strict=True):
            target |= {f"{name}.{key}": value for key, value in found.items()}
    return arrays, ignored


def _prefix_of(keys):
    prefixes = collections.Counter(re.match(_WRAPPERS, key).group() for key in keys)
    return prefixes.most_common(1)[0][0] if prefixes else ""

"""What a weight file holds: its arrays under its own keys, and the format that they are named by."""

import collections
import dataclasses
import re

import numpy as np

from keras_hrnet.checkpoints import naming
from keras_hrnet.checkpoints.published import PublishedWeights, identify
from keras_hrnet.checkpoints.reading import read_checkpoint

# What stands before the keys when the file was saved from a wrapped model.
_WRAPPERS = r"(?:(?:module|model)\.)*"

# Keys that hold no weight of the network, with the reason.
_NOT_WEIGHTS = (
    (r"(^|\.)num_batches_tracked$", "PyTorch's count of batches, which Keras does not keep"),
    (rf"^{_WRAPPERS}(loss|criterion)\.", "the loss's own tensors, saved with the model"),
)


@dataclasses.dataclass(frozen=True)
class Contents:
    """A weight file, read and recognised.

    Args:
        path: the file.
        format: the `Format` of its keys.
        prefix: what stands before each key, such as "module.".
        arrays: the arrays that may be weights, by key, in PyTorch's layout.
        ignored: all other keys, each with the reason why it is no weight.
        published: which published file it is; None if it is none of them.
    """

    path: str
    format: naming.Format
    prefix: str
    arrays: dict[str, np.ndarray]
    ignored: dict[str, str]
    published: PublishedWeights | None = None

    def key_of(self, name):
        """Turns an official name, or None, into the file's key for it; None if the format has none."""
        key = None if name is None else self.format.key_of(name)
        return None if key is None else self.prefix + key

    def folded_key_of(self, name):
        """Turns the name of a moving mean into the file's key of the bias that goes into it; None if there is none."""
        key = None if name is None else self.format.folded_key_of(name)
        return None if key is None else self.prefix + key

    def shape_of(self, name):
        """Gives the shape of the array of an official name; None if the file does not hold it."""
        array = self.arrays.get(self.key_of(name))
        return None if array is None else array.shape

    def is_head(self, key):
        """Says whether a key belongs to the file's head."""
        return re.match(self.format.head, self.bare(key)) is not None

    def bare(self, key):
        """Takes the wrapper's prefix from a key."""
        return key.removeprefix(self.prefix)

    @property
    def has_activated_norm(self):
        """Whether its head was trained with leaky ReLU inside InPlaceABN."""
        pattern = self.format.activated_norm
        return pattern is not None and any(re.match(pattern, self.bare(key)) for key in self.arrays)

    @property
    def counts_batches(self):
        """Whether it has the counters that PyTorch's own batch normalisation keeps since 0.4.1."""
        return any(key.endswith("num_batches_tracked") for key in self.ignored)


def read_contents(path):
    """Reads a weight file and recognises its format.

    Args:
        path: the file (see `read_checkpoint`).

    Returns:
        A `Contents`.

    Raises:
        ValueError: if it cannot be read, or holds no HRNet in a format known here.
        FileNotFoundError, ImportError: as `read_checkpoint`.
    """
    arrays, ignored = read_checkpoint(path)
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
            f"{str(path)!r} holds no HRNet that is known here: its keys begin with {list(weights)[:3]}. Expected keys "
            "such as 'stage2.0.branches.0.0.conv1.weight', in one of the formats "
            f"{', '.join(one.title for one in naming.FORMATS)}. Check that it is the file of an HRNet."
        )
    return Contents(str(path), found, prefix, weights, ignored, identify(path))


def _prefix_of(keys):
    prefixes = collections.Counter(re.match(_WRAPPERS, key).group() for key in keys)
    return prefixes.most_common(1)[0][0] if prefixes else ""

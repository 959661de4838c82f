"""Where in a weight file the value of each weight comes from, and what must be done to it: all of it exact."""

import dataclasses

import keras
import numpy as np

from keras_hrnet.checkpoints.naming import SEGMENTATION, name_of
from keras_hrnet.checkpoints.reading import is_pickle
from keras_hrnet.checkpoints.report import listed

# HRNet-Semantic-Segmentation, branch master, lib/models/sync_bn/inplace_abn/src/inplace_abn_cuda.cu, `forward_kernel`.
INPLACE_ABN_EPSILON = np.float32(1e-5)


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the value of a weight comes from.

    Args:
        weight: the variable.
        name: its official name; None if it has none.
        key: the file's key for it; its path in the model if the format has none.
        folded_key: the key of the bias that goes into it, if it is such a moving mean.
        bare_kernel_key: the key of the kernel beside it, if it is a bias that files of this format do not have.
    """

    weight: keras.Variable
    name: str | None
    key: str
    folded_key: str | None = None
    bare_kernel_key: str | None = None

    @property
    def keys(self):
        """The keys of the file that the value is made of."""
        return () if self.bare_kernel_key else tuple(key for key in (self.key, self.folded_key) if key)

    def can_be_filled(self, loadable):
        """Says whether the value can be made of these keys; a bias that is zero needs the kernel beside it."""
        return loadable.issuperset((self.bare_kernel_key,) if self.bare_kernel_key else self.keys)

    @property
    def shape(self):
        """The shape that the file must have, in PyTorch's order."""
        shape = tuple(self.weight.shape)
        return (shape[3], shape[2], shape[0], shape[1]) if len(shape) == 4 else shape[::-1]

    def value(self, arrays, inplace_abn):
        """Makes the value of the weight.

        Args:
            arrays: the file's arrays, by key.
            inplace_abn: whether the normalisation was InPlaceABN, which scales by |gamma| + 1e-5.

        Returns:
            An array in Keras's layout.
        """
        if self.bare_kernel_key:
            return np.zeros(self.weight.shape, "float32")
        array = arrays[self.key]
        if self.folded_key:
            array = array - arrays[self.folded_key]
        if inplace_abn and self.weight.path.endswith("/gamma"):
            array = np.abs(array) + INPLACE_ABN_EPSILON
        # From PyTorch's (out, in, height, width) to (height, width, in, out), and from (out, in) to (in, out).
        return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


def sources_of(model, contents):
    """Finds where the value of each weight of a model comes from.

    Args:
        model: a network of this package.
        contents: the `Contents` of the file.

    Returns:
        A list of `Source`, one for each weight.
    """
    named = [(weight, name_of(weight.path)) for weight in model.weights]
    absent = [name for _, name in named if name and contents.format.lacks(name)]
    # A file that has some of the biases that its format does not have is none of that format: it must have them all.
    zeros = set() if any(contents.shape_of(name) is not None for name in absent) else set(absent)
    return [
        Source(
            weight,
            name,
            key=contents.key_of(name) or weight.path,
            folded_key=contents.folded_key_of(name),
            bare_kernel_key=contents.key_of(name.removesuffix("bias") + "weight") if name in zeros else None,
        )
        for weight, name in named
    ]


def uses_inplace_abn(contents, asked):
    """Decides whether the normalisation of a file is InPlaceABN.

    Args:
        contents: the `Contents` of the file.
        asked: what the caller says; None to go by the file.

    Returns:
        A pair: the decision, and a tuple of the sentences that report it.
    """
    if asked is not None:
        used, reason = asked, f"inplace_abn={asked} was passed"
    elif contents.has_activated_norm:
        used, reason = True, "the head's keys are those of InPlaceABN"
    elif contents.format is not SEGMENTATION:
        return False, ()
    elif contents.counts_batches:
        used, reason = False, "its keys count batches"
    elif is_pickle(contents.path):
        used, reason = True, "its keys do not count batches: a file of PyTorch 0.4. Pass inplace_abn=False if it is not"
    else:
        used, reason = False, "PyTorch 0.4 wrote no such file"
    kind = "InPlaceABN, so scales are |gamma| + 1e-5" if used else "plain batch normalisation"
    return used, (f"taken as {kind}: {reason}",)


def conversion_notes(contents, sources):
    """Reports biases that were folded or set to zero, and what the pixels must be.

    Args:
        contents: the `Contents` of the file.
        sources: the `Source` of each weight that is filled.

    Returns:
        A list of sentences.
    """
    folded = [source.folded_key for source in sources if source.folded_key]
    zeros = [source.weight.path for source in sources if source.bare_kernel_key]
    notes = [f"biases taken into the moving mean of the normalisation after them: {listed(folded)}"] if folded else []
    if zeros:
        notes.append(f"zero, as such files have no such bias: {listed(zeros)}")
    if contents.format.channel_order == "BGR":
        notes.append("trained on BGR: give the model pixels with their channels reversed, images[..., ::-1]")
    return notes

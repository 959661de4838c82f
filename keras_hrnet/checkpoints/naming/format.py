"""A format of weight files, which states how they name the weights of the official files."""

import dataclasses
import re
from collections.abc import Collection, Iterable


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of weight files.

    Patterns are regular expressions, matched from the start. A *name* is the name of a weight in the official files; a
    *key* is its name in files of this format, without the prefix of a wrapper such as `module.`.

    Args:
        title: the name of the format in reports.
        signature: matches a key that distinguishes such files from those of later formats in `FORMATS`.
        head: matches the keys of the head.
        keys: pairs (pattern of a name, replacement that makes it a key), of which the first that matches is used. A
            name that no pattern matches is not in such files.
        without: pattern that must not match any key of such a file; None if there is no such pattern.
        convention: (interpolation, align_corners) of every such file; None if files differ or do not state it.
        bias_free: matches the names of biases that such files do not have, although our convolutions do.
        folded: pairs (pattern of the name of a moving mean, replacement that makes it the name of the bias of the
            preceding convolution), where such files have a bias and our convolutions do not.
        channel_order: the channel order of the pixels that such files were trained on, "RGB" or "BGR".
        task: the task that the head of such files was trained for, unless this is the classification of pixels or
            images.
        activated_norm: matches a key that only files have whose head was trained with the leaky ReLU of InPlaceABN.
    """

    title: str
    signature: str
    head: str
    keys: tuple[tuple[str, str], ...]
    without: str | None = None
    convention: tuple[str, bool] | None = None
    bias_free: str | None = None
    folded: tuple[tuple[str, str], ...] = ()
    channel_order: str = "RGB"
    task: str | None = None
    activated_norm: str | None = None

    def recognizes(self, keys: Collection[str]) -> bool:
        """Whether these are the keys of a file of this format."""
        return any(re.match(self.signature, key) for key in keys) and not (
            self.without and any(re.match(self.without, key) for key in keys)
        )

    def key_of(self, name: str) -> str | None:
        """Returns the key of a weight by its official name; None if files of this format do not hold it."""
        return first_replacement(self.keys, name)

    def folded_key_of(self, name: str, held: Collection[str | None] = ()) -> str | None:
        """Returns the key of the bias that is folded into a moving mean of this name; None if there is none.

        Args:
            name: the official name of the moving mean.
            held: the names of the model's weights, whose biases are not folded.
        """
        bias = first_replacement(self.folded, name)
        return None if bias is None or bias in held else self.key_of(bias)

    def lacks(self, name: str) -> bool:
        """Whether the format does not have this bias, although our convolution does."""
        return bool(self.bias_free and re.match(self.bias_free, name))


def first_replacement(table: Iterable[tuple[str, str]], text: str) -> str | None:
    """Rewrites a text, as `re.sub` does, by the first pair (pattern, replacement) that matches; else returns None."""
    for pattern, replacement in table:
        rewritten, found = re.subn(pattern, replacement, text, count=1)
        if found:
            return rewritten
    return None

"""A format of weight files: how they name the weights that the official files hold."""

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
        signature: matches a key that tells such files from those of later formats in `FORMATS`.
        head: matches the keys of the head.
        keys: pairs (pattern of a name, replacement that makes it a key), of which the first that matches is used. A
            name that none matches is in no such file.
        without: matches no key of such a file; None if there is no such pattern.
        convention: (interpolation, align_corners) of every such file; None where files differ or do not state it.
        bias_free: matches the names of biases that no such file has, although our convolutions have one.
        folded: pairs (pattern of the name of a moving mean, replacement that makes it the name of the bias of the
            convolution before), where such files have a bias and our convolutions have none.
        channel_order: the channel order of the pixels that such files were trained on, "RGB" or "BGR".
        task: what the head of such files was trained for, if that is not the classification of pixels or images.
        activated_norm: matches a key of files whose head was trained with the leaky ReLU of InPlaceABN, and no other.
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
        """Whether these are the keys of such a file."""
        return any(re.match(self.signature, key) for key in keys) and not (
            self.without and any(re.match(self.without, key) for key in keys)
        )

    def key_of(self, name: str) -> str | None:
        """Returns the key of a weight by its official name; None if no such file holds it."""
        return first_replacement(self.keys, name)

    def folded_key_of(self, name: str, held: Collection[str | None] = ()) -> str | None:
        """Returns the key of the bias that is folded into a moving mean, by its name; None if there is none.

        Args:
            name: the official name of the moving mean.
            held: the names of the model's weights, whose biases are not folded.
        """
        bias = first_replacement(self.folded, name)
        return None if bias is None or bias in held else self.key_of(bias)

    def lacks(self, name: str) -> bool:
        """Whether the format has no such bias, although our convolution has one."""
        return bool(self.bias_free and re.match(self.bias_free, name))


def first_replacement(table: Iterable[tuple[str, str]], text: str) -> str | None:
    """Rewrites a text by the first pair (pattern, replacement) whose pattern matches, as `re.sub` does; else None."""
    for pattern, replacement in table:
        rewritten, found = re.subn(pattern, replacement, text, count=1)
        if found:
            return rewritten
    return None

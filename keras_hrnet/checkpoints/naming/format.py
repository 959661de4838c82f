"""What a format is: how a kind of weight file names what the official files hold."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Format:
    """One kind of weight file.

    Patterns are regular expressions, matched from the start. A *name* is what the official files call a weight; a *key*
    is what this kind of file calls it, without the prefix of a wrapper such as `module.`.

    Args:
        title: what the format is called in reports.
        signature: matches a key that tells such files from those of the formats after it in `FORMATS`.
        head: matches the keys of the head.
        keys: pairs (pattern of a name, replacement that makes it a key), of which the first that matches counts. A name
            that none matches is in no such file.
        without: matches no key of such a file; None if there is nothing of the kind.
        convention: (interpolation, align_corners) of every such file; None where files differ or do not say.
        bias_free: matches the names of biases that no such file has, where our convolutions have one.
        folded: pairs (pattern of the name of a moving mean, replacement that makes it the name of the bias of the
            convolution before), where such files have one and our convolutions have none.
        channel_order: order of the colours in the pixels that the networks of such files were trained on.
        activated_norm: matches a key that only files have whose head was trained with leaky ReLU inside InPlaceABN.
    """

    title: str
    signature: str
    head: str
    keys: tuple
    without: str | None = None
    convention: tuple[str, bool] | None = None
    bias_free: str | None = None
    folded: tuple = ()
    channel_order: str = "RGB"
    activated_norm: str | None = None

    def recognizes(self, keys):
        """Says whether these are the keys of such a file."""
        return any(re.match(self.signature, key) for key in keys) and not (
            self.without and any(re.match(self.without, key) for key in keys)
        )

    def key_of(self, name):
        """Turns the official name of a weight into its key; None if no such file holds it."""
        return first_replacement(self.keys, name)

    def folded_key_of(self, name):
        """Turns the name of a moving mean into the key of the bias that goes into it; None if there is none."""
        bias = first_replacement(self.folded, name)
        return None if bias is None else self.key_of(bias)

    def lacks(self, name):
        """Says whether the format has no such bias, where our convolution has one."""
        return bool(self.bias_free and re.match(self.bias_free, name))


def first_replacement(table, text):
    """Rewrites a text by the first row of a table whose pattern matches.

    Args:
        table: pairs (pattern, replacement), as for `re.sub`.
        text: what to rewrite.

    Returns:
        The rewritten text; None if no row matches.
    """
    for pattern, replacement in table:
        rewritten, found = re.subn(pattern, replacement, text, count=1)
        if found:
            return rewritten
    return None

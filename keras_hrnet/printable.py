"""Makes names from files safe to show in a terminal, a log or a page."""

import re

# Unicode's control characters (C0, C1 and DEL), separators of lines and paragraphs, marks that turn the direction of
# what follows, and halves of surrogate pairs, by which Python stores names that are not UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_KEPT_IN_TEXT = "\n\t"


def printable(name: object, *, is_text: bool = False) -> str:
    r"""Writes out the characters that would steer a terminal or reorder what is shown.

    Args:
        name: what to show, such as the path of a file.
        is_text: whether it is a text of several lines, in which line feeds and tabs stay.

    Returns:
        The text, in which an escape character, for example, is written as `\x1b`.

    Example:

    >>> print(printable("a\x1b[31m.png"))
    a\x1b[31m.png
    """

    def written_out(match):
        character = match.group()
        return character if is_text and character in _KEPT_IN_TEXT else repr(character)[1:-1]

    return _UNPRINTABLE.sub(written_out, str(name))

"""Makes names from files safe to print in a terminal, a log or a web page."""

import re

# Unicode's control characters (C0, C1 and DEL), separators of lines and paragraphs, marks that change the direction of
# the following text, and halves of surrogate pairs, with which Python represents names that are not UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_KEPT_IN_TEXT = "\n\t"


def printable(name: object, *, is_text: bool = False) -> str:
    r"""Escapes characters that would control a terminal or reorder the text.

    Args:
        name: the text to print, such as the path of a file.
        is_text: whether `name` is a text of several lines, in which line feeds and tabs are kept.

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

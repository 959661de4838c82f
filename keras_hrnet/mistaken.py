"""Files that were saved in the place of others: web pages and Git LFS pointers."""

import os
import re

NUM_START_BYTES = 1024
"""How many bytes of a file `mistaken_for` looks at."""

_WEB_PAGE = (b"<!doctype", b"<html", b"<head", b"<script", b"<!--")
_LFS_POINTER = b"version https://git-lfs"


def mistaken_for(start: bytes) -> tuple[str, str] | None:
    """Recognizes a web page, an XML document or a Git LFS pointer by its first bytes.

    Args:
        start: the first `NUM_START_BYTES` bytes of a file, or all of them.

    Returns:
        What it is, to be read after "is", and what to do, a sentence; None if it is none of these.
    """
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_LFS_POINTER):
        return "a Git LFS pointer", "Run `git lfs pull` in its repository, or download the file itself."
    cure = "Download the file itself by the button or link that the page offers, logged in if it asks for that."
    if text.startswith(_WEB_PAGE):
        title = re.search(rb"<title[^>]*>\s*(.*?)\s*</title>", start, re.DOTALL | re.IGNORECASE)
        return "a web page" + (f", “{title.group(1).decode(errors='replace')}”" if title else ""), cure
    # OpenVINO's networks are XML documents of one `net`.
    if text.startswith(b"<?xml") and b"<net " not in text:
        return "an XML document, such as a server sends with an error", cure
    return None


def check_not_mistaken(path: str | os.PathLike) -> None:
    """Refuses a file that is one of these, whatever its name says.

    Args:
        path: a file that exists.

    Raises:
        ValueError: if it is one; the message says which, and how to get the file itself.
    """
    with open(path, "rb") as file:
        mistaken = mistaken_for(file.read(NUM_START_BYTES))
    if mistaken:
        what, cure = mistaken
        raise ValueError(f"{str(path)!r} is {what}. Expected the file that its name stands for. {cure}")

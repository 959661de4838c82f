"""Recognizes files that were saved instead of the expected ones: web pages and Git LFS pointers."""

import os
import re

NUM_START_BYTES = 1024
"""Number of bytes of a file that `mistaken_for` examines."""

_WEB_PAGE = (b"<!doctype", b"<html", b"<head", b"<script", b"<!--")
_LFS_POINTER = b"version https://git-lfs"


def mistaken_for(start: bytes) -> tuple[str, str] | None:
    """Recognizes a web page, an XML document or a Git LFS pointer by its first bytes.

    Args:
        start: the first `NUM_START_BYTES` bytes of a file, or all of them.

    Returns:
        A description, to be read after "is", and advice, as a sentence; None if the file is none of these.
    """
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_LFS_POINTER):
        return "a Git LFS pointer", "Run `git lfs pull` in its repository, or download the file itself."
    cure = "Download the file itself with the button or link on the page; log in if the page requires it."
    if text.startswith(_WEB_PAGE):
        title = re.search(rb"<title[^>]*>\s*(.*?)\s*</title>", start, re.DOTALL | re.IGNORECASE)
        return "a web page" + (f", “{title.group(1).decode(errors='replace')}”" if title else ""), cure
    # OpenVINO's networks are XML documents with the root element `net`.
    if text.startswith(b"<?xml") and b"<net " not in text:
        return "an XML document, as servers send with errors", cure
    return None


def check_not_mistaken(path: str | os.PathLike) -> None:
    """Refuses a web page, an XML document or a Git LFS pointer, regardless of the file name.

    Args:
        path: a file that exists.

    Raises:
        ValueError: if the file is one of these; the message names the kind, and says how to get the expected file.
    """
    with open(path, "rb") as file:
        mistaken = mistaken_for(file.read(NUM_START_BYTES))
    if mistaken:
        what, cure = mistaken
        raise ValueError(f"{str(path)!r} is {what}. Expected the file that its name indicates. {cure}")

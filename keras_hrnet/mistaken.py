"""Files that were saved in the place of others: web pages and Git LFS pointers."""

import os
import re

_START = 1024
_WEB_PAGE = (b"<!doctype", b"<html", b"<head", b"<script", b"<?xml", b"<!--")
_LFS_POINTER = b"version https://git-lfs"


def check_not_mistaken(path: str | os.PathLike) -> None:
    """Refuses a file that is a web page or a Git LFS pointer, whatever its name says.

    Args:
        path: a file that is there.

    Raises:
        ValueError: if it is one; the message says which, and how to get the file itself.
    """
    with open(path, "rb") as file:
        content = file.read(_START)
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_LFS_POINTER):
        raise ValueError(
            f"{str(path)!r} is a Git LFS pointer, a text of {os.path.getsize(path)} bytes. Expected the file that it "
            "stands for. Run `git lfs pull` in its repository, or download the file itself."
        )
    if start.startswith(_WEB_PAGE):
        title = re.search(rb"<title[^>]*>\s*(.*?)\s*</title>", content, re.DOTALL | re.IGNORECASE)
        named = f", “{title.group(1).decode(errors='replace')}”" if title else ""
        raise ValueError(
            f"{str(path)!r} is a web page{named}. Expected the file that the page offers. Download it by the page's "
            "own button or link, and save it under this name."
        )

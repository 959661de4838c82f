"""Lists the contents of folders, sorted and without hidden files."""

import contextlib
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
"""Endings, in lower case, of the names of picture files."""


def is_folder(path: Path) -> bool:
    """Whether a `Path` is a folder.

    Raises:
        PermissionError: if its parent folder cannot be searched.
    """
    with _permitted(path.parent):
        return path.is_dir()


def names(folder: Path) -> list[str]:
    """Lists the names in a folder, sorted; a folder that does not exist has none.

    Names that begin with a dot are skipped: on disks of other systems, macOS stores a `._a.png` next to each `a.png`.

    Raises:
        PermissionError: if the folder cannot be read.
        FileNotFoundError: if it is a broken link.
    """
    if not is_folder(folder):
        if _is_broken(folder):
            raise _broken_link(folder)
        return []
    with _permitted(folder):
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def entries(folder: Path) -> list[Path]:
    """Lists the paths in a folder, as `names` lists their names."""
    return [folder / name for name in names(folder)]


def composed(name: str) -> str:
    """Returns a name in Unicode's composed form (NFC), in which names are compared; macOS stores decomposed names."""
    return unicodedata.normalize("NFC", name)


def described(folder: Path) -> str:
    """Describes a folder, to be read after its name: "does not exist", "is empty", "holds a, b and 3 more"."""
    if not is_folder(folder):
        return "is not a folder" if folder.exists() else "does not exist"
    found = names(folder)
    if not found:
        return "is empty"
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return f"holds {', '.join(found[:5])}{more}"


def parent_described(folder: Path) -> str:
    """Describes what is around a folder that was not found: "data holds a, b", "the current folder is empty"."""
    return f"{'the current folder' if folder.parent == Path() else folder.parent} {described(folder.parent)}"


def names_below(folder: Path, skipped: Path | None = None) -> Iterator[str]:
    """Lists the files in a folder and in all folders below it.

    Args:
        skipped: the absolute `Path` of a folder to skip, if any.

    Yields:
        Paths relative to the folder, such as "a/1.png", in no particular order, without hidden files. Links are
        followed; a broken link with a suffix is listed, because it names the missing file.

    Raises:
        PermissionError: if a folder cannot be read.
        FileNotFoundError: if a link is broken and may have led to a folder.
        ValueError: if a link leads to a folder that contains it.
    """
    with _permitted(folder), os.scandir(folder) as found:
        visible = [entry for entry in found if not entry.name.startswith(".")]
    for entry in visible:
        path = folder / entry.name
        if entry.is_symlink():
            _check_link(path)
        if not (path.is_dir() if entry.is_symlink() else entry.is_dir()):
            yield entry.name
        elif path.absolute() != skipped:
            yield from (f"{entry.name}/{name}" for name in names_below(path, skipped))


def _is_broken(path):
    return path.is_symlink() and not os.path.exists(path)


def _broken_link(link):
    return FileNotFoundError(
        f"{link} is a link to {os.readlink(link)}, which does not exist. Expected a folder or a file. Restore it, or "
        "remove the link."
    )


def _check_link(link):
    if _is_broken(link) and not link.suffix:
        raise _broken_link(link)
    if link.is_dir() and link.resolve() in (parent.resolve() for parent in link.absolute().parents):
        raise ValueError(
            f"{link} is a link to {link.resolve()}, a folder that contains it: listing its files would never end. "
            "Expected a link to another folder. Remove the link."
        )


@contextlib.contextmanager
def _permitted(folder):
    try:
        yield
    except PermissionError as error:
        raise PermissionError(
            f"The folder {folder} cannot be read ({error.strerror}). Expected a folder that this user may list and "
            f"search. Grant permission, for example with `chmod -R u+rX {folder}`."
        ) from error

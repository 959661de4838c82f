"""Checks at the start of a command whether it can write its files."""

import os
import pathlib
from collections.abc import Iterable

# A name with one of these suffixes denotes a file; any other name denotes a folder.
FILE_ENDINGS = (".png", ".npy", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def require_folder_of(name: str, path: pathlib.Path | None) -> None:
    """Refuses a file to write whose folder does not exist, or may not be written to.

    Args:
        name: the name of the option, such as "--json".
        path: the file; None if the option was not given.

    Raises:
        FileNotFoundError: if there is no such folder.
        PermissionError: if this user may not write to it.
    """
    if path is None:
        return
    if not os.path.isdir(path.parent):
        raise FileNotFoundError(f"Received {name} {str(path)!r}. Expected its folder to exist. Create it first.")
    if not os.path.isdir(path):
        require_writable([path.parent])


def require_writable(folders: Iterable[pathlib.Path]) -> None:
    """Refuses folders that files cannot be written to; those that do not exist are judged by where they will be made.

    Raises:
        PermissionError: if this user may not write to one of them.
    """
    for folder in folders:
        absolute = folder.absolute()
        existing = next(path for path in (absolute, *absolute.parents) if os.path.exists(path))
        if not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(
                f"The folder {str(existing)!r} cannot be written to. Expected one that this user may write to. Choose "
                "another, or correct its permissions."
            )


def check_replaces_none(targets: dict[pathlib.Path, pathlib.Path]) -> dict[pathlib.Path, pathlib.Path]:
    """Refuses targets that would replace a photo or video to segment.

    Args:
        targets: the file for the result of each photo or video.

    Returns:
        `targets`.

    Raises:
        ValueError: if a target is one of the photos or videos.
    """
    photos = {photo.resolve() for photo in targets}
    for target in targets.values():
        if target.resolve() in photos:
            raise ValueError(
                f"Received an output that would replace {str(target)!r}, which is to be segmented. Expected an output "
                "at another path. Pass another --output."
            )
    return targets

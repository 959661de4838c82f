"""Checks at the start of a command whether it can write its files."""

import pathlib

# A name with one of these suffixes denotes a file; any other name denotes a folder.
FILE_ENDINGS = (".png", ".npy", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def require_folder_of(name: str, path: pathlib.Path | None) -> None:
    """Refuses a file to write whose folder does not exist.

    Args:
        name: the name of the option, such as "--json".
        path: the file; None if the option was not given.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    if path is not None and not path.parent.is_dir():
        raise FileNotFoundError(f"Received {name} {str(path)!r}. Expected its folder to exist. Create it first.")


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

"""Files that a command writes at its end: whether that will be possible is checked at its start."""

import pathlib


def require_folder_of(name: str, path: pathlib.Path | None) -> None:
    """Refuses a file to write whose folder does not exist.

    Args:
        name: the name of the option, such as "--json".
        path: the file; None where the option was not given.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    if path is not None and not path.parent.is_dir():
        raise FileNotFoundError(f"Received {name} {str(path)!r}. Expected its folder to exist. Create it first.")

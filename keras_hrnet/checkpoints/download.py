"""Downloads published weight files into Keras's cache, and verifies that they are complete and unaltered."""

import logging
import os
import pathlib
import sys
import urllib.error

import keras

from keras_hrnet.checkpoints.published import PublishedWeights, published_weights
from keras_hrnet.checkpoints.published.lookup import sha256_of
from keras_hrnet.checkpoints.reading import SAFETENSORS_ENDING
from keras_hrnet.checkpoints.transfer import CutShortError, OtherFileError, alone, fetch
from keras_hrnet.replacing import is_out_of_room, out_of_room


def download(weights: PublishedWeights | str) -> pathlib.Path:
    """Downloads a published weight file unless it is in the cache, and returns its path.

    The file gets its name in the cache only after it is complete and, as far as its SHA-256 is stated, verified; a
    damaged file is downloaded again. One process downloads a file while others wait for it, and an interrupted download
    is resumed if the server supports this. `keras_hrnet.checkpoints.transfer` states how slow a server may be. The
    cache is the folder `keras_hrnet` in `$KERAS_HOME`, or in `~/.keras`.

    Args:
        weights: a row of `published_weights`, or its name.

    Raises:
        ValueError: if there is no row of that name, or if two consecutive downloads do not match the published file.
        FileNotFoundError: if the file has no direct address. The message says where it is and where to put it.
        ConnectionError: if the download fails or is too slow. The message says where the file is and where to put it.
        OSError: if the cache is not writable, or the disk is full.
    """
    row = _row_of(weights)
    target = cache_folder() / row.name / row.file
    if target.is_file() and _fault_of(target, row) is None:
        return target
    if row.url is None:
        raise _download_error(row, target)
    return _download_whole(row, target)


def cache_folder() -> pathlib.Path:
    """Returns the folder of downloaded files, in the folder that Keras documents for `keras.utils.get_file`."""
    return pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser().absolute() / "keras_hrnet"


def _row_of(weights):
    if isinstance(weights, PublishedWeights):
        return weights
    row = next((row for row in published_weights() if row.name == weights), None)
    if row is None:
        raise ValueError(
            f"`download` received {weights!r}. Expected the name of a published file. `keras-hrnet info --weights` "
            "lists them."
        )
    return row


def _download_whole(row, target):
    """Downloads a file, at most twice if it does not match the published file; other processes wait meanwhile."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(target.with_name(".lock")):
            if not (target.is_file() and _fault_of(target, row) is None):
                _download_alone(row, target)
        return target
    except (ConnectionError, FileNotFoundError):
        raise
    except OSError as error:
        if is_out_of_room(error):
            raise out_of_room(target, error) from error
        raise OSError(
            f"The cache {str(target.parent)!r} is not writable ({error}). Expected a writable folder. Set the "
            "environment variable KERAS_HOME to another folder, before Keras is imported."
        ) from error


def _download_alone(row, target):
    part = target.with_name(f".{target.name}.part")
    try:
        _fetch_twice(row, part, target)
        os.replace(part, target)
    except OSError as error:
        # Bytes that arrived before the connection was lost are kept.
        if not isinstance(error, ConnectionError) or (part.is_file() and not part.stat().st_size):
            part.unlink(missing_ok=True)
        raise
    _report_unverified(row)


def _fetch_twice(row, part, target):
    fault = None
    for _ in range(2):
        if row.sha256 is None:
            # Without a checksum, a beginning that belongs to another file would go unnoticed.
            part.unlink(missing_ok=True)
        try:
            _fetch(row, part, target)
            fault = _fault_of(part, row)
        except CutShortError:
            fault = "it is truncated"
            continue
        except OtherFileError as error:
            fault = error
        if fault is None:
            return
        part.unlink(missing_ok=True)
    if row.sha256 is None:
        part.unlink(missing_ok=True)
    raise ValueError(
        f"Two downloads from {row.url} do not match the published file: {fault}. Expected {_expected(row)}. Try again "
        f"later, or download {row.file} from {row.page} manually, and save it as {str(target)!r}."
    )


def _fetch(row, part, target):
    """Fetches the missing rest of a file, with a progress bar."""
    bar = None

    def show(num_bytes, total):
        nonlocal bar
        bar = bar or keras.utils.Progbar(total, unit_name="byte")
        bar.update(num_bytes)

    try:
        fetch(row.url, part, size=row.size, on_bytes=show)
    except (urllib.error.URLError, TimeoutError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # The error holds the connection open.
        raise _download_error(row, target, error) from error


def _fault_of(path, row):
    """Returns how a file differs from the published one; None if it matches everything that its publishers state."""
    size = path.stat().st_size
    if row.size not in (None, size):
        return f"it has {size} bytes"
    if row.verification == "nothing":
        return None if _starts_like_weights(path, row.file) else "it is not a weight file"
    digest = sha256_of(path)
    return None if digest.startswith(row.sha256 or row.sha256_start) else f"its SHA-256 is {digest}"


def _starts_like_weights(path, name):
    """Distinguishes a weight file from the web page that some servers send instead."""
    with open(path, "rb") as stream:
        start = stream.read(9)
    return start[8:] == b"{" if name.endswith(SAFETENSORS_ENDING) else start.startswith((b"PK", b"\x80"))


def _download_error(row, target, cause=None):
    by_hand = (
        f"Expected {_expected(row)}. Download {row.file} from {row.page}, and save it as {str(target)!r} (the cache is "
        "in KERAS_HOME, if that is set)."
    )
    if row.url is None:
        fault = f" The file at {str(target)!r} is a different one." if target.is_file() else ""
        return FileNotFoundError(f"The weights {row.name!r} cannot be downloaded automatically.{fault} {by_hand}")
    return ConnectionError(f"The weights {row.name!r} could not be downloaded from {row.url}: {cause}. {by_hand}")


def _expected(row):
    size = f" of {row.size} bytes" if row.size else ""
    if row.sha256:
        return f"a file{size} with SHA-256 {row.sha256}"
    return f"a file{size} whose SHA-256 begins with {row.sha256_start}" if row.sha256_start else f"a weight file{size}"


def _report_unverified(row):
    if row.verification == "nothing":
        note = f"{row.file} was not verified, because its publishers state no SHA-256.\n"
        if keras.config.is_interactive_logging_enabled():
            sys.stdout.write(note)
        else:
            logging.getLogger(__name__).info(note.rstrip())

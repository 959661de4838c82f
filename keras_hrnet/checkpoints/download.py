"""Downloads a published weight file into Keras's cache, unless it is cut short or altered."""

import http.client
import logging
import os
import pathlib
import sys
import urllib.error

import keras

from keras_hrnet.checkpoints.published import PublishedWeights, published_weights
from keras_hrnet.checkpoints.published.lookup import sha256_of
from keras_hrnet.checkpoints.reading import SAFETENSORS_ENDING
from keras_hrnet.replacing import replacing

# Errors of a connection that was made; that there is none is a `URLError`.
_INTERRUPTIONS = (urllib.error.ContentTooShortError, http.client.HTTPException, ConnectionError, TimeoutError)


def download(weights: PublishedWeights | str) -> pathlib.Path:
    """Downloads a published weight file, unless it is in the cache, and returns its path.

    The file has its name in the cache only once it is complete and, as far as its SHA-256 is stated, verified; a
    damaged file is downloaded again. The cache is the folder `keras_hrnet` in `$KERAS_HOME`, or in `~/.keras`.

    Args:
        weights: a row of `published_weights`, or its name.

    Raises:
        ValueError: if there is no row of that name, or two downloads in a row are not the published file.
        FileNotFoundError: if the file has no direct address. The message says where it is and where to put it.
        ConnectionError: if the download fails. The message says the same.
        OSError: if the cache is not writable.
    """
    row = _row_of(weights)
    target = cache_folder() / row.name / row.file
    if target.is_file() and _fault_of(target, row) is None:
        return target
    if row.url is None:
        raise _download_error(row, target)
    return _download_whole(row, target)


def cache_folder() -> pathlib.Path:
    """Returns the folder of downloaded files, in the one that Keras documents for `keras.utils.get_file`."""
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


class _NotThePublishedFileError(Exception):
    """What was downloaded is another file, or only a part of it; the message says why."""


def _download_whole(row, target):
    """Downloads a file, a second time if the first is not the published file."""
    fault = None
    for _ in range(2):
        try:
            with replacing(target) as part:
                _download_once(row, part)
            _report_unverified(row)
            return target
        except _NotThePublishedFileError as error:
            fault = error
        except ConnectionError:
            raise
        except OSError as error:
            raise OSError(
                f"The cache {str(target.parent)!r} is not writable ({error.__cause__ or error}). Expected a writable "
                "folder. Set the environment variable KERAS_HOME to another folder, before Keras is imported."
            ) from error
    raise ValueError(
        f"The download from {row.url} is not the published file: {fault}, twice. Expected {_expected(row)}. Try again "
        f"later, or download {row.file} from {row.page} by hand, and save it as {str(target)!r}."
    )


def _download_once(row, part):
    """Downloads a file once, and checks it."""
    try:
        keras.utils.get_file(part.name, row.url, cache_subdir=str(part.parent), force_download=True)
    except Exception as error:
        # Keras raises a bare `Exception` from urllib's, which tells a file cut short from one that is not there.
        cause = error.__context__ if type(error) is Exception else error
        if isinstance(cause, _INTERRUPTIONS):
            raise _NotThePublishedFileError("it is cut short") from error
        if not isinstance(cause, OSError):
            raise
        if isinstance(cause, urllib.error.HTTPError):
            cause.close()  # It holds the connection.
        raise _download_error(row, part.parent / row.file, cause) from error
    if fault := _fault_of(part, row):
        raise _NotThePublishedFileError(fault)


def _fault_of(path, row):
    """Returns why a file is not the published one; None if it is, as far as its publishers state."""
    size = path.stat().st_size
    if row.size not in (None, size):
        return f"it has {size} bytes"
    if row.verification == "nothing":
        return None if _starts_like_weights(path, row.file) else "it is not a weight file"
    digest = sha256_of(path)
    return None if digest.startswith(row.sha256 or row.sha256_start) else f"its SHA-256 is {digest}"


def _starts_like_weights(path, name):
    """Tells a weight file from the web page that some servers send instead."""
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
        note = f"{row.file} was not verified, as its publishers state no SHA-256.\n"
        if keras.config.is_interactive_logging_enabled():
            sys.stdout.write(note)
        else:
            logging.getLogger(__name__).info(note.rstrip())

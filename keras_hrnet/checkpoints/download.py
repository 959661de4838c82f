"""Brings a published weight file into Keras's cache, and lets none in that is cut short or altered."""

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

# What is raised once there is a connection; that there is none is a `URLError`.
_INTERRUPTIONS = (urllib.error.ContentTooShortError, http.client.HTTPException, ConnectionError, TimeoutError)


def download(weights):
    """Downloads a published weight file, or finds it in the cache.

    The file is under its name in the cache only once it is whole and, as far as its SHA-256 is stated, unaltered; a
    damaged one is fetched anew. The cache is the folder `keras_hrnet` in `$KERAS_HOME`, or in `~/.keras`.

    Args:
        weights: a `PublishedWeights`, or the name of one.

    Returns:
        The path of the file, a `pathlib.Path`.

    Raises:
        ValueError: if there is no file of that name, or what arrives is twice not the published file.
        FileNotFoundError: if the file has no direct address. The message says where to find it and where to put it.
        ConnectionError: if it cannot be fetched. The message says the same.
        OSError: if the cache cannot be written to.
    """
    row = _row_of(weights)
    target = cache_folder() / row.name / row.file
    if target.is_file() and _fault_of(target, row) is None:
        return target
    if row.url is None:
        raise _cannot_be_fetched(row, target)
    return _fetch_whole(row, target)


def cache_folder():
    """Says where downloaded files are kept: under the folder that Keras documents for `keras.utils.get_file`."""
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
    """What arrived is another file, or a part of it; the message says why."""


def _fetch_whole(row, target):
    """Fetches a file under another name until it is whole, at most twice."""
    fault = None
    for _ in range(2):
        try:
            with replacing(target) as part:
                _fetch(row, part)
            _say_if_unverified(row)
            return target
        except _NotThePublishedFileError as error:
            fault = error
        except ConnectionError:
            raise
        except OSError as error:
            raise OSError(
                f"The cache {str(target.parent)!r} cannot be written to ({error}). Expected a folder of one's own. Set "
                "the environment variable KERAS_HOME to another, before Keras is imported."
            ) from error
    raise ValueError(
        f"What arrived from {row.url} is not the published file: {fault}, twice. Expected {_expected(row)}. Try again "
        f"later, or get it by hand: download {row.file} from {row.page}, and put it at {str(target)!r}."
    )


def _fetch(row, part):
    """Writes what is at the address to a file, which must be the published one."""
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
        raise _cannot_be_fetched(row, part.parent / row.file, cause) from error
    if fault := _fault_of(part, row):
        raise _NotThePublishedFileError(fault)


def _fault_of(path, row):
    """Says why a file is not the published one; None if it is, as far as its publishers state what that is."""
    size = path.stat().st_size
    if row.size not in (None, size):
        return f"it has {size} bytes"
    if row.verification == "nothing":
        return None if _begins_like_weights(path, row.file) else "it is no weight file"
    digest = sha256_of(path)
    return None if digest.startswith(row.sha256 or row.sha256_start) else f"its SHA-256 is {digest}"


def _begins_like_weights(path, name):
    """Tells a weight file from the web page that some servers send in its place."""
    with open(path, "rb") as stream:
        start = stream.read(9)
    return start[8:] == b"{" if name.endswith(SAFETENSORS_ENDING) else start.startswith((b"PK", b"\x80"))


def _cannot_be_fetched(row, target, cause=None):
    by_hand = (
        f"Expected {_expected(row)}. Download {row.file} from {row.page}, and put it at {str(target)!r} (the cache is "
        "in KERAS_HOME, if that is set)."
    )
    if row.url is None:
        fault = f" The file at {str(target)!r} is another." if target.is_file() else ""
        return FileNotFoundError(f"The weights {row.name!r} have no address that a program can fetch.{fault} {by_hand}")
    return ConnectionError(f"The weights {row.name!r} could not be fetched from {row.url}: {cause}. {by_hand}")


def _expected(row):
    size = f" of {row.size} bytes" if row.size else ""
    if row.sha256:
        return f"a file{size} with SHA-256 {row.sha256}"
    return f"a file{size} whose SHA-256 begins with {row.sha256_start}" if row.sha256_start else f"a weight file{size}"


def _say_if_unverified(row):
    if row.verification == "nothing":
        note = f"{row.file} is unverified: its publishers state no SHA-256.\n"
        if keras.config.is_interactive_logging_enabled():
            sys.stdout.write(note)
        else:
            logging.getLogger(__name__).info(note.rstrip())

"""Fetches a file from a server within limits of time and size, and resumes an interrupted transfer."""

import contextlib
import http.client
import os
import pathlib
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

SECONDS_TO_ANSWER = 60
"""Limit from the first attempt to connect to the last header of the response, including redirections."""
SECONDS_OF_SILENCE = 30
LEAST_RATE = 1000
"""Lowest accepted number of bytes per second, on average over each period of `SECONDS_OF_SILENCE`."""
MOST_BYTES = 2**32
"""Largest accepted size of a file whose size its publishers do not state; the largest known file has 0.7 GB."""
BLOCK_BYTES = 2**18


class CutShortError(Exception):
    """The connection ended before the file was complete."""


class OtherFileError(Exception):
    """The file differs from the expected one; the message says how, to be read after the name of the file."""


def fetch(url: str, path: pathlib.Path, *, size: int | None, on_bytes: Callable[[int, int | None], Any]) -> None:
    """Downloads the file at an address; appends to the bytes that the file already has if the server supports this.

    Args:
        url: an address of http or https.
        path: the file to write; if the server cannot resume, it is written from the beginning.
        size: size of the complete file in bytes; None if it is not known.
        on_bytes: called with the number of bytes that have arrived, and with the total or None.

    Raises:
        CutShortError: if the connection ends early; the bytes that arrived are kept.
        OtherFileError: if the file at the address has another size; at most `size` bytes are written.
        TimeoutError: if the server does not respond in time, or is slower than `LEAST_RATE`; the bytes that arrived are
            kept.
        OSError: if there is no connection, the server refuses, or the file cannot be written.
    """
    with _opened(path) as file:
        start = file.seek(0, os.SEEK_END)
        if size is not None and start >= size:
            start = 0
        with _answer(url, start) as response:
            start = start if _is_resumed(response, start) else 0
            total = None if response.length is None else start + response.length
            if size is not None and total not in (None, size):
                raise OtherFileError(f"it has {total} bytes")
            file.seek(start)
            file.truncate()
            limit = size or MOST_BYTES
            for num_bytes in _copied(response, file, start):
                if num_bytes > limit:
                    raise OtherFileError(f"it has more than {limit} bytes")
                on_bytes(num_bytes, total or size)
        if file.tell() != (total or size or file.tell()):
            raise CutShortError


def _opened(path):
    # Like `replacing`, this does not follow links.
    return open(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666), "r+b")


def _answer(url: str, start: int) -> http.client.HTTPResponse:
    """Requests a file from byte `start` to its end."""
    if not url.startswith(("https://", "http://")):
        raise urllib.error.URLError(f"the address begins with neither https:// nor http://: {url}")
    headers = {"Range": f"bytes={start}-"} if start else {}
    answers = queue.SimpleQueue()

    def ask():
        try:
            request = urllib.request.Request(url, headers=headers)
            answers.put(urllib.request.urlopen(request, timeout=SECONDS_OF_SILENCE))
        except (OSError, http.client.HTTPException, ValueError) as error:  # Raised below.
            answers.put(error)

    # A server that sends its headers byte by byte never exceeds the timeout of a socket.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=SECONDS_TO_ANSWER)
    except queue.Empty:
        raise TimeoutError(f"no answer within {SECONDS_TO_ANSWER} seconds") from None
    if isinstance(answer, urllib.error.HTTPError) and answer.code == 416 and start:  # The file is already complete.
        answer.close()
        return _answer(url, 0)
    if isinstance(answer, (http.client.HTTPException, ConnectionError)):
        raise CutShortError from answer
    if isinstance(answer, TimeoutError):
        raise TimeoutError(f"no answer within {SECONDS_OF_SILENCE} seconds") from answer
    if isinstance(answer, Exception):
        raise answer
    return answer


def _is_resumed(response, start):
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _copied(response: http.client.HTTPResponse, file: BinaryIO, start: int) -> Iterator[int]:
    """Copies a response to a file, and yields the number of bytes so far after each block, before the block is written.

    A block is written when the next one is requested, so that the caller can stop before writing too much.
    """
    since, at_least = time.monotonic(), start
    num_bytes = start
    while block := _block(response):
        num_bytes += len(block)
        yield num_bytes
        file.write(block)
        if time.monotonic() - since > SECONDS_OF_SILENCE:
            if num_bytes - at_least < LEAST_RATE * SECONDS_OF_SILENCE:
                raise TimeoutError(f"fewer than {LEAST_RATE} bytes per second arrived")
            since, at_least = time.monotonic(), num_bytes
    file.flush()


def _block(response):
    try:
        return response.read1(BLOCK_BYTES)
    except TimeoutError:
        raise TimeoutError(f"nothing arrived for {SECONDS_OF_SILENCE} seconds") from None
    except (http.client.HTTPException, ConnectionError) as error:
        raise CutShortError from error


@contextlib.contextmanager
def alone(path: pathlib.Path) -> Iterator[None]:
    """Acquires the lock of a file, and waits while another process or thread holds it.

    The system releases the lock when the process ends for any reason. On file systems without locks, this does nothing.
    """
    with path.open("a") as file:
        while not _locked(file):
            time.sleep(0.1)
        yield


def _locked(file):
    try:
        import fcntl
    except ImportError:  # Windows, which also does not replace a file that is open.
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True

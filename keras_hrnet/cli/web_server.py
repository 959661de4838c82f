"""Serves the folder of a page to browsers on this machine, isolated so that it can use threads."""

import functools
import http.server
import os
import pathlib
import socket
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

PAGE = ("index.html", "network.json")
"""Files that identify a folder of `export_web`. Their names are repeated here, because importing them would import
Keras."""

LOOPBACK = "127.0.0.1"
HOSTS = (LOOPBACK, "localhost")
# Browsers share memory between the threads of a page only if it is isolated from other pages.
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}


def web_server(folder: str | os.PathLike, port: int = 0, *, isolated: bool = True) -> http.server.ThreadingHTTPServer:
    """Creates a server for a page, which only this machine can reach.

    Args:
        folder: a folder that `export_web` wrote.
        port: port to listen on; 0 for any free port.
        isolated: whether to send the headers that let the page use threads.

    Returns:
        The server, which is already listening; call `serve_forever` to answer requests. `address_of` returns its
        address.

    Raises:
        FileNotFoundError: if there is no page in the folder.
        OSError: if the port is taken.
    """
    folder = pathlib.Path(folder)
    if not all((folder / name).is_file() for name in PAGE):
        raise FileNotFoundError(
            f"Received the folder {str(folder)!r}, which contains no page. Expected a folder that export_web wrote. "
            "Run `keras-hrnet export MODEL FOLDER --web --size HxW` first."
        )
    handler = functools.partial(
        _Handler, directory=str(folder.resolve()), headers_sent={**HEADERS, **(ISOLATION if isolated else {})}
    )
    try:
        return _Server((LOOPBACK, port), handler)
    except OSError as error:
        raise OSError(
            f"Received port {port}, on which this machine cannot listen ({error}). Expected a free port. Pass "
            "another port, or 0 for any."
        ) from error


def address_of(server: http.server.ThreadingHTTPServer) -> str:
    """Returns the address that a browser opens."""
    return f"http://localhost:{server.server_address[1]}/"


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # On other systems, this option would let two servers listen on the same port.
    allow_reuse_address = os.name == "posix"

    def handle_error(self, request: socket.socket, client_address: Any) -> None:
        """Ignores errors, because a browser that disconnects is not an error."""


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "keras_hrnet"
    sys_version = ""
    extensions_map = {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".wasm": "application/wasm",
        "": "application/octet-stream",
    }

    def __init__(self, *args: Any, headers_sent: dict[str, str], **kwargs: Any) -> None:
        self.headers_sent = headers_sent
        super().__init__(*args, **kwargs)

    def send_head(self) -> Any:
        # A site must not be able to read the page by letting its own name resolve to this machine.
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in HOSTS:
            return self.send_error(HTTPStatus.FORBIDDEN)
        # Links could point outside the folder.
        if not pathlib.Path(self.translate_path(self.path)).resolve().is_relative_to(self.directory):
            return self.send_error(HTTPStatus.NOT_FOUND)
        return super().send_head()

    def list_directory(self, path: str) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing."""

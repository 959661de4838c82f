"""The server for a page: for this machine alone, and isolated so that the page may use threads."""

import http.client
import threading

import pytest

from keras_hrnet.cli.web_server import PAGE, address_of, web_server
from keras_hrnet.export.web.pages import CONTENTS

pytestmark = pytest.mark.once
ISOLATING = ("Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy")


@pytest.fixture
def folder(tmp_path):
    page = tmp_path / "web"
    (page / "runtime").mkdir(parents=True)
    for name in ("index.html", "network.json", "page.js", "runtime/a.wasm"):
        (page / name).write_text(name)
    (tmp_path / "secret.txt").write_text("secret")
    (page / "link.txt").symlink_to(tmp_path / "secret.txt")
    return page


@pytest.fixture(params=[True, False], ids=["isolated", "not isolated"])
def ask(request, folder):
    """Returns a function that asks a server, and gives the status, the headers and the body."""
    with web_server(folder, isolated=request.param) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def ask(path, host=None):
            connection = http.client.HTTPConnection(*server.server_address, timeout=10)
            connection.request("GET", path, headers={} if host is None else {"Host": host})
            response = connection.getresponse()
            body = response.read().decode()
            connection.close()
            return response.status, response.headers, body

        ask.is_isolated = request.param
        yield ask
        server.shutdown()


def test_files_come_with_their_kind_and_the_headers(ask):
    for path, kind in (("/", "text/html"), ("/page.js", "text/javascript"), ("/runtime/a.wasm", "application/wasm")):
        status, headers, body = ask(path)
        assert (status, body) == (200, path[1:] or "index.html")
        assert headers["Content-Type"].startswith(kind)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert all((name in headers) == ask.is_isolated for name in ISOLATING)


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/link.txt", "/runtime/", "/none"])
def test_nothing_outside_of_the_folder_is_served_nor_is_a_listing(ask, path):
    status, _, body = ask(path)
    assert status == 404 and "secret" not in body and "a.wasm" not in body


def test_another_name_for_this_machine_is_refused(ask):
    assert ask("/", host="evil.example:80")[0] == 403
    assert ask("/", host="localhost:80")[0] == 200


def test_only_this_machine_reaches_it(folder):
    with web_server(folder) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert address_of(server) == f"http://localhost:{server.server_address[1]}/"
        with pytest.raises(OSError, match=r"Expected a free port\. Pass another port"):
            web_server(folder, server.server_address[1])


def test_a_folder_without_a_page_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"which contains no page\. Expected a folder that export_web wrote"):
        web_server(tmp_path)


def test_a_page_is_known_by_files_that_each_page_has():
    assert set(PAGE) <= set(CONTENTS)

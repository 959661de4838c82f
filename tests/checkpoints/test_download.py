import contextlib
import errno
import hashlib
import http.server
import os
import socket
import threading
import time

import pytest

from keras_hrnet.checkpoints import PublishedWeights, download
from keras_hrnet.checkpoints.download import cache_folder

pytestmark = pytest.mark.once

CONTENT = b"PK" + bytes(range(256)) * 4096  # More than one of urllib's blocks of 8192 bytes.
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PAGE = "https://example.org/weights"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


class Server:
    """Answers each request with the next of `answers`, the last of them for ever, and counts them."""

    def __init__(self):
        self.answers, self.requests, self.ranges = [CONTENT], 0, []
        members = {"do_GET": lambda handler: self.answer(handler), "log_message": lambda *_: None}
        handler = type("Handler", (http.server.BaseHTTPRequestHandler,), members)
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/a.pth"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, handler):
        self.ranges.append(handler.headers["Range"])
        body = self.answers[min(self.requests, len(self.answers) - 1)]
        self.requests += 1
        if isinstance(body, int):
            handler.send_error(body)
            return
        handler.send_response(getattr(body, "status", 200))
        if callable(body):
            body(handler)
            return
        handler.send_header("Content-Length", len(body))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def row(server=None, file="a.pth", **facts):
    facts = {"sha256": SHA256, "url": server and server.url, **facts}
    return PublishedWeights(
        name="a_row",
        variant="HRNetW48",
        head="fcn",
        num_classes=19,
        dataset="d",
        file=file,
        page=PAGE,
        source="",
        **facts,
    )


def cut_short(handler):
    handler.send_header("Content-Length", len(CONTENT))
    handler.end_headers()
    handler.wfile.write(CONTENT[:10000])


def hang_up(handler):
    handler.connection.shutdown(socket.SHUT_RDWR)


def in_cache(content, file="a.pth"):
    path = cache_folder() / "a_row" / file
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def files():
    return sorted(path.name for path in cache_folder().rglob("*") if path.is_file() and path.name != ".lock")


def test_a_file_is_downloaded_into_the_cache_of_keras(server, tmp_path):
    path = download(row(server))
    assert path == tmp_path / "keras home" / "keras_hrnet" / "a_row" / "a.pth"
    assert path.read_bytes() == CONTENT
    assert files() == ["a.pth"]


def test_a_whole_file_in_the_cache_is_not_asked_for_again(server):
    download(row(server))
    download(row(server))
    assert server.requests == 1


@pytest.mark.parametrize("facts", [{}, {"sha256": None, "sha256_start": SHA256[:8]}, {"size": len(CONTENT)}])
def test_what_is_stated_of_a_file_is_checked(facts, server):
    assert download(row(server, **facts)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        ({}, "its SHA-256 is [0-9a-f]{64}"),
        ({"sha256": None, "sha256_start": SHA256[:8]}, "its SHA-256 is [0-9a-f]{64}"),
        ({"size": 7}, f"it has {len(CONTENT)} bytes"),
    ],
)
def test_an_altered_file_is_refused_after_a_second_try(facts, fault, server):
    server.answers = [CONTENT[:-1] + b"!"]
    with pytest.raises(ValueError, match=rf"do not match the published file: {fault}\. .* download a\.pth from {PAGE}"):
        download(row(server, **facts))
    assert (files(), server.requests) == ([], 2)


def test_a_file_that_is_cut_short_is_refused_after_a_second_try(server):
    server.answers = [cut_short]
    with pytest.raises(ValueError, match="do not match the published file: it is truncated"):
        download(row(server, sha256=None))
    assert (files(), server.requests) == ([], 2)


@pytest.mark.parametrize("first", [b"another file", cut_short, hang_up])
def test_the_right_file_at_the_second_try_will_do(first, server):
    server.answers = [first, CONTENT]
    assert download(row(server)).read_bytes() == CONTENT
    assert (files(), server.requests) == (["a.pth"], 2)


@pytest.mark.parametrize("damaged", [CONTENT[:-1], CONTENT[:-1] + b"!", b""])
def test_a_damaged_file_in_the_cache_is_fetched_anew(damaged, server):
    path = in_cache(damaged)
    assert download(row(server)) == path
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(("file", "content"), [("a.pth", b"<!DOCTYPE html>"), ("a.safetensors", b"<!DOCTYPE html>")])
def test_a_web_page_is_no_weight_file(file, content, server):
    server.answers = [content]
    with pytest.raises(ValueError, match="it is not a weight file"):
        download(row(server, file, sha256=None))
    assert files() == []


@pytest.mark.parametrize(
    ("file", "content"), [("a.pth", b"PK\x03\x04"), ("a.pth.tar", b"\x80\x02"), ("a.safetensors", bytes(8) + b"{}")]
)
def test_a_file_without_a_stated_sha256_is_reported_as_not_verified_once(file, content, server, capsys):
    server.answers = [content]
    note = f"{file} was not verified, because its publishers state no SHA-256."
    download(row(server, file, sha256=None))
    assert note in capsys.readouterr().out
    download(row(server, file, sha256=None))
    assert note not in capsys.readouterr().out


def test_a_verified_file_is_not_reported(server, capsys):
    download(row(server))
    assert "verified" not in capsys.readouterr().out


def test_offline_the_error_says_what_to_put_where(server):
    server.http.shutdown()  # Else a connection may still be taken, and then reset.
    server.http.server_close()
    expected = rf"Expected a file with SHA-256 {SHA256}\. Download a\.pth from {PAGE}, and save it as '.*a_row.a\.pth'"
    with pytest.raises(
        ConnectionError, match=rf"'a_row' could not be downloaded from {server.url}: .*refused.* {expected}"
    ):
        download(row(server))
    assert files() == []


def test_a_dead_link_is_not_tried_twice(server):
    server.answers = [404]
    with pytest.raises(ConnectionError, match=r"HTTP Error 404: Not Found\. .* save it as"):
        download(row(server))
    assert server.requests == 1


def test_without_an_address_the_error_says_what_to_put_where():
    expected = r"Expected a file of 7 bytes whose SHA-256 begins with 12345678\. Download a\.pth from"
    with pytest.raises(FileNotFoundError, match=rf"'a_row' cannot be downloaded automatically\. {expected}"):
        download(row(sha256=None, sha256_start="12345678", size=7))


def test_a_file_put_there_by_hand_is_found():
    path = in_cache(CONTENT)
    assert download(row()) == path


def test_another_file_put_there_by_hand_is_refused_and_kept():
    path = in_cache(b"another")
    with pytest.raises(FileNotFoundError, match=r"The file at '.*a\.pth' is a different one"):
        download(row())
    assert path.read_bytes() == b"another"


def test_a_file_is_under_its_name_only_once_it_is_whole(server):
    half_way, go_on = threading.Event(), threading.Event()

    def stop_half_way(handler):
        handler.send_header("Content-Length", len(CONTENT))
        handler.end_headers()
        handler.wfile.write(CONTENT[:500000])
        half_way.set()
        go_on.wait(10)
        handler.wfile.write(CONTENT[500000:])

    server.answers = [stop_half_way]
    thread = threading.Thread(target=download, args=(row(server),))
    thread.start()
    assert half_way.wait(10)
    assert "a.pth" not in files()
    go_on.set()
    thread.join(10)
    assert files() == ["a.pth"]


def test_two_downloads_at_once_do_no_harm(server):
    threads = [threading.Thread(target=download, args=(row(server),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (files(), server.requests) == (["a.pth"], 1)
    assert (cache_folder() / "a_row" / "a.pth").read_bytes() == CONTENT


def from_the_byte_asked_for(handler):
    start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    handler.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
    handler.send_header("Content-Length", len(CONTENT) - start)
    handler.end_headers()
    handler.wfile.write(CONTENT[start:])


from_the_byte_asked_for.status = 206


def test_a_download_that_was_cut_short_is_resumed(server):
    server.answers = [cut_short, from_the_byte_asked_for]
    assert download(row(server)).read_bytes() == CONTENT
    assert (files(), server.ranges) == (["a.pth"], [None, "bytes=10000-"])


def test_a_later_call_resumes_what_an_earlier_one_got(server):
    server.answers = [cut_short, cut_short, from_the_byte_asked_for]
    with pytest.raises(ValueError, match="the published file: it is truncated"):
        download(row(server))
    assert files() == [".a.pth.part"]
    assert download(row(server)).read_bytes() == CONTENT
    assert (files(), server.ranges[-1]) == (["a.pth"], "bytes=10000-")


@pytest.mark.parametrize("part", [b"another", CONTENT + b"more"])
def test_a_part_of_another_file_is_given_up(part, server):
    in_cache(part, ".a.pth.part")
    server.answers = [from_the_byte_asked_for, CONTENT]
    assert download(row(server, size=len(CONTENT)) if len(part) < 9 else row(server)).read_bytes() == CONTENT
    assert files() == ["a.pth"]


def test_no_link_is_followed_when_a_part_is_written(server, tmp_path):
    (tmp_path / "precious").write_text("precious")
    path = in_cache(b"", ".a.pth.part")
    path.unlink()
    path.symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match=r"The cache '.*a_row' is not writable"):
        download(row(server))
    assert (tmp_path / "precious").read_text() == "precious"


def endless(handler):
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(bytes(2**16))


def nonsense_length(handler):
    handler.send_header("Content-Length", "-7 apples")
    handler.end_headers()
    handler.wfile.write(CONTENT)
    handler.close_connection = True


def too_long(handler):
    handler.send_header("Content-Length", 10**12)
    handler.end_headers()


def test_no_more_bytes_are_written_than_the_file_has(server):
    server.answers = [endless]
    with pytest.raises(ValueError, match=f"it has more than {len(CONTENT)} bytes"):
        download(row(server, size=len(CONTENT)))
    server.answers = [too_long]
    with pytest.raises(ValueError, match="it has 1000000000000 bytes"):
        download(row(server, size=len(CONTENT)))
    assert files() == []


def test_a_length_that_is_nonsense_does_no_harm(server):
    server.answers = [nonsense_length]
    assert download(row(server, size=len(CONTENT))).read_bytes() == CONTENT


def silent(handler):
    time.sleep(2)


def headers_alone(handler):
    handler.end_headers()
    time.sleep(2)


def byte_by_byte(handler):
    handler.send_header("Content-Length", len(CONTENT))
    handler.end_headers()
    with contextlib.suppress(OSError):
        for i in range(20):
            handler.wfile.write(CONTENT[i : i + 1])
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (silent, r"no answer within [0-9.]+ seconds"),
        (
            lambda handler: handler.end_headers() or handler.wfile.flush() or time.sleep(2),
            "nothing arrived for 0.5 sec",
        ),
        (byte_by_byte, "fewer than 1000 bytes per second arrived"),
    ],
)
def test_a_server_that_is_too_slow_is_left(answer, fault, server, monkeypatch):
    monkeypatch.setattr("keras_hrnet.checkpoints.transfer.SECONDS_OF_SILENCE", 0.5)
    monkeypatch.setattr("keras_hrnet.checkpoints.transfer.SECONDS_TO_ANSWER", 0.5)
    server.answers = [answer]
    start = time.monotonic()
    with pytest.raises(ConnectionError, match=rf"'a_row' could not be downloaded from .*: {fault}.*save it as"):
        download(row(server))
    assert time.monotonic() - start < 2


def test_a_full_disk_is_said_and_leaves_nothing(server, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("keras_hrnet.checkpoints.transfer._copied", fail)
    with pytest.raises(OSError, match=r"a\.pth' cannot be written \(No space left on device; [0-9,]+ bytes are free"):
        download(row(server))
    assert files() == []


def test_a_cache_that_cannot_be_written_to_is_named(server, tmp_path):
    (tmp_path / "keras home").write_text("a file")
    with pytest.raises(
        OSError, match=r"The cache '.*a_row' is not writable .* Set the environment variable KERAS_HOME"
    ):
        download(row(server))


def test_a_cache_in_which_no_file_can_be_made_is_named(server, monkeypatch):
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(PermissionError("read-only")))
    with pytest.raises(OSError, match=r"The cache '.*a_row' is not writable \(read-only\)"):
        download(row(server))
    assert files() == []


def test_a_name_stands_for_its_row(tmp_path):
    path = cache_folder() / "official_w48_cityscapes" / "hrnet_cs_8090_torch11.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert download("official_w48_cityscapes") == path


def test_a_name_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"received 'w48'\. Expected the name of a published file\. `keras-hrnet info"):
        download("w48")


def test_without_keras_home_the_cache_is_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert cache_folder() == tmp_path / ".keras" / "keras_hrnet"
    with contextlib.suppress(FileNotFoundError):
        download(row())
    assert not cache_folder().exists()

"""Web pages and Git LFS pointers under the names of weights and networks."""

import pytest

import keras_hrnet
from keras_hrnet.checkpoints import describe_checkpoint
from keras_hrnet.cli.protocol import load_network, open_network
from keras_hrnet.mistaken import check_not_mistaken

pytestmark = pytest.mark.once

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
PAGE = b'\n<!DOCTYPE html><html lang="de"><head><title>\n Google Drive - Pr\xc3\xbcfung </title></head></html>'
ERROR = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (POINTER, r"is a Git LFS pointer\. Expected the file.*Run `git lfs pull`"),
        (PAGE, r"is a web page, “Google Drive - Prüfung”\. Expected the file that its name.*Download the file itself"),
        (ERROR, r"is an XML document, as servers send with errors\. Expected the file"),
    ],
)
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("w18.pth", describe_checkpoint),
        ("w18.safetensors", describe_checkpoint),
        ("w18.pth", lambda path: keras_hrnet.HRNetW18Small(weights=path)),
        ("w18.keras", load_network),
        ("w18.tflite", open_network),
        ("w18.onnx", open_network),
        ("w18.onnx", keras_hrnet.read_metadata),
        ("w18/saved_model.pb", lambda path: open_network(path.parent)),
    ],
)
def test_what_is_no_network_says_what_it_is(name, read, content, message, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x1c\x00\x00\x00TFL3", b"junk", b"\x89HDF\r\n"])
def test_other_files_are_left_to_who_reads_them(content, tmp_path):
    (tmp_path / "file").write_bytes(content)
    check_not_mistaken(tmp_path / "file")

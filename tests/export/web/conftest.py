"""What the tests of the page share: archives that stand for the runtimes where no browser runs them."""

import base64
import hashlib
import io
import tarfile

import pytest

from keras_hrnet.export.web.export import PAGES


def archive_of(files):
    """The bytes of a `.tgz` with these files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def fake_runtime(tmp_path_factory, monkeypatch):
    """A folder with archives of a few bytes each, which are the pinned ones as long as the test runs."""
    folder = tmp_path_factory.mktemp("runtime")
    for page in PAGES.values():
        packages = tuple(_faked(package, page.runtime, folder) for package in page.runtime.packages)
        monkeypatch.setattr(type(page), "runtime", page.runtime._replace(packages=packages))
    return folder


@pytest.fixture
def litert(fake_runtime):
    """LiteRT.js, as `fake_runtime` has it."""
    return PAGES["tflite"].runtime


def _faked(package, runtime, folder):
    files = {f"package/{name}": f"// {name}\n".encode() for name in package.files}
    for source, target in package.files.items():
        if target in runtime.replaced:
            files[f"package/{source}"] += f"{runtime.replaced[target][0]};\n//# sourceMappingURL=index.js.map".encode()
    archive = archive_of({"../outside.js": b"", "package/dist/evil.js": b"", **files})
    (folder / package.archive).write_bytes(archive)
    return package._replace(sha512=base64.b64encode(hashlib.sha512(archive).digest()).decode())

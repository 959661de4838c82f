"""What the tests of the page share: archives that stand for LiteRT.js where no browser runs it."""

import base64
import hashlib
import io
import tarfile

import pytest

from keras_hrnet.export.web import runtime


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
    packages = []
    for package in runtime.PACKAGES:
        files = {f"package/{name}": f"// {name}\n".encode() for name in package.files}
        if package is runtime.PACKAGES[0]:
            files["package/dist/index.js"] += (
                b'import {a} from "@litertjs/wasm-utils";\n//# sourceMappingURL=index.js.map'
            )
        archive = archive_of({"../outside.js": b"", "package/dist/evil.js": b"", **files})
        (folder / package.archive).write_bytes(archive)
        checksum = base64.b64encode(hashlib.sha512(archive).digest()).decode()
        packages.append(package._replace(sha512=checksum))
    monkeypatch.setattr(runtime, "PACKAGES", tuple(packages))
    return folder

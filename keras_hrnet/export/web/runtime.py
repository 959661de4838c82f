"""Finds LiteRT.js, which runs a `.tflite` file in a browser, in a folder or the cache, or downloads it with npm."""

import base64
import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
from typing import NamedTuple

from keras_hrnet.checkpoints.download import cache_folder
from keras_hrnet.replacing import replacing

NPM_SECONDS = 600
# Without an internet connection, npm would retry for minutes.
NPM_OPTIONS = (
    "--loglevel=error",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=1000",
)


class Package(NamedTuple):
    """An npm package in a pinned version.

    Args:
        name: name of the package.
        version: version of the package.
        sha512: SHA-512 of its archive, in base64, as npm states it.
        files: the files that are used, with their names next to the page.
    """

    name: str
    version: str
    sha512: str
    files: dict[str, str]

    @property
    def archive(self) -> str:
        """The name of the file that `npm pack` writes."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


# The variants of the runtime: without threads and relaxed SIMD (compat), one thread, several threads, and WebGPU with
# JSPI.
WASM = tuple(f"litert_wasm_{kind}internal" for kind in ("compat_", "", "threaded_", "jspi_"))
PACKAGES = (
    Package(
        "@litertjs/core",
        "2.5.3",
        "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
        {
            "dist/index.js": "litert.js",
            **{f"wasm/{name}{ending}": f"{name}{ending}" for name in WASM for ending in (".js", ".wasm")},
        },
    ),
    Package(
        "@litertjs/wasm-utils",
        "2.5.3",
        "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
        {"dist/index.js": "wasm-utils.js"},
    ),
)
# A worker has no import map, so it cannot resolve the name of a package.
BARE_IMPORT, RELATIVE_IMPORT = b'from "@litertjs/wasm-utils"', b'from "./wasm-utils.js"'
SOURCE_MAP = b"//# sourceMappingURL="
NOTICE = b"// Changed by keras_hrnet: @litertjs/wasm-utils is imported from a file in the same folder.\n"


def find_runtime(folder: str | os.PathLike | None = None) -> dict[str, bytes]:
    """Finds LiteRT.js, and returns its files for a page.

    The archives of its npm packages are read from a folder, or from the cache, into which npm downloads them the first
    time. They are used only if their SHA-512 is the pinned one. None of their code runs on this machine.

    Args:
        folder: a folder with the archives; None for the cache.

    Returns:
        The content of each file, by its name next to the page.

    Raises:
        FileNotFoundError: if an archive is missing and npm cannot download it. The message states which files to put
            where.
        ValueError: if an archive is not the pinned one.
    """
    files = {}
    for package in PACKAGES:
        archive = _in_folder(pathlib.Path(folder), package) if folder is not None else _in_cache(package)
        files |= _members(archive, package)
    script = files["litert.js"]
    if script.count(BARE_IMPORT) != 1:
        raise ValueError(
            f"LiteRT.js of this version imports {BARE_IMPORT.decode()!r} {script.count(BARE_IMPORT)} times. Expected "
            "once. Use the pinned version."
        )
    files["litert.js"] = NOTICE + script.replace(BARE_IMPORT, RELATIVE_IMPORT)
    return {name: _without_source_map(content) if name.endswith(".js") else content for name, content in files.items()}


def versions() -> str:
    """Returns the pinned packages and their versions as text."""
    return " and ".join(f"{package.name} {package.version}" for package in PACKAGES)


def runtime_cache() -> pathlib.Path:
    """Returns the folder of the cache that contains the archives."""
    return cache_folder() / "litertjs"


def _in_folder(folder, package):
    path = folder / package.archive
    if not path.is_file():
        raise FileNotFoundError(
            f"Received the runtime folder {str(folder)!r} without {package.archive}. Expected the archive that npm "
            f"writes. Run `{_command()}` in that folder, on a machine with npm, or leave the folder out to let npm "
            "download it."
        )
    content = path.read_bytes()
    if _sha512(content) != package.sha512:
        raise ValueError(
            f"Received {str(path)!r} with the SHA-512 {_sha512(content)}. Expected {package.sha512} of {package.name} "
            f"{package.version}. Run `{_command()}` in its folder again."
        )
    return content


def _in_cache(package):
    target = runtime_cache() / package.archive
    content = target.read_bytes() if target.is_file() else b""
    if _sha512(content) != package.sha512:
        content = _fetched(package)
        with replacing(target) as part:
            part.write_bytes(content)
    return content


def _fetched(package):
    """Lets npm download an archive, without running scripts of the package, and returns its content."""
    npm = shutil.which("npm")
    if npm is None:
        raise _missing(package, "npm is not installed")
    with tempfile.TemporaryDirectory(prefix="keras_hrnet-") as folder:
        command = [npm, "pack", f"{package.name}@{package.version}", "--ignore-scripts", *NPM_OPTIONS]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise _missing(package, f"npm took more than {NPM_SECONDS} seconds") from error
        path = pathlib.Path(folder, package.archive)
        if done.returncode or not path.is_file():
            lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"status {done.returncode}"]
            raise _missing(package, f"npm could not download it ({lines[0].strip()})")
        content = path.read_bytes()
    if _sha512(content) != package.sha512:
        raise ValueError(
            f"npm downloaded {package.name} {package.version} with the SHA-512 {_sha512(content)}. Expected "
            f"{package.sha512}. Check the registry that npm is set to (`npm config get registry`)."
        )
    return content


def _missing(package, reason):
    return FileNotFoundError(
        f"A web page needs LiteRT.js, of which {package.archive} is not in {str(runtime_cache())!r}, and {reason}. "
        f"Expected {versions()}. Run `{_command()}` on a machine with npm and an internet connection, and copy the "
        "two files there, or to a folder that you pass as the runtime."
    )


def _command():
    return f"npm pack {' '.join(f'{package.name}@{package.version}' for package in PACKAGES)}"


def _members(archive, package):
    """Reads the needed files into memory; no name in the archive becomes a path on this machine."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {target: tar.extractfile(f"package/{source}").read() for source, target in package.files.items()}


def _without_source_map(script):
    return b"\n".join(line for line in script.split(b"\n") if not line.startswith(SOURCE_MAP))


def _sha512(content):
    return base64.b64encode(hashlib.sha512(content).digest()).decode("ascii")

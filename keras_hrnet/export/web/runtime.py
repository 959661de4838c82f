"""Finds the runtime of a page in a folder or the cache, or downloads it with npm."""

import base64
import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

from keras_hrnet.checkpoints.download import cache_folder
from keras_hrnet.export.web.packages import Runtime
from keras_hrnet.replacing import replacing

NPM_SECONDS = 600
# Without an internet connection, npm would retry for minutes.
NPM_OPTIONS = (
    "--loglevel=error",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=1000",
)
SOURCE_MAP = b"//# sourceMappingURL="


def find_runtime(runtime: Runtime, folder: str | os.PathLike | None = None) -> dict[str, bytes]:
    """Finds a runtime, and returns its files for a page.

    The archives of its npm packages are read from a folder, or from the cache, into which npm downloads them the first
    time. They are used only if their SHA-512 is the pinned one. None of their code runs on this machine.

    Args:
        runtime: the runtime.
        folder: a folder with the archives; None for the cache.

    Returns:
        The content of each file, by its name next to the page.

    Raises:
        FileNotFoundError: if an archive is missing and npm cannot download it. The message states which files to put
            where.
        ValueError: if an archive is not the pinned one.
    """
    files = {}
    for package in runtime.packages:
        in_folder = folder is not None
        archive = _in_folder(pathlib.Path(folder), package, runtime) if in_folder else _in_cache(package, runtime)
        files |= _members(archive, package)
    for name, (old, new) in runtime.replaced.items():
        files[name] = _replaced(files[name], old, new, runtime)
    return {name: _without_source_map(content) if name.endswith(".js") else content for name, content in files.items()}


def runtime_cache(runtime: Runtime) -> pathlib.Path:
    """Returns the folder of the cache that contains the archives of a runtime."""
    return cache_folder() / runtime.cache


def _in_folder(folder, package, runtime):
    path = folder / package.archive
    if not path.is_file():
        raise FileNotFoundError(
            f"Received the runtime folder {str(folder)!r} without {package.archive}. Expected the archive that npm "
            f"writes. Run `{runtime.command}` in that folder, on a machine with npm, or leave the folder out to let "
            "npm download it."
        )
    content = path.read_bytes()
    if _sha512(content) != package.sha512:
        raise ValueError(
            f"Received {str(path)!r} with the SHA-512 {_sha512(content)}. Expected {package.sha512} of {package.name} "
            f"{package.version}. Run `{runtime.command}` in its folder again."
        )
    return content


def _in_cache(package, runtime):
    target = runtime_cache(runtime) / package.archive
    content = target.read_bytes() if target.is_file() else b""
    if _sha512(content) != package.sha512:
        content = _fetched(package, runtime)
        with replacing(target) as part:
            part.write_bytes(content)
    return content


def _fetched(package, runtime):
    """Lets npm download an archive, without running scripts of the package, and returns its content."""
    npm = shutil.which("npm")
    if npm is None:
        raise _missing(package, runtime, "npm is not installed")
    with tempfile.TemporaryDirectory(prefix="keras_hrnet-") as folder:
        command = [npm, "pack", f"{package.name}@{package.version}", "--ignore-scripts", *NPM_OPTIONS]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise _missing(package, runtime, f"npm took more than {NPM_SECONDS} seconds") from error
        path = pathlib.Path(folder, package.archive)
        if done.returncode or not path.is_file():
            lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"status {done.returncode}"]
            raise _missing(package, runtime, f"npm could not download it ({lines[0].strip()})")
        content = path.read_bytes()
    if _sha512(content) != package.sha512:
        raise ValueError(
            f"npm downloaded {package.name} {package.version} with the SHA-512 {_sha512(content)}. Expected "
            f"{package.sha512}. Check the registry that npm is set to (`npm config get registry`)."
        )
    return content


def _missing(package, runtime, reason):
    versions = " and ".join(f"{package.name} {package.version}" for package in runtime.packages)
    return FileNotFoundError(
        f"A web page needs {runtime.title}, of which {package.archive} is not in {str(runtime_cache(runtime))!r}, and "
        f"{reason}. Expected {versions}. Run `{runtime.command}` on a machine with npm and an internet connection, and "
        "copy what it writes there, or to a folder that you pass as the runtime."
    )


def _members(archive, package):
    """Reads the needed files into memory; no name in the archive becomes a path on this machine."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {target: tar.extractfile(f"package/{source}").read() for source, target in package.files.items()}


def _replaced(script, old, new, runtime):
    if script.count(old.encode()) != 1:
        raise ValueError(
            f"{runtime.title} of this version contains {old!r} {script.count(old.encode())} times. Expected once. Use "
            "the pinned version."
        )
    notice = f"// Changed by keras_hrnet: {new} was {old}.\n"
    return notice.encode() + script.replace(old.encode(), new.encode())


def _without_source_map(script):
    return b"\n".join(line for line in script.split(b"\n") if not line.startswith(SOURCE_MAP))


def _sha512(content):
    return base64.b64encode(hashlib.sha512(content).digest()).decode("ascii")

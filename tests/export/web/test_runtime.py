"""LiteRT.js: pinned, checked, fetched once, and never run on this machine."""

import stat

import pytest

from keras_hrnet.export.web import runtime
from keras_hrnet.export.web.runtime import find_runtime, runtime_cache

pytestmark = pytest.mark.once
ARCHIVES = ("litertjs-core-2.5.3.tgz", "litertjs-wasm-utils-2.5.3.tgz")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Returns a function that puts a script in the place of npm, which notes each of its calls."""

    def put(script):
        path = tmp_path / "bin" / "npm"
        path.parent.mkdir()
        path.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/calls"\n{script}\n')
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
        return tmp_path / "calls"

    return put


def test_the_files_of_a_page_come_out_of_the_archives_of_a_folder(fake_runtime, tmp_path):
    files = find_runtime(fake_runtime)
    # Nothing else of the archives, and nothing outside.
    assert set(files) == {
        "litert.js",
        "wasm-utils.js",
        *(f"litert_wasm_{kind}internal.{e}" for kind in ("", "compat_", "threaded_", "jspi_") for e in ("js", "wasm")),
    }
    assert files["litert_wasm_internal.wasm"] == b"// wasm/litert_wasm_internal.wasm\n"
    # A worker resolves no bare import, and a source map that is not there would be asked for.
    script = files["litert.js"].decode()
    assert 'from "./wasm-utils.js"' in script and "@litertjs/wasm-utils is imported" in script
    assert 'from "@litertjs' not in script and "sourceMappingURL" not in script
    assert not runtime_cache().exists()


def test_npm_fetches_each_archive_once_without_running_its_scripts(fake_runtime, npm):
    calls = npm(f'cp "{fake_runtime}"/*.tgz .')
    assert find_runtime() == find_runtime(fake_runtime)
    assert {path.name for path in runtime_cache().iterdir()} == set(ARCHIVES)
    first = calls.read_text().splitlines()
    assert [line.split()[:2] for line in first] == [
        ["pack", "@litertjs/core@2.5.3"],
        ["pack", "@litertjs/wasm-utils@2.5.3"],
    ]
    assert all("--ignore-scripts" in line for line in first)
    find_runtime()
    assert calls.read_text().splitlines() == first


def test_what_is_altered_in_the_cache_is_fetched_again(fake_runtime, npm):
    npm(f'cp "{fake_runtime}"/*.tgz .')
    find_runtime()
    (runtime_cache() / ARCHIVES[0]).write_bytes(b"altered")
    assert find_runtime() == find_runtime(fake_runtime)


def test_another_archive_than_the_pinned_one_is_refused_wherever_it_comes_from(fake_runtime, npm):
    path = fake_runtime / ARCHIVES[0]
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(
        ValueError, match=r"core-2.5.3.tgz' with the SHA-512 .*Expected .*Run `npm pack @litertjs/core@2.5.3"
    ):
        find_runtime(fake_runtime)
    npm(f'cp "{fake_runtime}"/*.tgz .')
    with pytest.raises(ValueError, match=r"npm downloaded @litertjs/core 2\.5\.3 with the SHA-512"):
        find_runtime()
    assert not list(runtime_cache().glob("*"))


@pytest.mark.parametrize(
    ("script", "reason"),
    [(None, "npm is not installed"), ("echo 'npm error code ENOTFOUND' >&2; exit 1", r"\(npm error code ENOTFOUND\)")],
)
def test_without_npm_or_a_network_the_error_says_what_to_put_where(script, reason, npm, monkeypatch, tmp_path):
    if script is None:
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        npm(script)
    with pytest.raises(FileNotFoundError, match=reason) as raised:
        find_runtime()
    for part in (ARCHIVES[0], str(runtime_cache()), "npm pack @litertjs/core@2.5.3 @litertjs/wasm-utils@2.5.3"):
        assert part in str(raised.value)


def test_a_folder_without_the_archives_is_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=f"without {ARCHIVES[0]}. Expected the archive that npm writes. Run `npm pack"
    ):
        find_runtime(tmp_path)


def test_a_version_that_imports_otherwise_is_not_used(fake_runtime, monkeypatch):
    monkeypatch.setattr(runtime, "BARE_IMPORT", b"from nowhere")
    with pytest.raises(ValueError, match=r"0 times\. Expected once"):
        find_runtime(fake_runtime)

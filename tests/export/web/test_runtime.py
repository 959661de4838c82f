"""The runtime of a page: pinned, checked, fetched once, and never run on this machine."""

import stat

import pytest

from keras_hrnet.export.web.packages import LITERT, ONNX_RUNTIME
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


def test_the_files_of_a_page_come_out_of_the_archives_of_a_folder(litert, fake_runtime):
    files = find_runtime(litert, fake_runtime)
    # Nothing else of the archives, and nothing outside.
    assert set(files) == {
        "litert.js",
        "wasm-utils.js",
        *(f"litert_wasm_{kind}internal.{e}" for kind in ("", "compat_", "threaded_", "jspi_") for e in ("js", "wasm")),
    }
    assert files["litert_wasm_internal.wasm"] == b"// wasm/litert_wasm_internal.wasm\n"
    # A worker resolves no bare import, and a source map that is not there would be asked for.
    script = files["litert.js"].decode()
    notice, _, rest = script.partition("\n")
    assert notice == '// Changed by keras_hrnet: from "./wasm-utils.js" was from "@litertjs/wasm-utils".'
    assert 'from "./wasm-utils.js"' in rest and 'from "@litertjs' not in rest and "sourceMappingURL" not in rest
    assert not runtime_cache(litert).exists()


def test_npm_fetches_each_archive_once_without_running_its_scripts(litert, fake_runtime, npm):
    calls = npm(f'cp "{fake_runtime}"/*.tgz .')
    assert find_runtime(litert) == find_runtime(litert, fake_runtime)
    assert {path.name for path in runtime_cache(litert).iterdir()} == set(ARCHIVES)
    first = calls.read_text().splitlines()
    assert [line.split()[:2] for line in first] == [
        ["pack", "@litertjs/core@2.5.3"],
        ["pack", "@litertjs/wasm-utils@2.5.3"],
    ]
    assert all("--ignore-scripts" in line for line in first)
    find_runtime(litert)
    assert calls.read_text().splitlines() == first


def test_what_is_altered_in_the_cache_is_fetched_again(litert, fake_runtime, npm):
    npm(f'cp "{fake_runtime}"/*.tgz .')
    find_runtime(litert)
    (runtime_cache(litert) / ARCHIVES[0]).write_bytes(b"altered")
    assert find_runtime(litert) == find_runtime(litert, fake_runtime)


def test_another_archive_than_the_pinned_one_is_refused_wherever_it_comes_from(litert, fake_runtime, npm):
    path = fake_runtime / ARCHIVES[0]
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(
        ValueError, match=r"core-2.5.3.tgz' with the SHA-512 .*Expected .*Run `npm pack @litertjs/core@2.5.3"
    ):
        find_runtime(litert, fake_runtime)
    npm(f'cp "{fake_runtime}"/*.tgz .')
    with pytest.raises(ValueError, match=r"npm downloaded @litertjs/core 2\.5\.3 with the SHA-512"):
        find_runtime(litert)
    assert not list(runtime_cache(litert).glob("*"))


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
        find_runtime(LITERT)
    for part in (ARCHIVES[0], str(runtime_cache(LITERT)), "npm pack @litertjs/core@2.5.3 @litertjs/wasm-utils@2.5.3"):
        assert part in str(raised.value)


def test_a_folder_without_the_archives_is_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=f"without {ARCHIVES[0]}. Expected the archive that npm writes. Run `npm pack"
    ):
        find_runtime(LITERT, tmp_path)


def test_a_version_that_imports_otherwise_is_not_used(litert, fake_runtime):
    litert = litert._replace(replaced={"litert.js": ("from nowhere", "")})
    with pytest.raises(ValueError, match=r"0 times\. Expected once"):
        find_runtime(litert, fake_runtime)


def test_each_runtime_loads_only_files_of_its_packages():
    for runtime in (LITERT, ONNX_RUNTIME):
        files = {name for package in runtime.packages for name in package.files.values()}
        loaded = {name for names in runtime.loaded.values() for name in names}
        assert loaded <= files and {*runtime.replaced} <= files
    # No variant of ONNX Runtime Web is shipped that no browser loads.
    assert loaded == files

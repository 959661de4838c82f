"""Files are there whole or not at all, whoever fails, is killed, or lies in wait."""

import errno
import os
import signal
import stat
import subprocess
import sys
import time

import pytest

import keras_hrnet.replacing
from keras_hrnet.replacing import DAY, put_in_place, remove_parts, replacing, unfinished_folder

pytestmark = pytest.mark.once

OLD_PART, NEW_PART = ".a-part-0123abcd.txt", ".a-part-4567cdef.txt"

# Without the package around it, whose import takes seconds.
CODE = f"""
import runpy, sys, time
replacing = runpy.run_path({keras_hrnet.replacing.__file__!r})["replacing"]
with replacing(sys.argv[1]) as part:
    part.write_text("half")
    print("written", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _as_in_another_process():
    keras_hrnet.replacing._clean_once.cache_clear()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def parts(tmp_path):
    """A folder that was left two days ago, and a file of an hour ago."""
    (tmp_path / OLD_PART).mkdir()
    (tmp_path / OLD_PART / "a.txt").write_text("half")
    (tmp_path / NEW_PART).write_text("half")
    for name, age in ((OLD_PART, 2 * DAY), (NEW_PART, DAY / 24)):
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    return tmp_path


@pytest.fixture
def _without_locks(monkeypatch):
    """Stands for a disk that has none."""

    def refuse(*arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)


def test_what_was_written_takes_the_place_of_the_file(tmp_path):
    path = tmp_path / "new" / "a.tar.gz"
    for text in ("first", "second"):
        with replacing(str(path)) as part:
            assert (part.parent, part.suffix, part.read_text()) == (path.parent, ".gz", "")
            part.write_text(text)
        assert path.read_text() == text
    assert names(path.parent) == ["a.tar.gz"]


def test_the_name_is_another_each_time(tmp_path):
    with replacing(tmp_path / "a.txt") as first, replacing(tmp_path / "a.txt") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert names(tmp_path) == ["a.txt"]


def test_no_link_is_followed(tmp_path, monkeypatch):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / OLD_PART).symlink_to(tmp_path / "precious")
    monkeypatch.setattr("secrets.token_hex", lambda count: "0123abcd")
    with pytest.raises(FileExistsError), replacing(tmp_path / "a.txt"):
        pass
    (tmp_path / OLD_PART).unlink()
    (tmp_path / "a.txt").symlink_to(tmp_path / "precious")
    with replacing(tmp_path / "a.txt") as part:
        part.write_text("new")
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "a.txt").is_symlink()


@pytest.mark.parametrize("fails", ["writing", "fsync", "replace"])
def test_a_failure_leaves_the_file_of_before_and_nothing_else(tmp_path, monkeypatch, fails):
    def fail(*arguments):
        raise OSError("disk full")

    (tmp_path / "a.txt").write_text("before")
    if fails != "writing":
        monkeypatch.setattr(os, fails, fail)
    with pytest.raises(OSError, match="disk full"), replacing(tmp_path / "a.txt") as part:
        part.write_text("half")
        if fails == "writing":
            fail()
    assert (names(tmp_path), (tmp_path / "a.txt").read_text()) == (["a.txt"], "before")


def test_a_full_disk_is_said_with_the_file_and_the_room_that_is_left(tmp_path):
    (tmp_path / "a.txt").write_text("before")
    for error in (OSError(errno.ENOSPC, "full"), RuntimeError("HDF5: errno = 28, 'No space left on device'")):
        with (
            pytest.raises(
                OSError, match=r"a\.txt' cannot be written \(No space left .*; [0-9,]+ bytes are free"
            ) as full,
            replacing(tmp_path / "a.txt"),
        ):
            raise error
        assert full.value.errno == errno.ENOSPC
    assert (names(tmp_path), (tmp_path / "a.txt").read_text()) == (["a.txt"], "before")


def test_a_real_limit_of_bytes_leaves_the_file_of_before(tmp_path):
    """The system refuses the rest of a file, as on a full disk, and half of it is written by then."""
    (tmp_path / "a.txt").write_text("before")
    code = f"""
import resource, runpy, sys
replacing = runpy.run_path({keras_hrnet.replacing.__file__!r})["replacing"]
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with replacing(sys.argv[1]) as part:
        part.write_bytes(bytes(2000))
except OSError as error:
    print(error)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "a.txt")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "a.txt' cannot be written (File too large; " in said
    assert (names(tmp_path), (tmp_path / "a.txt").read_text()) == (["a.txt"], "before")


def test_a_folder_that_may_not_be_written_to_is_named(tmp_path, monkeypatch):
    # As `os.open` raises it for all but the superuser.
    refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    monkeypatch.setattr("pathlib.Path.touch", lambda *_, **__: (_ for _ in ()).throw(refused))
    expected = r"a\.txt' cannot be written \(Permission denied\)\. Expected a file name and a folder that this user"
    with pytest.raises(PermissionError, match=expected), replacing(tmp_path / "a.txt"):
        pass


def test_a_name_that_the_disk_does_not_take_is_named(tmp_path):
    with (
        pytest.raises(OSError, match=r"n' cannot be written \(File name too long\)") as refused,
        replacing(tmp_path / ("n" * 256)),
    ):
        pass
    assert (refused.value.errno, names(tmp_path)) == (errno.ENAMETOOLONG, [])


def test_an_interruption_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "a.txt"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_the_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "other").touch()
    with replacing(tmp_path / "a.txt"):
        pass
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


@pytest.mark.parametrize("name", ["a" * 251 + ".png", "街" * 83 + ".png"])
def test_the_longest_names_can_be_written(tmp_path, name):
    with replacing(tmp_path / name) as part:
        part.write_text("whole")
    assert names(tmp_path) == [name]


def test_the_next_write_removes_what_a_killed_process_left_and_nothing_that_is_in_use(tmp_path):
    (tmp_path / ".b-part-0123abcd").mkdir()
    (tmp_path / ".b-part-0123abcd" / "b.txt").touch()
    command = [sys.executable, "-c", CODE, str(tmp_path / "a.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "written\n"
        with replacing(tmp_path / "c.txt"):
            pass
        part, other = sorted(tmp_path.iterdir())
        assert (part.read_text(), other.name) == ("half", "c.txt")
        process.send_signal(signal.SIGKILL)
    remove_parts(tmp_path)
    assert names(tmp_path) == ["c.txt"]


def test_a_file_in_use_is_kept_within_a_process_too(tmp_path):
    with replacing(tmp_path / "a.txt") as file, unfinished_folder(tmp_path / "b") as folder:
        remove_parts(tmp_path, min_age=0)
        assert file.exists() and folder.exists()
    assert names(tmp_path) == ["a.txt"]


def test_a_part_that_is_removed_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    lock, removed = keras_hrnet.replacing._lock, []

    def late(part):
        if not removed:
            removed.append(part)
            part.unlink()
        return lock(part)

    monkeypatch.setattr(keras_hrnet.replacing, "_lock", late)
    with replacing(tmp_path / "a.txt") as part:
        part.write_text("whole")
    assert removed[0] != part
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "by renames"])
def test_a_folder_takes_the_place_of_another(tmp_path, monkeypatch, at_once):
    if not at_once:
        monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    for text in ("first", "second"):
        with unfinished_folder(tmp_path / "a") as folder:
            (folder / "new").mkdir()
            (folder / "new" / f"{text}.txt").write_text(text)
            put_in_place(folder / "new", tmp_path / "a")
        assert names(tmp_path / "a") == [f"{text}.txt"]
    assert names(tmp_path) == ["a"]


def test_a_folder_that_cannot_take_the_place_of_another_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    replace = os.replace

    def fail(source, target):
        if target == tmp_path / "a" and not source.name.endswith("-aside"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "before.txt").touch()
    monkeypatch.setattr(os, "replace", fail)
    with (
        pytest.raises(OSError, match=r"a' cannot be written \(No space left"),
        unfinished_folder(tmp_path / "a") as folder,
    ):
        (folder / "new").mkdir()
        put_in_place(folder / "new", tmp_path / "a")
    assert (names(tmp_path), names(tmp_path / "a")) == (["a"], ["before.txt"])


def test_only_parts_are_removed(tmp_path):
    others = [".a-part-0123.txt", ".hidden", "a-part-0123abcd.txt", "a.part"]
    for name in (*others, OLD_PART):
        (tmp_path / name).touch()
    remove_parts(tmp_path)
    assert names(tmp_path) == others


@pytest.mark.usefixtures("_without_locks")
def test_without_locks_the_next_write_to_the_folder_removes_what_was_left_a_day_ago(parts):
    with replacing(parts / "b.txt"):
        assert OLD_PART not in names(parts)
    assert names(parts) == [NEW_PART, "b.txt"]


def test_a_folder_is_looked_through_once_a_process(parts, monkeypatch):
    listed, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.append(folder) or listdir(folder))
    for name in ("b.txt", "c.txt"):
        with replacing(parts / name):
            pass
    assert listed == [parts]

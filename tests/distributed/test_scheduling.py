"""Threads that wait for messages let computation go first."""

import os
import pathlib
import select
import sys
import threading
import time

import pytest

from keras_hrnet.distributed import scheduling

pytestmark = [pytest.mark.once, pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this policy")]


def test_only_a_thread_that_waits_for_messages_is_interrupted_by_others():
    reader, writer = os.pipe()
    poll = select.epoll()
    poll.register(reader, select.EPOLLIN)
    ends = threading.Event()
    waits_for_messages, waits_for_others = threading.Thread(target=poll.poll), threading.Thread(target=ends.wait)
    for thread in (waits_for_messages, waits_for_others):
        thread.start()
    try:
        wait = pathlib.Path(f"/proc/self/task/{waits_for_messages.native_id}/wchan")
        end = time.monotonic() + 10
        while (shown := wait.read_text()) not in scheduling.WAITING and time.monotonic() < end:
            time.sleep(0.001)
        # Some kernels do not show where threads wait, and then nothing changes.
        assert shown in (*scheduling.WAITING, "0")
        scheduling.compute_before_messages()
        policy = os.SCHED_OTHER if shown == "0" else os.SCHED_BATCH
        assert os.sched_getscheduler(waits_for_messages.native_id) == policy
        assert os.sched_getscheduler(waits_for_others.native_id) == os.SCHED_OTHER
        assert os.sched_getscheduler(threading.get_native_id()) == os.SCHED_OTHER
    finally:
        os.write(writer, b".")
        ends.set()
        waits_for_messages.join(), waits_for_others.join()
        poll.close(), os.close(reader), os.close(writer)


def described(folder, functions):
    """Makes a folder like that of a process: the kernel's function in which each thread waits, by its number."""
    for thread, function in functions.items():
        (folder / f"{thread}").mkdir()
        (folder / f"{thread}" / "wchan").write_text(function)
    return folder


@pytest.mark.parametrize("function", ["do_epoll_wait", "ep_poll"])
def test_threads_in_both_functions_of_the_kernel_are_found(function, tmp_path, monkeypatch):
    threads = {1: function, 2: "futex_do_wait", 3: "0", 4: "do_sys_poll"}
    monkeypatch.setattr(scheduling, "TASKS", described(tmp_path, threads))
    changed = []
    monkeypatch.setattr(os, "sched_setscheduler", lambda thread, policy, _: changed.append((thread, policy)))
    scheduling.compute_before_messages()
    assert changed == [(1, os.SCHED_BATCH)]


def test_a_system_that_forbids_it_is_left_as_it_is(tmp_path, monkeypatch):
    asked = []

    def refuse(thread, *_):
        asked.append(thread)
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(scheduling, "TASKS", described(tmp_path, {1: "ep_poll", 2: "do_epoll_wait"}))
    (tmp_path / "3").mkdir()  # its thread has ended
    scheduling.compute_before_messages()
    assert sorted(asked) == [1, 2]

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
        while "poll" not in wait.read_text():
            time.sleep(0.001)
        scheduling.compute_before_messages()
        assert os.sched_getscheduler(waits_for_messages.native_id) == os.SCHED_BATCH
        assert os.sched_getscheduler(waits_for_others.native_id) == os.SCHED_OTHER
        assert os.sched_getscheduler(threading.get_native_id()) == os.SCHED_OTHER
    finally:
        os.write(writer, b".")
        ends.set()
        waits_for_messages.join(), waits_for_others.join()
        poll.close(), os.close(reader), os.close(writer)


def test_a_system_that_forbids_it_is_left_as_it_is(monkeypatch):
    def refuse(*arguments):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(scheduling, "WAITING", ("0", "futex_do_wait", "do_epoll_wait", "ep_poll"))
    scheduling.compute_before_messages()

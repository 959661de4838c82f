"""Packs again and again, killed each time, and prints how often. Started by `test_interruption`.

TensorFlow is imported once: what is killed are forks of this process, which has started no operation.
"""

import functools
import os
import pathlib
import random
import signal
import sys
import time

import tensorflow as tf

from keras_hrnet.data.files.cityscapes import find_pairs
from keras_hrnet.data.records.packing import pack
from keras_hrnet.data_sets.cityscapes import CITYSCAPES

IDS = CITYSCAPES.label_values
SHARD_SIZE = 12_000


def packs(pairs, folder, prepare=lambda: None, seconds=None):
    """Packs in a fork, which is killed after so many seconds or as `prepare` decides; returns its exit status."""
    pid = os.fork()
    if pid == 0:
        prepare()
        pack(pairs, folder, shard_size=SHARD_SIZE, known=IDS)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def killed_before(step):
    """Makes the process kill itself before the given one of all its writes, syncs, renames and removals."""
    steps = iter(range(step + 1))

    def counted(function):
        def call(*arguments, **keywords):
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **keywords)

        return call

    os.fsync, os.replace = counted(os.fsync), counted(os.replace)
    pathlib.Path.unlink = counted(pathlib.Path.unlink)
    pathlib.Path.write_text = counted(pathlib.Path.write_text)
    tf.io.TFRecordWriter.write = counted(tf.io.TFRecordWriter.write)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def main(root, out):
    pairs = find_pairs(root, "train")
    start = time.perf_counter()
    if packs(pairs, out / "whole"):
        sys.exit("packing failed")
    duration = time.perf_counter() - start
    expected = contents(out / "whole")
    folders, step = [], 0
    while packs(pairs, out / f"step {step}", functools.partial(killed_before, step)) == signal.SIGKILL:
        folders.append(out / f"step {step}")
        step += 1
    for moment in range(3):
        folders.append(out / f"moment {moment}")
        packs(pairs, folders[-1], seconds=random.Random(moment).uniform(0.2, 0.9) * duration)
    for folder in folders:
        pack(pairs, folder, shard_size=SHARD_SIZE, known=IDS)
        if contents(folder) != expected:
            sys.exit(f"{folder} holds something else")
    print(step, "killed at a step")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))

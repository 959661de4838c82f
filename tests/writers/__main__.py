"""Kills every command that writes, and fills its disk: `python -m tests.writers --kills 20 --disks 8`.

Run it from the root of the repository. Each command is killed by SIGKILL at random moments, two thirds of which are at
a change of one of its files or shortly after it. The files that remain are checked. The command is then run once more,
and must write the same files as an undisturbed run. After that, each command runs on disks that fill up.

For kills, the first table counts how often all files with a final name were whole, how often one was half written, how
often an earlier one was lost, how often the next run produced another result, and how often it left unfinished files.
For full disks, the second table counts how often the command finished because there was enough space, and how often its
error was clear: one line with the name of the file and what to do. The exit status is 1 if there is a fault.
"""

import argparse
import pathlib
import random
import shutil
import sys
import tempfile

from tests.writers.commands import WRITERS, make
from tests.writers.process import Running
from tests.writers.trials import DISKS, KILLS, Trials

FAULTS = {"half", "lost", "other result", "litter", "unclear"}


def main():
    """Tries the selected writers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="number of kills for each writer")
    parser.add_argument("--disks", type=int, default=8, help="number of disk sizes for each writer")
    parser.add_argument(
        "--limit", action="store_true", help="limit the size of files instead of the disk, which does not require root"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--writers", nargs="+", default=list(WRITERS), choices=WRITERS, metavar="NAME")
    arguments = parser.parse_args()
    generator, kills, disks = random.Random(arguments.seed), {}, {}
    _import_all()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder).resolve()
        made = folder / "made"
        made.mkdir()
        if any("{made}" in WRITERS[name].command for name in arguments.writers):
            ended = Running(lambda: make(made), made, folder / "made.log").wait()
            if ended.status:
                sys.exit(ended.text)
        for name in arguments.writers:
            work = folder / "work"
            work.mkdir()
            trials = Trials(name, WRITERS[name], made, work, lambda line: print(line, file=sys.stderr, flush=True))
            if arguments.kills:
                kills[name] = trials.kills(arguments.kills, generator)
                print(name, dict(kills[name]), flush=True)
            if arguments.disks:
                shares = [number / arguments.disks for number in range(arguments.disks)]
                disks[name] = trials.full_disks(shares, mounts=not arguments.limit)
                print(name, dict(disks[name]), flush=True)
            shutil.rmtree(work)
    print(_table("writer", "kills", KILLS, kills), _table("writer", "full disks", DISKS, disks), sep="\n\n")
    return int(any(count[fault] for count in (*kills.values(), *disks.values()) for fault in FAULTS))


def _import_all():
    """Imports what the commands need, once for all of them; nothing is computed, so that no thread is running."""
    import av
    import tensorflow as tf

    import keras_hrnet
    import keras_hrnet.cli

    return av, tf, keras_hrnet


def _table(first, second, names, counts):
    if not counts:
        return ""
    lines = [f"| {first} | {second} | {' | '.join(names)} |", "| --- " * (2 + len(names)) + "|"]
    for name, count in counts.items():
        cells = [f"{count[key]:,}" for key in ("tried", *names)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

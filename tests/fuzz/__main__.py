"""Tries readers on many damaged files: `python -m tests.fuzz --inputs 10000`, from the root of the repository.

Each reader runs in a separate process, so that crashes and hangs are counted like any other outcome. A table is printed
at the end. Files that caused faults are kept in a folder, each with a text that describes the fault.
"""

import argparse
import collections
import json
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading

from tests.fuzz.harness import CLEAR, FAULTS, MOST_WAITING, READ, Inputs, answer
from tests.fuzz.readers import READERS

GRACE_SECONDS = 5
"""How much later than the process itself its parent ends a file that takes too long."""


def main():
    """Tries the selected readers; the exit status is 1 if one of them has a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1000, help="number of damaged files for each reader")
    parser.add_argument("--readers", nargs="+", default=list(READERS), choices=READERS, metavar="NAME")
    parser.add_argument(
        "--keep", type=pathlib.Path, default=pathlib.Path("fuzz"), help="folder for the files that cause faults"
    )
    parser.add_argument("--first", type=int, help=argparse.SUPPRESS)  # What this command gives its own processes.
    arguments = parser.parse_args()
    if arguments.first is not None:
        _work(READERS[arguments.readers[0]], arguments.first, arguments.inputs)
        return 0
    counts = {}
    for name in arguments.readers:
        counts[name] = _try(name, min(arguments.inputs, READERS[name].inputs), arguments.keep)
    print(_table(counts))
    return int(any(count[fault] for count in counts.values() for fault in FAULTS))


def _work(reader, first, num_inputs):
    """Answers files from a number on, with a line for each before it and one after it."""
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(reader, pathlib.Path(made))
        print(json.dumps({"total": num_inputs + len(inputs.hostile)}), flush=True)
        for number in range(first, num_inputs + len(inputs.hostile)):
            content = inputs[number]
            print(json.dumps({"number": number, "content": content.hex()}), flush=True)
            found = answer(reader, content, pathlib.Path(folder))
            print(json.dumps({"kind": found.kind, "detail": found.detail}), flush=True)


def _try(name, num_inputs, keep):
    """Counts the answers of a reader by their kind, in as many processes as it takes."""
    counts, first, total = collections.Counter(), 0, 1
    while first < total:
        command = [sys.executable, "-m", "tests.fuzz", "--readers", name, "--inputs", str(num_inputs)]
        with (
            tempfile.TemporaryFile("w+") as errors,
            subprocess.Popen([*command, "--first", str(first)], stdout=subprocess.PIPE, stderr=errors) as process,
        ):
            lines = _lines(process)
            begun = _next(lines, 600)
            if begun is None:
                errors.seek(0)
                raise RuntimeError(f"The process for {name} did not begin: {errors.read()}")
            total = begun["total"]
            while first < total and (started := _next(lines, 60)) is not None:
                found = _next(lines, MOST_WAITING + GRACE_SECONDS) or _ended(process)
                counts[found["kind"]] += 1
                first += 1
                if found["kind"] in FAULTS:
                    _keep(keep, name, started, found)
                    print(f"{name} {started['number']}: {found['kind']}: {found['detail'][:300]}", file=sys.stderr)
                if process.poll() is not None:
                    break
            process.kill()
    return counts


def _lines(process):
    """A queue of what a process prints, and of None at its end."""
    lines = queue.SimpleQueue()

    def listen():
        for line in process.stdout:
            lines.put(json.loads(line) if line.endswith(b"\n") else None)
        lines.put(None)

    threading.Thread(target=listen, daemon=True).start()
    return lines


def _next(lines, seconds):
    """The next line; None if it does not come in time, or the process has ended."""
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return None


def _ended(process):
    try:
        status = process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return {"kind": "hang", "detail": f"more than {MOST_WAITING} s"}
    return {"kind": "crash", "detail": f"the process ended with status {status}"}


def _keep(folder, name, started, found):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{started['number']}-{found['kind']}{pathlib.Path(READERS[name].file_name).suffix}"
    path.write_bytes(bytes.fromhex(started["content"]))
    path.with_name(f"{path.name}.txt").write_text(f"{found['detail']}\n")


def _table(counts):
    lines = ["| reader | tried | read | clear | " + " | ".join(FAULTS) + " |", "| --- " * (4 + len(FAULTS)) + "|"]
    for name, count in counts.items():
        cells = [count.total(), count[READ], count[CLEAR], *(count[fault] for fault in FAULTS)]
        lines.append(f"| {name} | " + " | ".join(f"{cell:,}" for cell in cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

"""Kills the writers, fills their disks, and checks the files that remain."""

import collections
import contextlib
import functools
import os
import pathlib
import random
import resource
import shutil
import subprocess

from tests.writers.commands import Writer
from tests.writers.contents import content, contents, is_hidden, tree
from tests.writers.process import Ended, Running, run_command

MOST_DELAY = 0.05
"""Maximum number of seconds between a change of a file and the kill."""

KILLS = ("whole", "half", "lost", "other result", "litter")
DISKS = ("finished", "clear", "unclear", "half", "lost", "other result", "litter")

ROOM = "size=2g"

LEAST_LIMIT = 4096
"""In bytes; the output of the command is a file too, to which the limit applies."""


class Trials:
    """The trials of one writer.

    Args:
        name: the name of the writer.
        writer: the writer.
        made: the folder that `tests.writers.commands.make` filled.
        folder: an empty folder to work in. All trials write to the same paths, because some files name others.
        say: a function that is called with a line of text for each fault.
    """

    def __init__(self, name, writer: Writer, made: pathlib.Path, folder: pathlib.Path, say):
        self.name, self.writer, self.made, self.folder, self.say = name, writer, made, folder, say
        self.out, self.beside, self.before = folder / "out", folder / "beside", folder / "before"
        self.earlier, self.count = {}, 0
        if writer.earlier:
            self._begin(False)
            self._require_success(self._run(writer.earlier))
            self.earlier = contents(self.out)
            shutil.copytree(self.out, self.before)
        self._begin(False)
        self.undisturbed = self._require_success(self._run(writer.command))
        self.expected = contents(self.out)
        self.sizes = {name: path.stat().st_size for name, path in tree(self.out).items()}

    def kills(self, count: int, generator: random.Random) -> collections.Counter:
        """Kills the writer several times, and runs it once more after each kill."""
        found = collections.Counter()
        while found["tried"] < count:
            has_earlier = bool(self.earlier) and generator.random() < 0.5
            self._begin(has_earlier)
            killed = self._kill(generator)
            if killed.status != -9:
                if killed.status:
                    raise RuntimeError(f"{self.name} failed without a kill: {killed.text}")
                continue  # It ended before.
            found["tried"] += 1
            found["killed while a file was open"] += any(map(is_hidden, tree(self.out)))
            faults = self._faults(has_earlier)
            if not faults:
                found["whole"] += 1
            again = self._run(self.writer.command + self.writer.again)
            faults += self._faults_at_the_end(again, has_earlier)
            self._note(found, faults, f"killed after {killed.seconds:.2f} s and {len(killed.changes)} changes")
        return found

    def full_disks(self, shares, mounts: bool) -> collections.Counter:
        """Runs the writer on disks that have only a share of the space that it needs.

        Args:
            shares: numbers from 0 to 1.
            mounts: whether to mount small disks, which only the superuser may; otherwise the size of a file is limited.
        """
        found = collections.Counter()
        with self._disk(mounts, ROOM):
            needed = self._needed() if mounts else max(self.sizes.values())
        for number, share in enumerate(shares):
            has_earlier = bool(self.earlier) and number % 2 == 0
            with self._disk(mounts, ROOM):
                self._begin(has_earlier)
                limit = int(share * needed)
                if mounts:
                    self._mount(f"remount,size={max(4096, self._used() + limit)}")
                ended = self._run(self.writer.command, None if mounts else max(LEAST_LIMIT, limit))
                found["tried"] += 1
                kind, faults = self._judge_full(ended, has_earlier)
                found[kind] += 1
                if mounts:
                    self._mount(f"remount,{ROOM}")
                faults += self._faults_at_the_end(self._run(self.writer.command + self.writer.again), has_earlier)
                said = f"{kind}, status {ended.status}, with {share:.2f} of {needed:,} bytes: {ended.text[:1500]}"
                self._note(found, faults, said, always=kind == "unclear")
        return found

    def _judge_full(self, ended: Ended, has_earlier):
        faults = self._faults(has_earlier)
        faults += [("litter", name) for name in tree(self.out) if is_hidden(name)]
        text = ended.text
        if "Traceback" in text or ended.status < 0:
            return "unclear", faults
        if ended.status == 0:
            is_right = not self._difference() or (self.writer.warns and "The disk is full" in text)
            return "finished" if is_right else "unclear", faults
        lines = text[text.rindex("Error:") :].strip().splitlines() if "Error:" in text else []
        says_what = any(word in text for word in ("No space left", "File too large", "are free", "bytes free"))
        is_clear = len(lines) == 1 and says_what and str(self.out) in lines[0]
        return "clear" if is_clear else "unclear", faults

    def _faults(self, has_earlier):
        """Finds faults of the files with final names, after a kill or a full disk."""
        earlier, faults = self.earlier if has_earlier else {}, []
        present = {name: path for name, path in tree(self.out).items() if not is_hidden(name)}
        for name, path in present.items():
            try:
                found = content(path)
            except Exception as error:  # noqa: BLE001 (whatever a reader raises for half a file)
                faults.append(("half", f"{name}: {error!r}"))
                continue
            versions = [known[name] for known in (earlier, self.expected) if name in known]
            if found not in versions and not self.writer.is_resumed:
                faults.append(("half", f"{name} is neither the earlier nor the new file"))
        return faults + [("lost", name) for name in earlier if name not in present]

    def _faults_at_the_end(self, ended, has_earlier):
        if ended.status:
            return [("other result", f"status {ended.status}: {ended.text[-1500:]}")]
        difference = self._difference()
        faults = [("other result", difference)] if difference else []
        known = {*self.expected, *(self.earlier if has_earlier else ())}
        faults += [("litter", name) for name in tree(self.out) if name not in known]
        folders = {str(path.relative_to(self.out)) for path in self.out.rglob("*") if path.is_dir()}
        return faults + [("litter", name) for name in folders if is_hidden(name)]

    def _difference(self):
        try:
            found = contents(self.out)
        except Exception as error:  # noqa: BLE001 (whatever a reader raises for half a file)
            return repr(error)
        different = [name for name, value in self.expected.items() if name not in found or found[name] != value]
        return f"{', '.join(different)} differ" if different else ""

    def _kill(self, generator):
        """Kills at a change of a file, shortly after one, or at any time from shortly before the first change."""
        command, changes = self._function(self.writer.command), self.undisturbed.changes
        kind = generator.choice(("change", "after", "clock") if changes else ("clock",))
        number = generator.randint(1, max(1, len(changes)))
        if kind == "change":
            return Running(command, self.out, self._log(), hold_at=number).kill_at(number, 0)
        if kind == "after":
            return Running(command, self.out, self._log()).kill_at(number, generator.uniform(0, MOST_DELAY))
        first = 0.9 * changes[0] if changes else 0
        return Running(command, self.out, self._log()).kill_after(generator.uniform(first, self.undisturbed.seconds))

    def _needed(self):
        """Measures the largest number of bytes that the writer needs on the disk at once."""
        self._begin(False)
        running, most = Running(self._function(self.writer.command), self.out, self._log()), 0
        while not running.look(running.seconds + 0.003):
            most = max(most, self._used())
        self._require_success(running.wait())
        return max(most, self._used())

    def _used(self):
        status = os.statvfs(self.out)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    @contextlib.contextmanager
    def _disk(self, mounts, options):
        if not mounts:
            yield
            return
        self.out.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.out)], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", str(self.out)], check=True)

    def _mount(self, options):
        subprocess.run(["mount", "-o", options, str(self.out)], check=True)

    def _begin(self, has_earlier):
        for folder in (self.out, self.beside):
            folder.mkdir(exist_ok=True)
            for path in folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if has_earlier:
            shutil.copytree(self.before, self.out, dirs_exist_ok=True)

    def _run(self, command, limit=None):
        return Running(self._function(command, limit), self.out, self._log()).wait()

    def _function(self, command, limit=None):
        words = command.format(made=self.made, out=self.out, beside=self.beside).split()
        return functools.partial(_command, words, self.beside, limit)

    def _log(self):
        self.count += 1
        return self.folder / f"{self.count}.log"

    def _require_success(self, ended):
        if ended.status:
            raise RuntimeError(f"{self.name} failed undisturbed: {ended.text}")
        return ended

    def _note(self, found, faults, said, always=False):
        found.update({kind for kind, _ in faults})
        if faults or always:
            self.say(f"{self.name}, {said}: {'; '.join(f'{kind}: {what}' for kind, what in faults)}")


def _command(words, beside, limit):
    os.environ["KERAS_HOME"] = str(beside / "home")
    os.environ["COLUMNS"] = "200"
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    run_command(words)

"""Where the command `keras-hrnet` begins: outside the package, whose import takes seconds.

`import keras_hrnet` imports Keras and its backend, since Keras finds only classes that are registered when it loads a
file. The command needs none of that to print its help, to refuse an option, or to list the networks. This module is
therefore installed beside the package, and puts the package in place without running its `__init__`. That runs as soon
as one of its names is asked for, which `keras_hrnet.cli.start` does before a command uses a network.
"""

import importlib.util
import sys
import types

PUT_OFF = ("keras_hrnet", "keras_hrnet.models", "keras_hrnet.checkpoints")
"""Packages of which the light commands import single files only. Each may import those after it."""


class _PutOff(types.ModuleType):
    """A package whose `__init__` runs when a name is asked for that is not there yet."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        complete()
        return getattr(self, name)


def put_off() -> None:
    """Puts the packages in place without running their `__init__`; those that were imported before stay as they are."""
    for name in PUT_OFF:
        if name not in sys.modules:
            module = importlib.util.module_from_spec(importlib.util.find_spec(name))
            module.__class__ = _PutOff
            sys.modules[name] = module
            package, _, file = name.rpartition(".")
            if package:
                setattr(sys.modules[package], file, module)


def complete() -> None:
    """Runs what was put off: first the packages that others import, as none may find another half-way through."""
    modules = [sys.modules[name] for name in reversed(PUT_OFF) if isinstance(sys.modules[name], _PutOff)]
    for module in modules:
        module.__class__ = types.ModuleType
    for module in modules:
        module.__spec__.loader.exec_module(module)


def main() -> None:
    """Runs the command."""
    # Not at import: processes that Python starts by "spawn" import this module as well, and need the whole package.
    put_off()
    from keras_hrnet.cli import main as run

    run()


if __name__ == "__main__":
    main()

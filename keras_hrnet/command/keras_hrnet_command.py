"""The entry point of the command `keras-hrnet`, outside the package, because importing the package takes seconds.

`import keras_hrnet` imports Keras and its backend, because Keras loads files only with classes that are registered. The
command does not need them to print its help, to refuse an option, or to list the networks. This module is therefore
installed next to the package, and registers the package without running its `__init__`. The `__init__` runs when one of
its names is first requested, as `keras_hrnet.cli.start` does before a command uses a network.
"""

import importlib.util
import sys
import types

PUT_OFF = ("keras_hrnet", "keras_hrnet.models", "keras_hrnet.checkpoints")
"""Packages of which quick commands import only single modules. Each package may import the ones after it."""


class _PutOff(types.ModuleType):
    """A package whose `__init__` runs when a name is requested that does not exist yet."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        complete()
        return getattr(self, name)


def put_off() -> None:
    """Registers the packages without running their `__init__`; packages that are already imported do not change."""
    for name in PUT_OFF:
        if name not in sys.modules:
            module = importlib.util.module_from_spec(importlib.util.find_spec(name))
            module.__class__ = _PutOff
            sys.modules[name] = module
            package, _, file = name.rpartition(".")
            if package:
                setattr(sys.modules[package], file, module)


def complete() -> None:
    """Runs each postponed `__init__`. A package is run after those that it imports, so that none is incomplete."""
    modules = [sys.modules[name] for name in reversed(PUT_OFF) if isinstance(sys.modules[name], _PutOff)]
    for module in modules:
        module.__class__ = types.ModuleType
    for module in modules:
        module.__spec__.loader.exec_module(module)


def main() -> None:
    """Runs the command."""
    # This is not done on import, because processes that Python starts by "spawn" also import this module, and need the
    # complete package.
    put_off()
    from keras_hrnet.cli import main as run

    run()


if __name__ == "__main__":
    main()

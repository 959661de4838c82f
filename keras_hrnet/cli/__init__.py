"""The command `keras-hrnet`, which combines data, models, training, evaluation and export.

At import time, its files import only what `--help` needs. Modules that import Keras or NumPy are imported inside
functions, after `start`; `tests/cli/test_start.py` verifies this.
"""

from __future__ import annotations

import os
import sys
import traceback

import rich.text
import typer

from keras_hrnet.cli import benchmark, convert, data, demo, evaluate, export, info, predict, serve, train
from keras_hrnet.cli.console import Console
from keras_hrnet.cli.start import CHATTER, Chatter
from keras_hrnet.cli.train_command import TrainCommand
from keras_hrnet.replacing import is_out_of_room, out_of_room
from keras_hrnet.version import __version__

app = typer.Typer(
    help="HRNet for Keras 3: train segmentation networks, evaluate them, and export them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(convert.convert)
app.command()(demo.demo)
app.command()(evaluate.evaluate)
app.command()(export.export)
app.command()(info.info)
app.command()(predict.predict)
app.command()(serve.serve)
app.command(cls=TrainCommand)(train.train)
app.add_typer(benchmark.benchmark_app, name="benchmark")
app.add_typer(data.data_app, name="data")


@app.callback(invoke_without_command=True)
def _options(version: bool = typer.Option(False, "--version", help="Print the version and exit.")):
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Runs the command; errors that the user can correct are printed without a traceback."""
    chatter = Chatter()
    held_back = CHATTER.set(chatter)
    try:
        app(prog_name="keras-hrnet")
    except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
        can_be_corrected = not isinstance(error, RuntimeError) or _is_raised_here(error)
        chatter.stop(failed=isinstance(error, ImportError) or not can_be_corrected)
        if not can_be_corrected:
            raise
        Console(stderr=True).print(rich.text.Text("Error:", "bold red"), _worded(error), soft_wrap=True)
        sys.exit(1)
    except BaseException as error:
        chatter.stop(failed=not isinstance(error, SystemExit | KeyboardInterrupt))
        raise
    else:
        chatter.stop(failed=False)
    finally:
        CHATTER.reset(held_back)


def _worded(error):
    """Returns the message of an error; that of the system, which only numbers the error, is replaced."""
    if not isinstance(error, OSError) or not str(error).startswith("[Errno "):
        return str(error)
    if error.filename is None:
        return f"A file cannot be read or written ({error.strerror}). Check the disk, and run the command again."
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
    if is_out_of_room(error):
        return str(out_of_room(name, error))
    return (
        f"{name!r} cannot be accessed ({error.strerror}). Expected a path that exists and that this user may use. "
        "Choose another path, or correct its permissions."
    )


def _is_raised_here(error):
    """Returns whether this package raised the error, as it does if an export differs from Keras, and not a library."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals["__name__"].startswith("keras_hrnet.")

"""`keras-hrnet serve`: serves a page that `export --web` wrote to browsers on this machine."""

import pathlib
from typing import Annotated

import typer

from keras_hrnet.cli.console import Console


def serve(
    folder: Annotated[pathlib.Path, typer.Argument(help="The folder that `export --web` wrote.")],
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free port.", min=0, max=65535)] = 8000,
    threads: Annotated[
        bool,
        typer.Option("--threads/--one-thread", help="Whether to send the headers that browsers require for threads."),
    ] = True,
) -> None:
    """Serve a web page to browsers on this machine, until Ctrl+C."""
    from keras_hrnet.cli.web_server import address_of, web_server  # Importing a server would delay every command.

    console = Console(soft_wrap=True, highlight=False)
    with web_server(folder, port, isolated=threads) as server:
        console.print(f"Serving {folder} at {address_of(server)} to this machine only. Press Ctrl+C to stop.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print("Stopped.")

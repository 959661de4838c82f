"""`keras-hrnet data`: draws, checks and packs data sets."""

import typer

from keras_hrnet.cli.data import check, pack, synthesize

data_app = typer.Typer(help="Draw, check and pack data sets.", no_args_is_help=True)
data_app.command()(check.check)
data_app.command()(pack.pack)
data_app.command()(synthesize.synthesize)

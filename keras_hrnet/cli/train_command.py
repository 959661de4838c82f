"""The parser of `keras-hrnet train`, which shows how to pass settings that were passed as options."""

import typer
import typer.core

# Options of other training commands, and the settings that correspond to them; a test compares these with the recipes.
SETTINGS_BY_OPTION = {
    "--epochs": "epochs",
    "--updates": "updates",
    "--batch-size": "batch_size",
    "--crop-size": "crop_size",
    "--learning-rate": "learning_rate",
    "--lr": "learning_rate",
    "--weight-decay": "weight_decay",
    "--momentum": "momentum",
    "--optimizer": "optimizer",
    "--loss": "loss",
    "--class-weights": "class_weights",
    "--patience": "patience",
}


class TrainCommand(typer.core.TyperCommand):
    """A command that answers `--epochs 3` with `--set epochs=3`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Parses the arguments as Typer does, unless one of them is a setting."""
        for word, following in zip(args, [*args[1:], "--"], strict=False):
            option, _, value = word.partition("=")
            if option in SETTINGS_BY_OPTION:
                value = value or ("VALUE" if following.startswith("--") else following)
                raise ValueError(
                    f"Received {option}, a setting of the recipe. Expected settings after --set. Pass --set "
                    f"{SETTINGS_BY_OPTION[option]}={value}; `keras-hrnet train --show` prints all settings."
                )
        return super().parse_args(ctx, args)

"""The parser of `keras-hrnet train`, which explains how to pass settings that were passed as options."""

import typer
import typer.core

# Settings that users pass as options, as other commands have them; a test compares the names with those of the recipes.
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
    """The command, which knows that `--epochs 3` means `--set epochs=3`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Parses the arguments, as Typer does, after a look for settings that were passed as options."""
        for i, word in enumerate(args):
            option, _, value = word.partition("=")
            if option in SETTINGS_BY_OPTION:
                value = value or (args[i + 1] if i + 1 < len(args) else "VALUE")
                raise ValueError(
                    f"Received {option}, a setting of the recipe. Expected settings after --set. Pass --set "
                    f"{SETTINGS_BY_OPTION[option]}={value}; `keras-hrnet train --show` prints all settings."
                )
        return super().parse_args(ctx, args)

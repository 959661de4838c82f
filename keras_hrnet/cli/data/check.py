"""`keras-hrnet data check`: checks the files of a data set, and lists problems with a fix for each."""

import json
import pathlib
from typing import Annotated

import typer

from keras_hrnet.cli import data_options
from keras_hrnet.cli.data_options import DataOptions
from keras_hrnet.cli.outputs import require_folder_of
from keras_hrnet.cli.start import start
from keras_hrnet.replacing import replacing


def check(
    root: Annotated[pathlib.Path | None, typer.Argument(help="The root of a known data set.")] = None,
    data_set: data_options.DataSetName = None,
    images: data_options.Images = None,
    masks: data_options.Masks = None,
    classes: data_options.ClassNames = None,
    ignore_label: data_options.IgnoreLabel = None,
    id_map: data_options.IdMap = None,
    palette: data_options.Palette = None,
    quick: Annotated[bool, typer.Option("--quick", help="Read only names and headers of files.")] = False,
    json_file: Annotated[
        pathlib.Path | None, typer.Option("--json", help="Also write all findings to this file.")
    ] = None,
) -> None:
    """Check every file of a data set before training; list what is missing, damaged or invalid, with a fix for each."""
    if (images is None) != (masks is None) or (root is None) == (images is None):
        raise ValueError(
            f"Received ROOT {root}, --images {images} and --masks {masks}. Expected ROOT alone, or --images and "
            "--masks. Pass one or the other."
        )
    require_folder_of("--json", json_file)
    options = DataOptions(
        root, data_set, images, masks, classes=classes, ignore_label=ignore_label, id_map=id_map, palette=palette
    )
    if classes is None and ignore_label is not None:
        raise ValueError(
            f"Received --ignore-label {ignore_label} without --classes. Expected both, because without --classes "
            "every mask value is allowed. Pass --classes."
        )
    start()
    from keras_hrnet.cli.data.surveying import print_survey, survey_folders, survey_root

    survey = survey_root(options, quick) if root is not None else survey_folders(options, quick)
    print_survey(survey)
    if json_file is not None:
        with replacing(json_file) as part:
            part.write_text(json.dumps(survey.as_dict(), indent=2) + "\n", encoding="utf-8")
    if not survey.ok:
        raise typer.Exit(1)

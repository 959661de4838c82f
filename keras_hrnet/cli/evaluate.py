"""`keras-hrnet evaluate`: scores a network on labeled images, or predictions as the Cityscapes evaluator does."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from keras_hrnet.cli import data_options, protocol
from keras_hrnet.cli.console import Console
from keras_hrnet.cli.data_options import DEFAULT_DATA_SET, DataOptions
from keras_hrnet.cli.outputs import require_folder_of
from keras_hrnet.cli.progress import progress_bar
from keras_hrnet.cli.start import start

if TYPE_CHECKING:
    import keras

    from keras_hrnet.checkpoints import PublishedWeights
    from keras_hrnet.evaluation import CityscapesScores


def evaluate(
    model: Annotated[
        pathlib.Path | None,
        typer.Argument(help="A network saved by Keras, `.keras`, or exported: `.tflite`, `.onnx`, `.xml`, SavedModel."),
    ] = None,
    data: data_options.Root = None,
    data_set: data_options.DataSetName = None,
    split: Annotated[str, typer.Option(help="Name of the split to score.")] = "val",
    images: data_options.Images = None,
    masks: data_options.Masks = None,
    val_share: Annotated[
        float | None,
        typer.Option(
            help="Score only the validation images that `train --val-share` selects with this share, such as 0.2."
        ),
    ] = None,
    classes: protocol.ClassNames = None,
    ignore_label: data_options.IgnoreLabel = None,
    id_map: data_options.IdMap = None,
    palette: data_options.Palette = None,
    scales: protocol.Scales = "1",
    flip: protocol.Flip = False,
    tile: protocol.Tile = None,
    overlap: protocol.Overlap = None,
    average: protocol.Average = "official",
    hierarchical_scales: protocol.HierarchicalScales = None,
    batch_size: Annotated[int, typer.Option(help="Batch size for images of the same size.", min=1)] = 1,
    html: Annotated[pathlib.Path | None, typer.Option(help="Write an HTML page with pictures to this file.")] = None,
    examples: Annotated[
        int, typer.Option(help="Number of best images, and of worst images, to show on the page.", min=0)
    ] = 4,
    predictions: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder of label-id PNGs to score as the official evaluator does, instead of MODEL."),
    ] = None,
    ground_truth: Annotated[
        pathlib.Path | None, typer.Option(help="With --predictions: a Cityscapes root, or a folder of gtFine files.")
    ] = None,
    train_ids: Annotated[
        bool, typer.Option("--train-ids", help="With --predictions: the PNGs hold train ids, 0 to 18.")
    ] = False,
    instances: Annotated[
        bool, typer.Option(help="With --predictions: also compute iIoU, which needs instanceIds files.")
    ] = True,
    workers: Annotated[
        int | None, typer.Option(help="With --predictions: number of threads; all cores by default.", min=1)
    ] = None,
    json_file: Annotated[
        pathlib.Path | None, typer.Option("--json", help="Also write the scores to this file.")
    ] = None,
) -> None:
    """Score a network on labeled images, or score a folder of predictions exactly as the Cityscapes evaluator does."""
    require_folder_of("--json", json_file)
    require_folder_of("--html", html)
    console = Console(highlight=False, soft_wrap=True)
    if predictions is not None or ground_truth is not None:
        if model is not None or None in (predictions, ground_truth) or html is not None:
            raise ValueError(
                f"Received MODEL {model}, --predictions {predictions}, --ground-truth {ground_truth}, --html {html}. "
                "Expected either MODEL, or --predictions with --ground-truth and without --html. Pass one or the "
                "other."
            )
        report = official_scores(predictions, ground_truth, split, instances, train_ids, workers)
    else:
        model = _required_model(model)
        if (data is None) == (images is None):
            raise ValueError(
                f"Received --data {data}, --images {images} and --masks {masks}. Expected --data alone, or --images "
                "and --masks. Pass one or the other."
            )
        options = protocol.read_options(scales, flip, tile, overlap, average)
        protocol.require_network(model)
        start()
        from keras_hrnet.evaluation import evaluate as evaluate_model
        from keras_hrnet.evaluation import write_html
        from keras_hrnet.evaluation.running import optimized_for
        from keras_hrnet.models import classes_of

        network = protocol.open_network(model, hierarchical_scales, classes)
        if images is not None:
            protocol.report_missing_names(network, console)
        described = DataOptions(
            data=data, data_set=data_set, images=images, masks=masks, val_share=val_share,
            ignore_label=ignore_label, id_map=id_map, palette=palette,
            classes=None if images is None else classes_of(network),
        )  # fmt: skip
        dataset = described.dataset(split, augment=False, batch_size=batch_size)
        unit = "images" if batch_size == 1 else "batches"
        with progress_bar("Scoring", len(dataset), unit) as advance:
            report = evaluate_model(
                optimized_for(network, batch_size * len(dataset)),
                dataset,
                **options,
                num_examples=examples if html is not None else 0,
                on_batch=lambda num_images: advance(),
            )
        if html is not None:
            is_cityscapes = data is not None and data_set in (None, DEFAULT_DATA_SET)
            write_html(report, html, published=published_scores(network) if is_cityscapes else ())
    console.print(str(report))
    if json_file is not None:
        report.write(json_file)
    for path in filter(None, (json_file, html)):
        console.print("Wrote", path)


def official_scores(
    predictions: pathlib.Path,
    ground_truth: pathlib.Path,
    split: str,
    instances: bool,
    train_ids: bool,
    workers: int | None,
) -> CityscapesScores:
    """Scores a folder of predictions by `score_predictions`, with a progress bar."""
    start()
    from keras_hrnet.evaluation import score_predictions
    from keras_hrnet.evaluation.official.files import find_pairs

    options = {"split": split, "instances": instances}
    num_pairs = len(find_pairs(predictions, ground_truth, **options))
    with progress_bar("Scoring", num_pairs, "images") as advance:
        return score_predictions(
            predictions, ground_truth, **options, train_ids=train_ids, num_workers=workers, on_pair=advance
        )


def published_scores(model: keras.Model) -> list[PublishedWeights]:
    """Lists the published weights of a network on Cityscapes that have a score."""
    from keras_hrnet.checkpoints import published_weights
    from keras_hrnet.heads import head_of

    head = head_of(model)
    return [
        row
        for row in published_weights()
        if row.score and (row.dataset, row.variant, row.head) == ("cityscapes", model.name, head)
    ]


def _required_model(model):
    if model is None:
        raise ValueError(
            "Received neither a MODEL nor --predictions. Expected one of them. Pass a `.keras` file, or a folder of "
            "label-id PNGs."
        )
    return model

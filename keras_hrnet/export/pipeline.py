"""Exports a network to any format: writes the file, runs it, compares it with Keras, and keeps it if they agree."""

import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.export.comparison import check, compare, reference
from keras_hrnet.export.format import Format
from keras_hrnet.export.images import read_images
from keras_hrnet.export.metadata import describe
from keras_hrnet.export.options import ExportOptions
from keras_hrnet.export.process import check_importable, write_in_process
from keras_hrnet.export.report import ExportReport
from keras_hrnet.models import optimize_for_inference
from keras_hrnet.replacing import put_in_place, unfinished_folder

# Fields of the options and of the comparison that the report repeats.
OPTIONS = ("image_size", "batch_size", "input_dtype", "precision", "output", "channels", "values")
SCORES = ("largest_difference", "mean_difference", "label_agreement", "keras_miou", "miou")


def export_network(
    kind: Format,
    model: keras.Model,
    path: str | os.PathLike,
    options: ExportOptions,
    representative_data: Any = None,
    class_names: Sequence[str] | None = None,
) -> ExportReport:
    """Writes a network, runs the file, compares it with Keras, and moves it to its final path with its report.

    Args:
        kind: the format of the file.
        model: a functional network, on any backend.
        path: path to write to. An existing file is replaced after the new one has been verified.
        options: the options of that format.
        representative_data: see `read_images`.
        class_names: see `describe`.

    Raises:
        As `export_tflite` and `export_saved_model`. In that case, no file is kept.
    """
    path = checked_path(kind, path)
    options = options.for_model(model)
    if keras.config.backend() != "tensorflow":
        check_importable(model)
    verification, calibration = read_images(options, representative_data)
    expected = reference(model, options, verification)
    metadata = describe(model, options, class_names)
    network = optimize_for_inference(model)
    with unfinished_folder(path) as folder:
        written = folder / path.name
        if keras.config.backend() == "tensorflow":
            kind.write(network, options, written)
        else:
            write_in_process(kind.name, network, options, written)
        refined = kind.refine(written, options, calibration, expected)
        kind.add_metadata(written, metadata)
        runner = kind.open(written)
        comparison = compare(runner, expected, options)
        check(comparison, options, lambda: kind.departure(network, written, options, verification[0].images[0]))
        report = ExportReport(
            path=path,
            format=kind.report_title(options),
            size_bytes=sum(map(size_of, kind.files(written))),
            num_images=sum(len(batch.images) for batch in verification),
            num_calibration_images=None if calibration is None else len(calibration),
            **{name: getattr(options, name) for name in OPTIONS},
            **{name: getattr(comparison, name) for name in SCORES},
            **{**refined, **kind.measure(written, runner)},
        )
        written.with_name(f"{path.name}.json").write_text(json.dumps(report.to_dict(), indent=2) + "\n")
        for new in sorted(folder.iterdir()):
            put_in_place(new, path.with_name(new.name))
    return report


def size_of(path: pathlib.Path) -> int:
    """Returns the size of a file, or of all files of a folder, in bytes."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def checked_path(kind: Format, path: str | os.PathLike) -> pathlib.Path:
    """Checks and returns the path of a file or folder to write.

    Raises:
        ValueError: if its name does not have the suffix of the format.
        FileNotFoundError: if its parent folder does not exist.
        FileExistsError: if a folder would be written in place of something else.
    """
    path = pathlib.Path(path)
    if path.suffix != kind.suffix and kind.suffix:
        raise ValueError(
            f"Received the path {str(path)!r}. Expected a name that ends in {kind.suffix!r}. Pass "
            f"{str(path.with_suffix(kind.suffix))!r}."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Received the path {str(path)!r}. Expected a folder {str(path.parent)!r} to write into. Create it first."
        )
    if kind.contents and path.exists():
        names = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else None
        if names is None or (names and not (kind.contents[0] in names and set(names) <= {*kind.contents})):
            found = "a file" if names is None else f"a folder with {', '.join(names[:3])}"
            raise FileExistsError(
                f"Received the path {str(path)!r}, where there is {found}. Expected a free path, or a {kind.title} "
                "to replace. Pass another name, or remove it."
            )
    return path

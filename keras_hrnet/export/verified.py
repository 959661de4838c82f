"""Writes a file beside its place, compares it with Keras, and only then moves it there."""

import json
import os
import pathlib
import tempfile

import keras

from keras_hrnet.export.equivalence import compare, keras_logits, verification_batches
from keras_hrnet.export.process import write_in_process
from keras_hrnet.export.serving_report import ServingReport


def report_path(path):
    """Returns where the report of an exported file stands: beside it, with ".json" after its name."""
    return path.with_name(f"{path.name}.json")


def check_folder(path):
    """Refuses a path whose folder does not exist.

    Raises:
        FileNotFoundError: if it does not.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Received the path {str(path)!r}. Expected a folder {str(path.parent)!r} to write into. Make it first."
        )


def export_verified(model, path, options, representative_data, *, kind, file_format, write, load):
    """Writes a network, runs what was written, compares it with Keras, and moves it to its place with its report.

    Args:
        model: a functional network, on any backend.
        path: the file or folder to write, a `pathlib.Path`. What is there is replaced, once the new one is verified.
        options: `ServingOptions` for the model.
        representative_data: see `keras_hrnet.export.equivalence.verification_batches`.
        kind: what a TensorFlow process calls `write`: a name of `keras_hrnet.export.worker.KINDS`.
        file_format: what the report calls it.
        write: a function of a model on the TensorFlow backend, the options and a path, which writes.
        load: a function of a path to a function from uint8 `(batch, height, width, 3)` to logits.

    Returns:
        A `ServingReport`.

    Raises:
        ValueError: if images have another size than the file takes, or a logit is not finite.
        RuntimeError: if the file differs from Keras, or the TensorFlow process fails.
    """
    batches = verification_batches(options, representative_data)
    expected = keras_logits(model, batches)
    # Beside the path, as a file can be moved at once only within its file system.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        folder = pathlib.Path(folder)
        written, written_report = folder / path.name, folder / "report.json"
        if keras.config.backend() == "tensorflow":
            write(model, options, written)
        else:
            write_in_process(kind, model, options, written, folder)
        run = load(written)
        difference = compare([run(batch) for batch in batches], expected)
        report = ServingReport(
            path=path,
            format=file_format,
            size_bytes=_size_of(written),
            image_size=options.image_size,
            batch_size=options.batch_size,
            input_dtype=options.input_dtype,
            num_images=sum(map(len, batches)),
            largest_difference=difference.largest,
            mean_difference=difference.mean,
            label_agreement=difference.label_agreement,
        )
        written_report.write_text(json.dumps(report.to_dict(), indent=2) + "\n")
        _move(written, path, folder)
        os.replace(written_report, report_path(path))
    return report


def _size_of(path):
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _move(written, path, folder):
    if not path.is_dir():
        os.replace(written, path)
        return
    # A folder with something in it cannot be replaced at once: it makes room first, and comes back if that was in vain.
    old = folder / "replaced"
    os.replace(path, old)
    try:
        os.replace(written, path)
    except OSError:
        os.replace(old, path)
        raise

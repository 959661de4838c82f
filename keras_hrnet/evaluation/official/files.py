"""Finds the label images of each pair by their names, and reads them."""

import bisect
import dataclasses
import os
import pathlib

import numpy as np

from keras_hrnet.picture_files.opening import load_upright, opened
from keras_hrnet.picture_files.reading import UnusableFileError

TRUTH_ENDING = "_gtFine_labelIds.png"
INSTANCES_ENDING = "_gtFine_instanceIds.png"


@dataclasses.dataclass(frozen=True)
class PairFiles:
    """The files of one pair: true and predicted label ids, and the true instances if they are requested."""

    truth: pathlib.Path
    prediction: pathlib.Path
    instances: pathlib.Path | None


def find_pairs(
    predictions: str | os.PathLike, ground_truth: str | os.PathLike, *, split: str, instances: bool
) -> list[PairFiles]:
    """Finds the prediction for each true label image, with the arguments of `score_predictions`.

    Returns:
        The pairs, by the path of the truth.

    Raises:
        FileNotFoundError: if a folder, a prediction or an instance file is missing, or there are no true labels.
        ValueError: if there are several predictions for one truth.

    Reference: cityscapesScripts, evaluation/evalPixelLevelSemanticLabeling.py, `getPrediction`.
    """
    predictions = _check_folder(predictions, "predictions")
    truths = _find_truths(_check_folder(ground_truth, "ground_truth"), split)
    found = sorted((path.name, path) for path in _walk(predictions) if path.name.endswith(".png"))
    pairs, missing = [], []
    for truth in truths:
        prefix = truth.name.removesuffix(TRUTH_ENDING)
        matches = _starting_with(prefix, found)
        if not matches:
            missing.append(truth)
            continue
        if len(matches) > 1:
            raise ValueError(
                f"Found {len(matches)} predictions for {truth}, among them {matches[0]} and {matches[1]}. Expected "
                f"one file {prefix}*.png. Delete the others, or move them out of {predictions}."
            )
        beside = truth.with_name(prefix + INSTANCES_ENDING)
        pairs.append(PairFiles(truth, matches[0], beside if instances else None))
    if missing:
        raise FileNotFoundError(
            f"Found no prediction for {len(missing)} of {len(truths)} true label images, the first of which is "
            f"{missing[0]}. Expected a file {missing[0].name.removesuffix(TRUTH_ENDING)}*.png in {predictions} or "
            "below. Predict the missing images, or pass another folder or split."
        )
    _check_instances([pair.instances for pair in pairs if instances])
    return pairs


def read_label_image(path: str | os.PathLike) -> np.ndarray:
    """Reads a label image, uint8 `(height, width)`, from a PNG file of 8 bits; a palette is ignored.

    Raises:
        ValueError: if the file has another format, or is truncated.
    """
    return _read(path, {"L": np.uint8, "P": np.uint8}, "one channel of 8 bits, gray or with a palette")


def read_instance_image(path: str | os.PathLike) -> np.ndarray:
    """Reads an instance image, uint16 `(height, width)`, from a PNG file with one channel of 16 bits.

    Raises:
        ValueError: if the file has another format, or is truncated.
    """
    # The mode of a 16-bit PNG depends on the version of Pillow; both modes hold its values.
    return _read(path, {"I;16": np.uint16, "I": np.uint16}, "one channel of 16 bits")


def _read(path, modes, expected):
    try:
        with opened(path, path, ("PNG",)) as image:
            mode = image.mode
            pixels = np.asarray(load_upright(image), dtype=modes[mode]) if mode in modes else None
    except UnusableFileError as error:
        if error.kind == "too large":
            raise
        raise ValueError(
            f"Received the file {path}, which cannot be read (it {error.found}). Expected a complete PNG file. Write "
            "it again, or download it again."
        ) from error
    if pixels is None:
        raise ValueError(
            f"Received the picture {path} of mode {mode!r} ({', '.join(image.getbands())}). Expected {expected}. "
            "Write the ids of the pixels, not colors or probabilities."
        )
    return pixels


def _check_folder(folder, name):
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"Received {name}={str(folder)!r}. Expected a folder that exists. Check the path.")
    return folder


def _find_truths(root, split):
    folder = root
    if (root / "gtFine").is_dir():
        folder = root / "gtFine" / split
        if not folder.is_dir():
            splits = ", ".join(sorted(path.name for path in (root / "gtFine").iterdir() if path.is_dir())) or "none"
            raise FileNotFoundError(
                f"Received split={split!r}, and there is no folder {folder}. Expected an existing split: {splits}. "
                "Pass one of these, or unpack the missing one."
            )
    truths = sorted(path for path in _walk(folder) if path.name.endswith(TRUTH_ENDING))
    if not truths:
        raise FileNotFoundError(
            f"Received ground_truth={str(root)!r}, and there is no file *{TRUTH_ENDING} in {folder} or below. Expected "
            "the root of Cityscapes, or a folder of such files. Check the path."
        )
    return truths


def _walk(folder):
    """Yields the files in a folder and below, without the hidden files that some systems create next to each file."""
    for parent, _, names in os.walk(folder):
        yield from (pathlib.Path(parent, name) for name in names if not name.startswith("."))


def _starting_with(prefix, found):
    """Returns the paths of the names that start with a prefix, from a sorted list of names and paths."""
    first = last = bisect.bisect_left(found, (prefix,))
    while last < len(found) and found[last][0].startswith(prefix):
        last += 1
    return [path for _, path in found[first:last]]


def _check_instances(paths):
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"Found no instances for {len(missing)} of {len(paths)} true label images; the first missing file is "
            f"{missing[0]}. Expected one next to each true label image. Restore them from Cityscapes' archive, or "
            "pass `instances=False` to leave out the instance scores."
        )

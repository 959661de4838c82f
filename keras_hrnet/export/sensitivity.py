"""Finds the layers that lose most by integers, and keeps them in floats until a file is close enough to Keras."""

import numpy as np

from keras_hrnet.export.comparison import Reference, compare, relative_error
from keras_hrnet.export.conversion import TFLiteOptions
from keras_hrnet.export.graph import read_graph
from keras_hrnet.export.litert import TFLiteModel
from keras_hrnet.export.quantization import Ranges, quantize

# Each group costs one quantization and one run.
MAX_GROUPS = 40
MAX_ROUNDS = 4


def quantize_within_bound(
    content: bytes, options: TFLiteOptions, ranges: Ranges | None, expected: Reference
) -> tuple[bytes, tuple[str, ...], dict[str, float] | None]:
    """Quantizes a float file, and keeps the worst layers in floats until it is as close to Keras as its precision may.

    Args:
        content: a float32 `.tflite` file.
        options: what the file shall be.
        ranges: what `calibrate` gave; None for "dynamic".
        expected: what Keras answers.

    Returns:
        The first file that is close enough, else the last that was tried, with at most half of the layers in floats;
        the paths of those layers; and what `layer_sensitivity` gave, None if it was not asked.
    """
    table, float_layers, image = None, (), expected.batches[0].images[:1]
    for attempt in range(MAX_ROUNDS):
        quantized = quantize(content, options.precision, ranges, float_layers=float_layers)
        comparison = compare(TFLiteModel(quantized), expected, options)
        if comparison.excess <= 1 or attempt == MAX_ROUNDS - 1:
            break
        if table is None:
            table = layer_sensitivity(content, options.precision, ranges, image)
        more = _worst_layers(table, float_layers, comparison.excess)
        if len(more) > len(table) // 2:
            break
        float_layers = more
    if table is None and options.sensitivity:
        table = layer_sensitivity(content, options.precision, ranges, image)
    return quantized, float_layers, table


def layer_sensitivity(content: bytes, precision: str, ranges: Ranges | None, images: np.ndarray) -> dict[str, float]:
    """Measures what each layer loses when it alone is quantized.

    Args:
        content: a float32 `.tflite` file.
        precision: "dynamic", "int8", "int16x8" or "mixed".
        ranges: what `calibrate` gave; None for "dynamic".
        images: uint8 `(num_images, height, width, 3)`.

    Returns:
        A dict from paths of layers, largest loss first, to the root mean square of the differences that they make in
        the answers, as a share of the answers' standard deviation; of labels, the share that changes. Layers are
        grouped by the block or stage that they are in where there are more than 40.
    """
    wanted = TFLiteModel(content)(images)
    table = {}
    for layer in layer_groups(content):
        answers = TFLiteModel(quantize(content, precision, ranges, only_layers=(layer,)))(images)
        is_label = answers.dtype.kind in "iu"
        table[layer] = float(np.mean(answers != wanted)) if is_label else relative_error(answers, wanted)
    return dict(sorted(table.items(), key=lambda item: -item[1]))


def layer_groups(content: bytes) -> list[str]:
    """Lists the paths of a file's layers in the order in which they run, cut at the depth that gives at most 40."""
    paths = [operator.layer.split("/") for operator in read_graph(content).operators if operator.layer]
    groups = []
    for depth in range(max(map(len, paths), default=0), 0, -1):
        groups = list(dict.fromkeys("/".join(path[:depth]) for path in paths))
        if len(groups) <= MAX_GROUPS:
            break
    return groups


def _worst_layers(table, float_layers, excess):
    """Returns so many of the worst layers that the rest should be within the bound, and at least one more."""
    squares = np.square(list(table.values()))
    rest = np.sqrt(np.maximum(squares[len(float_layers) :].sum() - np.cumsum(squares[len(float_layers) :]), 0))
    share = rest / max(np.sqrt(squares[len(float_layers) :].sum()), 1e-12)
    # Losses add up as squares, but for what one layer does to the next: hence the tenth to spare.
    enough = np.flatnonzero(share * excess <= 0.9)
    number = len(float_layers) + 1 + (int(enough[0]) if len(enough) else len(table))
    return tuple(table)[:number]

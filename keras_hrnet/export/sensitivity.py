"""Finds the layers with the largest quantization errors, and keeps them in floats until a file agrees with Keras."""

import numpy as np

from keras_hrnet.export.comparison import Reference, compare, relative_error
from keras_hrnet.export.conversion import TFLiteOptions
from keras_hrnet.export.graph import Graph, read_graph
from keras_hrnet.export.litert import TFLiteModel
from keras_hrnet.export.quantization import Ranges, quantize

# Each group costs one quantization and one run.
MAX_GROUPS = 40
MAX_ROUNDS = 4


def quantize_within_bound(
    content: bytes, options: TFLiteOptions, ranges: Ranges | None, expected: Reference
) -> tuple[bytes, tuple[str, ...], dict[str, float] | None]:
    """Quantizes a float file, and keeps the worst layers in floats until its error is within the precision's bound.

    Args:
        content: a float32 `.tflite` file.
        options: the options of the file.
        ranges: the result of `calibrate`; None for "dynamic".
        expected: the outputs of Keras.

    Returns:
        The first file that is close enough, or else the last one that was tried, with at most half of the layers in
        floating point; the paths of those layers; and the result of `layer_sensitivity`, or None if it was not
        requested.
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
    """Measures the error of each layer when only it is quantized.

    Args:
        content: a float32 `.tflite` file.
        precision: "dynamic", "int8", "int16x8" or "mixed".
        ranges: the result of `calibrate`; None for "dynamic".
        images: uint8 `(num_images, height, width, 3)`.

    Returns:
        A dict from the paths of layers, largest error first, to the root mean square of the differences in the outputs,
        as a share of the outputs' standard deviation; for labels, the share that changes. If there are more than 40
        layers, they are grouped by block or stage.
    """
    wanted = TFLiteModel(content)(images)
    table, graph = {}, read_graph(content)
    for layer in layer_groups(graph):
        answers = TFLiteModel(quantize(content, precision, ranges, only_layers=(layer,), graph=graph))(images)
        is_label = answers.dtype.kind in "iu"
        table[layer] = float(np.mean(answers != wanted)) if is_label else relative_error(answers, wanted)
    return dict(sorted(table.items(), key=lambda item: -item[1]))


def layer_groups(graph: Graph) -> list[str]:
    """Lists the paths of a file's layers in execution order, shortened to the depth at which there are at most 40."""
    paths = [operator.layer.split("/") for operator in graph.operators if operator.layer]
    groups = []
    for depth in range(max(map(len, paths), default=0), 0, -1):
        groups = list(dict.fromkeys("/".join(path[:depth]) for path in paths))
        if len(groups) <= MAX_GROUPS:
            break
    return groups


def _worst_layers(table, float_layers, excess):
    """Returns enough of the worst layers for the error of the others to be within the bound; at least one is added."""
    squares = np.square(list(table.values()))
    rest = np.sqrt(np.maximum(squares[len(float_layers) :].sum() - np.cumsum(squares[len(float_layers) :]), 0))
    share = rest / max(np.sqrt(squares[len(float_layers) :].sum()), 1e-12)
    # Squared errors add up, except for the effect of one layer on the next, hence the margin of a tenth.
    enough = np.flatnonzero(share * excess <= 0.9)
    number = len(float_layers) + 1 + (int(enough[0]) if len(enough) else len(table))
    return tuple(table)[:number]

"""What the delegates take: each rule on an operator of its own, and the table for XNNPACK against the real delegate."""

import dataclasses
import types

import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.export.conversion import TFLiteOptions, convert
from keras_hrnet.export.delegates import delegate_coverage, gpu_reason, partitions, xnnpack_reason
from keras_hrnet.export.graph import Operator, Tensor, read_graph
from keras_hrnet.export.quantization import calibrate, quantize

SIZE = (64, 96)


def tensor(shape=(1, 8, 8, 4), dtype="float32", is_constant=False):
    return Tensor(0, "net_1/layer_1/op", shape, dtype, is_constant, dtype.startswith("int") or dtype == "uint8")


def operator(name, inputs=None, outputs=None, **options):
    return Operator(name, inputs or (tensor(),), outputs or (tensor(),), types.SimpleNamespace(**options))


def of_dtype(name, dtype, **options):
    return operator(name, (tensor(dtype=dtype),), (tensor(dtype=dtype),), **options)


KERNEL = tensor((4, 3, 3, 4), is_constant=True)


@pytest.mark.parametrize(
    ("rejected", "reason"),
    [
        (operator("ARG_MAX"), "no ARG_MAX"),
        (operator("RESIZE_NEAREST_NEIGHBOR"), "no RESIZE_NEAREST_NEIGHBOR"),
        (operator("ADD", (tensor((-1, 8, 8, 4)),)), "known only at run time"),
        (of_dtype("ADD", "int16"), "no int16"),
        (of_dtype("SOFTMAX", "int8", beta=1), "no SOFTMAX in int8"),
        (of_dtype("BATCH_MATMUL", "int8"), "no BATCH_MATMUL in int8"),
        (of_dtype("ADD", "int32"), "no ADD of int32"),
        (operator("CONCATENATION", (tensor(),) * 6), "joins 2 to 5 tensors, and this operator joins 6"),
        (of_dtype("CONV_2D", "int8"), None),
        (operator("CONV_2D", (tensor(), tensor(dtype="int8"), KERNEL)), "constant kernel"),
        (operator("SOFTMAX", beta=2), "beta 1, and this one has 2"),
    ],
)
def test_xnnpack_says_why_it_leaves_an_operator_out(rejected, reason):
    assert xnnpack_reason(rejected) is None if reason is None else reason in xnnpack_reason(rejected)


@pytest.mark.parametrize(
    ("rejected", "reason"),
    [
        (operator("ARG_MAX"), "no ARG_MAX"),
        (operator("TRANSPOSE", (tensor((1, 2, 4, 2, 4, 4)),)), "up to rank 4, and this one has rank 6"),
        (operator("ADD", (tensor((-1, 8, 8, 4)),)), "known only at run time"),
        (of_dtype("ADD", "int16"), "no ADD of int16"),
        (of_dtype("ADD", "int8"), None),
        (operator("CAST", outputs=(dataclasses.replace(tensor(dtype="uint8"), is_quantized=False),)), "CAST of uint8"),
        (operator("CAST", outputs=(dataclasses.replace(tensor(dtype="int32"), is_quantized=False),)), None),
        (operator("RESIZE_BILINEAR", alignCorners=True, halfPixelCenters=True), "not both"),
        (operator("RESIZE_BILINEAR", alignCorners=True, halfPixelCenters=False), None),
        (operator("SOFTMAX", beta=2), "beta 1, and this one has 2"),
        (operator("BATCH_MATMUL", (tensor(), tensor()), adjX=False, adjY=True), "ignores that BATCH_MATMUL transposes"),
        (operator("BATCH_MATMUL", (tensor(), KERNEL), adjX=False, adjY=False), "rank 2, and this one has rank 4"),
        (
            operator("BATCH_MATMUL", (KERNEL, tensor()), adjX=False, adjY=False),
            "does not multiply by a constant from the left",
        ),
        (operator("BATCH_MATMUL", (tensor(), tensor()), adjX=False, adjY=False), None),
    ],
)
def test_the_gpu_delegate_says_why_it_leaves_an_operator_out(rejected, reason):
    assert gpu_reason(rejected) is None if reason is None else reason in gpu_reason(rejected)


def tiny_hrnet(**options):
    variant = keras_hrnet.Variant("Tiny", width=8, stage1_blocks=1, stage1_filters=16, modules=(1, 1, 1), blocks=1)
    return keras_hrnet.HRNet(variant, num_classes=4, data_format="channels_last", **options)


SIZES = {"stage1_blocks": 1, "stage1_filters": 8, "modules": (1, 1, 1), "blocks": 1}
FORMER = keras_hrnet.HRFormerVariant("Tiny", 8, num_heads=2, window_size=3, **SIZES)
NETWORKS = {
    "aligned": lambda: tiny_hrnet(align_corners=True),
    "nearest": lambda: tiny_hrnet(interpolation="nearest"),
    "HRFormer": lambda: keras_hrnet.HRNet(FORMER, 4, head="fcn", data_format="channels_last"),
}


def in_delegates(content):
    """Returns what goes into each piece that the real XNNPACK delegate took: sets of numbers of tensors."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=2)
    interpreter.allocate_tensors()
    constants = {x.index for operator in read_graph(content).operators for x in operator.inputs if x.is_constant}
    # The interpreter has no public way to ask.
    nodes = [node for node in interpreter._get_ops_details() if node["op_name"] == "DELEGATE"]
    return sorted(sorted({int(i) for i in node["inputs"]} - constants) for node in nodes), nodes


def in_table(content):
    pieces = []
    for piece in partitions(read_graph(content), lambda operator: xnnpack_reason(operator) is None):
        made = {x.index for operator in piece for x in operator.outputs}
        pieces.append(sorted({x.index for operator in piece for x in operator.runtime_inputs} - made))
    return sorted(pieces)


@pytest.mark.slow
@pytest.mark.converts
@pytest.mark.parametrize("network", ["aligned", pytest.param("nearest", marks=pytest.mark.heavy), "HRFormer"])
def test_every_operator_of_a_network_is_in_one_xnnpack_delegate(network):
    content = convert(keras_hrnet.optimize_for_inference(NETWORKS[network]()), TFLiteOptions(SIZE))
    ranges = calibrate(content, np.full((1, *SIZE, 3), 99, np.uint8), 1)
    # Integers cut attention, as XNNPACK has no products of matrices and no softmax in int8.
    precisions = () if network == "HRFormer" else ("int8", "mixed")
    for file in (content, *(quantize(content, precision, ranges) for precision in precisions)):
        graph = read_graph(file)
        inputs, (node,) = in_delegates(file)
        # One piece from the image to the logits, of which nothing lies outside: else it would take or give more.
        assert inputs == [[graph.inputs[0].index]]
        assert list(node["outputs"]) == [graph.outputs[0].index]
        coverage = delegate_coverage(file)["xnnpack"]
        assert (coverage.share, coverage.partitions, coverage.outside) == (1, 1, ())


@pytest.mark.slow
@pytest.mark.converts
@pytest.mark.parametrize(
    "options",
    [
        *(pytest.param(x, marks=pytest.mark.heavy) for x in ({"interpolation": "nearest"}, {"head": "ocr"})),
        {"head": "isa"},
    ],
    ids=str,
)
def test_the_table_cuts_a_network_where_the_real_delegate_does(options):
    content = convert(tiny_hrnet(**options), TFLiteOptions(SIZE, output="labels", input_dtype="uint8"))
    ranges = calibrate(content, np.full((1, *SIZE, 3), 99, np.uint8), 1)
    for file in (content, *(quantize(content, precision, ranges) for precision in ("int8", "mixed", "int16x8"))):
        assert in_table(file) == in_delegates(file)[0]


@pytest.mark.slow
@pytest.mark.converts
def test_what_lies_outside_is_told_with_its_layer():
    # With even sizes, pixels are repeated by joining tensors.
    content = convert(tiny_hrnet(interpolation="nearest"), TFLiteOptions((65, 97)))
    outside = delegate_coverage(content)["xnnpack"].outside
    assert len(outside) == 14
    assert {x.operator for x in outside} == {"RESIZE_NEAREST_NEIGHBOR"}
    assert "Tiny/stage4/module_0/fuse" in {x.layer for x in outside}


def test_a_graph_that_cannot_run_is_refused():
    graph = types.SimpleNamespace(inputs=(), operators=(operator("ADD"),))
    with pytest.raises(ValueError, match=r"operator ADD needs a tensor"):
        partitions(graph, lambda operator: True)

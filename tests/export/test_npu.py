"""Compiling for NPUs: LiteRT's own compiler refuses without an SDK, and what it would write is made by hand."""

import importlib.util
import pathlib
import sys
import tempfile
import types

import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.export import flatbuffer, read_metadata, run_tflite
from keras_hrnet.export.compiled import CompiledTFLite
from keras_hrnet.export.litert import operators
from keras_hrnet.export.npu import VENDORS, npu_targets

pytestmark = pytest.mark.once

METADATA = {"class_names": ["road", "sky"]}


@pytest.fixture(scope="module")
def content():
    import tensorflow as tf

    kernel = tf.constant(np.ones((3, 3, 3, 2), np.float32))
    module = tf.Module()
    module.call = tf.function(
        lambda image: tf.nn.softmax(tf.nn.conv2d(image, kernel, 1, "SAME")), [tf.TensorSpec((1, 4, 5, 3))]
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.call.get_concrete_function()], module)
    return flatbuffer.add_metadata(converter.convert(), METADATA)


@pytest.fixture
def portable(content, tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    return path


@pytest.fixture
def sdk(tmp_path, monkeypatch):
    """Returns a function that installs a package of an SDK, with the path of its libraries."""

    def install(package, path_to_sdk_libs):
        module = types.SimpleNamespace(path_to_sdk_libs=path_to_sdk_libs)
        monkeypatch.setitem(sys.modules, package.replace("-", "_"), module)

    return install


@pytest.fixture
def empty_sdk(sdk, tmp_path, monkeypatch):
    """An SDK of Qualcomm without the libraries that LiteRT's compiler loads."""
    (tmp_path / "sdk").mkdir()
    (tmp_path / "sdk" / "README").touch()
    # LiteRT leaves its log in the temporary folder.
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    sdk("ai-edge-litert-sdk-qualcomm", lambda: tmp_path / "sdk")


def compiled(content, num_left=0):
    """Returns a file of which all operators but the last ones were replaced as LiteRT's compiler does."""
    from ai_edge_litert import schema_py_generated as schema

    model = flatbuffer._unpack(content)
    (graph,) = model.subgraphs
    first, left = graph.operators[0], graph.operators[len(graph.operators) - num_left :]
    first.outputs = left[0].inputs[:1] if left else graph.outputs
    first.inputs, first.opcodeIndex, first.builtinOptions = graph.inputs, len(model.operatorCodes), None
    first.builtinOptionsType = 0
    graph.operators = [first, *left]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"DISPATCH_OP"
    model.operatorCodes.append(code)
    return flatbuffer._pack(model, len(content))


@pytest.fixture
def compiler(empty_sdk, monkeypatch):
    """Replaces LiteRT's compiler by a function of a SoC that returns the content of the file, or raises an error."""
    from ai_edge_litert.aot import aot_compile

    def install(answer):
        def compile_one(input_model, output_dir, target, keep_going):
            path = pathlib.Path(output_dir) / "made.tflite"
            path.write_bytes(answer(target.soc_model.value))
            return types.SimpleNamespace(models=[types.SimpleNamespace(path=path)])

        monkeypatch.setattr(aot_compile, "aot_compile", compile_one)

    return install


@pytest.mark.parametrize(
    ("npu", "message"),
    [
        (
            "qualcom",
            r"npu='qualcom'. Expected 'qualcomm', 'mediatek', 'google', 'intel', or .* Did you mean qualcomm\?",
        ),
        ("tpu", r"such as 'qualcomm:SM8750'\. Pass one of them"),
        ("qualcomm:sm8750", r"Expected a SoC that LiteRT knows: SA8255, .*\. Did you mean SM8750\?"),
        ("mediatek:", r"Expected a SoC that LiteRT knows: MT6853, .*\. Pass one of them, or the vendor alone for all"),
    ],
)
def test_an_unknown_vendor_or_soc_is_refused(npu, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        keras_hrnet.compile_for_npu(tmp_path / "missing.tflite", npu)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_missing_sdk_is_named(vendor, sdk, monkeypatch):
    package = VENDORS[vendor][1]
    monkeypatch.setitem(sys.modules, package.replace("-", "_"), None)
    with pytest.raises(ImportError, match=rf"which is not installed\. Install it, .*: pip install {package}\."):
        npu_targets(vendor)
    # The package installs without an error if it could not download the SDK.
    sdk(package, lambda: None)
    with pytest.raises(ImportError, match=rf"without the SDK.*--force-reinstall --no-deps --no-cache-dir {package}\."):
        npu_targets(vendor)


def test_a_machine_on_which_an_sdk_does_not_run_is_refused(sdk):
    def path_to_sdk_libs():
        raise NotImplementedError("only Linux x86")

    sdk("ai-edge-litert-sdk-mediatek", path_to_sdk_libs)
    with pytest.raises(ImportError, match=r"whose SDK does not run on this machine \(only Linux x86\)"):
        npu_targets("mediatek")


def test_a_vendor_stands_for_all_its_socs(empty_sdk):
    targets = list(map(str, npu_targets("qualcomm")))
    assert {"Qualcomm_SM8550", "Qualcomm_SM8750"} < set(targets)
    assert "Qualcomm_ALL" not in targets
    assert list(map(str, npu_targets("qualcomm:SM8750"))) == ["Qualcomm_SM8750"]


def test_what_litert_cannot_compile_leaves_nothing_but_its_log(portable, empty_sdk, tmp_path, capsys):
    before = portable.read_bytes()
    with pytest.raises(
        RuntimeError, match=r"\(for Qualcomm_SM8750: .*See (.*) for details.*Read LiteRT's log"
    ) as caught:
        keras_hrnet.compile_for_npu(portable, "qualcomm:SM8750")
    assert capsys.readouterr() == ("", "")
    (log,) = (tmp_path / "temporary").glob("*.error")
    assert str(log) in str(caught.value)
    assert "libQnn" in log.read_text()
    assert portable.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"net.tflite", "sdk", "temporary"}


def test_each_soc_has_a_file_and_failures_are_reported(portable, content, compiler, tmp_path):
    def answer(soc):
        if soc == "SM8350":
            raise ValueError("too old")
        return {"SA8255": content, "SA8295": flatbuffer.add_metadata(compiled(content), METADATA | {"a": 1})}.get(
            soc, compiled(content, num_left=soc == "SM8650")
        )

    compiler(answer)
    report = keras_hrnet.compile_for_npu(portable, "qualcomm")
    assert report.failures == {
        "Qualcomm_SA8255": "the NPU supports none of its operators",
        "Qualcomm_SM8350": "too old",
    }
    files = {file.path.name.removeprefix("net_Qualcomm_").removesuffix(".tflite"): file for file in report.files}
    assert set(files) == {str(target).removeprefix("Qualcomm_") for target in npu_targets("qualcomm")} - {
        "SA8255",
        "SM8350",
    }
    assert {path.stem for path in tmp_path.glob("*.tflite")} == {"net", *(f"net_Qualcomm_{soc}" for soc in files)}
    assert (files["SM8750"].num_compiled, files["SM8750"].num_operators, files["SM8750"].num_parts) == (2, 2, 1)
    assert files["SM8650"].num_compiled == 1
    assert files["SM8750"].size_bytes == files["SM8750"].path.stat().st_size
    assert read_metadata(files["SM8750"].path) == METADATA
    assert "net_Qualcomm_SM8650.tflite, 0.0 MB, the NPU runs 1 of 2 operators in 1 part" in str(report)
    assert "not compiled    for Qualcomm_SM8350: too old" in str(report)


def test_a_compiled_file_without_our_metadata_is_not_kept(portable, content, compiler):
    other = content.replace(b'"road"', b'"rood"')
    compiler(lambda soc: compiled(other))
    with pytest.raises(RuntimeError, match="does not contain the metadata of the original"):
        keras_hrnet.compile_for_npu(portable, "qualcomm:SM8750")


def test_a_compiled_file_runs_only_on_its_device(content, tmp_path, empty_sdk):
    path = tmp_path / "net_Qualcomm_SM8750.tflite"
    path.write_bytes(compiled(content))
    for use in (
        lambda: run_tflite(path, np.zeros((1, 4, 5, 3))),
        lambda: keras_hrnet.compile_for_npu(path, "qualcomm"),
    ):
        with pytest.raises(ValueError, match=r"was compiled for an NPU.*Pass the file that it was compiled from"):
            use()
    with pytest.raises(ValueError, match="accelerator 'npu', with which LiteRT cannot run it"):
        CompiledTFLite(path, accelerator="npu")


@pytest.mark.heavy
@pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert_sdk_qualcomm") is None, reason="requires ai-edge-litert-sdk-qualcomm"
)
def test_qualcomms_compiler_compiles_every_operator(small_network, tmp_path):
    path = tmp_path / "small.tflite"
    keras_hrnet.export_tflite(small_network(), path, image_size=(32, 48), output="labels")
    (file,) = keras_hrnet.compile_for_npu(path, "qualcomm:SM8750").files
    assert file.path.name == "small_Qualcomm_SM8750.tflite"
    assert file.num_compiled == file.num_operators == sum(operators(path).values())
    assert operators(file.path) == {"DISPATCH_OP": 1}
    assert read_metadata(file.path) == read_metadata(path)

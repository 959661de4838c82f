"""Values that are none of an option's choices: what is answered, and that the choices are those of the package."""

import keras
import pytest

from keras_hrnet.cli import choices
from keras_hrnet.evaluation.protocol import Protocol
from keras_hrnet.export import compiled, conversion, npu, openvino, options
from keras_hrnet.export.web.options import FILE_FORMATS

pytestmark = pytest.mark.once

EXPORT = ("export", "net.keras")
CALLS = {
    "--accelerator": ("benchmark", "a.tflite"),
    "--answer": (*EXPORT, "a.tflite"),
    "--average": ("evaluate", "net.keras", "--data", "data"),
    "--dtype": ("train",),
    "--engine": ("predict", "net.keras", "photo.jpg"),
    "--head": ("train",),
    "--input-dtype": (*EXPORT, "a.onnx"),
    "--npu": (*EXPORT, "a.tflite"),
    "--precision": (*EXPORT, "a.tflite"),
    "--recipe": ("train",),
    "--show": ("predict", "net.keras", "photo.jpg"),
    "--web-format": (*EXPORT, "web", "--web"),
}


def test_the_choices_are_those_of_the_package():
    assert choices.ACCELERATORS == compiled.ACCELERATORS
    assert choices.ANSWERS == conversion.OUTPUTS
    assert choices.INPUT_DTYPES == options.INPUT_DTYPES
    assert tuple(npu.VENDORS) == choices.NPU_VENDORS
    assert choices.OPENVINO_PRECISIONS == openvino.PRECISIONS
    assert choices.TFLITE_PRECISIONS == conversion.PRECISIONS
    assert choices.WEB_FORMATS == FILE_FORMATS
    assert [Protocol(average=average).average for average in choices.AVERAGES] == list(choices.AVERAGES)
    assert [keras.DTypePolicy(dtype).name for dtype in choices.DTYPES] == list(choices.DTYPES)


@pytest.mark.parametrize("option", CALLS)
def test_another_value_is_refused_before_any_file_is_opened(invoke, option):
    error = invoke(*CALLS[option], option, "xyz").exception
    assert str(error).startswith(f"Received {option} 'xyz'. Expected one of ")
    assert str(error).endswith(" Pass one of them.")


def test_a_close_choice_is_suggested(invoke):
    error = invoke(*EXPORT, "a.xml", "--precision", "bfloat").exception
    assert str(error) == (
        "Received --precision 'bfloat'. Expected one of float32, float16, bfloat16, int8. Did you mean bfloat16?"
    )

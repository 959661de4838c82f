"""Refuses values that are none of an option's choices, before Keras is imported, which takes seconds."""

from collections.abc import Iterable

from keras_hrnet.suggestion import suggestion

# The choices of functions in modules that import Keras; a test compares them.
ACCELERATORS = ("cpu", "gpu", "npu")
ANSWERS = ("logits", "logits_stride4", "labels", "probabilities")
AVERAGES = ("official", "probabilities")
DTYPES = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16", "float16", "float64")
INPUT_DTYPES = ("float32", "uint8")
NPU_VENDORS = ("qualcomm", "mediatek", "google", "intel")
OPENVINO_PRECISIONS = ("float32", "float16", "bfloat16", "int8")
TFLITE_PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8", "mixed")
WEB_FORMATS = ("tflite", "onnx")


def require_choice(option: str, value: str, choices: Iterable[str]) -> None:
    """Checks that the value of an option is one of its choices.

    Args:
        option: the option as it is typed, such as "--precision".
        value: what was passed.
        choices: the choices.

    Raises:
        ValueError: if the value is none of them.
    """
    choices = list(choices)
    if value not in choices:
        raise ValueError(
            f"Received {option} {value!r}. Expected one of {', '.join(choices)}."
            f"{suggestion(value, choices) or ' Pass one of them.'}"
        )

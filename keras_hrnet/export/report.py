"""The report of an export: the file, and its differences from Keras."""

import dataclasses
import json
import pathlib
from typing import Any

from keras_hrnet.evaluation.wording import count
from keras_hrnet.export.delegates import Coverage

SHOWN_LAYERS = 5


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """An exported file that was run and compared with Keras on verification images. `print` shows it.

    Args:
        path: the file, or the folder.
        format: "TFLite", "SavedModel", or for example "ONNX, opset 17".
        size_bytes: size of the file, or of all files of the folder.
        image_size: (height, width) of its input images, each None for any.
        batch_size: number of images in a batch; None for any number.
        input_dtype: "float32" or "uint8".
        precision: precision of its weights and arithmetic, for example "int8".
        output: its output, "logits", "logits_stride4", "labels" or "probabilities".
        num_images: number of images for the comparison; none of them was used for calibration.
        largest_difference: the largest absolute difference from Keras, of logits or probabilities; None for labels.
        mean_difference: the mean absolute difference; None for labels.
        label_agreement: share of pixels with the same label as Keras, in [0, 1].
        keras_miou: the mean IoU of Keras on the verification images, in [0, 1]; None without their labels.
        miou: mean IoU of the file.
        latency_seconds: for a `.tflite` file, the median time of a batch with LiteRT on all cores of this machine's
            CPU.
        operators: for a `.tflite` file, the number of each operator.
        delegates: for a `.tflite` file, the operators that "xnnpack" and "gpu" run and do not run, by tables of
            supported operators.
        num_calibration_images: number of images for calibration; None without calibration.
        float_layers: the layers that were kept in floating point, because the file would otherwise differ too much from
            Keras.
        sensitivity: error of each layer when only it is quantized (`layer_sensitivity`), largest first; None if it was
            not measured.
        channels: number of channels of the images.
        values: description of the values of the images.
    """

    path: pathlib.Path
    format: str
    size_bytes: int
    image_size: tuple[int | None, int | None]
    batch_size: int | None
    input_dtype: str
    precision: str
    output: str
    num_images: int
    largest_difference: float | None
    mean_difference: float | None
    label_agreement: float
    keras_miou: float | None = None
    miou: float | None = None
    latency_seconds: float | None = None
    operators: dict[str, int] = dataclasses.field(default_factory=dict)
    delegates: dict[str, Coverage] = dataclasses.field(default_factory=dict)
    num_calibration_images: int | None = None
    float_layers: tuple[str, ...] = ()
    sensitivity: dict[str, float] | None = None
    channels: int = 3
    values: str = "RGB in [0, 255]"

    def to_dict(self) -> dict[str, Any]:
        """Returns the report in types that JSON supports: numbers, strings, lists and dicts."""
        return json.loads(json.dumps({**dataclasses.asdict(self), "path": str(self.path)}))

    def __str__(self) -> str:
        lengths = (self.batch_size, *self.image_size, self.channels)
        shape = " x ".join("any" if length is None else str(length) for length in lengths)
        lines = [
            ("file", f"{self.path}, {self.format}, {self.size_bytes / 1e6:.1f} MB"),
            ("images", f"{shape}, {self.input_dtype}, {self.values}"),
            ("output", f"{self.output}, {self.precision}"),
            ("compared on", self._compared_on()),
            ("label agreement", f"{100 * self.label_agreement:.3f} % of the pixels have the same label as Keras"),
        ]
        if self.largest_difference is not None:
            lines.append(
                ("difference", f"{self.largest_difference:.2g} at most, {self.mean_difference:.2g} on average")
            )
        if self.miou is not None:
            lines.append(
                ("mean IoU", f"{100 * self.miou:.2f} %, {100 * (self.miou - self.keras_miou):+.2f} compared with Keras")
            )
        if self.float_layers:
            lines.append(("kept in floats", ", ".join(self.float_layers)))
        if self.sensitivity:
            worst = [f"{layer} {100 * loss:.2g} %" for layer, loss in list(self.sensitivity.items())[:SHOWN_LAYERS]]
            lines.append(("most sensitive", ", ".join(worst)))
        lines += [("delegate", _coverage_line(name, coverage)) for name, coverage in self.delegates.items()]
        if self.latency_seconds is not None:
            lines.append(("latency", f"{1000 * self.latency_seconds:.1f} ms per batch on this CPU"))
        if self.operators:
            lines.append(("operators", ", ".join(f"{count} {name}" for name, count in self.operators.items())))
        return "\n".join(f"{name:<16}{text}" for name, text in lines)

    def _compared_on(self):
        compared = count(self.num_images, "image")
        if self.num_calibration_images is None:
            return compared
        return f"{compared} not used for calibration; calibrated on {count(self.num_calibration_images, 'image')}"


ServingReport = ExportReport
"""The report of a SavedModel or an ONNX file."""


def _coverage_line(name, coverage):
    line = f"{name} runs {100 * coverage.share:.0f} % of the operators in {coverage.partitions} parts"
    if coverage.partitions == 1:
        line = line.removesuffix("s")
    reasons = dict.fromkeys(outside.reason for outside in coverage.outside)
    return f"{line}: {', '.join(reasons)}" if reasons else line

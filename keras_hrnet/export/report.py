"""What an export wrote, and how far it is from Keras."""

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
        size_bytes: of the file, or of all files of the folder.
        image_size: (height, width) of the images that it takes, each None for any.
        batch_size: how many images go in at once; None for any number.
        input_dtype: "float32" or "uint8".
        precision: of its weights and arithmetic, for example "int8".
        output: what it gives, "logits", "logits_stride4", "labels" or "probabilities".
        num_images: how many images it was compared on; none of them was used to calibrate it.
        largest_difference: the largest absolute difference from Keras, of logits or probabilities; None for labels.
        mean_difference: the mean absolute difference; None for labels.
        label_agreement: the share of pixels whose label is that of Keras, in [0, 1].
        keras_miou: the mean IoU of Keras on the verification images, in [0, 1]; None without their labels.
        miou: that of the file.
        latency_seconds: of a `.tflite` file, how long a batch takes with LiteRT on all cores of this machine's CPU, the
            median.
        operators: of a `.tflite` file, how often each operator occurs.
        delegates: of a `.tflite` file, for "xnnpack" and "gpu", how much of it they take and what not; by tables, see
            `keras_hrnet.export.delegates`.
        num_calibration_images: how many images the ranges of its integers were taken from; None without calibration.
        float_layers: the layers that were kept in floats, as the file was too far from Keras otherwise.
        sensitivity: what each layer loses alone (`layer_sensitivity`), largest first; None if it was not measured.
        channels: of the images.
        values: of the images, in words.
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
        """Returns the report as numbers, strings, lists and dicts that JSON holds."""
        return json.loads(json.dumps({**dataclasses.asdict(self), "path": str(self.path)}))

    def __str__(self) -> str:
        lengths = (self.batch_size, *self.image_size, self.channels)
        shape = " x ".join("any" if length is None else str(length) for length in lengths)
        lines = [
            ("file", f"{self.path}, {self.format}, {self.size_bytes / 1e6:.1f} MB"),
            ("images", f"{shape}, {self.input_dtype}, {self.values}"),
            ("output", f"{self.output}, {self.precision}"),
            ("compared on", self._compared_on()),
            ("label agreement", f"{100 * self.label_agreement:.3f} % of the pixels have Keras's label"),
        ]
        if self.largest_difference is not None:
            lines.append(
                ("difference", f"{self.largest_difference:.2g} at most, {self.mean_difference:.2g} on average")
            )
        if self.miou is not None:
            lines.append(("mean IoU", f"{100 * self.miou:.2f} %, {100 * (self.miou - self.keras_miou):+.2f} to Keras"))
        if self.float_layers:
            lines.append(("kept in floats", ", ".join(self.float_layers)))
        if self.sensitivity:
            worst = [f"{layer} {100 * loss:.2g} %" for layer, loss in list(self.sensitivity.items())[:SHOWN_LAYERS]]
            lines.append(("most sensitive", ", ".join(worst)))
        lines += [("delegate", _coverage_line(name, coverage)) for name, coverage in self.delegates.items()]
        if self.latency_seconds is not None:
            lines.append(("latency", f"{1000 * self.latency_seconds:.1f} ms a batch on this CPU"))
        if self.operators:
            lines.append(("operators", ", ".join(f"{count} {name}" for name, count in self.operators.items())))
        return "\n".join(f"{name:<16}{text}" for name, text in lines)

    def _compared_on(self):
        compared = count(self.num_images, "image")
        if self.num_calibration_images is None:
            return compared
        return f"{compared} that calibration did not see; calibrated on {count(self.num_calibration_images, 'image')}"


ServingReport = ExportReport
"""The report of a SavedModel or an ONNX file."""


def _coverage_line(name, coverage):
    line = f"{name} takes {100 * coverage.share:.0f} % of the operators in {coverage.partitions} pieces"
    if coverage.partitions == 1:
        line = line.removesuffix("s")
    reasons = dict.fromkeys(outside.reason for outside in coverage.outside)
    return f"{line}: {', '.join(reasons)}" if reasons else line

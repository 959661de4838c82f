"""What an export wrote, and how far it is from Keras."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """An exported file that was run and compared with Keras on verification images. `print` shows it.

    Args:
        path: the file.
        size_bytes: its size.
        image_size: (height, width) of the images that it takes.
        batch_size: how many images go in at once.
        input_dtype: "float32" or "uint8".
        precision: of its weights and arithmetic, "float32".
        output: what it gives, "logits", "logits_stride4", "labels" or "probabilities".
        largest_difference: the largest absolute difference from Keras, of logits or probabilities; None for labels.
        mean_difference: the mean absolute difference; None for labels.
        label_agreement: the share of pixels whose label is that of Keras, in [0, 1].
        latency_seconds: how long a batch takes with LiteRT on all cores of this machine's CPU, the median.
        operators: how often each TFLite operator occurs.
    """

    path: pathlib.Path
    size_bytes: int
    image_size: tuple[int, int]
    batch_size: int
    input_dtype: str
    precision: str
    output: str
    largest_difference: float | None
    mean_difference: float | None
    label_agreement: float
    latency_seconds: float
    operators: dict[str, int]

    def to_dict(self):
        """Returns the report as numbers, strings, lists and dicts that JSON holds."""
        fields = dataclasses.asdict(self)
        return {**fields, "path": str(self.path), "image_size": list(self.image_size)}

    def __str__(self):
        height, width = self.image_size
        lines = [
            ("file", f"{self.path}, {self.size_bytes / 1e6:.1f} MB"),
            ("image", f"{self.batch_size} x {height} x {width} x 3, {self.input_dtype}, RGB in [0, 255]"),
            ("output", f"{self.output}, {self.precision}"),
            ("label agreement", f"{100 * self.label_agreement:.3f} % of the pixels have Keras's label"),
        ]
        if self.largest_difference is not None:
            lines.append(
                ("difference", f"{self.largest_difference:.2g} at most, {self.mean_difference:.2g} on average")
            )
        lines += [
            ("latency", f"{1000 * self.latency_seconds:.1f} ms a batch on this CPU"),
            ("operators", ", ".join(f"{count} {name}" for name, count in self.operators.items())),
        ]
        return "\n".join(f"{name:<16}{text}" for name, text in lines)

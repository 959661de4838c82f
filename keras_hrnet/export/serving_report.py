"""What the export of a SavedModel or ONNX file wrote, and how far it is from Keras."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class ServingReport:
    """An exported SavedModel or ONNX file that was run and compared with Keras. `print` shows it.

    Args:
        path: the file, or the folder of a SavedModel.
        format: "SavedModel", or for example "ONNX, opset 17".
        size_bytes: of the file, or of all files of the folder.
        image_size: (height, width) of the images that it takes, each None for any.
        batch_size: how many images go in at once, None for any number.
        input_dtype: "float32" or "uint8".
        num_images: how many images it was compared on.
        largest_difference: the largest absolute difference of logits from Keras.
        mean_difference: the mean absolute difference.
        label_agreement: the share of pixels whose label is that of Keras, in [0, 1].
    """

    path: pathlib.Path
    format: str
    size_bytes: int
    image_size: tuple[int | None, int | None]
    batch_size: int | None
    input_dtype: str
    num_images: int
    largest_difference: float
    mean_difference: float
    label_agreement: float

    def to_dict(self):
        """Returns the report as numbers, strings, lists and dicts that JSON holds."""
        return {**dataclasses.asdict(self), "path": str(self.path), "image_size": list(self.image_size)}

    def __str__(self):
        shape = " x ".join("any" if length is None else str(length) for length in (self.batch_size, *self.image_size))
        lines = [
            ("file", f"{self.path}, {self.format}, {self.size_bytes / 1e6:.1f} MB"),
            ("images", f"{shape} x 3, {self.input_dtype}, RGB in [0, 255]"),
            ("label agreement", f"{100 * self.label_agreement:.3f} % of the pixels have Keras's label"),
            ("difference", f"{self.largest_difference:.2g} at most, {self.mean_difference:.2g} on average"),
            ("compared on", f"{self.num_images} images"),
        ]
        return "\n".join(f"{name:<16}{text}" for name, text in lines)

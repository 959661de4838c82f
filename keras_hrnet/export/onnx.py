"""Writes a network as an ONNX file that ONNX Runtime runs: the public function `export_onnx`."""

import dataclasses
import importlib.util
import pathlib

import numpy as np

from keras_hrnet.export.serving import INPUT_NAME, OUTPUT_NAME, ServingOptions, serving_function
from keras_hrnet.export.tf2onnx_handlers import handlers
from keras_hrnet.export.verified import check_folder, export_verified

PACKAGES = ("onnx", "onnxruntime", "tf2onnx")
# From 13 on, as older ones split differently; to what tf2onnx 1.17 writes.
OPSETS = range(13, 19)


@dataclasses.dataclass(frozen=True)
class OnnxOptions(ServingOptions):
    """What an ONNX file shall be.

    Args:
        image_size: as `ServingOptions`.
        batch_size: as `ServingOptions`.
        input_dtype: as `ServingOptions`.
        opset: the version of the operators.

    Raises:
        ValueError: if one of them is something else.
    """

    opset: int = 17

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.opset, int) or self.opset not in OPSETS:
            raise ValueError(
                f"Received opset={self.opset!r}. Expected a whole number from {OPSETS[0]} to {OPSETS[-1]}. Pass "
                "opset=17."
            )


def export_onnx(
    model,
    path,
    *,
    image_size=None,
    batch_size=None,
    input_dtype="float32",
    opset=17,
    representative_data=None,
):
    """Writes a network as an ONNX file, runs it with ONNX Runtime, and keeps it only if it answers as Keras does.

    The file goes from "images" `(batch, height, width, 3)`, RGB in [0, 255], to "logits", float32: of every pixel or of
    the image, channels last also from a model that is channels first. Normalisation is inside. Any number of images of
    any size go in, unless the model or an argument fixes it; a fixed size runs somewhat faster, and some runtimes take
    no other. Each enlarging of maps is one operator Resize.

    A report, as JSON, is written beside it: "w48.onnx.json" for "w48.onnx". Needs `pip install "keras-hrnet[export]"`.
    Under JAX and torch the weights go through a TensorFlow process, which takes some seconds more.

    Args:
        model: a functional network from RGB images to logits, in float32.
        path: where to write; ends in ".onnx". A file that is there is replaced, once the new one is verified.
        image_size: (height, width) of the images in pixels; None for what the model takes.
        batch_size: how many images go in at once; None for any number.
        input_dtype: of the images: "float32" or "uint8".
        opset: the version of ONNX's operators, 13 to 18.
        representative_data: images to compare on: an array `(num_images, height, width, 3)` or an iterable of batches
            of images or of `(images, labels)`; the first four are taken. None means noise and gradients, of two sizes
            where it may vary.

    Returns:
        A `ServingReport`: size and differences from Keras; `print` shows it.

    Raises:
        ImportError: if onnx, onnxruntime or tf2onnx is not installed.
        FileNotFoundError: if the folder of `path` does not exist.
        TypeError: if `model` is not a functional model from one tensor to one.
        ValueError: if an option is none of the above, the model gives no logits or computes in half precision, or
            `image_size`, `batch_size` or the images do not go with it.
        RuntimeError: if the file differs from Keras by more than 0.5 % of the largest logit, or the TensorFlow
            process fails. No file is left then.

    Example:

    ```python
    report = keras_hrnet.export_onnx(model, "w48.onnx", image_size=(512, 1024), batch_size=1)
    print(report)

    import onnxruntime

    session = onnxruntime.InferenceSession("w48.onnx")
    (logits,) = session.run(["logits"], {"images": image[None].astype("float32")})
    ```
    """
    options = OnnxOptions(image_size, batch_size, input_dtype, opset)
    path = _checked_path(path)
    _check_packages()
    return export_verified(
        model,
        path,
        options.for_model(model),
        representative_data,
        kind="onnx",
        file_format=f"ONNX, opset {opset}",
        write=write_onnx,
        load=load_onnx,
    )


def write_onnx(model, options, path):
    """Writes an ONNX file.

    Args:
        model: a functional network on the TensorFlow backend.
        options: `OnnxOptions` for the model.
        path: where to write.
    """
    import onnx
    import tf2onnx

    serve = serving_function(model, options)
    network, _ = tf2onnx.convert.from_function(
        serve, serve.input_signature, opset=options.opset, custom_op_handlers=handlers()
    )
    _name_axes(network.graph.input[0], ("batch", "height", "width"))
    _name_axes(network.graph.output[0], ("batch", "logits_height", "logits_width"))
    onnx.checker.check_model(network)
    onnx.save(network, str(path))


def load_onnx(path):
    """Loads an ONNX file with ONNX Runtime, on the CPU.

    Args:
        path: the file.

    Returns:
        A function from uint8 `(batch, height, width, 3)` to logits, both NumPy arrays.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (images,) = session.get_inputs()
    dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}[images.type]

    def run(images):
        return session.run([OUTPUT_NAME], {INPUT_NAME: images.astype(dtype)})[0]

    return run


def _checked_path(path):
    path = pathlib.Path(path)
    if path.suffix != ".onnx":
        raise ValueError(
            f"Received the path {str(path)!r}. Expected a name that ends in '.onnx'. Pass "
            f"{str(path.with_suffix('.onnx'))!r}."
        )
    check_folder(path)
    return path


def _check_packages():
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"Did not find the packages {', '.join(missing)}. Expected them for an ONNX file. Install them: "
            'pip install "keras-hrnet[export]".'
        )


def _name_axes(value, names):
    # A classifier has no height and width.
    for axis, name in zip(value.type.tensor_type.shape.dim[:-1], names, strict=False):
        if not axis.HasField("dim_value"):
            axis.dim_param = name

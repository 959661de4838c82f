"""Runs an exported file, whatever its format, from images to what it answers."""

import os
import pathlib

import numpy as np

from keras_hrnet.export.litert import TFLiteModel

FORMATS = (".tflite", ".onnx", ".keras", "a SavedModel folder")


def open_runner(path, num_threads=None):
    """Opens an exported file, or a saved network, to run it on the CPU.

    Args:
        path: a `.tflite`, `.onnx` or `.keras` file, or the folder of a SavedModel.
        num_threads: on how many cores LiteRT and ONNX Runtime run; None for all. The others take it from their
            process's variables: OMP_NUM_THREADS and TF_NUM_INTRAOP_THREADS.

    Returns:
        A function from uint8 images `(num_images, height, width, 3)`, RGB in [0, 255], to what the file answers for
        them: logits or probabilities `(num_images, ..., num_classes)`, or labels. Its attribute `image_size` is the
        (height, width) that the file was made for, or None if it takes any.

    Raises:
        FileNotFoundError: if there is nothing.
        ValueError: if it is none of these.
    """
    path = pathlib.Path(path)
    if path.is_dir() and (path / "saved_model.pb").is_file():
        return SavedModelRunner(path)
    if not path.exists():
        raise FileNotFoundError(f"Received the path {str(path)!r}. Expected {', '.join(FORMATS)}. Check the name.")
    if path.is_dir() or path.suffix not in FORMATS:
        raise ValueError(f"Received the path {str(path)!r}. Expected {', '.join(FORMATS)}. Export the network to one.")
    if path.suffix == ".keras":
        return KerasRunner(path)
    return {".tflite": TFLiteRunner, ".onnx": OnnxRunner}[path.suffix](path, num_threads or os.cpu_count())


class TFLiteRunner:
    """A `.tflite` file in LiteRT; arguments as in `open_runner`."""

    def __init__(self, path, num_threads):
        self.model = TFLiteModel(path, num_threads)
        self.image_size = tuple(self.model.input_details["shape"][1:3].tolist())

    def __call__(self, images):
        return self.model(images)


class SavedModelRunner:
    """The signature "serving_default" of a SavedModel in TensorFlow; argument as in `open_runner`."""

    def __init__(self, path):
        import tensorflow as tf

        self.loaded = tf.saved_model.load(str(path))  # Its variables live as long as it does.
        self.signature = self.loaded.signatures["serving_default"]
        ((self.input_name, spec),) = self.signature.structured_input_signature[1].items()
        self.dtype = spec.dtype.as_numpy_dtype
        self.image_size = _known(spec.shape[1:3])

    def __call__(self, images):
        import tensorflow as tf

        (answer,) = self.signature(**{self.input_name: tf.constant(images.astype(self.dtype))}).values()
        return answer.numpy()


class OnnxRunner:
    """An ONNX file in ONNX Runtime; arguments as in `open_runner`."""

    def __init__(self, path, num_threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        (self.input,) = self.session.get_inputs()
        self.dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}[self.input.type]
        batch, *size, _ = self.input.shape
        self.batch_size = batch if isinstance(batch, int) else None
        self.image_size = _known(length if isinstance(length, int) else None for length in size)

    def __call__(self, images):
        step = self.batch_size or len(images)
        batches = (images[i : i + step].astype(self.dtype) for i in range(0, len(images), step))
        answers = [self.session.run(None, {self.input.name: batch})[0] for batch in batches]
        return answers[0] if len(answers) == 1 else np.concatenate(answers)


class KerasRunner:
    """A `.keras` file on the active backend; argument as in `open_runner`."""

    def __init__(self, path):
        import keras

        self.model = keras.models.load_model(path, compile=False)
        self.image_size = _known(self.model.input_shape[1:3])

    def __call__(self, images):
        return self.model.predict_on_batch(images)


def _known(size):
    size = tuple(size)
    return None if None in size else size

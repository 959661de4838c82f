"""Runs `.tflite` files with LiteRT's `CompiledModel`, as applications on devices do: on the CPU, the GPU or an NPU."""

import os

import numpy as np

from keras_hrnet.export.runner import Runner

ACCELERATORS = ("cpu", "gpu", "npu")


class CompiledTFLite(Runner):
    """A `.tflite` file of one input and one output, ready to run on an accelerator.

    Args:
        path: the file.
        num_threads: number of threads of the CPU; None uses all cores.
        accelerator: "cpu", "gpu" or "npu". The CPU runs operators that the other two do not support. If there is no
            library for an NPU, LiteRT runs all of them on the CPU, and only logs a warning.

    Raises:
        ImportError: if this version of LiteRT has no `CompiledModel`.
        ValueError: if LiteRT cannot run the file, or not on this accelerator.
    """

    def __init__(self, path: str | os.PathLike, num_threads: int | None = None, accelerator: str = "cpu") -> None:
        from ai_edge_litert.compiled_model import CompiledModel, CpuOptions, HardwareAccelerator, Options

        kinds = HardwareAccelerator.CPU | HardwareAccelerator[accelerator.upper()]
        options = Options(
            hardware_accelerators=kinds, cpu_options=CpuOptions(num_threads=num_threads or os.cpu_count())
        )
        try:
            self.model = CompiledModel.from_file(os.fspath(path), options=options)
            ((key, names),) = self.model.get_signature_list().items()
            self.input = self.model.get_input_tensor_details(key)[names["inputs"][0]]
            self.output = self.model.get_output_tensor_details(key)[names["outputs"][0]]
            self.buffers = self.model.create_input_buffers(0), self.model.create_output_buffers(0)
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"Received the file {os.fspath(path)!r} and the accelerator {accelerator!r}, with which LiteRT cannot "
                f"run it ({error}). Expected a complete .tflite file, and an accelerator of this machine. Pass 'cpu', "
                "or export the file again."
            ) from error
        self.dtype = np.dtype(self.input["dtype"]).name
        self.batch_size, *size, self.channels = map(int, self.input["shape"])
        self.image_size = tuple(size)

    def run(self, images: np.ndarray) -> np.ndarray:
        (given,), (answer,) = self.buffers
        given.write(np.ascontiguousarray(images))
        self.model.run_by_index(0, [given], [answer])
        shape = self.output["shape"]
        return answer.read(int(np.prod(shape)), self.output["dtype"]).reshape(shape)

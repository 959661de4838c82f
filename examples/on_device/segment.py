"""Segments photos with a `.tflite` file of keras_hrnet, for example on a Raspberry Pi or in an Android shell.

Command:  pip install ai-edge-litert numpy pillow && python segment.py w18.tflite street.jpg
Hardware: any on which LiteRT runs; by default, it uses all cores.
Result:   street_segmented.png, an overlay of the photo with the colors of the classes, and the time of each run.

Neither Keras nor keras_hrnet is required, because the file contains its image size, its classes and their colors.
"""

import argparse
import json
import os
import pathlib
import time

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from PIL import Image, ImageOps

try:
    from ai_edge_litert.compiled_model import CompiledModel, CpuOptions, HardwareAccelerator, Options
except ImportError:  # LiteRT before 2.3
    CompiledModel = None
    from ai_edge_litert.interpreter import Interpreter


def read_metadata(path):
    """Reads the metadata that keras_hrnet stored in the file, such as the names and colors of the classes."""
    model = schema.Model.GetRootAs(pathlib.Path(path).read_bytes())
    for i in range(model.MetadataLength()):
        if model.Metadata(i).Name() == b"keras_hrnet":
            return json.loads(model.Buffers(model.Metadata(i).Buffer()).DataAsNumpy().tobytes())
    raise SystemExit(f"{path} was not written by keras_hrnet.export_tflite. Export the network again.")


class Segmenter:
    """Computes the labels of photos, in their own size, with a `.tflite` file."""

    def __init__(self, path, num_threads, accelerator):
        if CompiledModel is not None:
            kinds = HardwareAccelerator.CPU | HardwareAccelerator[accelerator.upper()]
            options = Options(hardware_accelerators=kinds, cpu_options=CpuOptions(num_threads=num_threads))
            try:
                self.model = CompiledModel.from_file(str(path), options=options)
            except RuntimeError as error:
                raise SystemExit(f"LiteRT cannot run {path} on this {accelerator}. {error}") from error
            ((key, names),) = self.model.get_signature_list().items()
            self.input = self.model.get_input_tensor_details(key)[names["inputs"][0]]
            self.output = self.model.get_output_tensor_details(key)[names["outputs"][0]]
            self.buffers = self.model.create_input_buffers(0), self.model.create_output_buffers(0)
        elif accelerator != "cpu":
            raise SystemExit(
                f"This version of LiteRT supports only the CPU. Update it for --accelerator {accelerator}."
            )
        else:
            self.interpreter = Interpreter(model_path=str(path), num_threads=num_threads)
            self.interpreter.allocate_tensors()
            (self.input,), (self.output,) = self.interpreter.get_input_details(), self.interpreter.get_output_details()
        if self.input["shape"][-1] not in (1, 3):
            raise SystemExit(f"{path} requires {self.input['shape'][-1]} channels. Expected 3 (RGB) or 1 (gray).")

    def run(self, pixels):
        if CompiledModel is None:
            self.interpreter.set_tensor(self.input["index"], pixels)
            self.interpreter.invoke()
            return self.interpreter.get_tensor(self.output["index"])
        (given,), (answer,) = self.buffers
        given.write(pixels)
        self.model.run_by_index(0, [given], [answer])
        shape = self.output["shape"]
        return answer.read(int(np.prod(shape)), self.output["dtype"]).reshape(shape)

    def __call__(self, photo):
        batch, *shape = self.input["shape"]
        scaled = photo.convert("L" if shape[-1] == 1 else "RGB").resize(tuple(shape[1::-1]), Image.Resampling.BILINEAR)
        pixels = np.asarray(scaled, self.input["dtype"]).reshape(1, *shape)
        start = time.perf_counter()
        answer = self.run(np.repeat(pixels, batch, axis=0))[0]
        seconds = time.perf_counter() - start
        labels = answer if answer.ndim == 2 else answer.argmax(axis=-1)
        labels = Image.fromarray(labels.astype(np.int32)).resize(photo.size, Image.Resampling.NEAREST)
        return np.asarray(labels), seconds


def main():
    parser = argparse.ArgumentParser(description="Segments photos with a .tflite file.")
    parser.add_argument("model", type=pathlib.Path, help="the `.tflite` file")
    parser.add_argument("photos", type=pathlib.Path, nargs="+", help="photos; the result is written next to each")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="number of CPU threads")
    parser.add_argument(
        "--accelerator", choices=("cpu", "gpu", "npu"), default="cpu", help="device that runs the network"
    )
    parser.add_argument("--alpha", type=float, default=0.5, help="opacity of the colors, from 0 to 1")
    options = parser.parse_args()
    metadata = read_metadata(options.model)
    colors = np.array(metadata["colors"], np.uint8)
    segment = Segmenter(options.model, options.threads, options.accelerator)
    for path in options.photos:
        photo = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        labels, seconds = segment(photo)
        target = path.with_name(f"{path.stem}_segmented.png")
        Image.blend(photo, Image.fromarray(colors[labels]), options.alpha).save(target)
        found, counts = np.unique(labels, return_counts=True)
        most = [metadata["class_names"][i] for i in found[np.argsort(-counts)[:3]]]
        print(f"{target}: {1000 * seconds:.0f} ms, mostly {', '.join(most)}")


if __name__ == "__main__":
    main()

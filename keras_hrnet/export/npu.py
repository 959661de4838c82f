"""Compiles `.tflite` files for the NPUs of phones and laptops: the public function `compile_for_npu`."""

import collections
import contextlib
import dataclasses
import importlib
import io
import os
import pathlib
from typing import Any

from keras_hrnet.export.formats import find_metadata
from keras_hrnet.export.graph import COMPILED_PART
from keras_hrnet.export.litert import TFLiteModel, operators
from keras_hrnet.replacing import put_in_place, unfinished_folder
from keras_hrnet.suggestion import suggestion

# The folder of each vendor in `ai_edge_litert.aot.vendors`, and the package on PyPI with its SDK.
VENDORS = {
    "qualcomm": ("qualcomm", "ai-edge-litert-sdk-qualcomm"),
    "mediatek": ("mediatek", "ai-edge-litert-sdk-mediatek"),
    "google": ("google_tensor", "ai-edge-litert-sdk-google-tensor"),
    "intel": ("intel_openvino", "ai-edge-litert-sdk-intel"),
}


@dataclasses.dataclass(frozen=True)
class NpuFile:
    """A `.tflite` file compiled for the NPU of one system on chip (SoC).

    Args:
        path: the file.
        size_bytes: its size.
        num_operators: number of operators of the file that was compiled.
        num_compiled: number of these that the NPU runs.
        num_parts: number of parts into which they were compiled; the CPU runs the operators between them.
    """

    path: pathlib.Path
    size_bytes: int
    num_operators: int
    num_compiled: int
    num_parts: int

    def __str__(self) -> str:
        parts = f"{self.num_parts} part{'s' * (self.num_parts > 1)}"
        return (
            f"{self.path}, {self.size_bytes / 1e6:.1f} MB, the NPU runs {self.num_compiled} of {self.num_operators} "
            f"operators in {parts}"
        )


@dataclasses.dataclass(frozen=True)
class NpuReport:
    """The files that were compiled for the NPUs of a vendor. `print` shows it.

    Args:
        files: the compiled files.
        failures: the reason of LiteRT for each SoC for which it could not compile the file, by the name of the SoC.
    """

    files: tuple[NpuFile, ...]
    failures: dict[str, str]

    def __str__(self) -> str:
        lines = [("compiled", str(file)) for file in self.files]
        lines += [("not compiled", f"for {soc}: {reason}") for soc, reason in self.failures.items()]
        return "\n".join(f"{name:<16}{text}" for name, text in lines)


def compile_for_npu(path: str | os.PathLike, npu: str) -> NpuReport:
    """Compiles a `.tflite` file ahead of time for the NPUs of a vendor, one file for each SoC.

    The files are written next to `path`, and are named after it and the SoC, for example
    "v2_Qualcomm_SM8750.tflite". They contain the same metadata. Only devices with that SoC can run them; the file at
    `path` remains the one for all other devices. LiteRT and the vendor's SDK compile them, and both run only on Linux
    with an x86-64 processor (Intel's also on Windows). The values of a compiled file can be compared only on the
    device.

    Args:
        path: a file that `export_tflite` wrote.
        npu: a vendor, "qualcomm", "mediatek", "google" or "intel", for all its SoCs that LiteRT supports; or one SoC,
            for example "qualcomm:SM8750".

    Returns:
        An `NpuReport`: the compiled files, their operators that the NPU runs, and the SoCs for which LiteRT failed.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if the vendor's SDK is missing.
        ValueError: if the vendor or the SoC is unknown, or LiteRT cannot run the file.
        RuntimeError: if LiteRT compiled the file for none of the SoCs.

    Example:

    ```python
    print(keras_hrnet.compile_for_npu("v2_int8.tflite", "qualcomm:SM8750"))
    ```
    """
    targets = npu_targets(npu)
    path = pathlib.Path(path)
    TFLiteModel(path)  # Raises an error if it is not a file that LiteRT can compile.
    files, failures = [], {}
    with unfinished_folder(path) as folder:
        for target in targets:
            try:
                new = _compile(path, target, folder)
            except ValueError as error:
                failures[str(target)] = str(error)
            else:
                put_in_place(new, path.with_name(f"{path.stem}_{target}.tflite"))
                files.append(_describe(path, path.with_name(f"{path.stem}_{target}.tflite")))
    if not files:
        soc, reason = next(iter(failures.items()))
        raise RuntimeError(
            f"Received npu={npu!r} for {str(path)!r}, which LiteRT could not compile (for {soc}: {reason}). Expected a "
            "compiled file for at least one SoC. Read LiteRT's log, or use the file as it is, on the CPU or GPU."
        )
    return NpuReport(tuple(files), failures)


def npu_targets(npu: str) -> list[Any]:
    """Returns LiteRT's targets for a vendor or one of its SoCs, and checks that they can be compiled for.

    Raises:
        As `compile_for_npu`.
    """
    vendor, colon, soc = npu.partition(":")
    if vendor not in VENDORS:
        raise ValueError(
            f"Received npu={npu!r}. Expected {', '.join(map(repr, VENDORS))}, or one of these with a SoC, such as "
            f"'qualcomm:SM8750'.{suggestion(vendor, VENDORS) or ' Pass one of them.'}"
        )
    folder, package = VENDORS[vendor]
    try:
        module = importlib.import_module(f"ai_edge_litert.aot.vendors.{folder}.target")
    except ImportError as error:
        raise ImportError(
            f"Received npu={npu!r}, for which this version of LiteRT cannot compile ({error}). Expected version 2.3 or "
            "later. Install it: pip install --upgrade ai-edge-litert."
        ) from error
    known = [model for model in module.SocModel if model.value != "ALL"]
    chosen = [model for model in known if not colon or model.value == soc]
    if not chosen:
        names = [model.value for model in known]
        raise ValueError(
            f"Received npu={npu!r}. Expected a SoC that LiteRT knows: {', '.join(names)}."
            f"{suggestion(soc, names) or ' Pass one of them, or the vendor alone for all.'}"
        )
    _check_sdk(npu, package)
    return [module.Target(model) for model in chosen]


def _check_sdk(npu, package):
    """Checks that the SDK is there: its package downloads it during installation, and installs without it too."""
    try:
        sdk = importlib.import_module(package.replace("-", "_"))
    except ModuleNotFoundError as error:
        raise ImportError(
            f"Received npu={npu!r}. Expected the SDK of this vendor, which is not installed. Install it, on Linux with "
            f"an x86-64 processor: pip install {package}."
        ) from error
    try:
        libraries = sdk.path_to_sdk_libs()
    except NotImplementedError as error:
        raise ImportError(f"Received npu={npu!r}, whose SDK does not run on this machine ({error}).") from error
    if libraries is None or not any(pathlib.Path(libraries).glob("*")):
        raise ImportError(
            f"Received npu={npu!r}, and the package {package} without the SDK, which it downloads from the vendor "
            "during installation. Expected the SDK. Install it again, with internet access: pip install "
            f"--force-reinstall --no-deps --no-cache-dir {package}."
        )


def _compile(path, target, folder):
    """Runs LiteRT's compiler for one SoC, and returns the path of the file that it wrote into a folder.

    Raises:
        ValueError: if LiteRT cannot compile the file for this SoC.
    """
    from ai_edge_litert.aot import aot_compile

    # LiteRT shows a progress bar for each target.
    with contextlib.redirect_stderr(io.StringIO()):
        result = aot_compile.aot_compile(str(path), str(folder), target, keep_going=False)
    (model,) = result.models
    if COMPILED_PART not in operators(model.path):
        raise ValueError("the NPU supports none of its operators")
    if find_metadata(model.path) != find_metadata(path):
        raise ValueError("the compiled file does not contain the metadata of the original")
    return model.path


def _describe(path, compiled):
    left = collections.Counter(operators(compiled))
    num_parts = left.pop(COMPILED_PART)
    total = sum(operators(path).values())
    return NpuFile(compiled, compiled.stat().st_size, total, total - left.total(), num_parts)

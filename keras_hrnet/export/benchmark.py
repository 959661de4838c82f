"""Measures exported files side by side: their speed, their size, and the agreement of their outputs."""

import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_hrnet.evaluation.confusion import confusion_matrix, intersection_over_union
from keras_hrnet.export.compiled import ACCELERATORS
from keras_hrnet.export.delegates import delegate_coverage
from keras_hrnet.export.formats import size_of_export
from keras_hrnet.export.process import last_lines
from keras_hrnet.models.interface import check_pixels


@dataclasses.dataclass(frozen=True)
class Measurement:
    """The cost of a file on this machine's CPU, and the agreement of its outputs.

    Args:
        path: the file.
        size_bytes: size of the file, or of all files of its folder.
        image_size: (height, width) of the images it ran on.
        batch_size: number of images in a batch.
        num_threads: number of threads.
        load_seconds: time to open the file, without starting Python and importing libraries such as TensorFlow.
        first_seconds: time of the first run, which compiles or allocates.
        median_seconds: median time of the later runs.
        p90_seconds: 90th percentile of the times of the later runs.
        peak_bytes: peak memory, in addition to that of a process that has imported this package.
        agreement: share of pixels with the same label as the first file, in [0, 1]; None without images.
        mean_iou: mean IoU on the images, in [0, 1]; None without labels.
        delegates: for a `.tflite` file, the share of its operators that each delegate runs, in [0, 1]: "xnnpack" on
            this machine, and "gpu" on a phone. None for other files.
    """

    path: pathlib.Path
    size_bytes: int
    image_size: tuple[int, int]
    batch_size: int
    num_threads: int
    load_seconds: float
    first_seconds: float
    median_seconds: float
    p90_seconds: float
    peak_bytes: int
    agreement: float | None = None
    mean_iou: float | None = None
    delegates: dict[str, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the measurement in types that JSON supports."""
        return {**dataclasses.asdict(self), "path": str(self.path)}


def benchmark_files(
    paths: Sequence[str | os.PathLike],
    *,
    image_size: tuple[int, int] = (512, 1024),
    batch_size: int = 1,
    num_threads: int | None = None,
    num_runs: int = 20,
    accelerator: str = "cpu",
    images: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    on_run: Callable[[], object] = lambda: None,
) -> list[Measurement]:
    """Runs exported files in alternation, each in its own process, and compares their outputs.

    Args:
        paths: `.tflite`, `.onnx`, `.xml` and `.keras` files and folders of SavedModels. A `.keras` file runs on the
            active backend.
        image_size: (height, width) for files that accept any size.
        batch_size: number of images in a batch; a `.tflite` file has a fixed batch size.
        num_threads: number of threads; None for all.
        num_runs: number of runs of each file after its first run.
        accelerator: "cpu", "gpu" or "npu", for `.tflite` files, which LiteRT's `CompiledModel` runs; the CPU runs what
            the accelerator does not support. For an NPU without a library, LiteRT uses the CPU, and only logs it.
        images: uint8 `(num_images, height, width, 3)`, RGB in [0, 255], on which to compare the labels, with the size
            that the files accept. None compares nothing.
        labels: integers `(num_images, height, width)`, train ids of the images; 255 is ignored. None scores nothing.
        on_run: called after each run of each file.

    Raises:
        ValueError: if a file has another format, cannot be run, or has outputs of another size than the first file,
            the images are not in [0, 255], or there is no such accelerator.
    """
    if accelerator not in ACCELERATORS:
        raise ValueError(
            f"Received accelerator={accelerator!r}. Expected one of {', '.join(ACCELERATORS)}. Pass one of them."
        )
    if images is not None:
        check_pixels(np.asarray(images))
    options = {
        "image_size": image_size,
        "batch_size": batch_size,
        "num_threads": num_threads or os.cpu_count(),
        "accelerator": accelerator,
    }
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if images is not None:
            np.save(folder / "images.npy", images)
        processes = [stack.enter_context(_Process(path, options, folder, i)) for i, path in enumerate(paths)]
        started = [process.answer() for process in processes]
        runs = [[] for _ in processes]
        for _ in range(num_runs):
            for process, answers in zip(processes, runs, strict=True):
                answers.append(process.ask("run"))
                on_run()
        found = [None if images is None else process.labels() for process in processes]
    measured = []
    for process, start, answers, answer in zip(processes, started, runs, found, strict=True):
        seconds = [run["seconds"] for run in answers]
        measured.append(
            Measurement(
                path=process.path,
                size_bytes=size_of_export(process.path),
                image_size=tuple(start["image_size"]),
                batch_size=batch_size,
                num_threads=options["num_threads"],
                load_seconds=start["load"],
                first_seconds=start["first"],
                median_seconds=statistics.median(seconds),
                p90_seconds=float(np.quantile(seconds, 0.9)),
                peak_bytes=answers[-1]["peak_bytes"],
                delegates=_delegates(process.path),
                **_compare(process.path, answer, found[0], labels),
            )
        )
    return measured


class _Process:
    """A process that runs one file: `keras_hrnet.export.benchmark_worker`."""

    def __init__(self, path, options, folder, number):
        self.path, self.folder, self.number = pathlib.Path(path), folder, number
        task = json.dumps({**options, "path": str(self.path.absolute())})
        self.errors = open(folder / f"errors-{number}.txt", "w+")  # noqa: SIM115 (closed in `__exit__`)
        threads = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), str(options["num_threads"]))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "keras_hrnet.export.benchmark_worker", task],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, **threads, "TF_CPP_MIN_LOG_LEVEL": "2"},
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def ask(self, *words):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        if line := self.process.stdout.readline():
            return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        raise ValueError(
            f"{self.path} cannot be run: its process ended with status {self.process.returncode}. Expected a "
            "complete `.tflite`, `.onnx`, `.xml` or `.keras` file, or a SavedModel. Read its last lines:\n"
            + last_lines(self.errors.read())
        )

    def labels(self):
        target = self.folder / f"labels-{self.number}.npy"
        self.ask("labels", self.folder / "images.npy", target)
        return np.load(target)


def _delegates(path):
    if path.suffix != ".tflite":
        return None
    return {name: coverage.share for name, coverage in delegate_coverage(path).items()}


def _compare(path, answer, first, labels):
    if answer is None:
        return {}
    if answer.shape != first.shape:
        raise ValueError(
            f"{path} returns labels of shape {answer.shape}, and the first file {first.shape}. Expected the same "
            "size. Export both for the same images and outputs."
        )
    scores = {"agreement": float(np.mean(answer == first))}
    if labels is not None:
        if labels.shape != answer.shape:
            raise ValueError(
                f"{path} returns labels of shape {answer.shape} for true labels of shape {labels.shape}. Expected "
                "the same size. Export the network at the size of the image, not at stride 4."
            )
        num_classes = int(max(answer.max(), labels[labels < 255].max(initial=0))) + 1
        scores["mean_iou"] = float(np.nanmean(intersection_over_union(confusion_matrix(labels, answer, num_classes))))
    return scores

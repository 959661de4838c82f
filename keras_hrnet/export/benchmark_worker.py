"""The process in which one exported file runs while it is measured.

`keras_hrnet.export.benchmark` starts it. It first reports the seconds that opening the file and the first run took. It
then answers each command, which is one line of its input, with a line of JSON: "run" with the seconds of a run and the
peak memory of the process, and "labels IN.npy OUT.npy" after it has written the labels of the images.
"""

import json
import resource
import sys
import time

import numpy as np

from keras_hrnet.export.compiled import CompiledTFLite
from keras_hrnet.export.formats import open_runner


def main(task: str) -> None:
    """Opens a file, and executes commands until its input ends.

    Args:
        task: JSON of `path`, `image_size` (for files that accept any size), `num_threads`, `batch_size` and
            `accelerator`.
    """
    options = json.loads(task)
    before = _peak_bytes()
    start = time.perf_counter()
    runner = _open(options["path"], options["num_threads"], options["accelerator"])
    opened = time.perf_counter()
    size = runner.image_size or tuple(options["image_size"])
    images = np.random.default_rng(0).integers(0, 256, (options["batch_size"], *size, runner.channels), dtype=np.uint8)
    runner(images)
    _answer(image_size=size, load=opened - start, first=time.perf_counter() - opened)
    for line in sys.stdin:
        command, *paths = line.strip().split("\t")
        if command == "run":
            start = time.perf_counter()
            runner(images)
            _answer(seconds=time.perf_counter() - start, peak_bytes=_peak_bytes() - before)
        else:
            source, target = paths
            np.save(target, np.concatenate([_labels(runner(image[np.newaxis])) for image in np.load(source)]))
            _answer()


def _open(path, num_threads, accelerator):
    """Opens a file; a `.tflite` file as applications on devices do, if this version of LiteRT can."""
    if not path.endswith(".tflite"):
        return open_runner(path, num_threads)
    try:
        return CompiledTFLite(path, num_threads, accelerator)
    except ImportError:
        if accelerator != "cpu":
            raise
        return open_runner(path, num_threads)


def _labels(answer):
    if answer.dtype.kind in "ui":
        return answer
    return np.argmax(answer, axis=-1).astype(np.uint8 if answer.shape[-1] <= 255 else np.int32)


def _peak_bytes():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _answer(**values):
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])

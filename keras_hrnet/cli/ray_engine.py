"""`keras-hrnet predict --engine ray`: segments photos on all processors and machines of a Ray cluster."""

from __future__ import annotations

import logging
import math
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from keras_hrnet.cli.segmenting import Job
from keras_hrnet.cli.shards import Targets, without_written

NUM_PHOTOS = 64
"""Maximum number of photos in a task: enough for reading and writing to overlap with the network, and few enough to
repeat if a worker dies."""


class Worker:
    """A process that opens the network and segments the photos of its tasks. Ray starts it again if it dies.

    Args:
        job: the network and its options.
        num_photos: total number of photos for all workers.
    """

    def __init__(self, job: Job, num_photos: int) -> None:
        self.job, self.segmenter = job, job.open(num_photos)

    def __call__(self, rows: dict[str, Iterable[bytes]]) -> dict[str, list[Any]]:
        """Segments the photos of a task, and skips those whose results a worker had written before it died.

        Args:
            rows: the encoded paths of the photos, "photo", and of the files for their results, "target".

        Returns:
            The encoded paths of the photos, "photo", and the text of the error of each, "error", empty if it has none.
        """
        targets = dict(zip(_paths(rows["photo"]), _paths(rows["target"]), strict=True))
        errors = dict.fromkeys(targets, "")
        for photo, error in self.job.write_each(self.segmenter, without_written(targets)):
            errors[photo] = str(error or "")
        return {"photo": [os.fsencode(photo) for photo in errors], "error": list(errors.values())}


def write_with_ray(job: Job, targets: Targets, workers: int | None) -> Iterator[tuple[pathlib.Path, str]]:
    """Segments photos on the workers of a Ray cluster: the one at RAY_ADDRESS, or a new one on this machine.

    If a worker dies, Ray starts another one and repeats the task, but skips photos whose results had been written.
    Results are written completely or not at all. If the process that called this function dies, the same command
    therefore resumes the work.

    Args:
        job: the network and its options.
        targets: the file for the result of each photo; all paths must be valid on all machines.
        workers: number of workers; None uses one for each GPU of the cluster, or one for each processor if it has no
            GPU.

    Yields:
        Pairs, after the task of a photo has ended: the photo, and the text of its error, empty if it has none.
    """
    import keras
    import ray

    # These logs report failures that Ray recovers from by itself, such as a worker that died.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    settings = {"env_vars": {"KERAS_BACKEND": keras.config.backend()}}
    ray.init(runtime_env=settings, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        resources = ray.cluster_resources()
        num_gpus = int(resources.get("GPU", 0))
        workers = workers or num_gpus or max(1, int(resources["CPU"]))
        rows = [{"photo": os.fsencode(photo), "target": os.fsencode(path)} for photo, path in targets.items()]
        num_tasks = math.ceil(len(rows) / min(NUM_PHOTOS, math.ceil(len(rows) / workers)))
        done = ray.data.from_items(rows, override_num_blocks=num_tasks).map_batches(
            Worker,
            fn_constructor_args=(job, len(targets)),
            batch_size=None,
            compute=ray.data.ActorPoolStrategy(size=min(workers, num_tasks)),
            # If there are more workers than processors, each gets a fraction of one; otherwise Ray would wait forever
            # for processors that do not exist.
            **({"num_gpus": 1} if num_gpus else {"num_cpus": min(1, resources["CPU"] / workers)}),
        )
        for row in done.iter_rows():
            yield pathlib.Path(os.fsdecode(row["photo"])), row["error"]
    finally:
        ray.shutdown()


def _paths(encoded):
    return [pathlib.Path(os.fsdecode(path)) for path in encoded]

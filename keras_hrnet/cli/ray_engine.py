"""`keras-hrnet predict --engine ray`: photos on as many processes and machines as a Ray cluster has."""

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
"""In a task: enough that reading and writing overlap with the network, and few enough to repeat when a worker dies."""


class Worker:
    """A process with a network of its own, which Ray starts again if it dies.

    Args:
        job: what to do with photos.
        num_photos: number of photos that all workers segment together.
    """

    def __init__(self, job: Job, num_photos: int) -> None:
        self.job, self.segmenter = job, job.open(num_photos)

    def __call__(self, rows: dict[str, Iterable[bytes]]) -> dict[str, list[Any]]:
        """Segments the photos of a task, except those whose results a worker had written before it died."""
        targets = dict(zip(_paths(rows["photo"]), _paths(rows["target"]), strict=True))
        errors = dict.fromkeys(targets, "")
        for photo, error in self.job.write_each(self.segmenter, without_written(targets)):
            errors[photo] = str(error or "")
        return {"photo": [os.fsencode(photo) for photo in errors], "error": list(errors.values())}


def write_with_ray(job: Job, targets: Targets, workers: int | None) -> Iterator[tuple[pathlib.Path, str]]:
    """Segments photos on the workers of a Ray cluster: that of RAY_ADDRESS, or one that is started on this machine.

    If a worker dies, Ray starts another and repeats its task, without the photos whose results it had written. Results
    are written completely or not at all, so that the same command resumes a run whose driver died.

    Args:
        job: what to do with photos.
        targets: the file for the result of each photo; paths that lead to the same place on all machines.
        workers: number of workers; None uses one for each GPU of the cluster, or one for each processor if it has no
            GPU.

    Yields:
        Each photo once its task has ended, and the text of its error, empty if there was none.
    """
    import keras
    import ray

    # Ray reports there what it mends by itself, such as a worker that died.
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
            # More workers than processors share them; otherwise Ray would wait for processors that do not exist.
            **({"num_gpus": 1} if num_gpus else {"num_cpus": min(1, resources["CPU"] / workers)}),
        )
        for row in done.iter_rows():
            yield pathlib.Path(os.fsdecode(row["photo"])), row["error"]
    finally:
        ray.shutdown()


def _paths(encoded):
    return [pathlib.Path(os.fsdecode(path)) for path in encoded]

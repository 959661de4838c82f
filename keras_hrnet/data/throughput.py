"""Measures how many images per second a pipeline yields."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.data.pipeline.decoding import decode_image, decode_label
from keras_hrnet.data.pipeline.sources import Source

if TYPE_CHECKING:
    import tensorflow as tf


class Throughput(NamedTuple):
    """The measurements of a pipeline, as medians over all rounds.

    Args:
        images_per_second: images per second of wall-clock time.
        cpu_seconds: processor time of this process per image, summed over all threads. Other programs affect it less
            than wall-clock time.
    """

    images_per_second: float
    cpu_seconds: float


def decoding_alone(source: Source) -> tf.data.Dataset:
    """Makes a pipeline that only decodes the images and labels of a source, in their order.

    Returns:
        A `tf.data.Dataset` of single images and labels.
    """
    tf = host_tensorflow()

    def decode(index):
        image, label, image_name, label_name = source.contents(index)
        image_in_python, label_in_python = tf.unstack(tf.constant(source.in_python)[index])
        return decode_image(image, image_name, image_in_python), decode_label(label, None, label_name, label_in_python)

    indices = tf.data.Dataset.range(len(source.sizes))
    return indices.map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(1).prefetch(tf.data.AUTOTUNE)


def throughputs(
    pipelines: Mapping[str, tf.data.Dataset],
    *,
    num_images: int,
    rounds: int = 7,
    on_round: Callable[[], Any] | None = None,
) -> dict[str, Throughput]:
    """Measures pipelines side by side: each round runs all of them one after the other.

    Args:
        pipelines: datasets of batches `(image, label)` by name.
        num_images: number of images of each pipeline in a round; pipelines with fewer images start another epoch.
        rounds: number of rounds.
        on_round: function that is called without arguments after each round.

    Returns:
        A `Throughput` for each name. An untimed round comes first, which fills caches and starts threads.
    """
    measured = {name: [] for name in pipelines}
    for number in range(rounds + 1):
        for name, dataset in pipelines.items():
            rate = _rate(dataset.repeat(), num_images)
            if number:
                measured[name].append(rate)
        if on_round and number:
            on_round()
    return {name: Throughput(*map(statistics.median, zip(*rates, strict=True))) for name, rates in measured.items()}


def _rate(dataset, num_images):
    seen, clock, processor = None, None, None
    for image, _ in dataset:
        if seen is None:
            # Timing starts at the first batch and ends at the last, when as many images are still being prepared.
            seen, clock, processor = 0, time.perf_counter(), time.process_time()
            continue
        seen += int(image.shape[0])
        if seen >= num_images:
            # Timing ends inside the loop, because leaving the loop waits for images that are still being prepared.
            return seen / (time.perf_counter() - clock), (time.process_time() - processor) / seen

import itertools
import time

import numpy as np
import pytest
import tensorflow as tf

from keras_hrnet.data import throughput
from keras_hrnet.data.cityscapes import open_split
from keras_hrnet.data.throughput import decoding_alone, throughputs

pytestmark = pytest.mark.once


def batches(num_batches, batch_size, on_batch=lambda: None):
    def generate():
        for _ in range(num_batches):
            on_batch()
            yield np.zeros((batch_size, 2, 2, 3), np.uint8), np.zeros((batch_size, 2, 2), np.uint8)

    signature = (tf.TensorSpec((batch_size, 2, 2, 3), tf.uint8), tf.TensorSpec((batch_size, 2, 2), tf.uint8))
    return tf.data.Dataset.from_generator(generate, output_signature=signature)


def test_decoding_alone_gives_images_and_stored_values_in_order(street_root):
    source = open_split(street_root, "val")
    images = [image.numpy() for image, _ in decoding_alone(source)]
    assert [image[0, 0, 0, 2] for image in images] == [10, 20, 30]
    stored = {int(value) for _, label in decoding_alone(source) for value in np.unique(label)}
    assert stored <= {0, 3, 7, 8, 24, 33, 255}


def test_rates_are_images_over_time_and_medians_over_rounds(monkeypatch):
    # After a first batch, 4 images that take 1 s (untimed), 2 s, 4 s and 1 s.
    clock = itertools.chain(*((0, seconds) for seconds in (1, 2, 4, 1)))
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: next(clock))
    processor = itertools.chain(*((0, seconds) for seconds in (9, 4, 8, 12)))
    monkeypatch.setattr(throughput.time, "process_time", lambda: next(processor))
    (rate,) = throughputs({"a": batches(5, 2)}, num_images=4, rounds=3).values()
    assert rate == (2.0, 2.0)


def test_pipelines_take_turns_and_short_ones_begin_anew():
    seen = []
    pipelines = {name: batches(2, 1, lambda name=name: seen.append(name)) for name in "ab"}
    rounds = []
    throughputs(pipelines, num_images=3, rounds=2, on_round=lambda: rounds.append(len(seen)))
    turns = [name for name, _ in itertools.groupby(seen)]
    assert turns == ["a", "b"] * 3
    assert len(rounds) == 2


def test_a_slower_pipeline_has_a_lower_rate():
    pipelines = {"slow": batches(4, 1, lambda: time.sleep(0.05)), "quick": batches(4, 1)}
    rates = throughputs(pipelines, num_images=4, rounds=1)
    # `tf.data` prepares one batch ahead, so that the first of the four may be ready when timing starts.
    assert rates["slow"].images_per_second < min(4 / 0.15, rates["quick"].images_per_second)

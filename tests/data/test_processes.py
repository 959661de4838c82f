"""Two JAX processes on one machine read the two halves of each batch, without being told which."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from keras_hrnet.data import cityscapes

pytestmark = pytest.mark.once

PROCESS = """
import json, sys
import keras
address, rank, root = sys.argv[1], int(sys.argv[2]), sys.argv[3]
keras.distribution.initialize(address, 2, rank)
from keras_hrnet.data import cityscapes
train = cityscapes(root, "train", batch_size=4, crop_size=(16, 32))
val = cityscapes(root, "val", batch_size=2)
print(json.dumps([[image.numpy().tolist() for image, _ in dataset] for dataset in (train, val)]))
"""


@pytest.mark.heavy  # tests/distributed trains so.
def test_two_processes_read_the_halves_of_each_batch(street_root):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, address, str(rank), str(street_root)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    halves = [json.loads(process.communicate(timeout=300)[0].splitlines()[-1]) for process in processes]
    whole = [image.numpy() for image, _ in cityscapes(street_root, "train", batch_size=4, crop_size=(16, 32))]
    np.testing.assert_array_equal(np.concatenate([half[0] for half in halves], axis=1), whole)
    val = [np.uint8(half[1])[:, 0, 0, 0, 2] // 10 for half in halves]
    assert [numbers.tolist() for numbers in val] == [[1, 3], [2, 0]]

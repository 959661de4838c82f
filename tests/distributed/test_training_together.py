"""Two devices, and two processes, train as one does: weights, statistics, logs, files, and what is refused.

This file is also the program of the processes: it is run with JSON of what `work` takes.
"""

import contextlib
import csv
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.data import cityscapes, synthesize
from keras_hrnet.layers import ConvNorm
from keras_hrnet.training import distributed

pytestmark = pytest.mark.slow

BACKEND = keras.config.backend()
BATCH_SIZE = 4
# Three steps an epoch: accumulated gradients of one batch are left at the end of each.
SETTINGS = {
    "recipe": "fine_tuning", "epochs": 3, "learning_rate": 0.05, "warmup_epochs": 0.5, "batch_size": 8,
    "head_rate": 1.0, "gradient_accumulation": 2, "ema": 0.7, "clip_norm": 0.5, "norm_batches": 0, "repeats": 1,
    "class_weights": tuple(np.linspace(0.2, 2, 19)),
}  # fmt: skip
RUNS = {"whole": {}}
if BACKEND != "jax":
    # Its losses are of the whole batch in any case.
    RUNS["rmi"] = {"loss": "rmi", "class_weights": None, "epochs": 1, "warmup_epochs": 0, "gradient_accumulation": 1}
WAYS = {"torch": ["processes"], "tensorflow": ["devices", "processes"], "jax": ["devices", "processes"]}[BACKEND]
SECONDS = 240
SHORT = {"epochs": 1, "warmup_epochs": 0, "gradient_accumulation": 1, "learning_rate": 0.01}
# HRNet's relatives, without the dropout that each device draws for itself.
RELATIVES = {
    "HRFormer": (keras_hrnet.HRFormerVariant("Tiny", 8, 1, 1, 8, (1, 1, 1), 1, window_size=3), "fcn"),
    "LiteHRNet": (keras_hrnet.LiteVariant("Tiny", 16, (1, 1, 1), 1), "iterative"),
}


def network(relative=None, seed=7):
    keras.utils.set_random_seed(seed)
    if relative:
        variant, head = RELATIVES[relative]
        # Their coarsest maps have one pixel here: normalizing over four values enlarges rounding in float32 to 2 %.
        return keras_hrnet.HRNet(variant, head=head, dtype="float64")
    image = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(image)
    x = ConvNorm(6, 3, strides=2)(x)
    x = ConvNorm(6, 3)(x)
    x = keras.layers.UpSampling2D(2)(x)
    return keras.Model(image, keras.layers.Conv2D(19, 1, kernel_initializer="he_normal")(x), name="small")


class KilledError(Exception):
    """Stands for SIGKILL: nothing of what follows in the process happens."""


class Kill(keras.callbacks.Callback):
    """Ends the first process after the fourth step: without a word, or by SIGTERM."""

    def __init__(self, by):
        super().__init__()
        self.by, self.count = by, 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1
        if self.count == 4 and self.by == "sigterm":
            os.kill(os.getpid(), signal.SIGTERM)
        if self.count == 5 and self.by == "error":
            raise KilledError


def work(root, folder, runs, devices=None, hosts=None, process=None):
    """Trains as `runs` say: settings by name of the run. What the network has in the end goes to a file."""
    terminated = []
    if hosts:
        # TensorFlow and JAX take SIGTERM for themselves while their processes meet.
        signal.signal(signal.SIGTERM, lambda *_: terminated.append("SIGTERM"))
    with distributed(devices, hosts, process):
        if hosts:
            os.kill(os.getpid(), signal.SIGTERM)
            (pathlib.Path(folder) / f"begun {process}").write_text(f"{random.random()} {terminated}")
            (pathlib.Path(folder) / f"waiting {process}").write_text(f"{has_threads_that_yield()}")
        for name, settings in runs.items():
            settings = dict(settings)
            kill, add = settings.pop("kill", None), settings.pop("add_to_weights", 0)
            run_dir = pathlib.Path(folder) / name
            relative = settings.pop("relative", None)
            model = network(relative)
            if settings.get("feature_distillation"):
                settings["teacher"] = network(relative, seed=8)
            model.set_weights([weight + add * (process or 0) for weight in model.get_weights()])
            train = cityscapes(root, "train", batch_size=BATCH_SIZE, crop_size=(32, 32))
            val = cityscapes(root, "val", batch_size=2)
            callbacks = [Kill(kill)] if kill and not process else []
            options = {**SETTINGS, **settings, "save_minutes": 0 if kill else 10, "callbacks": callbacks}
            try:
                model = keras_hrnet.train(model, train, val, run_dir=run_dir, **options)
            except ValueError as error:
                if not add or "network.first_weights" not in str(error):
                    raise
                run_dir.mkdir(exist_ok=True)
                (run_dir / f"refused {process}").touch()
                continue
            np.savez(run_dir / f"{process or 0}.npz", *model.get_weights())


def has_threads_that_yield():
    """Returns whether computation interrupts a thread of this process at once; None where this cannot be asked for."""
    functions, policies = set(), set()
    for thread in pathlib.Path("/proc/self/task").glob("*"):
        with contextlib.suppress(OSError):  # A thread may just have ended.
            functions.add((thread / "wchan").read_text())
            policies.add(os.sched_getscheduler(int(thread.name)))
    return os.SCHED_BATCH in policies if functions - {"0"} else None


def start(way, *arguments):
    """Runs `work` alone, on two devices, or in two processes: returns how each ended, and what it printed."""
    # The other devices and processes are the same machine's.
    environment = {
        **os.environ,
        "KERAS_BACKEND": BACKEND,
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "error::FutureWarning",
    }
    if way == "alone":
        options = [{}]
    elif way == "devices":
        flags = (os.environ.get("XLA_FLAGS", ""), "--xla_force_host_platform_device_count=2")
        environment["XLA_FLAGS"] = " ".join(flags).strip()
        options = [{"devices": 2}]
    else:
        hosts = two_hosts()
        options = [{"hosts": hosts, "process": i} for i in range(2)]
    commands = [
        [sys.executable, __file__, json.dumps([*map(str, arguments[:2]), *arguments[2:]]), json.dumps(option)]
        for option in options
    ]
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command in commands
    ]
    try:
        texts = [process.communicate(timeout=SECONDS)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, text) for process, text in zip(processes, texts, strict=True)]


def two_hosts():
    with socket.create_server(("localhost", 0)) as first, socket.create_server(("localhost", 0)) as second:
        return [f"localhost:{server.getsockname()[1]}" for server in (first, second)]


def check_ended(ends):
    for code, text in ends:
        assert code == 0, text


def weights_in(path):
    with np.load(path) as file:
        return [file[name] for name in file.files]


def logs_in(folder):
    rows = list(csv.DictReader((folder / "log.csv").read_text().splitlines()))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("streets")
    synthesize(root, num_train=12, num_val=3, num_test=0, size=(64, 128))
    return root


@pytest.fixture(scope="module")
def alone(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    work(root, folder, RUNS)
    return folder


@pytest.mark.parametrize("way", WAYS)
def test_two_train_as_one_and_go_on_where_one_stopped(way, root, alone, tmp_path):
    runs = {**RUNS, "killed": {}}
    if BACKEND == "jax":
        # Compiling takes long: devices go on with a training, and processes begin one.
        runs = {"killed": {}} if way == "devices" else RUNS
    if BACKEND == "tensorflow":
        # Tracing does: processes go on with a training; they begin the one that is stopped.
        runs = {"killed": {}, **({} if way == "processes" else {"rmi": RUNS["rmi"]})}
    if way == "processes" and BACKEND != "jax":
        # JAX itself compares what its processes put into a variable.
        runs["other weights"] = {"add_to_weights": 1e-3}
    if "killed" in runs:
        with pytest.raises(KilledError):
            work(root, tmp_path, {"killed": {"kill": "error"}})
    check_ended(start(way, root, tmp_path, runs))
    for name in runs.keys() - {"other weights"}:
        check_same(tmp_path / name, alone / ("whole" if name == "killed" else name))
        if way == "processes":
            first, second = (weights_in(tmp_path / name / f"{i}.npz") for i in range(2))
            assert all((one == other).all() for one, other in zip(first, second, strict=True))
    if "other weights" in runs:
        assert len(list((tmp_path / "other weights").glob("refused ?"))) == 2
    if way == "processes":
        # Networks that draw their own weights are alike, and what was to be done on SIGTERM is done.
        assert all((tmp_path / f"waiting {i}").read_text() in ("True", "None") for i in range(2))
        begun = [(tmp_path / f"begun {i}").read_text() for i in range(2)]
        assert begun[0] == begun[1]
        assert begun[0].endswith("['SIGTERM']")


@pytest.mark.heavy  # The other direction, above, and SIGTERM to one process are tried on each backend.
def test_one_goes_on_where_two_were_stopped(root, alone, tmp_path):
    way = WAYS[-1]
    ends = start(way, root, tmp_path, {"whole": {"kill": "sigterm"}})
    assert ends[0][0] == 143, ends[0][1]
    assert "Stopped by SIGTERM. Step 1 of epoch 2 is saved" in ends[0][1]
    work(root, tmp_path, {"whole": {}})
    check_same(tmp_path / "whole", alone / "whole")


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype float64")  # JAX, in this process
@pytest.mark.parametrize(
    ("relative", "settings"), [("HRFormer", {}), ("LiteHRNet", {}), ("LiteHRNet", {"feature_distillation": 3.0})]
)
def test_two_train_the_relatives_of_hrnet_as_one(relative, settings, root, tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    for way in ("alone", WAYS[0]):
        (tmp_path / way).mkdir()
        check_ended(start(way, root, tmp_path / way, {"whole": {"relative": relative, **SHORT, **settings}}))
    # Where the two best logits of a pixel are almost equal, rounding decides on its label.
    tolerance = 1e-3 if settings else 1e-5
    check_same(tmp_path / WAYS[0] / "whole", tmp_path / "alone" / "whole", tolerance)


def check_same(folder, alone, miou_tolerance=1e-5):
    expected, *found = (weights_in(path) for path in [alone / "0.npz", *folder.glob("?.npz")])
    last = [keras.models.load_model(path / "last.keras").get_weights() for path in (alone, folder)]
    for one, other in [*((weights, expected) for weights in found), last]:
        for ours, theirs in zip(one, other, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    theirs, ours = (logs_in(path) for path in (alone, folder))
    assert ours.keys() == theirs.keys()
    for name in ours.keys() - ({"val_loss"} if folder.name == "rmi" else {}):
        # Of three images, the last comes alone in one process, and with a black one here: a batch of more weight, and
        # region mutual information counts black images.
        tolerance = 1e-2 if name == "val_loss" else miou_tolerance if "mean_iou" in name else 1e-5
        np.testing.assert_allclose(ours[name], theirs[name], rtol=tolerance, err_msg=name)


if __name__ == "__main__":
    arguments, options = map(json.loads, sys.argv[1:])
    if BACKEND == "tensorflow" and options.get("devices"):
        import tensorflow as tf

        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    work(*arguments, **options)

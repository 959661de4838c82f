"""Training on several devices, or in several processes: the public context manager `distributed`."""

import contextlib
import os
import random
import signal
import sys
import threading

import keras

from keras_hrnet.distributed.processes import texts_of_all
from keras_hrnet.distributed.workers import strategy_of_workers


@contextlib.contextmanager
def distributed(devices=None, hosts=None, process=None):
    """Lets what is made and trained inside share each batch among devices, or among processes.

    Network, data and training belong inside. A batch of `cityscapes` or `folders`, with the `batch_size` that they are
    given, is the one of all devices together, and each step is that of one device with the same batch: statistics of
    `keras_hrnet.layers.BatchNorm`, losses, clipping, accumulation and scores are those of the whole. Dropout draws
    differently, and `OhemCrossEntropy` keeps pixels of each replica's part, on JAX of the whole.

    - `devices` are of this process: `tf.distribute.MirroredStrategy` on TensorFlow, `keras.distribution.DataParallel`
      on JAX. PyTorch takes a process for each device.
    - `hosts` are processes, on one machine or on several, which all run the same code with another `process`:
      `tf.distribute.MultiWorkerMirroredStrategy` and JAX's, each with all GPUs that it sees, or with the CPU, and a
      process group on PyTorch, each with one GPU, or with the CPU. They wait here until all have come, and get one
      seed. The first writes all files, and needs the others until it is done; when one ends early, the others fail.
      TensorFlow's must meet before it computes anything. On JAX, a `SystemExit` such as that after SIGTERM ends a
      process without anything that is left to do in it.

    Args:
        devices: how many devices of this process; 0 means all. Not with `hosts`.
        hosts: addresses "host:port" of the processes, a list that is the same in each; the first waits for the others
            at its port, and TensorFlow's all listen at theirs. Processes on one machine have the same host and
            different ports.
        process: which of `hosts` this process is, from 0.

    Yields:
        Nothing.

    Raises:
        TypeError: if `devices` or `process` is no integer, or `hosts` no list of strings.
        ValueError: if there are not so many devices, or not such a process, or the backend has no such distribution.
        OSError: if TensorFlow cannot listen at the port of this process.
        RuntimeError: if TensorFlow has computed something before its processes meet.

    Example:

    ```python
    with keras_hrnet.training.distributed(hosts=["node0:2222", "node1:2222"], process=0):
        model = keras_hrnet.HRNetW48(weights="imagenet")
        train = cityscapes("data/cityscapes", "train", batch_size=12, crop_size=(512, 1024))
        val = cityscapes("data/cityscapes", "val", batch_size=2)
        model = keras_hrnet.train(model, train, val, run_dir="runs/first")
    ```
    """
    if hosts is not None and devices is not None:
        raise ValueError(
            f"Received devices={devices} and hosts={hosts}. Expected one of them: each process takes the devices that "
            "it sees. Leave one out."
        )
    if hosts is None and process is not None:
        raise ValueError(f"Received process={process} without hosts. Expected both, or none. Pass hosts.")
    backend = keras.config.backend()
    if hosts is not None:
        _check_hosts(hosts, process)
        several = {"tensorflow": _processes_of_tensorflow, "jax": _processes_of_jax, "torch": _processes_of_torch}
        context = several[backend](list(hosts), process)
    elif devices is None or devices == 1:
        context = contextlib.nullcontext()
    else:
        context = _devices(backend, _checked_count(devices))
    with context:
        if hosts is not None:
            _take_back_sigterm()
            _draw_seed()
        yield


def _check_hosts(hosts, process):
    if isinstance(hosts, str) or not all(isinstance(host, str) for host in hosts):
        raise TypeError(f'Received hosts={hosts!r}. Expected a list of strings. Pass ["host0:2222", "host1:2222"].')
    for host in hosts:
        name, _, port = host.rpartition(":")
        if not name or not port.isdigit():
            raise ValueError(f"Received the host {host!r}. Expected host:port. Pass one such as {name or host}:2222.")
    if len(set(hosts)) < len(hosts):
        raise ValueError(
            f"Received hosts={hosts}, one of them twice. Expected an address for each process. Give processes on one "
            "machine different ports."
        )
    if isinstance(process, bool) or not hasattr(process, "__index__"):
        raise TypeError(f"Received process={process!r}. Expected an integer. Pass one from 0 to {len(hosts) - 1}.")
    if not 0 <= process < len(hosts):
        raise ValueError(
            f"Received process={process} for {len(hosts)} hosts. Expected one of them. Pass one from 0 to "
            f"{len(hosts) - 1}."
        )


def _checked_count(devices):
    if isinstance(devices, bool) or not hasattr(devices, "__index__"):
        raise TypeError(f"Received devices={devices!r}. Expected an integer. Pass a number, or 0 for all.")
    if devices < 0:
        raise ValueError(f"Received devices={devices}. Expected at least 0. Pass a number, or 0 for all.")
    return int(devices)


def _devices(backend, count):
    if backend == "torch":
        raise ValueError(
            f"Received devices={count} on PyTorch. Expected hosts, as there each device has a process of its own. "
            'Start one for each with hosts=["localhost:2222", "localhost:2223"] and process=0, and with process=1.'
        )
    if backend == "tensorflow":
        import tensorflow as tf

        known = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices("GPU")]
        known = known or [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices("CPU")]
    else:
        known = keras.distribution.list_devices()
    if count > len(known):
        raise ValueError(
            f"Received devices={count}. Expected at most {len(known)}, as {keras.config.backend()} sees "
            f"{', '.join(known)}. Pass {len(known)}, or 0 for all."
        )
    chosen = known[: count or len(known)]
    if backend == "tensorflow":
        return tf.distribute.MirroredStrategy(chosen).scope()
    return keras.distribution.DataParallel(devices=chosen, auto_shard_dataset=False).scope()


@contextlib.contextmanager
def _processes_of_tensorflow(hosts, process):
    with strategy_of_workers(hosts, process).scope():
        yield
        # The first process answers the others until they are done.
        texts_of_all("done")


@contextlib.contextmanager
def _processes_of_torch(hosts, process):
    import torch

    kinds = "gloo"
    if torch.cuda.is_available():
        kinds = "cpu:gloo,cuda:nccl"
        name = hosts[process].rpartition(":")[0]
        # On a machine, the first process has the first GPU.
        torch.cuda.set_device(sum(host.rpartition(":")[0] == name for host in hosts[:process]))
    torch.distributed.init_process_group(kinds, init_method=f"tcp://{hosts[0]}", rank=process, world_size=len(hosts))
    try:
        yield
        # The first process answers the others until they are done.
        torch.distributed.barrier()
    finally:
        torch.distributed.destroy_process_group()


@contextlib.contextmanager
def _processes_of_jax(hosts, process):
    import jax

    # A process that fails waits so long for the others, in vain.
    jax.distributed.initialize(hosts[0], len(hosts), process, shutdown_timeout_seconds=30)
    try:
        with keras.distribution.DataParallel(auto_shard_dataset=False).scope():
            yield
    except SystemExit as stop:
        # The others wait for what this process would compute next, and JAX would wait for them at its end.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(stop.code if isinstance(stop.code, int) else 1)
    jax.distributed.shutdown()


def _take_back_sigterm():
    """Lets SIGTERM do what it did: TensorFlow and JAX have handlers of their own by now, which do nothing."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)


def _draw_seed():
    """Seeds all processes alike, from the generator of the first one: networks begin with the same weights."""
    keras.utils.set_random_seed(int(texts_of_all(str(random.randrange(2**31)))[0]))

"""Training on several devices, or in several processes: the public context manager `distributed`."""

import concurrent.futures
import contextlib
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from keras_hrnet.distributed.processes import gather_texts
from keras_hrnet.distributed.workers import strategy_of_workers


@contextlib.contextmanager
def distributed(
    devices: int | None = None, hosts: Sequence[str] | None = None, process: int | None = None
) -> Iterator[None]:
    """Shares each batch among devices, or among processes, in everything that is built and trained inside.

    Network, data and training belong inside. The `batch_size` given to `cityscapes` or `folders` is that of all devices
    together, and each step equals that of one device with the same batch: statistics of
    `keras_hrnet.layers.BatchNorm`, losses, clipping, accumulation and scores are those of the whole. Dropout draws
    differently, and `OhemCrossEntropy` chooses among the pixels of each replica's part, on JAX of the whole.

    - `devices` belong to this process: `tf.distribute.MirroredStrategy` on TensorFlow,
      `keras.distribution.DataParallel` on JAX. PyTorch needs a process for each device.
    - `hosts` are processes, on one machine or on several, which all run the same code with a different `process`:
      `tf.distribute.MultiWorkerMirroredStrategy` and JAX's, each with all GPUs that it sees, or with the CPU, and a
      process group on PyTorch, each with one GPU, or with the CPU. They wait here until all have come, and get one
      seed. The first writes all files, and needs the others until it is done; when one ends early, the others fail.
      TensorFlow's processes must meet before TensorFlow computes anything. On JAX, a `SystemExit` such as that after
      SIGTERM ends the process at once: none of its exit handlers runs.

    Args:
        devices: number of devices of this process; 0 means all. Not with `hosts`.
        hosts: addresses "host:port" of the processes, the same list in each; the first waits for the others at its
            port, and TensorFlow's all listen at theirs. Processes on one machine have the same host and different
            ports.
        process: which of `hosts` this process is, from 0.

    Raises:
        TypeError: if `devices` or `process` is not an integer, or `hosts` not a list of strings.
        ValueError: if there are not that many devices, there is no such process, or the backend does not support it.
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
        raise ValueError(f"Received process={process} without hosts. Expected both or neither. Pass hosts.")
    if hosts is None:
        with _scope_of_devices(devices):
            yield
        return
    _check_hosts(hosts, process)
    with _scope_of_processes(list(hosts), process):
        _restore_sigterm()
        # Networks begin with the same weights everywhere.
        keras.utils.set_random_seed(int(gather_texts(str(random.randrange(2**31)))[0]))
        yield
        # The first process answers the others until they are done.
        gather_texts("done")


@contextlib.contextmanager
def undistributed() -> Iterator[None]:
    """Lets one process create variables of its own while several of JAX or of TensorFlow train together.

    Keras would place them on the devices of all processes, and TensorFlow's strategy would send them the first values:
    each process would have to do the same.
    """
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        is_needed = tf.distribute.has_strategy()
        with tf.variable_creator_scope(_variable_of_no_strategy) if is_needed else contextlib.nullcontext():
            yield
        return
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def _variable_of_no_strategy(next_creator, **options):
    import tensorflow as tf

    # There is no public way out of a strategy, but a strategy is in effect only in its own thread.
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(tf.Variable, **options).result()


def _check_hosts(hosts: Any, process: Any) -> None:
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
    remedy = f"Pass one from 0 to {len(hosts) - 1}."
    _check_integer("process", process, remedy)
    if not 0 <= process < len(hosts):
        raise ValueError(f"Received process={process} for {len(hosts)} hosts. Expected one of them. {remedy}")


def _check_integer(name: str, value: Any, remedy: str) -> None:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"Received {name}={value!r}. Expected an integer. {remedy}")


def _scope_of_devices(count: int | None) -> contextlib.AbstractContextManager:
    if count is not None:
        _check_integer("devices", count, "Pass a number, or 0 for all.")
    if count in (None, 1):
        return contextlib.nullcontext()
    if count < 0:
        raise ValueError(f"Received devices={count}. Expected at least 0. Pass a number, or 0 for all.")
    backend = keras.config.backend()
    if backend == "torch":
        raise ValueError(
            f"Received devices={count} on PyTorch. Expected hosts, as there each device has a process of its own. "
            'Start one for each with hosts=["localhost:2222", "localhost:2223"] and process=0, and with process=1.'
        )
    known = keras.distribution.list_devices() if backend == "jax" else _devices_of_tensorflow()
    if count > len(known):
        raise ValueError(
            f"Received devices={count}. Expected at most {len(known)}, as {backend} sees {', '.join(known)}. Pass "
            f"{len(known)}, or 0 for all."
        )
    chosen = known[: count or len(known)]
    if backend == "jax":
        return keras.distribution.DataParallel(devices=chosen, auto_shard_dataset=False).scope()
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(chosen).scope()


def _devices_of_tensorflow() -> list[str]:
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name.removeprefix("/device:") for device in devices]


def _scope_of_processes(hosts: list[str], process: int) -> contextlib.AbstractContextManager:
    if keras.config.backend() == "tensorflow":
        return strategy_of_workers(hosts, process).scope()
    return {"jax": _processes_of_jax, "torch": _processes_of_torch}[keras.config.backend()](hosts, process)


@contextlib.contextmanager
def _processes_of_torch(hosts: list[str], process: int) -> Iterator[None]:
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
    finally:
        torch.distributed.destroy_process_group()


@contextlib.contextmanager
def _processes_of_jax(hosts: list[str], process: int) -> Iterator[None]:
    import jax

    # A process that fails waits this long for the others, in vain.
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


def _restore_sigterm() -> None:
    """Lets SIGTERM do what it did: TensorFlow and JAX have handlers of their own by now, which do nothing."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)

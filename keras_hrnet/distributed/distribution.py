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
from keras_hrnet.distributed.scheduling import compute_before_messages
from keras_hrnet.distributed.workers import strategy_of_workers


@contextlib.contextmanager
def distributed(
    devices: int | None = None, hosts: Sequence[str] | None = None, process: int | None = None
) -> Iterator[None]:
    """Splits each batch among devices or processes, for everything that is built and trained inside the context.

    Build the network and the data, and train, inside the context. The `batch_size` passed to `cityscapes` or `folders`
    is the total over all devices, and each step equals that of one device with the same batch: statistics of
    `keras_hrnet.layers.BatchNorm`, losses, clipping, accumulation and scores are computed over the complete batch.
    There are two exceptions: dropout draws differently, and `OhemCrossEntropy` selects among the pixels of each
    replica's part of the batch (on JAX, of the complete batch).

    - `devices` belong to this process: `tf.distribute.MirroredStrategy` on TensorFlow,
      `keras.distribution.DataParallel` on JAX. PyTorch needs a process for each device.
    - `hosts` are processes, on one machine or on several, which all run the same code with a different `process`:
      `tf.distribute.MultiWorkerMirroredStrategy` and JAX's, each with all GPUs that it sees, or with the CPU, and a
      process group on PyTorch, each with one GPU, or with the CPU. The processes wait here until all have started, and
      get the same seed. The first process writes all files, and needs the others until it is done; if one process ends
      early, the others fail. TensorFlow's processes must connect before TensorFlow computes anything. On JAX, a
      `SystemExit`, such as that after SIGTERM, ends the process immediately, without running its exit handlers.

    Args:
        devices: number of devices of this process; 0 means all. Cannot be combined with `hosts`.
        hosts: addresses "host:port" of the processes, the same list in each process. The first process waits for the
            others at its port; on TensorFlow, every process listens at its port. Processes on one machine have the same
            host and different ports.
        process: index of this process in `hosts`, from 0.

    Raises:
        TypeError: if `devices` or `process` is not an integer, or `hosts` is not a list of strings.
        ValueError: if there are fewer devices, no such process, or the backend does not support the request.
        OSError: if TensorFlow cannot listen at the port of this process.
        RuntimeError: if TensorFlow has computed something before its processes connect.

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
            f"Received devices={devices} and hosts={hosts}. Expected at most one of them, because each process uses "
            "the devices that it sees. Leave one out."
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
        # Networks start with the same weights in all processes.
        keras.utils.set_random_seed(int(gather_texts(str(random.randrange(2**31)))[0]))
        compute_before_messages()
        yield
        # The first process serves the others until they are done.
        gather_texts("done")


@contextlib.contextmanager
def undistributed() -> Iterator[None]:
    """Lets one process create its own variables while several processes of JAX or TensorFlow train together.

    Otherwise, Keras would place them on the devices of all processes, and TensorFlow's strategy would send the initial
    values to the others, so that every process would have to create them.
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

    # TensorFlow has no public way to leave a strategy, but a strategy is active only in the thread that entered it.
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
            f"Received hosts={hosts}, which lists an address twice. Expected a different address for each process. "
            "Give processes on one machine different ports."
        )
    remedy = f"Pass one from 0 to {len(hosts) - 1}."
    _check_integer("process", process, remedy)
    if not 0 <= process < len(hosts):
        raise ValueError(f"Received process={process} for {len(hosts)} hosts. Expected the index of a host. {remedy}")


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
            f"Received devices={count} on PyTorch. Expected hosts, because PyTorch needs a process for each device. "
            'Start one with hosts=["localhost:2222", "localhost:2223"] and process=0, and one with process=1.'
        )
    known = keras.distribution.list_devices() if backend == "jax" else _devices_of_tensorflow()
    if count > len(known):
        raise ValueError(
            f"Received devices={count}. Expected at most {len(known)}: {backend} sees {', '.join(known)}. Pass "
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
        # On each machine, the first process uses the first GPU.
        torch.cuda.set_device(sum(host.rpartition(":")[0] == name for host in hosts[:process]))
    torch.distributed.init_process_group(kinds, init_method=f"tcp://{hosts[0]}", rank=process, world_size=len(hosts))
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


@contextlib.contextmanager
def _processes_of_jax(hosts: list[str], process: int) -> Iterator[None]:
    import jax

    # A process that fails would wait this long for the others in vain.
    jax.distributed.initialize(hosts[0], len(hosts), process, shutdown_timeout_seconds=30)
    try:
        with keras.distribution.DataParallel(auto_shard_dataset=False).scope():
            yield
    except SystemExit as stop:
        # The others wait for the next computation of this process, and JAX would wait for them when it exits.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(stop.code if isinstance(stop.code, int) else 1)
    jax.distributed.shutdown()


def _restore_sigterm() -> None:
    """Restores the handler of SIGTERM: TensorFlow and JAX have replaced it by handlers that do nothing."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)

"""TensorFlow's strategy for several processes, adapted to Keras's `fit` and to batches that are already split."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def strategy_of_workers(hosts: list[str], process: int) -> tf.distribute.Strategy:
    """Starts the server of this process, waits for those of the others, and creates the strategy of all processes.

    It is a `tf.distribute.MultiWorkerMirroredStrategy` of all GPUs that this process sees, or of its CPU, with two
    changes for Keras. First, data sets hold only the batches of this process, whereas TensorFlow would treat them as
    those of all processes. Second, it supports `fit`, which requests means that TensorFlow does not compute (as of
    Keras 3.15).

    Args:
        hosts: addresses "host:port"; each process responds to the others at its own.
        process: index of this process in `hosts`, from 0.

    Raises:
        OSError: if this process cannot be reached at its address.
        RuntimeError: if TensorFlow has already computed something.
    """
    import tensorflow as tf

    class Workers(tf.distribute.MultiWorkerMirroredStrategy):
        answers_fit = True

        def experimental_distribute_dataset(self, dataset, options=None):
            count = self.num_replicas_in_sync // len(hosts)
            if count > 1:
                dataset = shared_out(dataset, count)
            return self.distribute_datasets_from_function(lambda _: dataset, options)

        def reduce(self, reduce_op, value, axis):
            if tf.nest.is_nested(value):
                # Keras requests the mean of images and labels for their shapes; TensorFlow cannot average a structure.
                return tf.nest.map_structure(lambda part: self.experimental_local_results(part)[0], value)
            if axis == 0 and self.experimental_local_results(value)[0].shape.rank == 0:
                # Keras requests the mean over the rows of a metric, which has no rows.
                axis = None
            return super().reduce(reduce_op, value, axis)

    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": hosts}),
        task_type="worker",
        task_id=process,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    try:
        return Workers(resolver)
    except RuntimeError as error:
        raise RuntimeError(
            f"Received hosts={hosts} after TensorFlow had computed something ({error}). Expected that its processes "
            "connect before any computation. Build networks and data inside `distributed`."
        ) from error
    except tf.errors.UnknownError as error:
        raise OSError(
            f"Received the host {hosts[process]!r} for process {process}, where no server could be started "
            f"({error.message}). Expected a free port of this machine. Pass another address to all processes."
        ) from error


def in_strategy_of_workers() -> bool:
    """Returns whether the strategy in scope was created by `strategy_of_workers`."""
    import tensorflow as tf

    return getattr(tf.distribute.get_strategy(), "answers_fit", False)


def shared_out(dataset: tf.data.Dataset, count: int) -> tf.data.Dataset:
    """Splits each batch into one for each of several devices, in the order of the rows.

    Args:
        dataset: batches whose number of rows is a multiple of `count`.
        count: number of devices.
    """
    import tensorflow as tf

    def cut(x):
        return tf.reshape(x, [count, -1 if x.shape[0] is None else x.shape[0] // count, *x.shape[1:]])

    return dataset.map(lambda *batch: tf.nest.map_structure(cut, batch)).unbatch()

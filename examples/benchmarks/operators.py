"""Measures the time of a step by kind of operator, with the profiler of each backend; for `speed.py`."""

import contextlib
import pathlib
import re
import tempfile

# The lines of a trace that show operators: threads of TensorFlow and XLA, and streams of a GPU.
RUNNING = re.compile(r"tf_Compute|tf_XLA|Stream")
NOT_OPERATORS = re.compile(r"Threadpool|ThunkExecutor|ExecutorState|^end: ")


@contextlib.contextmanager
def operator_seconds(backend):
    """Profiles the code in its context.

    Args:
        backend: "tensorflow", "jax" or "torch".

    Yields:
        A dict that, after the context, holds the seconds of each kind of operator, summed over all threads, the longest
        first. Work that an operator passes to other threads counts once, as the time that the operator waits for them.
    """
    seconds = {}
    with torch_events() if backend == "torch" else xla_events(backend) as events:
        yield seconds
    for kind, duration in events:
        seconds[kind] = seconds.get(kind, 0) + duration
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    seconds.clear()
    seconds.update(ordered)


@contextlib.contextmanager
def torch_events():
    import torch

    events = []
    with torch.profiler.profile() as profile:
        yield events
    on_gpu = torch.cuda.is_available()
    for event in profile.key_averages():
        microseconds = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        events.append((event.key.removeprefix("aten::"), microseconds / 1e6))


@contextlib.contextmanager
def xla_events(backend):
    """Collects the events of TensorFlow or JAX, which write traces in the same format; JAX reads both."""
    import jax

    events = []
    with tempfile.TemporaryDirectory() as folder:
        if backend == "tensorflow":
            import tensorflow as tf

            with tf.profiler.experimental.Profile(folder):
                yield events
        else:
            options = jax.profiler.ProfileOptions()
            options.python_tracer_level = 0
            with jax.profiler.trace(folder, profiler_options=options):
                yield events
        (path,) = pathlib.Path(folder).rglob("*.xplane.pb")
        trace = jax.profiler.ProfileData.from_file(str(path))
    for plane in trace.planes:
        for line in plane.lines:
            if RUNNING.search(line.name):
                events += own_seconds([event for event in line.events if not NOT_OPERATORS.search(event.name)])


def own_seconds(events):
    """Returns pairs of an operator's kind and its seconds, without the seconds of operators inside it."""
    stack, found = [], []
    for event in sorted(events, key=lambda event: (event.start_ns, -event.duration_ns)):
        end = event.start_ns + event.duration_ns
        while stack and stack[-1][0] <= event.start_ns:
            stack.pop()
        if stack:
            found[stack[-1][1]][1] -= event.duration_ns / 1e9
        stack.append((end, len(found)))
        found.append([kind_of(event.name), event.duration_ns / 1e9])
    return found


def kind_of(name):
    """Extracts the kind of an operator from TensorFlow's "layer/name:Kind" or XLA's "kind.12"."""
    return re.sub(r"(\.clone|[.\d])+$", "", name.rsplit(":", 1)[-1])

"""Layers that compute in steps, so that the normalizations of parallel branches exchange their statistics together."""

from collections.abc import Generator, Iterable, Iterator
from typing import Any

import keras

from keras_hrnet.distributed.replicas import num_replicas
from keras_hrnet.layers.inside import call_inside
from keras_hrnet.layers.map_layer import FoldableLayer
from keras_hrnet.layers.normalization import BatchNorm, normalize_together

Steps = Generator[tuple[BatchNorm, keras.KerasTensor], keras.KerasTensor, Any]
"""A computation that stops at each normalization: it yields the layer and its input, and is sent the result."""


class SteppedLayer(FoldableLayer):
    """A layer whose subclass defines `steps` instead of `call`.

    If several replicas share a batch, every normalization waits for a message from all of them. The branches of a
    module do not depend on each other, so that the first normalizations of all branches can send one message together,
    and then the second ones, and so on.
    """

    def steps(self, x: Any, training: bool | None) -> Steps:
        """Computes what a call returns. Use `yield` for a normalization, and `steps_of` for layers inside."""
        raise NotImplementedError

    def call(self, x: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        (result,) = call_together([self.steps(x, training)], training)
        return result


def steps_of(layer: keras.layers.Layer, x: Any, training: bool | None) -> Steps:
    """Calls a layer inside another one as `call_inside` does: in steps, if that saves messages.

    Args:
        layer: a built layer. One that overrides `call` is called as a whole.
        x: what it takes.
        training: as of its call.
    """
    if _shares_batch(training) and type(layer).call is SteppedLayer.call:
        return (yield from layer.steps(x, training))
    return call_inside(layer, x, training=training)


def steps_in_order(layers: Iterable[keras.layers.Layer], x: Any, training: bool | None) -> Steps:
    """Calls layers in sequence, each with the result of the previous layer, as `steps_of` does."""
    for layer in layers:
        x = yield from steps_of(layer, x, training)
    return x


def call_together(calls: Iterable[Steps], training: bool | None) -> Iterator[Any]:
    """Yields the results of computations that do not depend on each other.

    If replicas share the batch, all computations make their first step, then all make their second, and so on.
    Otherwise, each is computed when its result is asked for, so that few intermediate results are in memory.
    """
    if _shares_batch(training):
        yield from _results_of_all([*calls])
        return
    for call in calls:
        (result,) = _results_of_all([call], training)
        yield result


def _shares_batch(training: bool | None) -> bool:
    return bool(training) and num_replicas() > 1


def _results_of_all(calls: list[Steps], training: bool | None = True) -> list[Any]:
    results = {}
    answers = dict.fromkeys(range(len(calls)))
    while answers:
        requests = {}
        for i, answer in answers.items():
            try:
                requests[i] = calls[i].send(answer)
            except StopIteration as end:
                results[i] = end.value
        answers = dict(zip(requests, normalize_together(requests.values(), training), strict=True))
    return [results[i] for i in range(len(calls))]

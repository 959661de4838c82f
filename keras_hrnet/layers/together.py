"""Calls the layers of parallel branches together, so that their normalizations exchange their statistics together."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras

from keras_hrnet.distributed.replicas import num_replicas
from keras_hrnet.layers.inside import call_in_order, call_inside
from keras_hrnet.layers.map_layer import FoldableLayer


class ParallelLayer(FoldableLayer):
    """A layer that can be called together with others, each with its own map. A subclass defines `call_together`.

    If several replicas share a batch, every normalization waits for a message from all of them. The branches of a
    module do not depend on each other, so that the first normalizations of all branches can send one message together,
    and then the second ones, and so on.
    """

    @property
    def structure(self) -> tuple[Any, ...]:
        """What layers must have in common to be called together, such as the number of layers inside them."""
        return ()

    @classmethod
    def call_together(
        cls, layers: Sequence[Any], maps: Sequence[keras.KerasTensor], training: bool | None
    ) -> list[keras.KerasTensor]:
        """Computes what calls of several layers return. Call the layers inside them with `together`."""
        raise NotImplementedError

    def call(self, x: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        (result,) = self.call_together([self], [x], training)
        return result


def shares_batch(training: bool | None) -> bool:
    """Returns whether normalizations wait for other replicas: in training, if there are several."""
    return bool(training) and num_replicas() > 1


def together(
    layers: Sequence[keras.layers.Layer], maps: Sequence[keras.KerasTensor], training: bool | None
) -> list[keras.KerasTensor]:
    """Calls sublayers, each with its own map; together if that saves messages, and one by one otherwise.

    Args:
        layers: built layers, which do not depend on each other. Layers of different structure, and those that override
            `call`, are called one by one.
        maps: what each of them takes.
        training: as in their calls.
    """
    if shares_batch(training):
        kinds = list(map(type, layers))
        are_parallel = all(kind.call is ParallelLayer.call for kind in kinds)
        if are_parallel and len({(layer.call_together.__func__, layer.structure) for layer in layers}) == 1:
            return kinds[0].call_together(layers, maps, training)
    return [call_inside(layer, x, training=training) for layer, x in zip(layers, maps, strict=True)]


def together_in_order(
    sequences: Iterable[tuple[Sequence[keras.layers.Layer], keras.KerasTensor]], training: bool | None
) -> Iterator[keras.KerasTensor]:
    """Calls the layers of several sequences in order, each first layer with the map of its sequence.

    If replicas share the batch, all sequences call their first layers together, then their second ones, and so on.
    Otherwise, each is computed when its result is asked for, so that few intermediate results are in memory.

    Args:
        sequences: pairs of a list of layers, which may be empty, and the map that the first of them takes.
        training: as in their calls.
    """
    if not shares_batch(training):
        yield from (call_in_order(layers, x, training) for layers, x in sequences)
        return
    sequences = list(sequences)
    results = [x for _, x in sequences]
    for step in range(max(len(layers) for layers, _ in sequences)):
        running = [i for i, (layers, _) in enumerate(sequences) if step < len(layers)]
        maps = together([sequences[i][0][step] for i in running], [results[i] for i in running], training)
        for i, x in zip(running, maps, strict=True):
            results[i] = x
    yield from results

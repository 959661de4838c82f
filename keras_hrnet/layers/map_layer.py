"""The base classes of this package's layers: a data format, folded normalization, and a config read from arguments."""

import inspect
from typing import Any

import keras

from keras_hrnet.layers.data_format import channel_axis, standardize_data_format


class MapLayer(keras.layers.Layer):
    """A layer that takes maps with their channels last or first.

    Its config holds every argument of its constructor, read from the attribute of the same name. A subclass that stores
    an argument differently overrides `get_config`, like any Keras layer. The `**kwargs` of a subclass are arguments of
    its base classes, including those of every Keras layer.

    Args:
        data_format: "channels_last", "channels_first", or None for Keras's setting.
    """

    def __init__(self, *, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)

    @property
    def channel_axis(self) -> int:
        """The axis of the channels in a batch of maps: -1 or 1."""
        return channel_axis(self.data_format)

    @property
    def plain_options(self) -> dict[str, Any]:
        """The arguments that a layer passes to the Keras layers that it creates."""
        return {"data_format": self.data_format, "dtype": self.dtype_policy}

    @property
    def options(self) -> dict[str, Any]:
        """The arguments that a layer passes to the layers of this package that it creates."""
        return self.plain_options

    def get_config(self) -> dict[str, Any]:
        kinds = [kind for kind in type(self).__mro__ if issubclass(kind, MapLayer) and "get_config" not in vars(kind)]
        arguments = {name: getattr(self, name) for kind in kinds for name in _arguments(kind)}
        return {**arguments, "data_format": self.data_format, **super().get_config()}


def _arguments(kind: type) -> list[str]:
    _, *parameters = inspect.signature(kind.__init__).parameters.values()
    return [each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]


class FoldableLayer(MapLayer):
    """A layer of maps whose batch normalizations can be folded into the convolutions before them.

    Args:
        folded: whether the normalizations are folded, as by `optimize_for_inference`: the convolutions inside then have
            only a kernel and a bias, and the layer is only for inference.
    """

    def __init__(self, *, folded: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folded = folded

    @property
    def options(self) -> dict[str, Any]:
        return {**self.plain_options, "folded": self.folded}

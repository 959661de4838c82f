"""The backbones of this package as KerasHub's: an image in, the maps P2 to P5 out; and HRNet's."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import keras
import keras_hub

from keras_hrnet.checkpoints import download, load_checkpoint
from keras_hrnet.families import VARIANTS, Family, LayerOptions, Variant
from keras_hrnet.hub.published import check_channel_order, convention_of, find_published
from keras_hrnet.layers.data_format import standardize_data_format
from keras_hrnet.layers.resize import check_convention
from keras_hrnet.models.building import given_statistics
from keras_hrnet.models.building import image_shape as checked_image_shape


class HighResolutionBackbone(keras_hub.models.FeaturePyramidBackbone):
    """What the backbones of all families share. A subclass takes the widths and depths of its family.

    Args:
        variant: the row of the network.
        interpolation, align_corners, image_shape, mean, deviation, data_format, dtype: as in `HRNetBackbone`.
    """

    family: ClassVar[type[Family]]
    """The class of its rows."""

    def __init__(
        self,
        variant: Family,
        interpolation: str = "bilinear",
        align_corners: bool = False,
        image_shape: Sequence[int | None] = (None, None, 3),
        mean: Sequence[float] | None = None,
        deviation: Sequence[float] | None = None,
        data_format: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        check_convention(interpolation, align_corners)
        data_format = standardize_data_format(data_format)
        image_shape = checked_image_shape(variant, image_shape, data_format, "image_shape")
        statistics = given_statistics(variant.name, image_shape, data_format, mean, deviation, "image_shape")

        # === Functional model ===
        image = keras.Input(image_shape, name="image")
        # Operations and not layers: nothing is cast, and there is nothing that a dtype policy could miss.
        is_first = data_format == "channels_first"
        channels_last = keras.ops.transpose(image, (0, 2, 3, 1)) if is_first else image
        maps = variant.connect(channels_last, LayerOptions(interpolation, align_corners, dtype, **statistics))
        outputs = [keras.ops.transpose(x, (0, 3, 1, 2)) if is_first else x for x in maps]
        pyramid = {f"P{level}": x for level, x in enumerate(outputs, 2)}
        super().__init__(inputs=image, outputs=pyramid, dtype=dtype, **kwargs)

        # === Config ===
        self.variant = variant
        self.interpolation = interpolation
        self.align_corners = align_corners
        self.image_shape = image_shape
        self.mean, self.deviation = statistics["mean"], statistics["deviation"]
        self.data_format = data_format
        self.pyramid_outputs = pyramid
        self.maps = maps

    @classmethod
    def from_variant(cls, name: str, **kwargs: Any) -> Self:
        """Builds the body of a published network, with random weights.

        Args:
            name: the name of its constructor, such as "HRNetW18Small".
            **kwargs: arguments of the constructor; widths and depths instead of the published ones.

        Raises:
            ValueError: if there is no such network in this family.
        """
        rows = {row.name: row for row in VARIANTS.values() if type(row) is cls.family}
        if name not in rows:
            raise ValueError(
                f"`{cls.__name__}.from_variant` received name={name!r}. Expected one of {', '.join(rows)}. Pass one of "
                "them, or give widths and depths of your own to the constructor."
            )
        return cls(**{**cls._arguments_of(rows[name].with_arguments(None, {})), **kwargs})

    @classmethod
    def from_preset(cls, preset: str, load_weights: bool = True, **kwargs: Any) -> Self:
        """Builds a backbone with trained weights.

        Only the classes of this package know the published files. KerasHub's own `Backbone.from_preset` reads what
        `save_to_preset` wrote, once `keras_hrnet.hub` is imported, but no `hf://timm/hrnet_…`: it has a fixed list of
        timm's networks, without HRNet.

        Args:
            preset: what KerasHub takes: a folder that `save_to_preset` wrote, `hf://user/name`, `kaggle://…`; or the
                name of a file in `keras_hrnet.checkpoints.published_weights()`, or `hf://timm/hrnet_…`.
            load_weights: whether to load the weights, or to leave them random.
            **kwargs: arguments of the constructor, instead of the preset's. ImageNet's weights do not decide how maps
                are upsampled: `interpolation="nearest"` gives the numbers of timm's network.

        Raises:
            ValueError, FileNotFoundError, ConnectionError: see `keras_hrnet.load_checkpoint` and
                `keras_hrnet.checkpoints.download`.
        """
        row = find_published(preset)
        if row is None:
            return super().from_preset(preset, load_weights=load_weights, **kwargs)
        if load_weights:
            check_channel_order(row)
        path = download(row) if load_weights else None
        backbone = cls.from_variant(row.variant, **{**convention_of(row), **kwargs})
        if load_weights:
            load_checkpoint(backbone, path)
        return backbone

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **self._arguments_of(self.variant),
            "interpolation": self.interpolation,
            "align_corners": self.align_corners,
            "image_shape": self.image_shape,
            "mean": self.mean,
            "deviation": self.deviation,
            "data_format": self.data_format,
        }

    @classmethod
    def _arguments_of(cls, variant):
        """Returns the widths and depths of a row by the names of the constructor's arguments."""
        names = inspect.signature(cls.__init__).parameters
        return {
            field.name: getattr(variant, field.name) for field in dataclasses.fields(variant) if field.name in names
        }


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HRNetBackbone(HighResolutionBackbone):
    """HRNet without a head, with the layers and weight names of `keras_hrnet.HRNet(head=None)`.

    It returns its pyramid, as KerasHub's `RetinaNetBackbone` does: HRNet computes all four resolutions to the
    end, and every head reads all of them.

    Weight files of other code bases load by `keras_hrnet.load_checkpoint(backbone, path)`, which leaves a head in the
    file out; published ones by `HRNetBackbone.from_preset`.

    Args:
        width, stage1_blocks, stage1_filters, modules, blocks: as in `keras_hrnet.Variant`; blocks are basic.
        interpolation: how maps are upsampled, "bilinear" or "nearest". It belongs to the weights.
        align_corners: whether bilinear aligns the centers of the corner pixels. It belongs to the weights.
        image_shape: (height, width, channels), as the `input_shape` of `keras_hrnet.HRNet`.
        mean: of each channel, as in `keras_hrnet.HRNet`.
        deviation: the standard deviation of each channel, likewise.
        data_format: "channels_last" or "channels_first" for what goes in and comes out; None for Keras's setting.
        dtype: a dtype policy, its name, or a `keras.dtype_policies.DTypePolicyMap` with policies of single layers; None
            for the global one.

    Call arguments:
        inputs: any dtype `(batch, height, width, channels)`, RGB in [0, 255] or values in the unit of `mean`, at
            least 17 high and wide.

    Returns:
        A dict of float maps "P2" to "P5", `Pn` at stride 2 ** n with `width * 2 ** (n - 2)` channels, in the policy's
        compute dtype.

    Raises:
        ValueError: if an argument is none of the above.

    Example:

    >>> from keras_hrnet.hub import HRNetBackbone
    >>> tiny = HRNetBackbone(8, 1, 16, (1, 1, 1), 1, image_shape=(64, 96, 3), data_format="channels_last")
    >>> tiny.pyramid_outputs["P4"].shape
    (None, 4, 6, 32)
    """

    family = Variant

    def __init__(
        self,
        width: int,
        stage1_blocks: int = 4,
        stage1_filters: int = 64,
        modules: tuple[int, int, int] = (1, 4, 3),
        blocks: int = 4,
        interpolation: str = "bilinear",
        align_corners: bool = False,
        **kwargs: Any,
    ):
        variant = Variant("HRNetBackbone", width, stage1_blocks, stage1_filters, modules, blocks)
        super().__init__(variant, interpolation, align_corners, **kwargs)

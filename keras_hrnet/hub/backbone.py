"""The base class of KerasHub backbones, which compute the maps P2 to P5 of an image, and the backbone of HRNet."""

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
    """The base class of the backbones of all families. The arguments of a subclass are its family's widths and depths.

    Args:
        variant: the variant of the network, with its widths and depths.
        interpolation, align_corners, image_shape, mean, deviation, data_format, dtype: as in `HRNetBackbone`.
    """

    family: ClassVar[type[Family]]
    """The class of its variants."""

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
        # Operations, unlike layers, do not cast, and need no dtype policy.
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
        """Builds the backbone of a published network, with random weights.

        Args:
            name: the name of the network's constructor, such as "HRNetW18Small".
            **kwargs: arguments of the backbone's constructor; widths and depths replace the published ones.

        Raises:
            ValueError: if the family has no such network.
        """
        rows = {row.name: row for row in VARIANTS.values() if type(row) is cls.family}
        if name not in rows:
            raise ValueError(
                f"`{cls.__name__}.from_variant` received name={name!r}. Expected one of {', '.join(rows)}. Pass one of "
                "them, or pass custom widths and depths to the constructor."
            )
        return cls(**{**cls._arguments_of(rows[name].with_arguments(None, {})), **kwargs})

    @classmethod
    def from_preset(cls, preset: str, load_weights: bool = True, **kwargs: Any) -> Self:
        """Builds a backbone with trained weights.

        Only the classes of this package find the published weights. Once `keras_hrnet.hub` is imported, KerasHub's own
        `Backbone.from_preset` reads presets that `save_to_preset` saved, but not `hf://timm/hrnet_…`, because its fixed
        list of timm's networks does not contain HRNet.

        Args:
            preset: a preset that KerasHub accepts (a folder that `save_to_preset` saved, `hf://user/name`, or
                `kaggle://…`), the name of published weights in `keras_hrnet.checkpoints.published_weights()`, or
                `hf://timm/hrnet_…`.
            load_weights: whether to load the weights; if False, they are random.
            **kwargs: arguments of the constructor that replace those of the preset. Weights for ImageNet do not
                determine how maps are upsampled; with `interpolation="nearest"`, the maps are those of timm's network.

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
        """Returns the widths and depths of a variant, by the names of the constructor's arguments."""
        names = inspect.signature(cls.__init__).parameters
        return {
            field.name: getattr(variant, field.name) for field in dataclasses.fields(variant) if field.name in names
        }


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HRNetBackbone(HighResolutionBackbone):
    """HRNet without a head, with the layers and weight names of `keras_hrnet.HRNet(head=None)`.

    It returns all four maps, as KerasHub's `RetinaNetBackbone` does, because HRNet computes all four resolutions up to
    the end, and every head reads all of them.

    `keras_hrnet.load_checkpoint(backbone, path)` loads weights of other code bases, without the head in their file.
    `HRNetBackbone.from_preset` loads published weights.

    Args:
        width, stage1_blocks, stage1_filters, modules, blocks: as in `keras_hrnet.Variant`; the blocks of stages 2 to 4
            are basic blocks.
        interpolation: how maps are upsampled, "bilinear" or "nearest". It must match the weights.
        align_corners: whether bilinear resizing aligns the centers of the corner pixels. It must match the weights.
        image_shape: (height, width, channels), as `input_shape` in `keras_hrnet.HRNet`.
        mean: the mean of each channel, as in `keras_hrnet.HRNet`.
        deviation: the standard deviation of each channel, likewise.
        data_format: "channels_last" or "channels_first", for inputs and outputs; None for Keras's setting.
        dtype: a dtype policy, its name, or a `keras.dtype_policies.DTypePolicyMap` with policies for single layers;
            None for the global policy.

    Call arguments:
        inputs: any dtype `(batch, height, width, channels)`, RGB pixels in [0, 255] or values in the unit of `mean`, at
            least 17 high and wide.

    Returns:
        A dict of float maps "P2" to "P5", in the policy's compute dtype. `Pn` has stride 2 ** n and
        `width * 2 ** (n - 2)` channels.

    Raises:
        ValueError: if an argument has another value than described above.

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

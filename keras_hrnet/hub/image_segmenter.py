"""HRNet with a segmentation head as a KerasHub task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import keras
import keras_hub

from keras_hrnet.checkpoints import download, load_checkpoint
from keras_hrnet.data_sets.classes import IGNORE_LABEL, Classes
from keras_hrnet.families import LayerOptions
from keras_hrnet.heads import ARGUMENTS, HEADS, Hierarchical, standardize_head
from keras_hrnet.hub.backbone import HighResolutionBackbone, HRNetBackbone
from keras_hrnet.hub.channels_first import ChannelsFirstCrossentropy, ChannelsFirstMeanIoU
from keras_hrnet.hub.image_segmenter_preprocessor import HRNetImageSegmenterPreprocessor
from keras_hrnet.hub.published import check_channel_order, find_published
from keras_hrnet.layers import Supervision
from keras_hrnet.layers.data_format import channel_axis
from keras_hrnet.models.building import in_format
from keras_hrnet.models.network import ClassAware
from keras_hrnet.models.supervised import Supervised

BACKBONE_OPTIONS = ("dtype", "image_shape", "mean", "deviation")
# The heads that classify each pixel from the maps of one call of the backbone, which is all that a KerasHub task holds.
HUB_HEADS = tuple(name for name, head in HEADS.items() if head.segments and not issubclass(head, Hierarchical))


class HighResolutionSegmenter(ClassAware, Supervised, keras_hub.models.ImageSegmenter):
    """The base class of the segmenters of all families; a subclass names its backbone and its preprocessor.

    The arguments are those of `HRNetImageSegmenter`. `head=None` selects the head with which the family was published.
    """

    backbone_cls: ClassVar[type[HighResolutionBackbone]]

    def __init__(
        self,
        backbone: HighResolutionBackbone,
        num_classes: int,
        preprocessor: keras_hub.models.ImageSegmenterPreprocessor | None = None,
        *,
        head: str | None = None,
        class_names: Sequence[str] | str | Classes | None = None,
        activation: str | None = None,
        compile: bool = True,
        **kwargs: Any,
    ):
        self.check_arguments(backbone, num_classes, head, activation)
        head = head or backbone.variant.default_head
        options = {name: kwargs.pop(name) for name in ARGUMENTS if name in kwargs}
        connected = standardize_head(head, options, type(self).__name__, backbone.variant.head_options)

        # === Functional model ===
        trained, loss_weights = _trained_logits(backbone, num_classes, connected, activation)
        logits = Supervision(loss_weights, dtype="float32", name="supervision")(trained)
        super().__init__(inputs=backbone.input, outputs=logits, compile=False, **kwargs)

        # === Config ===
        self.backbone = backbone
        self.dtype_policy = backbone.dtype_policy
        self.num_classes = num_classes
        self.preprocessor = preprocessor
        self.head = head
        self.head_options = connected.options()
        self.activation = activation
        if class_names is not None:
            self.classes = class_names
        if compile:
            self.compile()

    @classmethod
    def from_preset(cls, preset: str, load_weights: bool = True, **kwargs: Any) -> Self:
        """Builds a segmenter with trained weights.

        Once `keras_hrnet.hub` is imported, KerasHub's own `ImageSegmenter.from_preset` reads presets that
        `save_to_preset` saved. Only the classes of this package also find the published weights.

        Args:
            preset: as in `from_preset` of its backbone.
            load_weights: whether to load the weights; if False, they are random.
            **kwargs: arguments of the constructor that replace those of the preset, and `dtype`, `image_shape`, `mean`
                and `deviation` of the backbone. With `num_classes`, the head is new, and only the backbone has the
                preset's weights.

        Raises:
            TypeError: if the preset has no head for segmentation, and `num_classes` is missing.
            ValueError, FileNotFoundError, ConnectionError: as in `from_preset` of its backbone.
        """
        row = find_published(preset)
        if row is None:
            return super().from_preset(preset, load_weights=load_weights, **kwargs)
        backbone_options = {name: kwargs.pop(name) for name in BACKBONE_OPTIONS if name in kwargs}
        loads_head = row.head in HUB_HEADS and "num_classes" not in kwargs
        if not loads_head and "num_classes" not in kwargs:
            raise TypeError(
                f"`{cls.__name__}.from_preset` received preset={preset!r}, whose head is {row.head!r}. Expected "
                f"one of {HUB_HEADS}, or the number of classes of a new head. Pass num_classes."
            )
        if load_weights:
            check_channel_order(row)
        path = download(row) if load_weights else None
        backbone = cls.backbone_cls.from_preset(preset, load_weights=False, **backbone_options)
        own_head = {"num_classes": row.num_classes, "head": row.head, **row.head_options} if loads_head else {}
        segmenter = cls(backbone, **{**own_head, **kwargs})
        if load_weights:
            load_checkpoint(segmenter, path, skip_head=not loads_head)
        return segmenter

    def compile(self, optimizer: Any = "auto", loss: Any = "auto", *, metrics: Any = "auto", **kwargs: Any) -> None:
        """Configures training, with defaults for labels that are train ids.

        Args:
            optimizer: as in `keras.Model.compile`; "auto" is KerasHub's default, Adam with a learning rate of 5e-5.
            loss: as in `keras.Model.compile`; "auto" is the cross-entropy of the pixels whose label is not 255.
            metrics: as in `keras.Model.compile`; "auto" is the mean intersection over union of the classes.
            **kwargs: the other arguments of `keras.Model.compile`.
        """
        channels_last = self.backbone.data_format == "channels_last"
        if loss == "auto":
            cross_entropy = keras.losses.SparseCategoricalCrossentropy if channels_last else ChannelsFirstCrossentropy
            loss = cross_entropy(from_logits=self.activation is None, ignore_class=IGNORE_LABEL)
        if metrics == "auto":
            mean_iou = keras.metrics.MeanIoU if channels_last else ChannelsFirstMeanIoU
            metrics = [mean_iou(self.num_classes, ignore_class=IGNORE_LABEL, sparse_y_pred=False, name="mean_iou")]
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    def get_compile_config(self) -> dict[str, Any] | None:
        # Without this entry, Keras builds every loaded optimizer, and warns if its variables were not saved.
        config = super().get_compile_config()
        return {**config, "is_optimizer_built": getattr(self.optimizer, "built", False)} if config else config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        # Without this method, Keras does not compile a loaded model that overrides `compile`, and warns.
        config = dict(config)
        is_optimizer_built = config.pop("is_optimizer_built")
        self.compile(**keras.saving.deserialize_keras_object(config))
        if is_optimizer_built:
            self.optimizer.build(self.trainable_variables)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "head": self.head,
            **self.head_options,
            "activation": self.activation,
        }

    @classmethod
    def check_arguments(cls, backbone: Any, num_classes: Any, head: Any, activation: Any) -> None:
        """Raises the errors that the constructor documents."""
        if not isinstance(backbone, cls.backbone_cls):
            expected = cls.backbone_cls.__name__
            raise TypeError(
                f"`{cls.__name__}` received backbone={backbone!r}. Expected an `{expected}`, because the head "
                f"reads its maps. Build one, or load one with `{expected}.from_preset`."
            )
        if not isinstance(num_classes, int) or not 2 <= num_classes <= IGNORE_LABEL:
            raise ValueError(
                f"`{cls.__name__}` received num_classes={num_classes!r}. Expected 2 to {IGNORE_LABEL}, because label "
                f"{IGNORE_LABEL} marks ignored pixels. Pass the number of classes in your labels, not counting it."
            )
        if head is not None and head not in HUB_HEADS:
            raise ValueError(f"`{cls.__name__}` received head={head!r}. Expected one of {HUB_HEADS}. Pass one of them.")
        if activation not in (None, "softmax"):
            raise ValueError(
                f"`{cls.__name__}` received activation={activation!r}. Expected None (logits) or 'softmax' "
                "(probabilities). Pass one of them."
            )


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HRNetImageSegmenter(HighResolutionSegmenter):
    """HRNet for semantic segmentation, with the layers and weight names of `keras_hrnet.HRNet`.

    It is trained on images and train ids, for which `compile()` has defaults.
    `keras_hrnet.load_checkpoint(segmenter, path)` loads weights of other code bases, and
    `HRNetImageSegmenter.from_preset` loads published weights.

    Args:
        backbone: an `HRNetBackbone`. Training the segmenter trains it.
        num_classes: number of classes, from 2 to 255.
        preprocessor: an `HRNetImageSegmenterPreprocessor`, which `fit`, `predict` and `evaluate` run; None to run none.
        head: how each pixel is classified: "fcn" or None (by itself), "ocr" (by itself and the classes in the image),
            "isa" (by itself and all other pixels), or "iterative" (by itself, from maps that are summed from coarse to
            fine). With "ocr" and "isa", `fit` also trains auxiliary logits, with 0.4 times the compiled loss.
        class_names: as in `keras_hrnet.HRNet`.
        activation: None for logits, or "softmax" for probabilities.
        **kwargs: options of the head, as in `keras_hrnet.HRNet`; `name`; `trainable`; and `compile`, which is False for
            an uncompiled segmenter.

    Call arguments:
        inputs: images, as for the backbone.

    Returns:
        float32 logits `(batch, height, width, num_classes)`, or probabilities in [0, 1] of the same shape. If the
        backbone is channels-first, the shape is `(batch, num_classes, height, width)`.

    Raises:
        TypeError: if `backbone` is not an `HRNetBackbone`.
        ValueError: if another argument has another value than described above.

    Example:

    >>> from keras_hrnet.hub import HRNetBackbone, HRNetImageSegmenter
    >>> tiny = HRNetBackbone(8, 1, 16, (1, 1, 1), 1, data_format="channels_last")
    >>> HRNetImageSegmenter(tiny, num_classes=5).output_shape
    (None, None, None, 5)
    """

    backbone_cls = HRNetBackbone
    preprocessor_cls = HRNetImageSegmenterPreprocessor


def _trained_logits(backbone, num_classes, head, activation):
    """Connects the head; returns the logits, with any auxiliary logits, and the weights of their losses."""
    # The head is connected to the backbone's own tensors instead of calling the backbone. The graph is therefore flat,
    # layers keep their places and names, and maps are not transposed to channels first and back.
    image, maps = backbone.get_layer("normalize").input, list(backbone.maps)
    options = LayerOptions(backbone.interpolation, backbone.align_corners, backbone.dtype_policy)
    tensors, loss_weights = head.connect(image, lambda _: maps, num_classes, options, output_stride=1)
    tensors = {name: in_format(x, backbone.data_format, name) for name, x in tensors.items()}
    if activation is not None:
        axis = channel_axis(backbone.data_format)
        tensors = {
            name: keras.layers.Softmax(axis, dtype="float32", name=name.replace("logits", "probabilities"))(x)
            for name, x in tensors.items()
        }
    return list(tensors.values()), loss_weights

"""HRNet with a segmentation head as a KerasHub task."""

import keras
import keras_hub

from keras_hrnet.checkpoints import download, load_checkpoint
from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.hub.backbone import HRNetBackbone
from keras_hrnet.hub.channels_first import ChannelsFirstCrossentropy, ChannelsFirstMeanIoU
from keras_hrnet.hub.image_segmenter_preprocessor import HRNetImageSegmenterPreprocessor
from keras_hrnet.hub.published import find_published
from keras_hrnet.layers import Supervision
from keras_hrnet.layers.data_format import channel_axis
from keras_hrnet.models.segmentation import SEGMENTATION_HEADS, segmentation_logits
from keras_hrnet.models.supervised import AUXILIARY_LOSS_WEIGHT, Supervised


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HRNetImageSegmenter(Supervised, keras_hub.models.ImageSegmenter):
    """HRNet for semantic segmentation, with the layers and weight names of `keras_hrnet.HRNet`.

    It trains on images and train ids; `compile()` has defaults for that. Weight files of other code bases load by
    `keras_hrnet.load_checkpoint(segmenter, path)`, published ones by `HRNetImageSegmenter.from_preset`.

    Args:
        backbone: an `HRNetBackbone`. Training the segmenter trains it.
        num_classes: classes that logits are given for, at most 255.
        preprocessor: an `HRNetImageSegmenterPreprocessor` that `fit`, `predict` and `evaluate` run; None for none.
        head: how every pixel is classified: "fcn" (by itself), "ocr" (and by the classes in the image), or "isa" (and
            by all other pixels). With the last two, `fit` also trains auxiliary logits, with 0.4 of the loss.
        ocr_channels: of "ocr": as in `keras_hrnet.HRNet`.
        ocr_dropout: likewise.
        isa_channels: of "isa": likewise.
        isa_block_size: likewise.
        isa_dropout: likewise.
        head_kernel_size: likewise, of every head.
        activation: None for logits, or "softmax" for probabilities.
        **kwargs: `name`, `trainable`, and `compile=False` to leave it uncompiled.

    Call arguments:
        inputs: any dtype `(batch, height, width, 3)`, RGB in [0, 255], at least 17 high and wide.

    Returns:
        float32 logits `(batch, height, width, num_classes)`, or probabilities of that shape in [0, 1]; channels first
        if the backbone has them first.

    Raises:
        TypeError: if `backbone` is no `HRNetBackbone`.
        ValueError: if another argument is none of the above.

    Example:

    >>> from keras_hrnet.hub import HRNetBackbone, HRNetImageSegmenter
    >>> tiny = HRNetBackbone(8, 1, 16, (1, 1, 1), 1, data_format="channels_last")
    >>> HRNetImageSegmenter(tiny, num_classes=5).output_shape
    (None, None, None, 5)
    """

    backbone_cls = HRNetBackbone
    preprocessor_cls = HRNetImageSegmenterPreprocessor

    def __init__(
        self,
        backbone,
        num_classes,
        preprocessor=None,
        *,
        head="fcn",
        ocr_channels=(512, 256),
        ocr_dropout=0.05,
        isa_channels=(512, 256),
        isa_block_size=(8, 8),
        isa_dropout=0.05,
        head_kernel_size=1,
        activation=None,
        compile=True,
        **kwargs,
    ):
        _check_arguments(backbone, num_classes, head, activation)
        head_options = {
            "ocr_channels": tuple(ocr_channels),
            "ocr_dropout": ocr_dropout,
            "isa_channels": tuple(isa_channels),
            "isa_block_size": tuple(isa_block_size),
            "isa_dropout": isa_dropout,
            "head_kernel_size": head_kernel_size,
        }

        # === Functional model ===
        trained = _trained_logits(backbone, num_classes, head, activation, head_options)
        loss_weights = [AUXILIARY_LOSS_WEIGHT] * (len(trained) - 1)
        logits = Supervision(loss_weights, dtype="float32", name="supervision")(trained)
        super().__init__(inputs=backbone.input, outputs=logits, compile=False, **kwargs)

        # === Config ===
        self.backbone = backbone
        self.dtype_policy = backbone.dtype_policy
        self.num_classes = num_classes
        self.preprocessor = preprocessor
        self.head = head
        self.head_options = head_options
        self.activation = activation
        if compile:
            self.compile()

    @classmethod
    def from_preset(cls, preset, load_weights=True, **kwargs):
        """Builds a segmenter with trained weights.

        KerasHub's own `ImageSegmenter.from_preset` reads what `save_to_preset` wrote, once `keras_hrnet.hub` is
        imported. This class also knows the published files.

        Args:
            preset: as `HRNetBackbone.from_preset`.
            load_weights: whether to load the weights, or to leave them random.
            **kwargs: arguments of the constructor, instead of the preset's; `dtype` and `image_shape` of the backbone.
                With `num_classes` the head is new, and only the backbone has the preset's weights.

        Returns:
            An `HRNetImageSegmenter`.

        Raises:
            TypeError: if the preset has no head for segmentation, and `num_classes` is not given.
            ValueError, FileNotFoundError, ConnectionError: as `HRNetBackbone.from_preset`.
        """
        row = find_published(preset)
        if row is None:
            return super().from_preset(preset, load_weights=load_weights, **kwargs)
        backbone_options = {name: kwargs.pop(name) for name in ("dtype", "image_shape") if name in kwargs}
        loads_head = row.head in SEGMENTATION_HEADS and "num_classes" not in kwargs
        if not loads_head and "num_classes" not in kwargs:
            raise TypeError(
                f"`HRNetImageSegmenter.from_preset` received preset={preset!r}, whose head is {row.head!r}. Expected "
                f"one of {SEGMENTATION_HEADS}, or the class count of a new head. Pass num_classes."
            )
        path = download(row) if load_weights else None
        backbone = HRNetBackbone.from_preset(preset, load_weights=False, **backbone_options)
        segmenter = cls(backbone, **{**(_head_options(row) if loads_head else {}), **kwargs})
        if load_weights:
            load_checkpoint(segmenter, path, skip_head=not loads_head)
        return segmenter

    def compile(self, optimizer="auto", loss="auto", *, metrics="auto", **kwargs):
        """Configures training, with defaults for labels that are train ids.

        Args:
            optimizer: as `keras.Model.compile`; "auto" is KerasHub's, Adam with a learning rate of 5e-5.
            loss: as `keras.Model.compile`; "auto" is the cross-entropy of the pixels whose label is not 255.
            metrics: as `keras.Model.compile`; "auto" is the mean intersection over union of the classes.
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

    def get_compile_config(self):
        # Else Keras gives every loaded optimizer its variables, and warns where none had been saved.
        config = super().get_compile_config()
        return {**config, "is_optimizer_built": getattr(self.optimizer, "built", False)} if config else config

    def compile_from_config(self, config):
        # Keras leaves a model whose `compile` is its own uncompiled, with a warning.
        config = dict(config)
        is_optimizer_built = config.pop("is_optimizer_built")
        self.compile(**keras.saving.deserialize_keras_object(config))
        if is_optimizer_built:
            self.optimizer.build(self.trainable_variables)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "head": self.head,
            **self.head_options,
            "activation": self.activation,
        }


def _trained_logits(backbone, num_classes, head, activation, head_options):
    """Connects the head, and returns the logits and, where the head has them, the auxiliary ones."""
    # The backbone's own tensors, not a call of it: one flat graph, in which its layers keep their place and name, and
    # no map goes to channels first and back.
    tensors = segmentation_logits(
        head,
        backbone.get_layer("stage4").output,
        backbone.get_layer("normalize").input,
        num_classes,
        interpolation=backbone.interpolation,
        align_corners=backbone.align_corners,
        dtype=backbone.dtype_policy,
        data_format=backbone.data_format,
        **head_options,
    )
    if activation is None:
        return tensors
    axis = channel_axis(backbone.data_format)
    names = ("probabilities", "auxiliary_probabilities")
    return [keras.layers.Softmax(axis, dtype="float32", name=name)(x) for x, name in zip(tensors, names, strict=False)]


def _head_options(row):
    """Returns the arguments of the constructor that build the head of a published file."""
    return {"num_classes": row.num_classes, "head": row.head, **row.head_options}


def _check_arguments(backbone, num_classes, head, activation):
    if not isinstance(backbone, HRNetBackbone):
        raise TypeError(
            f"`HRNetImageSegmenter` received backbone={backbone!r}. Expected an `HRNetBackbone`: the head reads its "
            "maps. Build one, or read one with `HRNetBackbone.from_preset`."
        )
    if not isinstance(num_classes, int) or not 1 <= num_classes <= IGNORE_LABEL:
        raise ValueError(
            f"`HRNetImageSegmenter` received num_classes={num_classes!r}. Expected 1 to {IGNORE_LABEL}, as label "
            f"{IGNORE_LABEL} marks ignored pixels. Pass the number of classes in your labels, without that one."
        )
    if head not in SEGMENTATION_HEADS:
        raise ValueError(
            f"`HRNetImageSegmenter` received head={head!r}. Expected one of {SEGMENTATION_HEADS}. Pass one of them."
        )
    if activation not in (None, "softmax"):
        raise ValueError(
            f"`HRNetImageSegmenter` received activation={activation!r}. Expected None (logits) or 'softmax' "
            "(probabilities). Pass one of them."
        )

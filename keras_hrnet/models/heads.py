"""What is put on the four maps: logits of every pixel, or of the whole image."""

import keras

from keras_hrnet.layers import (
    Branch,
    ConvNorm,
    Convolution,
    InterlacedContext,
    ObjectContext,
    Resize,
    ResizeConcatenate,
    SpatialGather,
)
from keras_hrnet.layers.convolution import classifier_initializer

# HRNet-Image-Classification, lib/models/cls_hrnet.py, `_make_head`.
CLASSIFICATION_FILTERS = (32, 64, 128, 256)
CLASSIFICATION_FEATURES = 2048


def fcn_head(maps, num_classes, interpolation, align_corners, dtype, kernel_size=1):
    """Joins the four maps at stride 4 and classifies every pixel by two convolutions.

    Args:
        maps: four symbolic maps, finest first.
        num_classes: channels of the result.
        interpolation: how maps are enlarged, "bilinear" or "nearest".
        align_corners: whether bilinear aligns the centres of the corner pixels.
        dtype: a dtype policy or its name; None for the global one.
        kernel_size: side of the first convolution's kernel; the second's is 1.

    Returns:
        Symbolic logits `(batch, height / 4, width / 4, num_classes)`.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `last_layer`; openseg.pytorch,
    lib/models/nets/hrnet.py, `HRNet_W48`, for a kernel of 3.
    """
    options = {"data_format": "channels_last", "dtype": dtype}
    x = ResizeConcatenate(interpolation, align_corners, name="concatenate", **options)(maps)
    return _two_convolutions(x, num_classes, "last_layer", kernel_size, options)


def ocr_head(maps, num_classes, interpolation, align_corners, dtype, channels, dropout, kernel_size=1):
    """Joins the four maps at stride 4 and classifies every pixel by itself and by the classes around it.

    Args:
        maps: four symbolic maps, finest first.
        num_classes: channels of the logits.
        interpolation: how maps are enlarged, "bilinear" or "nearest".
        align_corners: whether bilinear aligns the centres of the corner pixels.
        dtype: a dtype policy or its name; None for the global one.
        channels: (of a pixel's features, in which pixels and classes are compared).
        dropout: share of the channels that training leaves out of a whole map.
        kernel_size: side of the kernel of the auxiliary logits' first convolution.

    Returns:
        Three symbolic maps `(batch, height / 4, width / 4, any)`: logits, auxiliary logits, and the features behind
        the logits.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet_ocr.py, `HighResolutionNet`; Yuan et al.,
    "Object-Contextual Representations for Semantic Segmentation", 2020.
    """
    middle, key = channels
    options = {"data_format": "channels_last", "dtype": dtype}
    x = ResizeConcatenate(interpolation, align_corners, name="concatenate", **options)(maps)
    auxiliary = _two_convolutions(x, num_classes, "aux_head", kernel_size, options)
    pixels = ConvNorm(middle, 3, use_bias=True, name="conv3x3_ocr", **options)(x)
    objects = SpatialGather(name="ocr_gather_head", **options)([pixels, auxiliary])
    features = ObjectContext(middle, key, dropout, name="ocr_distri_head", **options)([pixels, objects])
    return _classifier(num_classes, "cls_head", options)(features), auxiliary, features


def isa_head(maps, num_classes, interpolation, align_corners, dtype, channels, block_size, dropout, kernel_size=1):
    """Joins the four maps at stride 4 and classifies every pixel by itself and by all others.

    Args:
        maps: four symbolic maps, finest first.
        num_classes: channels of the logits.
        interpolation: how maps are enlarged, "bilinear" or "nearest".
        align_corners: whether bilinear aligns the centres of the corner pixels.
        dtype: a dtype policy or its name; None for the global one.
        channels: (of a pixel's features and of the values, in which pixels are compared).
        block_size: (height, width) of the blocks of the interlaced attention, in pixels at stride 4.
        dropout: share of the channels that training leaves out of a whole map.
        kernel_size: side of the kernel of the auxiliary logits' first convolution.

    Returns:
        Two symbolic maps `(batch, height / 4, width / 4, num_classes)`: logits and auxiliary logits.

    Reference: openseg.pytorch, lib/models/nets/isanet.py, `ISANet`, whose head this is. No published class puts it on
    HRNet; the auxiliary logits are those of `ocr_head`.
    """
    filters, key = channels
    options = {"data_format": "channels_last", "dtype": dtype}
    x = ResizeConcatenate(interpolation, align_corners, name="concatenate", **options)(maps)
    auxiliary = _two_convolutions(x, num_classes, "aux_head", kernel_size, options)
    pixels = ConvNorm(filters, 3, name="conv3x3_isa", **options)(x)
    features = InterlacedContext(filters, key, filters, block_size, dropout, name="isa_head", **options)(pixels)
    return _classifier(num_classes, "cls_head", options)(features), auxiliary


def _two_convolutions(x, num_classes, name, kernel_size, options):
    # The numbers are the convolutions' places in the published sequence of layers.
    x = ConvNorm(x.shape[-1], kernel_size, use_bias=True, name=f"{name}_0", **options)(x)
    return _classifier(num_classes, f"{name}_3", options)(x)


def _classifier(num_classes, name, options):
    return Convolution(num_classes, 1, kernel_initializer=classifier_initializer(), name=name, **options)


def enlarge_logits(logits, image, output_stride, interpolation, align_corners, name="logits"):
    """Brings logits to the height and width of the image, in float32 under every dtype policy.

    Args:
        logits: symbolic `(batch, height / 4, width / 4, num_classes)`.
        image: symbolic `(batch, height, width, 3)`, of which only the size is used.
        output_stride: 1, or 4 to leave the size as it is.
        interpolation: "bilinear" or "nearest".
        align_corners: whether bilinear aligns the centres of the corner pixels.
        name: what the layer that gives them is called.

    Returns:
        Symbolic float32 logits.
    """
    if output_stride == 4:
        return keras.layers.Activation("linear", dtype="float32", name=name)(logits)
    resize = Resize(interpolation, align_corners, data_format="channels_last", dtype="float32", name=name)
    return resize([logits, image])


def classification_head(maps, num_classes, dtype):
    """Widens the four maps, adds them up from fine to coarse, and classifies their mean.

    Args:
        maps: four symbolic maps, finest first.
        num_classes: how many logits.
        dtype: a dtype policy or its name; None for the global one.

    Returns:
        Symbolic float32 logits `(batch, num_classes)`.

    Reference: HRNet-Image-Classification, lib/models/cls_hrnet.py, `_make_head` and `forward`.
    """
    options = {"data_format": "channels_last", "dtype": dtype}
    maps = [
        Branch(filters, 1, "bottleneck", name=f"incre_modules_{i}", **options)(x)
        for i, (filters, x) in enumerate(zip(CLASSIFICATION_FILTERS, maps, strict=True))
    ]
    x = maps[0]
    for i, finer in enumerate(maps[1:]):
        x = ConvNorm(finer.shape[-1], 3, strides=2, use_bias=True, name=f"downsamp_modules_{i}", **options)(x)
        x = keras.layers.Add(dtype=dtype, name=f"add_{i}")([finer, x])
    x = ConvNorm(CLASSIFICATION_FEATURES, 1, use_bias=True, name="final_layer", **options)(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool", **options)(x)
    x = keras.layers.Dense(num_classes, kernel_initializer=classifier_initializer(), dtype=dtype, name="classifier")(x)
    return keras.layers.Activation("linear", dtype="float32", name="logits")(x)

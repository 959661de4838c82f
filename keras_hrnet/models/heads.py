"""What is put on the four maps: logits of every pixel, or of the whole image."""

import keras

from keras_hrnet.layers import Branch, ConvNorm, Resize, ResizeConcatenate
from keras_hrnet.layers.convolution import classifier_initializer

# HRNet-Image-Classification, lib/models/cls_hrnet.py, `_make_head`.
CLASSIFICATION_FILTERS = (32, 64, 128, 256)
CLASSIFICATION_FEATURES = 2048


def fcn_head(maps, num_classes, interpolation, align_corners, dtype):
    """Joins the four maps at stride 4 and classifies every pixel by two 1x1 convolutions.

    Args:
        maps: four symbolic maps, finest first.
        num_classes: channels of the result.
        interpolation: how maps are enlarged, "bilinear" or "nearest".
        align_corners: whether bilinear aligns the centres of the corner pixels.
        dtype: a dtype policy or its name; None for the global one.

    Returns:
        Symbolic logits `(batch, height / 4, width / 4, num_classes)`.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `last_layer`.
    """
    options = {"data_format": "channels_last", "dtype": dtype}
    x = ResizeConcatenate(interpolation, align_corners, name="concatenate", **options)(maps)
    x = ConvNorm(x.shape[-1], 1, use_bias=True, name="last_layer_0", **options)(x)
    return keras.layers.Conv2D(
        num_classes, 1, kernel_initializer=classifier_initializer(), name="last_layer_3", **options
    )(x)


def enlarge_logits(logits, image, output_stride, interpolation, align_corners):
    """Brings logits to the height and width of the image, in float32 under every dtype policy.

    Args:
        logits: symbolic `(batch, height / 4, width / 4, num_classes)`.
        image: symbolic `(batch, height, width, 3)`, of which only the size is used.
        output_stride: 1, or 4 to leave the size as it is.
        interpolation: "bilinear" or "nearest".
        align_corners: whether bilinear aligns the centres of the corner pixels.

    Returns:
        Symbolic float32 logits; the layer that gives them is called "logits".
    """
    if output_stride == 4:
        return keras.layers.Activation("linear", dtype="float32", name="logits")(logits)
    resize = Resize(interpolation, align_corners, data_format="channels_last", dtype="float32", name="logits")
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

"""Defines the networks that `real_streets.py` compares: HRNet, HRFormer, Lite-HRNet, U-Net and DeepLabV3+.

Their weights are random. All take RGB images of any size in [0, 255], and return float32 logits of the same size. Three
are cheaper forms of HRNet that have not been published: HRNetW18Small with a head of 64 channels instead of 240, or on
images of half the height and width, and HRNetW18SmallV2 with widths that are multiples of 16. U-Net
is as in the paper, but with padded convolutions and batch normalization. DeepLabV3+ is KerasHub's, with ResNet-50. Both
halve the image a fixed number of times. The image is therefore padded with the mean color to a size that can be halved
this many times, and the logits are cropped.
"""

import dataclasses

import keras
from exports import OCR_CHANNELS

import keras_hrnet
from keras_hrnet.families import VARIANTS
from keras_hrnet.layers import Normalize


def hrnet(name, **options):
    """Returns a function that builds a network of this package for a number of classes."""
    return lambda num_classes: getattr(keras_hrnet, name)(num_classes, **options)


def own_variant(name, like, **changes):
    """Returns a function that builds HRNet with other settings than a published variant."""
    variant = dataclasses.replace(VARIANTS[like], name=name, **changes)
    return lambda num_classes: keras_hrnet.HRNet(variant, num_classes)


def at_half_size(name):
    """Returns a function that builds a network of this package that computes at half the height and width."""

    def build(num_classes):
        image = keras.Input((None, None, 3), name="image")
        half = keras.layers.AveragePooling2D(2)(Pad(2)(image))
        logits = getattr(keras_hrnet, name)(num_classes)(half)
        logits = keras.layers.UpSampling2D(2, interpolation="bilinear")(logits)
        return keras.Model(image, Cut(dtype="float32")([logits, image]), name=f"{name}Half")

    return build


def unet(filters):
    """Returns a function that builds a U-Net whose finest maps have this number of channels; the published is 64.

    Reference: Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015, figure 1.
    """

    def body(x, num_classes):
        skips = []
        for level in range(4):
            x = double_convolution(x, filters * 2**level)
            skips.append(x)
            x = keras.layers.MaxPooling2D()(x)
        x = double_convolution(x, filters * 16)
        for level, skip in reversed(list(enumerate(skips))):
            x = keras.layers.Conv2DTranspose(filters * 2**level, 2, strides=2)(x)
            x = double_convolution(keras.layers.Concatenate()([skip, x]), filters * 2**level)
        return keras.layers.Conv2D(num_classes, 1)(x)

    return lambda num_classes: padded_network("UNet", body, num_classes, multiple=16)


def double_convolution(x, filters):
    for _ in range(2):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return x


def deeplab_v3_plus(num_classes):
    """Builds KerasHub's DeepLabV3+ with ResNet-50, in the sizes of its preset for PASCAL VOC."""
    import keras_hub

    encoder = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[3, 4, 6, 3],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
    )
    backbone = keras_hub.models.DeepLabV3Backbone(
        encoder, "P5", upsampling_size=8, dilation_rates=[6, 12, 18], low_level_feature_key="P2"
    )

    def body(x, num_classes):
        return keras_hub.models.DeepLabV3ImageSegmenter(backbone, num_classes)(x)

    return padded_network("DeepLabV3Plus", body, num_classes, multiple=32)


def padded_network(name, body, num_classes, multiple):
    """Builds a network for images of any size from the layers that `body` connects."""
    image = keras.Input((None, None, 3), name="image")
    x = Pad(multiple)(Normalize(data_format="channels_last", name="normalize")(image))
    return keras.Model(image, Cut(dtype="float32")([body(x, num_classes), image]), name=name)


@keras.saving.register_keras_serializable(package="street_networks")
class Pad(keras.layers.Layer):
    """Pads maps with zeros at the bottom and on the right, to a height and width that are multiples of a number."""

    def __init__(self, multiple, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, x):
        below, right = (-length % self.multiple for length in keras.ops.shape(x)[1:3])
        return keras.ops.pad(x, ((0, 0), (0, below), (0, right), (0, 0)))

    def compute_output_shape(self, input_shape):
        batch, *size, channels = input_shape
        return (batch, *(None if length is None else length + -length % self.multiple for length in size), channels)

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="street_networks")
class Cut(keras.layers.Layer):
    """Crops maps to the height and width of other maps, at the upper left corner."""

    def call(self, inputs):
        x, reference = inputs
        height, width = keras.ops.shape(reference)[1:3]
        return keras.ops.cast(x, self.compute_dtype)[:, :height, :width]

    def compute_output_shape(self, input_shape):
        (batch, _, _, channels), (_, height, width, _) = input_shape
        return batch, height, width, channels


NETWORKS = {
    "HRNetW18Small": hrnet("HRNetW18Small"),
    "HRNetW18Small-64": hrnet("HRNetW18Small", head_channels=64),
    "HRNetW18Small-half": at_half_size("HRNetW18Small"),
    "HRNetW16SmallV2": own_variant("HRNetW16SmallV2", "HRNetW18SmallV2", width=16),
    "HRNetW18Small-OCR": hrnet("HRNetW18Small", head="ocr", ocr_channels=OCR_CHANNELS["HRNetW18Small"]),
    "HRNetW18SmallV2": hrnet("HRNetW18SmallV2"),
    "HRNetW18SmallV2-OCR": hrnet("HRNetW18SmallV2", head="ocr", ocr_channels=OCR_CHANNELS["HRNetW18SmallV2"]),
    "LiteHRNet18": hrnet("LiteHRNet18"),
    "LiteHRNet30": hrnet("LiteHRNet30"),
    "HRFormerSmall": hrnet("HRFormerSmall"),
    "UNet-2M": unet(16),
    "UNet-8M": unet(32),
    "UNet-31M": unet(64),
    "DeepLabV3Plus": deeplab_v3_plus,
}
"""The functions that build the networks for a number of classes, by name."""

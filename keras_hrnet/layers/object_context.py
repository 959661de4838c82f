"""Object-contextual representations: pixels attend to the mean features of every class in the image."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.layers.attention import attend, map_of, pixels_of, softmax
from keras_hrnet.layers.convolution import ConvNorm
from keras_hrnet.layers.data_format import Shape, with_channels, with_spatial_size
from keras_hrnet.layers.map_layer import FoldableLayer, MapLayer
from keras_hrnet.layers.resize import spatial_size
from keras_hrnet.layers.sublayers import build_in_order


@keras.saving.register_keras_serializable(package="keras_hrnet")
class SpatialGather(MapLayer):
    """Averages the features of an image for each class, weighted by how likely each pixel belongs to that class.

    The weights are a softmax of the class's logits over the pixels, not over the classes.

    Call arguments:
        inputs: a list of two tensors: float `(batch, height, width, channels)`, the features; and `(batch, height,
            width, num_classes)`, logits.

    Returns:
        float `(batch, num_classes, 1, channels)`: a map with one pixel for each class.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet_ocr.py, `SpatialGather_Module`.
    """

    def build(self, input_shape: Sequence[Shape]) -> None:
        pass

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        features, logits = (pixels_of(x, self.data_format) for x in inputs)
        shares = softmax(keras.ops.transpose(logits, (0, 2, 1)))
        means = keras.ops.matmul(shares, features)
        return map_of(means, (keras.ops.shape(means)[1], 1), self.data_format)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        features, logits = input_shape
        return with_spatial_size(features, (logits[self.channel_axis], 1), self.data_format)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ObjectAttention(FoldableLayer):
    """Computes for each pixel the mean of the objects, weighted by their similarity to the pixel.

    Args:
        key_channels: channels of the queries and keys with which pixels and objects are compared.
        use_bias: whether the convolutions add a bias before their normalization, as in HRFormer.

    Call arguments:
        inputs: a list of two tensors: float `(batch, height, width, channels)`, the pixels; and `(batch, num_objects,
            1, channels)`, the objects.

    Returns:
        float `(batch, height, width, channels)`.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet_ocr.py, `_ObjectAttentionBlock`.
    """

    def __init__(self, key_channels: int, use_bias: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.key_channels = key_channels
        self.use_bias = use_bias
        self.f_pixel_0 = self.make_convolution(key_channels, "f_pixel_0")
        self.f_pixel_2 = self.make_convolution(key_channels, "f_pixel_2")
        self.f_object_0 = self.make_convolution(key_channels, "f_object_0")
        self.f_object_2 = self.make_convolution(key_channels, "f_object_2")
        self.f_down_0 = self.make_convolution(key_channels, "f_down_0")
        self.f_up_0 = None

    def make_convolution(self, filters: int, name: str) -> ConvNorm:
        return ConvNorm(filters, 1, use_bias=self.use_bias, name=name, **self.options)

    def build(self, input_shape: Sequence[Shape]) -> None:
        pixels, objects = input_shape
        self.f_up_0 = self.make_convolution(pixels[self.channel_axis], "f_up_0")
        # The mean of the objects has as many channels as a query.
        build_in_order((self.f_pixel_0, self.f_pixel_2, self.f_up_0), pixels)
        build_in_order((self.f_object_0, self.f_object_2), objects)
        self.f_down_0.build(objects)

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        pixels, objects = inputs
        maps = self.f_pixel_2(self.f_pixel_0(pixels)), self.f_object_2(self.f_object_0(objects)), self.f_down_0(objects)
        context = attend(*(pixels_of(x, self.data_format) for x in maps))
        return self.f_up_0(map_of(context, spatial_size(pixels, self.data_format), self.data_format))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return tuple(input_shape[0])


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ObjectContext(FoldableLayer):
    """Concatenates each pixel's features with the result of its `ObjectAttention`, and convolves them 1x1.

    Args:
        filters: channels of the result.
        key_channels: as in `ObjectAttention`, which takes the same inputs.
        dropout: fraction of the channels that training sets to zero.
        use_bias: whether the convolutions add a bias before their normalization, as in HRFormer.

    Returns:
        float `(batch, height, width, filters)`.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet_ocr.py, `SpatialOCR_Module`.
    """

    def __init__(
        self, filters: int, key_channels: int, dropout: float = 0.0, use_bias: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.key_channels = key_channels
        self.dropout = dropout
        self.use_bias = use_bias
        self.object_context_block = ObjectAttention(key_channels, use_bias, name="object_context_block", **self.options)
        self.conv_bn_dropout = ConvNorm(filters, 1, use_bias=use_bias, name="conv_bn_dropout", **self.options)
        self.drop = keras.layers.SpatialDropout2D(dropout, name="drop", **self.plain_options)

    def build(self, input_shape: Sequence[Shape]) -> None:
        self.object_context_block.build(input_shape)
        pixels, _ = input_shape
        shape = with_channels(pixels, 2 * pixels[self.channel_axis], self.data_format)
        build_in_order((self.conv_bn_dropout, self.drop), shape)

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        context = self.object_context_block(inputs)
        x = keras.ops.concatenate([context, inputs[0]], axis=self.channel_axis)
        return self.drop(self.conv_bn_dropout(x))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return self.conv_bn_dropout.compute_output_shape(input_shape[0])

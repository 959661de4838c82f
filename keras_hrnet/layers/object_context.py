"""Object-contextual representations: pixels learn from the mean features of every class in the image."""

import keras

from keras_hrnet.layers.attention import attend, map_of, pixels_of, softmax
from keras_hrnet.layers.convolution import ConvNorm
from keras_hrnet.layers.data_format import with_channels
from keras_hrnet.layers.map_layer import FoldableLayer, MapLayer
from keras_hrnet.layers.resize import spatial_size


@keras.saving.register_keras_serializable(package="keras_hrnet")
class SpatialGather(MapLayer):
    """Averages the features of an image once for each class, weighted by where that class is.

    The weights are a softmax of the class's logits over the pixels: not, as one may expect, over the classes.

    Args:
        **kwargs: `data_format` of `MapLayer`, and what every Keras layer takes.

    Call arguments:
        inputs: a list of two: float `(batch, height, width, channels)`, the features; and
            `(batch, height, width, num_classes)`, logits.

    Returns:
        float `(batch, num_classes, 1, channels)`: a map with one pixel a class.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet_ocr.py, `SpatialGather_Module`.
    """

    def build(self, input_shape):
        pass

    def call(self, inputs):
        features, logits = (pixels_of(x, self.data_format) for x in inputs)
        shares = softmax(keras.ops.transpose(logits, (0, 2, 1)))
        means = keras.ops.matmul(shares, features)
        return map_of(means, (keras.ops.shape(means)[1], 1), self.data_format)

    def compute_output_shape(self, input_shape):
        features, logits = input_shape
        axis = self.channel_axis
        if self.data_format == "channels_first":
            return (features[0], features[axis], logits[axis], 1)
        return (features[0], logits[axis], 1, features[axis])


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ObjectAttention(FoldableLayer):
    """Gives each pixel the mean of the objects, weighted by how much it resembles them.

    Args:
        key_channels: channels in which pixels and objects are compared.
        **kwargs: `data_format` and `folded` of `FoldableLayer`, and what every Keras layer takes.

    Call arguments:
        inputs: a list of two: float `(batch, height, width, channels)`, the pixels; and
            `(batch, num_objects, 1, channels)`, the objects.

    Returns:
        float `(batch, height, width, channels)`.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet_ocr.py, `_ObjectAttentionBlock`.
    """

    def __init__(self, key_channels, **kwargs):
        super().__init__(**kwargs)
        self.key_channels = key_channels
        self.f_pixel_0 = self.make_convolution(key_channels, "f_pixel_0")
        self.f_pixel_2 = self.make_convolution(key_channels, "f_pixel_2")
        self.f_object_0 = self.make_convolution(key_channels, "f_object_0")
        self.f_object_2 = self.make_convolution(key_channels, "f_object_2")
        self.f_down_0 = self.make_convolution(key_channels, "f_down_0")
        self.f_up_0 = None

    def make_convolution(self, filters, name):
        return ConvNorm(filters, 1, name=name, **self.options)

    def build(self, input_shape):
        pixels, objects = input_shape
        self.f_up_0 = self.make_convolution(pixels[self.channel_axis], "f_up_0")
        self.f_pixel_0.build(pixels)
        narrow_pixels = self.f_pixel_0.compute_output_shape(pixels)
        self.f_pixel_2.build(narrow_pixels)
        self.f_object_0.build(objects)
        self.f_object_2.build(self.f_object_0.compute_output_shape(objects))
        self.f_down_0.build(objects)
        self.f_up_0.build(narrow_pixels)

    def call(self, inputs):
        pixels, objects = inputs
        maps = self.f_pixel_2(self.f_pixel_0(pixels)), self.f_object_2(self.f_object_0(objects)), self.f_down_0(objects)
        context = attend(*(pixels_of(x, self.data_format) for x in maps))
        return self.f_up_0(map_of(context, spatial_size(pixels, self.data_format), self.data_format))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ObjectContext(FoldableLayer):
    """Joins to each pixel's features what `ObjectAttention` finds for it, and mixes the two.

    Args:
        filters: channels of the result.
        key_channels: channels in which pixels and objects are compared.
        dropout: share of the channels that training leaves out of a whole map.
        **kwargs: `data_format` and `folded` of `FoldableLayer`, and what every Keras layer takes.

    Call arguments:
        inputs: a list of two: float `(batch, height, width, channels)`, the pixels; and
            `(batch, num_objects, 1, channels)`, the objects.

    Returns:
        float `(batch, height, width, filters)`.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet_ocr.py, `SpatialOCR_Module`.
    """

    def __init__(self, filters, key_channels, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.key_channels = key_channels
        self.dropout = dropout
        self.object_context_block = ObjectAttention(key_channels, name="object_context_block", **self.options)
        self.conv_bn_dropout = ConvNorm(filters, 1, name="conv_bn_dropout", **self.options)
        self.drop = keras.layers.SpatialDropout2D(
            dropout, data_format=self.data_format, dtype=self.dtype_policy, name="drop"
        )

    def build(self, input_shape):
        self.object_context_block.build(input_shape)
        pixels, _ = input_shape
        shape = with_channels(pixels, 2 * pixels[self.channel_axis], self.data_format)
        self.conv_bn_dropout.build(shape)
        self.drop.build(self.conv_bn_dropout.compute_output_shape(shape))

    def call(self, inputs):
        context = self.object_context_block(inputs)
        x = keras.ops.concatenate([context, inputs[0]], axis=self.channel_axis)
        return self.drop(self.conv_bn_dropout(x))

    def compute_output_shape(self, input_shape):
        return self.conv_bn_dropout.compute_output_shape(input_shape[0])

"""A 1x1 convolution of maps of several resolutions: for inference, in fewer multiplications."""

import keras

from keras_hrnet.layers import in_place
from keras_hrnet.layers.convolution import Convolution
from keras_hrnet.layers.data_format import with_channels
from keras_hrnet.layers.map_layer import MapLayer
from keras_hrnet.layers.resize import check_convention, resize, spatial_size


@keras.saving.register_keras_serializable(package="keras_hrnet")
class PyramidConvolution(MapLayer):
    """Convolves maps 1x1 as if they were enlarged to the size of the first and their channels joined.

    Enlarging and a 1x1 convolution commute, as the weights of enlarging sum to one and are the same for all channels.
    Coarse maps are so convolved before they are enlarged, where they have fewer pixels, and the results are added up.
    Enlarging more channels costs time too: the first maps, for which that outweighs what is saved, may be joined as
    they are in training.

    Args:
        filters: channels of the result.
        num_joined: how many of the finest maps are enlarged and joined before they are convolved, at least 1.
        interpolation: "bilinear" or "nearest".
        align_corners: whether bilinear aligns the centres of the corner pixels; see `resize`.
        activation: "relu", or None for none.
        **kwargs: `data_format` of `MapLayer`, and what every Keras layer takes.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`.

    Returns:
        float `(batch, height_0, width_0, filters)`.

    Raises:
        ValueError: if `num_joined` is below 1, or the convention is none of `resize`.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `HighResolutionNet.forward`, of whose last lines
    this is another order.
    """

    def __init__(
        self,
        filters,
        num_joined=1,
        interpolation="bilinear",
        align_corners=False,
        activation="relu",
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_convention(interpolation, align_corners)
        if num_joined < 1:
            raise ValueError(
                f"`PyramidConvolution` received num_joined={num_joined}. Expected a whole number of at least 1: the "
                "first map is never enlarged. Pass 1."
            )
        self.filters = filters
        self.num_joined = num_joined
        self.interpolation = interpolation
        self.align_corners = align_corners
        self.activation = activation
        self.joined = self.make_convolution("joined", use_bias=True)
        # One for each map that is not joined.
        self.convolutions = []
        self.activate = keras.activations.get(activation)

    def make_convolution(self, name, use_bias):
        return Convolution(self.filters, 1, use_bias=use_bias, name=name, **self.options)

    def build(self, input_shape):
        channels = sum(branch[self.channel_axis] for branch in input_shape[: self.num_joined])
        self.joined.build(with_channels(input_shape[0], channels, self.data_format))
        for i, branch in enumerate(input_shape[self.num_joined :], self.num_joined):
            convolution = self.make_convolution(f"branch_{i}", use_bias=False)
            convolution.build(branch)
            self.convolutions.append(convolution)

    def call(self, inputs):
        size = spatial_size(inputs[0], self.data_format)
        first = [inputs[0], *(self.enlarged(x, size) for x in inputs[1 : self.num_joined])]
        x = first[0] if len(first) == 1 else keras.ops.concatenate(first, axis=self.channel_axis)
        total = self.joined(x)
        # Each map is enlarged at once: two doublings are not one quadrupling.
        for convolution, x in zip(self.convolutions, inputs[self.num_joined :], strict=True):
            total = in_place.add(total, self.enlarged(convolution(x), size))
        return in_place.activate(total, self.activate)

    def enlarged(self, x, size):
        return resize(x, size, self.interpolation, self.align_corners, self.data_format)

    def compute_output_shape(self, input_shape):
        return with_channels(input_shape[0], self.filters, self.data_format)

"""The public constructors: a published network by its name, or one of one's own widths and depths."""

import inspect

import keras

from keras_hrnet.checkpoints import load_checkpoint
from keras_hrnet.layers.data_format import standardize_data_format
from keras_hrnet.layers.resize import check_convention
from keras_hrnet.layers.stem import MIN_SIZE
from keras_hrnet.models.backbone import backbone
from keras_hrnet.models.heads import classification_head, enlarge_logits, fcn_head
from keras_hrnet.models.variants import VARIANTS, Variant

HEADS = ("fcn", "classification", None)


def HRNet(  # noqa: N802 (a constructor, named as the network)
    variant,
    num_classes=19,
    *,
    head="fcn",
    input_shape=(None, None, 3),
    weights=None,
    align_corners=None,
    interpolation=None,
    data_format=None,
    output_stride=1,
    dtype=None,
    name=None,
):
    """Builds an HRNet of one's own widths and depths.

    Args:
        variant: the widths and depths.
        num_classes: classes that logits are given for. Not used by `head=None`.
        head: "fcn" (logits of every pixel), "classification" (logits of the image), or None (a dict of maps "P2" to
            "P5", `Pn` at stride 2 ** n).
        input_shape: (height, width, 3), each None where it is not fixed; (3, height, width) under "channels_first". The
            default means any size in either format.
        weights: the path of a checkpoint to load (see `load_checkpoint`), or None for random weights.
        align_corners: whether bilinear resizing aligns the centres of the corner pixels. It belongs to the weights.
            None: it does not, as in the published plain Cityscapes networks.
        interpolation: how maps are enlarged: "bilinear", "nearest", or None: nearest for "classification" as there
            published, else bilinear.
        data_format: "channels_last" or "channels_first" for what goes in and comes out; None for Keras's setting.
        output_stride: 1 for logits of the image's height and width; 4 for logits before they are enlarged.
        dtype: a dtype policy or its name; None for the global one. Logits are float32 under every policy.
        name: what the model is called; None for the variant's name.

    Returns:
        A functional `keras.Model`. Input: any dtype `(batch, height, width, 3)`, RGB pixels in [0, 255], at least 17
        high and wide; normalisation is inside. Output: float32 logits `(batch, height, width, num_classes)`, or
        `(batch, num_classes)` for "classification", or the dict of maps for None.

    Raises:
        ValueError: if an argument is none of the above, or the image is too small.
        FileNotFoundError: if `weights` is no file.
        TypeError: if `variant` is no `Variant`.

    Example:

    >>> import keras_hrnet
    >>> variant = keras_hrnet.Variant("Tiny", width=8, stage1_blocks=1, stage1_filters=16, modules=(1, 1, 1), blocks=1)
    >>> keras_hrnet.HRNet(variant, num_classes=5, data_format="channels_last").output_shape
    (None, None, None, 5)
    """
    if not isinstance(variant, Variant):
        raise TypeError(
            f"`HRNet` received variant={variant!r}. Expected a `keras_hrnet.Variant`. Pass one, or call a published "
            f"network by its name: {', '.join(VARIANTS)}."
        )
    name = name or variant.name
    data_format = standardize_data_format(data_format)
    interpolation, align_corners = _resize_convention(head, interpolation, align_corners)
    _check_arguments(variant.name, num_classes, head, output_stride)

    # === Image ===
    image = keras.Input(_image_shape(variant.name, input_shape, data_format), name="image")
    channels_last = _to_channels_last(data_format)(image)

    # === Network ===
    maps = backbone(channels_last, variant, interpolation, align_corners, dtype)
    to_user_format = _from_channels_last(data_format)
    if head is None:
        outputs = {f"P{i}": to_user_format(x, f"P{i}") for i, x in enumerate(maps, 2)}
    elif head == "classification":
        outputs = classification_head(maps, num_classes, dtype)
    else:
        logits = fcn_head(maps, num_classes, interpolation, align_corners, dtype)
        logits = enlarge_logits(logits, channels_last, output_stride, interpolation, align_corners)
        outputs = to_user_format(logits, "logits_channels_first")
    model = keras.Model(image, outputs, name=name)

    # === Weights ===
    if weights is not None:
        load_checkpoint(model, weights)
    return model


def _resize_convention(head, interpolation, align_corners):
    if interpolation is None:
        interpolation = "nearest" if head == "classification" else "bilinear"
    align_corners = bool(align_corners)
    check_convention(interpolation, align_corners)
    return interpolation, align_corners


def _check_arguments(name, num_classes, head, output_stride):
    if head not in HEADS:
        raise ValueError(f"`{name}` received head={head!r}. Expected one of {HEADS}. Pass one of them.")
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ValueError(
            f"`{name}` received num_classes={num_classes!r}. Expected a whole number of at least 1. Pass the number of "
            "classes in your labels, without the ignored one."
        )
    if output_stride not in (1, 4):
        raise ValueError(
            f"`{name}` received output_stride={output_stride!r}. Expected 1 (logits of the image's size) or 4 (logits "
            "before they are enlarged). Pass one of them."
        )


def _image_shape(name, input_shape, data_format):
    any_size = (None, None, 3)
    shape = tuple(input_shape)
    if data_format == "channels_first" and shape == any_size:
        shape = (3, None, None)
    channels, *size = shape if data_format == "channels_first" else (shape[-1:] + shape[:-1])
    if len(shape) != 3 or channels != 3:
        expected = "(height, width, 3)" if data_format == "channels_last" else "(3, height, width)"
        raise ValueError(
            f"`{name}` received input_shape={input_shape}. Expected {expected} for data_format={data_format!r}: RGB, "
            "with None where a size is not fixed. Pass that."
        )
    if any(length is not None and length < MIN_SIZE for length in size):
        raise ValueError(
            f"`{name}` needs a height and width of at least {MIN_SIZE}. Received input_shape={input_shape}. Enlarge "
            "the image, or pad it."
        )
    return shape


def _to_channels_last(data_format):
    if data_format == "channels_last":
        return lambda x: x
    return keras.layers.Permute((2, 3, 1), dtype="float32", name="to_channels_last")


def _from_channels_last(data_format):
    if data_format == "channels_last":
        return lambda x, name: x
    return lambda x, name: keras.layers.Permute((3, 1, 2), dtype=x.dtype, name=name)(x)


_DOCSTRING = """Builds {name}, as published.

Its widths and depths, and where they come from, are a row of `keras_hrnet.models.VARIANTS`.

Args:
{arguments}
Reference: Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition", 2019.
"""


def _published(variant_name):
    """Makes the constructor of a published network."""

    def network(
        num_classes=19,
        *,
        head="fcn",
        input_shape=(None, None, 3),
        weights=None,
        align_corners=None,
        interpolation=None,
        data_format=None,
        output_stride=1,
        dtype=None,
        name=None,
    ):
        return HRNet(
            VARIANTS[variant_name],
            num_classes,
            head=head,
            input_shape=input_shape,
            weights=weights,
            align_corners=align_corners,
            interpolation=interpolation,
            data_format=data_format,
            output_stride=output_stride,
            dtype=dtype,
            name=name,
        )

    network.__name__ = network.__qualname__ = variant_name
    arguments = inspect.getdoc(HRNet).partition("the widths and depths.\n")[2].partition("    TypeError")[0]
    network.__doc__ = _DOCSTRING.format(name=variant_name, arguments=arguments)
    return network


HRNetW18Small = _published("HRNetW18Small")
HRNetW18SmallV2 = _published("HRNetW18SmallV2")
HRNetW18 = _published("HRNetW18")
HRNetW30 = _published("HRNetW30")
HRNetW32 = _published("HRNetW32")
HRNetW40 = _published("HRNetW40")
HRNetW44 = _published("HRNetW44")
HRNetW48 = _published("HRNetW48")
HRNetW64 = _published("HRNetW64")

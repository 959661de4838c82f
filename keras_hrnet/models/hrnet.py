"""The public constructors: a published network by its name, or one of one's own widths and depths."""

import inspect

import keras

from keras_hrnet.checkpoints import choose_weights, load_checkpoint
from keras_hrnet.layers.data_format import standardize_data_format
from keras_hrnet.layers.resize import check_convention
from keras_hrnet.layers.stem import MIN_SIZE
from keras_hrnet.models.backbone import backbone
from keras_hrnet.models.border import from_channels_last, to_channels_last
from keras_hrnet.models.heads import classification_head
from keras_hrnet.models.hierarchical import hierarchical_model, scale_attention, scale_network
from keras_hrnet.models.network import Network
from keras_hrnet.models.segmentation import SEGMENTATION_HEADS, segmentation_logits
from keras_hrnet.models.supervised import AUXILIARY_LOSS_WEIGHT, supervised_model
from keras_hrnet.models.variants import VARIANTS, Variant

HEADS = (*SEGMENTATION_HEADS, "hierarchical", "classification", None)


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
    ocr_channels=(512, 256),
    ocr_dropout=0.05,
    scales=(0.5, 1.0),
    isa_channels=(512, 256),
    isa_block_size=(8, 8),
    isa_dropout=0.05,
    head_kernel_size=1,
    remat=False,
    dtype=None,
    name=None,
):
    """Builds an HRNet of one's own widths and depths.

    Args:
        variant: the widths and depths.
        num_classes: classes that logits are given for. Not used by `head=None`.
        head: how every pixel is classified: "fcn" (by itself), "ocr" (and by the classes in the image), "hierarchical"
            (by OCR at several scales), or "isa" (and by all other pixels); or "classification" (of the image), or None
            (a dict of maps "P2" to "P5", `Pn` at stride 2 ** n).
        input_shape: (height, width, 3), each None where it is not fixed; (3, height, width) under "channels_first". The
            default means any size in either format.
        weights: what to load: "imagenet", "cityscapes" or another data set; the name of a published file (see
            `published_weights`), which is downloaded once; the path of a file (see `load_checkpoint`); or None for
            random weights. ImageNet's are loaded without their head under a head for segmentation.
        align_corners: whether bilinear resizing aligns the centres of the corner pixels. It belongs to the weights.
            None: as in the network that `weights` are known to be of; else it does not, as in the published plain
            Cityscapes networks.
        interpolation: how maps are enlarged: "bilinear", "nearest", or None: as in the network that `weights` are known
            to be of; else nearest for "classification" as there published, and bilinear for the rest.
        data_format: "channels_last" or "channels_first" for what goes in and comes out; None for Keras's setting.
        output_stride: 1 for logits of the image's height and width; 4 for logits before they are enlarged, which
            "hierarchical" does not have.
        ocr_channels: of "ocr" and "hierarchical": channels of a pixel's features, and channels in which pixels and
            classes are compared. The published ones cost more than the whole of a small backbone; its authors advise
            (256, 128) for HRNetW18SmallV2.
        ocr_dropout: of "ocr" and "hierarchical": share of the features that training leaves out of a whole map.
        scales: of "hierarchical": factors of the image's height and width, with 1.0 among them; see also
            `with_scales`.
        isa_channels: of "isa": channels of a pixel's features, and channels in which pixels are compared.
        isa_block_size: of "isa": (height, width) of the blocks of its attention, in pixels at stride 4.
        isa_dropout: of "isa": share of the features that training leaves out of a whole map.
        head_kernel_size: side of the kernel of the first convolution of "fcn", and of auxiliary logits: 1 as in
            HRNet-Semantic-Segmentation, 3 as in openseg.pytorch.
        remat: whether training computes what is inside the modules again in the backward pass, instead of keeping it:
            less memory, for a third more arithmetic. Losses, gradients and moving statistics are the same.
        dtype: a dtype policy or its name; None for the global one. Logits are float32 under every policy.
        name: what the model is called; None for the variant's name.

    Returns:
        A functional `keras.Model`. Input: any dtype `(batch, height, width, 3)`, RGB pixels in [0, 255], at least 17
        high and wide; normalisation is inside. Output: float32 logits `(batch, height, width, num_classes)`, or
        `(batch, num_classes)` for "classification", or the dict of maps for None. With "ocr", "hierarchical" and
        "isa" it is a `SupervisedModel`: `fit` also trains auxiliary logits, with 0.4 of the compiled loss.

    Raises:
        ValueError: if an argument is none of the above, the image is too small, or `weights` are of another network.
        FileNotFoundError: if `weights` is no file, or one that must be fetched by hand.
        ConnectionError: if it cannot be downloaded.
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
    _check_arguments(variant.name, num_classes, head, output_stride)
    _check_head_arguments(variant.name, ocr_channels, isa_channels, head_kernel_size)
    input_shape = _image_shape(variant.name, input_shape, data_format)
    chosen = None if weights is None else choose_weights(weights, variant.name, head, num_classes)
    interpolation, align_corners = _resize_convention(head, interpolation, align_corners, chosen)
    common = {"interpolation": interpolation, "align_corners": align_corners, "dtype": dtype}

    # === Network ===
    if head == "hierarchical":
        ocr = {"channels": ocr_channels, "dropout": ocr_dropout, "kernel_size": head_kernel_size}
        network = scale_network(variant, num_classes, **common, remat=remat, **ocr)
        model = hierarchical_model(network, scale_attention(dtype), scales, input_shape, data_format, name)
    else:
        image = keras.Input(input_shape, name="image")
        channels_last = to_channels_last(image, data_format)
        maps = backbone(channels_last, variant, **common, remat=remat)
        if head is None:
            outputs = {f"P{i}": from_channels_last(x, data_format, f"P{i}") for i, x in enumerate(maps, 2)}
            model = Network(image, outputs, name=name)
        elif head == "classification":
            model = Network(image, classification_head(maps, num_classes, dtype), name=name)
        else:
            logits = segmentation_logits(
                head,
                maps,
                channels_last,
                num_classes,
                **common,
                data_format=data_format,
                output_stride=output_stride,
                ocr_channels=ocr_channels,
                ocr_dropout=ocr_dropout,
                isa_channels=isa_channels,
                isa_block_size=isa_block_size,
                isa_dropout=isa_dropout,
                head_kernel_size=head_kernel_size,
            )
            if len(logits) == 1:
                model = Network(image, logits[0], name=name)
            else:
                model = supervised_model(image, logits, (AUXILIARY_LOSS_WEIGHT,), name)

    # === Weights ===
    if chosen:
        load_checkpoint(model, chosen.path, skip_head=chosen.skip_head)
    return model


def _resize_convention(head, interpolation, align_corners, chosen):
    if interpolation is None:
        interpolation = chosen.interpolation if chosen else None
    if align_corners is None:
        align_corners = chosen.align_corners if chosen else None
    interpolation = interpolation or ("nearest" if head == "classification" else "bilinear")
    check_convention(interpolation, bool(align_corners))
    return interpolation, bool(align_corners)


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
    if head == "hierarchical" and output_stride != 1:
        raise ValueError(
            f"`{name}` received output_stride={output_stride} with head='hierarchical'. Expected 1: the scales meet at "
            "the size of the image. Leave output_stride out, or build another head."
        )


def _check_head_arguments(name, ocr_channels, isa_channels, head_kernel_size):
    for argument, channels in (("ocr_channels", ocr_channels), ("isa_channels", isa_channels)):
        numbers = isinstance(channels, list | tuple) and all(isinstance(n, int) and n > 0 for n in channels)
        if not numbers or len(channels) != 2:
            raise ValueError(
                f"`{name}` received {argument}={channels!r}. Expected two whole numbers of at least 1: channels of the "
                "features, and of what is compared. The published ones are (512, 256)."
            )
    if head_kernel_size not in (1, 3):
        raise ValueError(
            f"`{name}` received head_kernel_size={head_kernel_size!r}. Expected 1 (the official code) or 3 (openseg). "
            "Pass one of them."
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
        ocr_channels=(512, 256),
        ocr_dropout=0.05,
        scales=(0.5, 1.0),
        isa_channels=(512, 256),
        isa_block_size=(8, 8),
        isa_dropout=0.05,
        head_kernel_size=1,
        remat=False,
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
            ocr_channels=ocr_channels,
            ocr_dropout=ocr_dropout,
            scales=scales,
            isa_channels=isa_channels,
            isa_block_size=isa_block_size,
            isa_dropout=isa_dropout,
            head_kernel_size=head_kernel_size,
            remat=remat,
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

"""The public constructors: a published network by its name, or a network with custom widths and depths."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_hrnet.checkpoints import choose_weights, load_checkpoint
from keras_hrnet.data_sets import Classes
from keras_hrnet.families import VARIANTS, Family, LayerOptions
from keras_hrnet.heads import ARGUMENTS, Head, standardize_head
from keras_hrnet.layers.data_format import standardize_data_format
from keras_hrnet.models.building import check_arguments, connect, given_statistics, image_shape, resize_convention
from keras_hrnet.models.network import standardize_classes


def _with_head_options(function: Callable) -> Callable:
    """Adds the options of heads to the signature of a constructor, with the defaults of the heads."""
    signature = inspect.signature(function)
    *own, rest = signature.parameters.values()
    options = [
        rest.replace(name=name, kind=rest.KEYWORD_ONLY, default=field.default, annotation=field.type)
        for name, field in ARGUMENTS.items()
    ]
    function.__signature__ = signature.replace(parameters=[*own, *options])
    return function


@_with_head_options
def HRNet(  # noqa: N802 (a constructor, named as the network)
    variant: Family,
    num_classes: int = 19,
    *,
    head: str | Head | None = "fcn",
    input_shape: Sequence[int | None] = (None, None, 3),
    mean: Sequence[float] | None = None,
    deviation: Sequence[float] | None = None,
    weights: str | os.PathLike | None = None,
    align_corners: bool | None = None,
    interpolation: str | None = None,
    data_format: str | None = None,
    output_stride: int = 1,
    class_names: Sequence[str] | str | Classes | None = None,
    remat: bool = False,
    dtype: str | keras.dtype_policies.DTypePolicy | None = None,
    name: str | None = None,
    **head_options: Any,
) -> keras.Model:
    """Builds a network with custom widths and depths.

    Args:
        variant: a `Variant`, `HRFormerVariant` or `LiteVariant` with the widths and depths.
        num_classes: number of classes, which is also the number of logits. It is not used if `head=None`.
        head: the layers that classify each pixel: "fcn" (from its own features), "ocr" (also from the mean features of
            the classes in the image), "hierarchical" (OCR at several scales, combined by attention), "isa" (also from
            the features of all other pixels), or "iterative" (from maps that are summed from coarse to fine); or
            "classification" (classifies the image), or None (returns a dict of maps "P2" to "P5", `Pn` at stride 2 **
            n). Alternatively, an object of a class in `keras_hrnet.heads`, with its options, or a custom head: see
            `keras_hrnet.heads.Head`.
        input_shape: (height, width, channels), with None for a height or width that is not fixed; (channels, height,
            width) if `data_format` is "channels_first". The default means RGB images of any size in either format;
            likewise, `(None, None, 4)` means images with four channels.
        mean: the mean of each channel of the images, in the unit of their pixels. None uses the means of ImageNet,
            which are for RGB in [0, 255], or their average if there is a single channel. It is required for any other
            number of channels.
        deviation: the standard deviation of each channel, with the same unit and defaults as `mean`.
        weights: the weights to load: "imagenet", "cityscapes" or another data set; the name of a published file (see
            `published_weights`), which is downloaded once; the path of a file (see `load_checkpoint`); or None for
            random weights. Weights for ImageNet and for key points are loaded without their head if the network has a
            head for segmentation, and so are all weights if it has a custom head. If the number of channels is not the
            file's three, the first kernel is adapted: see `load_checkpoint`.
        align_corners: whether bilinear resizing aligns the centers of the corner pixels. It must match the weights.
            None uses the convention of the network that `weights` belong to, if it is known; otherwise True for
            HRFormer and False for other networks, as most of them are published.
        interpolation: the interpolation by which maps are upsampled: "bilinear" or "nearest". None uses the one of the
            network that `weights` belong to, if it is known; otherwise nearest for "classification", as published, and
            bilinear for other heads.
        data_format: "channels_last" or "channels_first", for inputs and outputs; None for Keras's setting.
        output_stride: 1 for logits of the image's height and width; 4 for logits before they are upsampled, which
            "hierarchical" does not support.
        class_names: the names of the classes, by train id; the name of a data set, such as "cityscapes"; or a
            `keras_hrnet.data_sets.Classes`, with colors. None uses the classes of the data set that `weights` were
            trained on, or of the data set that the network is trained on.
        remat: whether training recomputes the intermediate results of the modules in the backward pass, instead of
            storing them. This takes less memory and a third more arithmetic. Losses, gradients and moving statistics
            are the same.
        dtype: a dtype policy or its name; None for the global one. Logits are float32 under every policy.
        name: name of the model; None for the variant's name.
        **head_options: options of the head, if `head` is a name: `head_kernel_size` ("fcn", "ocr", "hierarchical",
            "isa"), `head_channels` ("fcn"), `ocr_channels`, `ocr_dropout`, `ocr_auxiliary_channels` and `ocr_bias`
            ("ocr", "hierarchical"), `scales` ("hierarchical"), `isa_channels`, `isa_block_size` and `isa_dropout`
            ("isa"), and `depthwise_head` ("classification"). The classes in `keras_hrnet.heads` describe them.

    Returns:
        A functional `keras.Model`. Input: any dtype `(batch, height, width, channels)`, RGB pixels in [0, 255] or
        values in the unit of `mean`, at least 17 high and wide; the network normalizes them. Output: float32 logits
        `(batch, height, width, num_classes)`, or `(batch, num_classes)` for "classification", or the dict of maps for
        None. With "ocr", "hierarchical" and "isa", the model is a `SupervisedModel`: `fit` also trains auxiliary
        logits, with 0.4 times the compiled loss.

    Raises:
        ValueError: if an argument has another value than described above, the image is too small, or `weights` belong
            to another network.
        FileNotFoundError: if the file of `weights` does not exist, or must be downloaded manually.
        ConnectionError: if the file cannot be downloaded.
        TypeError: if `variant` is not a `Variant`, `HRFormerVariant` or `LiteVariant`.

    Example:

    >>> import keras_hrnet
    >>> variant = keras_hrnet.Variant("Tiny", width=8, stage1_blocks=1, stage1_filters=16, modules=(1, 1, 1), blocks=1)
    >>> keras_hrnet.HRNet(variant, num_classes=5, data_format="channels_last").output_shape
    (None, None, None, 5)
    """
    if not isinstance(variant, Family):
        raise TypeError(
            f"`HRNet` received variant={variant!r}. Expected a `keras_hrnet.Variant`, `HRFormerVariant` or "
            f"`LiteVariant`. Pass one, or call the constructor of a published network: {', '.join(VARIANTS)}."
        )
    data_format = standardize_data_format(data_format)
    head = standardize_head(head, head_options, variant.name, variant.head_options)
    check_arguments(variant.name, num_classes, head, output_stride)
    input_shape = image_shape(variant, input_shape, data_format)
    statistics = given_statistics(variant.name, input_shape, data_format, mean, deviation)
    classes = None if class_names is None else standardize_classes(class_names)
    if classes is not None and len(classes.names) != num_classes:
        raise ValueError(
            f"`{variant.name}` received {len(classes.names)} class names with num_classes={num_classes}. Expected one "
            f"name for each class. Pass num_classes={len(classes.names)}, or other names."
        )
    chosen = weights if weights is None else choose_weights(weights, variant.name, head and head.name, num_classes)
    convention = resize_convention(variant, head, interpolation, align_corners, chosen)
    options = LayerOptions(*convention, dtype, remat, **statistics)

    of_model = {"input_shape": input_shape, "data_format": data_format, "output_stride": output_stride}
    model = connect(variant, head, num_classes, options, **of_model, name=name or variant.name)
    if classes is not None:
        model.classes = classes
    if chosen:
        is_own_head = head is not None and head.name is None
        load_checkpoint(model, chosen.path, skip_head=chosen.skip_head or is_own_head)
    return model


_DOCSTRING = """Builds {name}, as published.

A row of `keras_hrnet.families` lists its widths and depths, and their sources.

Args:
{arguments}
Reference: {reference}
"""


def _published(variant_name: str) -> Callable[..., keras.Model]:
    """Returns the constructor of a published network."""
    row = VARIANTS[variant_name]

    def network(num_classes: int = 19, *, head: str | Head | None = row.default_head, **options: Any) -> keras.Model:
        own = {name: options.pop(name) for name in row.arguments if name in options}
        name = head.name if isinstance(head, Head) else head
        return HRNet(row.with_arguments(name, own), num_classes, head=head, **options)

    network.__signature__ = _signature_of(row)
    network.__name__ = network.__qualname__ = variant_name
    arguments = inspect.getdoc(HRNet).partition("with the widths and depths.\n")[2].partition("    TypeError")[0]
    own = "".join(f"    {name}: {text}\n" for name, text in row.arguments.items())
    arguments = arguments.replace("    input_shape:", f"{own}    input_shape:", 1)
    network.__doc__ = _DOCSTRING.format(name=variant_name, arguments=arguments, reference=row.reference)
    return network


def _signature_of(row: Family) -> inspect.Signature:
    """Returns the signature of `HRNet` with the arguments of the row, and with the published defaults."""
    signature = inspect.signature(HRNet)
    _, num_classes, head, *rest = signature.parameters.values()
    defaults = row.head_options.get(row.default_head, {})
    rest = [each.replace(default=defaults.get(each.name, each.default)) for each in rest]
    fields = {field.name: field for field in dataclasses.fields(row)}
    own = [
        head.replace(name=name, default=getattr(row, name), annotation=f"{fields[name].type} | None")
        for name in row.arguments
    ]
    return signature.replace(parameters=[num_classes, head.replace(default=row.default_head), *own, *rest])


HRNetW18Small = _published("HRNetW18Small")
HRNetW18SmallV2 = _published("HRNetW18SmallV2")
HRNetW18 = _published("HRNetW18")
HRNetW30 = _published("HRNetW30")
HRNetW32 = _published("HRNetW32")
HRNetW40 = _published("HRNetW40")
HRNetW44 = _published("HRNetW44")
HRNetW48 = _published("HRNetW48")
HRNetW64 = _published("HRNetW64")
HRFormerTiny = _published("HRFormerTiny")
HRFormerSmall = _published("HRFormerSmall")
HRFormerBase = _published("HRFormerBase")
LiteHRNet18 = _published("LiteHRNet18")
LiteHRNet30 = _published("LiteHRNet30")
LiteHRNetNaive18 = _published("LiteHRNetNaive18")
LiteHRNetWiderNaive18 = _published("LiteHRNetWiderNaive18")

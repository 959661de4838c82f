"""From the four maps of the backbone to logits at the size of the image: the heads that classify every pixel once."""

from keras_hrnet.models.border import from_channels_last
from keras_hrnet.models.heads import enlarge_logits, fcn_head, isa_head, ocr_head

SEGMENTATION_HEADS = ("fcn", "ocr", "isa")


def segmentation_logits(
    head,
    maps,
    image,
    num_classes,
    *,
    interpolation,
    align_corners,
    dtype,
    data_format,
    output_stride=1,
    ocr_channels,
    ocr_dropout,
    isa_channels,
    isa_block_size,
    isa_dropout,
    head_kernel_size,
):
    """Connects a head and enlarges its logits.

    Args:
        head: one of `SEGMENTATION_HEADS`.
        maps: four symbolic maps, finest first.
        image: symbolic `(batch, height, width, 3)`, of which only the size is used.
        num_classes: channels of the logits.
        interpolation: how maps are enlarged, "bilinear" or "nearest".
        align_corners: whether bilinear aligns the centres of the corner pixels.
        dtype: a dtype policy or its name; None for the global one.
        data_format: what the logits come out in; all else is channels last.
        output_stride, ocr_channels, ocr_dropout, isa_channels, isa_block_size, isa_dropout, head_kernel_size: as in
            `HRNet`.

    Returns:
        A list of symbolic float32 tensors from the layers "logits" and, where the head has them, "auxiliary_logits".
    """
    common = {"interpolation": interpolation, "align_corners": align_corners, "dtype": dtype}
    common["kernel_size"] = head_kernel_size
    if head == "fcn":
        logits = (fcn_head(maps, num_classes, **common),)
    elif head == "ocr":
        logits = ocr_head(maps, num_classes, **common, channels=ocr_channels, dropout=ocr_dropout)[:2]
    else:
        isa = {"channels": isa_channels, "block_size": isa_block_size, "dropout": isa_dropout}
        logits = isa_head(maps, num_classes, **common, **isa)
    tensors = []
    for x, name in zip(logits, ("logits", "auxiliary_logits"), strict=False):
        x = enlarge_logits(x, image, output_stride, interpolation, align_corners, name=name)
        tensors.append(from_channels_last(x, data_format, f"{name}_channels_first"))
    return tensors

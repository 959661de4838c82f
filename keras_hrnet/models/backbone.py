"""The body of the network: an image in, four maps of strides 4, 8, 16 and 32 out."""

from keras_hrnet.layers import Branch, Normalize, Stage, Stem, Transition


def backbone(image, variant, interpolation, align_corners, dtype, remat=False):
    """Connects the stem, the four stages and the transitions between them.

    Layers are channels_last inside whatever the user sees: TensorFlow and XLA convolve nothing else fast on a CPU,
    and PyTorch takes channels_last memory without a copy.

    Args:
        image: symbolic `(batch, height, width, 3)`, RGB in [0, 255].
        variant: a `Variant`.
        interpolation: how maps are enlarged, "bilinear" or "nearest".
        align_corners: whether bilinear aligns the centres of the corner pixels.
        dtype: a dtype policy or its name; None for the global one.
        remat: whether training computes modules, and the blocks of the first stage, again in the backward pass.

    Returns:
        A list of four symbolic maps, finest first, with the variant's widths.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `HighResolutionNet.forward`.
    """
    options = {"data_format": "channels_last", "dtype": dtype}
    x = Normalize(name="normalize", **options)(image)
    x = Stem(name="stem", **options)(x)
    layer1 = Branch(variant.stage1_filters, variant.stage1_blocks, "bottleneck", remat=remat, name="layer1", **options)
    maps = [layer1(x)]
    for stage, num_modules in enumerate(variant.modules, 2):
        maps = Transition(variant.widths[:stage], name=f"transition{stage - 1}", **options)(maps)
        stage_layer = Stage(
            num_modules, variant.blocks, interpolation, align_corners, remat=remat, name=f"stage{stage}", **options
        )
        maps = stage_layer(maps)
    return maps

"""A colour for each class."""

import colorsys

from keras_hrnet.data_sets.cityscapes import PALETTE
from keras_hrnet.evaluation.html.wording import escape

# Each hue is as far as can be from those before it, however many follow: the golden ratio's fraction.
HUE_STEP = 0.618033988749895
# Neighbours in the list differ in lightness too, for those who do not tell their hues apart.
LIGHTNESS = (0.45, 0.7, 0.3, 0.58)


def class_colors(num_classes, palette=None):
    """Returns red, green and blue of each class, by train id.

    Args:
        num_classes: how many there are.
        palette: the colours to take, each in [0, 255]. None means Cityscapes' for 19 classes and generated ones else.

    Returns:
        A tuple of `(red, green, blue)`, integers in [0, 255].

    Raises:
        ValueError: if the palette has another number of colours.
    """
    if palette is None:
        palette = PALETTE if num_classes == len(PALETTE) else tuple(map(_generated, range(num_classes)))
    colors = tuple(tuple(int(channel) for channel in color) for color in palette)
    if len(colors) != num_classes:
        raise ValueError(
            f"Received a palette of {len(colors)} colours for {num_classes} classes. Expected a colour for each. Pass "
            f"{num_classes} of them, or None."
        )
    return colors


def _generated(train_id):
    lightness = LIGHTNESS[train_id % len(LIGHTNESS)]
    channels = colorsys.hls_to_rgb(train_id * HUE_STEP % 1, lightness, 0.65)
    return tuple(round(255 * channel) for channel in channels)


def named(color, name):
    """Returns a name behind a small square of its colour `(red, green, blue)`, as HTML."""
    # An attribute of SVG and no style: the page's policy allows no styles in elements.
    square = (
        '<svg class="swatch" viewBox="0 0 16 16" aria-hidden="true"><rect x="1" y="1" width="14" height="14" '
        f'rx="2" fill="rgb({",".join(map(str, color))})"/></svg>'
    )
    return f'<span class="name">{square}<span>{escape(name)}</span></span>'

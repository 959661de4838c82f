"""A colour for each class."""

from keras_hrnet.evaluation.html.wording import escape


def named(color, name):
    """Returns a name behind a small square of its colour `(red, green, blue)`, as HTML."""
    # An attribute of SVG and no style: the page's policy allows no styles in elements.
    square = (
        '<svg class="swatch" viewBox="0 0 16 16" aria-hidden="true"><rect x="1" y="1" width="14" height="14" '
        f'rx="2" fill="rgb({",".join(map(str, color))})"/></svg>'
    )
    return f'<span class="name">{square}<span>{escape(name)}</span></span>'

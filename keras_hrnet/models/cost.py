"""What a network costs, counted from its row alone."""

from __future__ import annotations

from typing import Any

from keras_hrnet.families import Cost, Family
from keras_hrnet.heads import Head, standardize_head


def cost(
    variant: Family,
    num_classes: int = 19,
    *,
    head: str | Head | None = "fcn",
    image_size: tuple[int, int] = (512, 1024),
    **head_options: Any,
) -> Cost:
    """Counts the parameters and multiplications of a network, without building it.

    Args:
        variant: the row of the network, such as `keras_hrnet.models.VARIANTS["HRNetW48"]`.
        num_classes: classes that logits are given for.
        head, **head_options: as in `keras_hrnet.HRNet`.
        image_size: (height, width) of the image, in pixels.

    Returns:
        A `Cost`: of what inference computes. The auxiliary logits of "isa" are parameters and no work.
    """
    head = standardize_head(head, head_options, variant.name, variant.head_options)
    return variant.cost(image_size) if head is None else head.cost(variant, num_classes, image_size)

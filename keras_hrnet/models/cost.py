"""Computes the cost of a network from its description, without building the network."""

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
        variant: the network, such as `keras_hrnet.models.VARIANTS["HRNetW48"]`.
        num_classes: number of classes, which is also the number of logits.
        head, **head_options: as in `keras_hrnet.HRNet`.
        image_size: (height, width) of the image, in pixels.

    Returns:
        The `Cost` of inference. The auxiliary logits of "isa" count as parameters, but not as multiplications.
    """
    head = standardize_head(head, head_options, variant.name, variant.head_options)
    return variant.cost(image_size) if head is None else head.cost(variant, num_classes, image_size)

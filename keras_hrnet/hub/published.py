"""Published weight files by the names that KerasHub's `from_preset` is given."""

from __future__ import annotations

from typing import Any

from keras_hrnet.checkpoints import PublishedWeights, published_weights

# What stands before `owner/name` of a repository of the Hugging Face hub: for KerasHub, and in a browser.
_HUB_SCHEME, _HUB_PAGE = "hf://", "https://huggingface.co/"


def find_published(preset: str) -> PublishedWeights | None:
    """Finds the published weight file that a preset names: its own name, or `hf://timm/hrnet_…`; None for another."""
    page = None
    if isinstance(preset, str) and preset.startswith(_HUB_SCHEME):
        page = _HUB_PAGE + preset.removeprefix(_HUB_SCHEME)
    return next((row for row in published_weights() if preset == row.name or page == row.page), None)


def check_channel_order(row: PublishedWeights) -> None:
    """Refuses weights whose pixels KerasHub's preprocessors would give in another order.

    Raises:
        ValueError: if they are not for RGB pixels.
    """
    if row.channel_order != "RGB":
        raise ValueError(
            f"Received the preset {row.name!r}, whose weights are for {row.channel_order} pixels. Expected weights for "
            "RGB pixels. Pass load_weights=False, call `keras_hrnet.load_checkpoint`, and pass images with reversed "
            "channels, images[..., ::-1]."
        )


def convention_of(row: PublishedWeights) -> dict[str, Any]:
    """Returns the arguments of a backbone by which it upsamples maps as the weights of a published file need it.

    Weights for ImageNet and for key points do not say so: segmentation starts from them with bilinear upsampling, in
    the published recipe too, whatever their classifier did.
    """
    if not row.is_for_pixels or row.interpolation is None or row.align_corners is None:
        return {}
    return {"interpolation": row.interpolation, "align_corners": row.align_corners}

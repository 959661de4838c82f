"""Finds published weights by the preset names that are passed to `from_preset`."""

from __future__ import annotations

from typing import Any

from keras_hrnet.checkpoints import PublishedWeights, published_weights

# The prefix of `owner/name`, a repository of the Hugging Face hub, in the presets of KerasHub and in web addresses.
_HUB_SCHEME, _HUB_PAGE = "hf://", "https://huggingface.co/"


def find_published(preset: str) -> PublishedWeights | None:
    """Returns the published weights that a preset names, by their name or as `hf://timm/hrnet_…`; None if unknown."""
    page = None
    if isinstance(preset, str) and preset.startswith(_HUB_SCHEME):
        page = _HUB_PAGE + preset.removeprefix(_HUB_SCHEME)
    return next((row for row in published_weights() if preset == row.name or page == row.page), None)


def check_channel_order(row: PublishedWeights) -> None:
    """Refuses weights for another channel order than that of KerasHub's preprocessors, RGB.

    Raises:
        ValueError: if the weights are not for RGB pixels.
    """
    if row.channel_order != "RGB":
        raise ValueError(
            f"Received the preset {row.name!r}, whose weights are for {row.channel_order} pixels. Expected weights for "
            "RGB pixels. Pass load_weights=False, call `keras_hrnet.load_checkpoint`, and pass images with reversed "
            "channels, images[..., ::-1]."
        )


def convention_of(row: PublishedWeights) -> dict[str, Any]:
    """Returns the arguments by which a backbone upsamples maps as the published weights require.

    Weights for ImageNet and for key points do not require a way of upsampling: segmentation starts from them with
    bilinear upsampling, as in the published recipe, even if their own network upsampled differently.
    """
    if not row.is_for_pixels or row.interpolation is None or row.align_corners is None:
        return {}
    return {"interpolation": row.interpolation, "align_corners": row.align_corners}

"""Determines the weight file that a constructor's `weights` selects, and the resize convention that comes with it."""

import dataclasses
import os
import pathlib

from keras_hrnet.checkpoints.contents import read_contents
from keras_hrnet.checkpoints.convention import convention_of_file
from keras_hrnet.checkpoints.description import describe_contents
from keras_hrnet.checkpoints.download import download
from keras_hrnet.checkpoints.published import PublishedWeights, find, identify, published_weights
from keras_hrnet.checkpoints.reading import SAFETENSORS_ENDING, TORCH_ENDINGS, has_ending


@dataclasses.dataclass(frozen=True)
class ChosenWeights:
    """A weight file for a network.

    Args:
        path: the file.
        published: the row of the published file; None if it is not published.
        skip_head: whether its head is skipped, as for weights for ImageNet or key points under a segmentation head.
        interpolation, align_corners: the resize convention of the network if its user did not choose one; None for the
            default.
    """

    path: pathlib.Path
    published: PublishedWeights | None
    skip_head: bool
    interpolation: str | None
    align_corners: bool | None


def choose_weights(weights: str | os.PathLike, variant: str, head: str | None, num_classes: int) -> ChosenWeights:
    """Finds the weight file for a network before the network is built, and downloads it.

    Args:
        weights: a data set ("imagenet", "cityscapes", …), the name of a published file, or a path.
        variant, head, num_classes: as in `keras_hrnet.checkpoints.published.find`.

    Raises:
        TypeError: if `weights` is neither text nor a path.
        ValueError, FileNotFoundError, ConnectionError: see `keras_hrnet.checkpoints.published.find` and `download`.
    """
    if not isinstance(weights, str | os.PathLike):
        raise TypeError(
            f"Received weights={weights!r}. Expected a data set, the name of a published file, or a path. Pass one of "
            "them, or None for random weights."
        )
    if _is_path(weights):
        path = pathlib.Path(weights)
        row = identify(path)
        if row is None:
            return _of_unknown_file(path, head)
        _check_channel_order(path, row.channel_order)
    else:
        row = find(weights, variant, head, num_classes)
        path = download(row)
    convention = row.interpolation, row.align_corners
    return _chosen(path, row, row.is_for_pixels, row.head, head, convention)


def _of_unknown_file(path, head):
    """Chooses by the keys of a file whose name is unknown."""
    contents = read_contents(path)
    _check_channel_order(path, contents.format.channel_order)
    own_head = describe_contents(contents).options["head"]
    is_for_pixels = own_head != "classification" and contents.task is None
    known = convention_of_file(contents)
    convention = (known.interpolation, known.align_corners) if known else (None, None)
    return _chosen(path, None, is_for_pixels, own_head, head, convention)


def _chosen(path, published, is_for_pixels, own_head, head, convention):
    """Decides which parts of a file apply to a network with this head.

    ImageNet's weights determine the resize convention for classification only: segmentation starts from them with
    bilinear upsampling, as in the published recipe. The same holds for weights for key points, whose head is not used.
    """
    decides = head in (own_head, None) if is_for_pixels else head == "classification" == own_head
    skip_head = not is_for_pixels and head is not None and not head == "classification" == own_head
    return ChosenWeights(path, published, skip_head, *(convention if decides else (None, None)))


def _check_channel_order(path, channel_order):
    if channel_order != "RGB":
        raise ValueError(
            f"Received weights={str(path)!r}, which are for {channel_order} pixels. Expected weights for RGB pixels. "
            "Build without weights, call `load_checkpoint`, and pass images with reversed channels, images[..., ::-1]."
        )


def _is_path(weights):
    if isinstance(weights, os.PathLike):
        return True
    rows = published_weights()
    if weights in {name for row in rows for name in (row.dataset, row.name)}:
        return False
    if os.path.isfile(weights):
        return True
    if weights in {row.file for row in rows}:
        return False
    return pathlib.PurePath(weights).name != weights or has_ending(weights, *TORCH_ENDINGS, SAFETENSORS_ENDING)

"""Loads a weight file of other code into a model, and by default verifies that every key and every weight match."""

import dataclasses
import os

import keras

from keras_hrnet.checkpoints.contents import read_contents
from keras_hrnet.checkpoints.convention import check_convention
from keras_hrnet.checkpoints.conversion import conversion_notes, sources_of, uses_inplace_abn
from keras_hrnet.checkpoints.description import describe_contents
from keras_hrnet.checkpoints.refusal import check_fit, check_head
from keras_hrnet.checkpoints.report import CheckpointReport
from keras_hrnet.families import is_backbone


def load_checkpoint(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    strict: bool = True,
    skip_head: bool = False,
    inplace_abn: bool | None = None,
    averaged: bool = False,
) -> CheckpointReport:
    """Loads a published weight file into a model.

    No weight is assigned unless every weight of the model is in the file with its shape, and every key of the file is
    used or ignored for a known reason. For a model with `head=None`, the keys of a head are ignored and reported.

    The format is recognized by the keys: official segmentation (plain or OCR) and classification, timm, SSLD, NVIDIA's
    OCR and hierarchical networks, mmsegmentation, openseg.pytorch, CSAILVision's HRNetV2 with C1, HRFormer, Lite-HRNet
    for key points, or only a backbone. Prefixes of common wrappers, such as `module.` and `_orig_mod.`, are supported.
    Differences between formats are converted exactly and reported: a bias before a normalization is folded into its
    moving mean; a bias that files of the format do not have is zero; the scale of InPlaceABN is |gamma| + 1e-5. For a
    network whose number of channels is not three, the first kernel is adapted as in timm: for one channel, it is summed
    over RGB; for other numbers, R, G and B are repeated in this order and multiplied by 3 / channels.

    Args:
        model: a network of this package. If its classes are unnamed, and the file is known to belong to a data set
            whose classes are known, the model gets their names and colors with the head.
        path: `.pth`, `.pth.tar`, `.pt`, `.bin` or `.ckpt` (read without PyTorch, and without running any code that the
            file holds), or `.safetensors`. Of CSAILVision's `encoder_….pth` and `decoder_….pth`, pass either, and keep
            the other in the same folder.
        strict: whether everything must fit. False loads the weights that fit and reports the others.
        skip_head: whether to load only the backbone, which must fit completely, and leave the model's head unchanged.
        inplace_abn: whether the file's normalization is InPlaceABN. With None, it is if the file is an official
            segmentation file of PyTorch 0.4, which has no `num_batches_tracked`.
        averaged: whether to load the weights averaged over training (EMA) from a file that holds both averaged and
            plain weights. The report states if a file holds both.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, is for another network or number of classes, or has another resize
            convention than the model (which is allowed if only the backbone is loaded). The message says which network
            to build.
        ImportError: if safetensors is needed and not installed.

    Reference: the files of `keras_hrnet.checkpoints.naming` name the code behind each format.
    """
    contents = read_contents(path, averaged)
    described = describe_contents(contents)
    sources = sources_of(model, contents)
    backbone = [source for source in sources if is_backbone(source.name)]
    has_head = len(backbone) < len(sources)
    loads_head = has_head and not skip_head
    if loads_head:
        check_head(contents, described)

    # === Comparison ===
    wanted = sources if loads_head else backbone
    report = _compare(contents, wanted, ignore_head=None if loads_head else _why_no_head(contents, has_head))
    if skip_head:
        untouched = tuple(source.weight.path for source in sources if not is_backbone(source.name))
        report = dataclasses.replace(report, untouched=untouched)
    check_fit(report, model, sources, described, loads_head, strict)
    convention = check_convention(contents, model, described, loads_head, skip_head)

    # === Assignment ===
    inplace_abn, notes = uses_inplace_abn(contents, inplace_abn)
    fitting = [source for source in wanted if source.can_be_filled(set(report.loaded))]
    for source, value in [(source, source.value(contents.arrays, inplace_abn)) for source in fitting]:
        source.weight.assign(value)
    if loads_head:
        notes = (*notes, *_adopt_classes(model, contents.published))
        notes += (f"the head was trained for {contents.task}",) if contents.task else ()
    return dataclasses.replace(report, convention=convention, notes=(*notes, *conversion_notes(contents, fitting)))


def _adopt_classes(model, published):
    """Gives a network with unnamed classes those of a published file; yields the sentence that reports this."""
    classes, known = getattr(model, "classes", None), published and published.classes
    # A file may have the name of a published file but other classes.
    if classes and known and not classes.are_named and len(classes.names) == len(known.names):
        model.classes = known
        yield f"the network has the {len(known.names)} classes of {published.dataset}"


def _why_no_head(contents, has_head):
    reason = "skip_head=True" if has_head else "the model has no head"
    if contents.task:
        return f"part of a head for {contents.task}, and {reason}"
    return f"part of a head, and {reason}" if has_head else reason


def _compare(contents, wanted, ignore_head):
    """Compares the keys of a file with the weights to be loaded."""
    arrays, ignored = contents.arrays, dict(contents.ignored)
    shapes = {key: source.shape for source in wanted for key in source.keys}
    both = {key: (arrays[key].shape, shape) for key, shape in shapes.items() if key in arrays}
    mismatched = {key: (theirs, ours) for key, (theirs, ours) in both.items() if theirs != ours}
    unknown = [key for key in arrays if key not in shapes]
    if ignore_head:
        ignored |= {key: ignore_head for key in unknown if contents.is_head(key)}
    return CheckpointReport(
        path=contents.path,
        format=contents.format.title,
        loaded=tuple(key for key in both if key not in mismatched),
        ignored=ignored,
        missing=tuple(key for key in shapes if key not in arrays),
        unexpected=tuple(key for key in unknown if key not in ignored),
        mismatched=mismatched,
    )

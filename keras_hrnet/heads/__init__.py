"""The heads; each file defines the options, layers, cost and weight names of one head.

Pass a head by its name or as an object: `HRNetW48(head="ocr", ocr_channels=(256, 128))` and
`HRNetW48(head=OCR(channels=(256, 128)))` build the same network. A custom head extends `Head`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from keras_hrnet.heads.classification import Classification
from keras_hrnet.heads.fcn import FCN
from keras_hrnet.heads.head import Head, check_option
from keras_hrnet.heads.hierarchical import Hierarchical
from keras_hrnet.heads.isa import ISA
from keras_hrnet.heads.iterative import Iterative
from keras_hrnet.heads.ocr import OCR
from keras_hrnet.suggestion import suggestion

if TYPE_CHECKING:
    import keras


HEADS: dict[str, type[Head]] = {head.name: head for head in (FCN, OCR, ISA, Hierarchical, Classification, Iterative)}
"""The heads by name."""

WEIGHT_NAMES = tuple(dict.fromkeys(pair for head in HEADS.values() for pair in head.weight_names))
"""Patterns that convert the path of a head's layer to the official name of its weights."""

TELLING_WEIGHTS = tuple(dict.fromkeys(name for head in HEADS.values() for name in head.telling_weights))
"""Official names of weights whose shapes determine the head of a file, and its options."""

ARGUMENTS: dict[str, dataclasses.Field] = {
    field.metadata["argument"]: field for head in HEADS.values() for field in dataclasses.fields(head)
}
"""The options of all heads, by their argument names in constructors of networks; several heads share `kernel_size`."""


def standardize_head(
    head: str | Head | None,
    options: Mapping[str, Any],
    receiver: str,
    published: Mapping[str, Mapping[str, Any]] | None = None,
) -> Head | None:
    """Returns the head that the arguments of a constructor specify.

    Args:
        head: the name of a head, a `Head`, or None.
        options: values for the arguments in `ARGUMENTS`. Options of other heads are checked, and have no effect.
        receiver: name of the network, for errors.
        published: by the name of a head, its default options: `Family.head_options`.

    Raises:
        TypeError: if an option is unknown, or if options are passed together with a head that is an object.
        ValueError: if the head does not exist, or an option is out of range.
    """
    for name, value in options.items():
        if name not in ARGUMENTS:
            advice = suggestion(repr(name), map(repr, ARGUMENTS)) or " Leave it out."
            raise TypeError(f"`{receiver}` received an unexpected argument {name!r}.{advice}")
        if "check" in ARGUMENTS[name].metadata:
            check_option(f"`{receiver}`", name, value, ARGUMENTS[name].metadata["check"])
    if isinstance(head, Head):
        if options:
            raise TypeError(
                f"`{receiver}` received head={head!r} and {', '.join(options)}. Expected the options of a `Head` "
                f"object in the object. Pass them to `{type(head).__name__}`."
            )
        return head
    if head is None:
        return None
    if head not in HEADS:
        raise ValueError(
            f"`{receiver}` received head={head!r}. Expected one of {(*HEADS, None)}, or a `keras_hrnet.heads.Head`."
            f"{suggestion(str(head), HEADS) or ' Pass one of them.'}"
        )
    own = {field.metadata["argument"]: field.name for field in dataclasses.fields(HEADS[head])}
    options = {**(published or {}).get(head, {}), **options}
    return HEADS[head](**{own[name]: value for name, value in options.items() if name in own})


def head_of(model: keras.Model) -> str | None:
    """Returns the name of the head of a network of this package, found by its layers; None if no head is found."""
    layers = {layer.name for layer in getattr(model, "layers", ())}
    return next((head.name for head in reversed(HEADS.values()) if head.own_layer in layers), None)


__all__ = [
    "ARGUMENTS",
    "FCN",
    "HEADS",
    "ISA",
    "OCR",
    "TELLING_WEIGHTS",
    "WEIGHT_NAMES",
    "Classification",
    "Head",
    "Hierarchical",
    "Iterative",
    "head_of",
    "standardize_head",
]

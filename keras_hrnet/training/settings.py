"""Values of settings: from the command line, and of the type that their field has."""

import difflib
import math
import numbers
import types
import typing


def parsed(name, text, annotation):
    """Reads a value from text.

    Args:
        name: of the setting.
        text: what stands behind its name on the command line.
        annotation: the type of its field.

    Returns:
        The value.

    Raises:
        ValueError: if the text is no such value.
    """
    kinds = _kinds(annotation)
    if type(None) in kinds and text.lower() == "none":
        return None
    readers = {
        bool: lambda: {"true": True, "false": False}[text.lower()],
        int: lambda: int(text),
        float: lambda: float(text),
        tuple: lambda: tuple(map(_number, text.strip("()[]").replace("x", ",").split(","))),
        str: lambda: text,
    }
    # Text reads as everything: it comes last.
    for kind in (bool, int, float, tuple, str):
        if kind in kinds:
            try:
                return readers[kind]()
            except (ValueError, KeyError):
                continue
    names = " or ".join({tuple: "numbers with commas", type(None): "none"}.get(kind, kind.__name__) for kind in kinds)
    raise ValueError(f"Received --set {name}={text}. Expected {names}. Correct it.")


def _number(text):
    return int(text) if text.strip().lstrip("-").isdigit() else float(text)


def _kinds(annotation):
    parts = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return [typing.get_origin(part) or part for part in parts]


def typed(name, value, annotation):
    """Brings a value to the type of its field: whole numbers to fractions, lists to tuples.

    Args:
        name: of the setting.
        value: what it was given.
        annotation: the type of its field.

    Returns:
        The value.

    Raises:
        TypeError: if it is of another kind.
        ValueError: if a pair is none.
    """
    kinds = _kinds(annotation)
    if isinstance(value, list | tuple) and tuple in kinds and all(map(_is_number, value)):
        pair = (tuple[int, int], tuple[float, float])
        require(annotation not in pair or len(value) == 2, name, value, "two numbers")
        return tuple(value)
    if _is_number(value) and float in kinds:
        return float(value)
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and int in kinds:
        return int(value)
    if any(isinstance(value, kind) for kind in (bool, str, type(None)) if kind in kinds):
        return value
    raise TypeError(f"Received the setting {name}={value!r}. Expected {annotation}. Correct it.")


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def require(condition, name, value, expected):
    """Refuses the value of a setting unless the condition holds.

    Raises:
        ValueError: if it does not.
    """
    if not condition:
        raise ValueError(f"Received the setting {name}={value!r}. Expected {expected}. Correct it.")


def suggestion(name, known):
    """Returns a question about the known name that is nearest to a name, or nothing."""
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]}?" if near else ""

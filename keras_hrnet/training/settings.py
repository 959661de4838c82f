"""Parses the values of settings from the command line, and converts them to the types of their fields."""

import math
import numbers
import types
import typing
from typing import Any


def parsed(name: str, text: str, annotation: Any) -> Any:
    """Parses the value of a setting.

    Args:
        name: name of the setting.
        text: the text after its name on the command line.
        annotation: the type of its field.

    Raises:
        ValueError: if the text is not a value of that type.
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
    # Any text is a valid string, so strings are tried last.
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


def _parts(annotation):
    return typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)


def _kinds(annotation):
    return [typing.get_origin(part) or part for part in _parts(annotation)]


def typed(name: str, value: Any, annotation: Any) -> Any:
    """Converts the value of a setting to the type of its field: integers to floats, lists to tuples.

    Raises:
        TypeError: if it has another type.
        ValueError: if a pair does not have two numbers.
    """
    kinds = _kinds(annotation)
    if isinstance(value, list | tuple) and tuple in kinds and all(map(_is_number, value)):
        is_pair = any(part in (tuple[int, int], tuple[float, float]) for part in _parts(annotation))
        require(not is_pair or len(value) == 2, name, value, "two numbers")
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


def require(condition: bool, name: str, value: Any, expected: str) -> None:
    """Refuses the value of a setting unless the condition holds.

    Raises:
        ValueError: if it does not.
    """
    if not condition:
        raise ValueError(f"Received the setting {name}={value!r}. Expected {expected}. Correct it.")

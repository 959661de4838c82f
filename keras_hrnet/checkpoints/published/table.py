"""Reads a table of published weight files, and verifies its fields."""

import dataclasses
import re
import tomllib
import typing

from keras_hrnet.checkpoints.published.row import PublishedWeights

_TYPES = typing.get_type_hints(PublishedWeights)
_REQUIRED = [
    field.name
    for field in dataclasses.fields(PublishedWeights)
    if field.default is field.default_factory is dataclasses.MISSING
]
_PLACEHOLDER = r"\{(\w+)\}"


def read_table(text: str, title: str) -> tuple[PublishedWeights, ...]:
    """Reads a table of published weight files.

    Each `[[publisher.weights]]` describes a file by the fields of `PublishedWeights`. The `[[publisher]]` above it
    holds the values that its files share, and the top of the table those that all files share; a file may override
    them. `{field}` in a text is replaced by the value of that field; a table may define further names for this purpose.

    Errors refer to the table by its title.

    Raises:
        ValueError: if a field is unknown or missing, a text has no value for a `{field}`, or the text is not a table.
        TypeError: if a value is of the wrong type.
    """
    table = tomllib.loads(text)
    known = {*_TYPES, *re.findall(_PLACEHOLDER, text)}
    rows = []
    for publisher in _pop_tables(table, "publisher", title):
        for weights in _pop_tables(publisher, "weights", title):
            rows.append(_row({**table, **publisher, **weights}, known, title))
    return tuple(rows)


def _pop_tables(table, name, title):
    tables = table.pop(name, None)
    if not isinstance(tables, list):
        raise ValueError(f"{title} has no [[{name}]]. Expected publishers with weights. Write [[publisher.weights]].")
    return tables


def _row(facts, known, title):
    where = f"{facts.get('name', 'a file')!r} in {title}"
    if unknown := facts.keys() - known:
        raise ValueError(
            f"Received {', '.join(sorted(unknown))} for {where}. Expected the fields {', '.join(_TYPES)}, or a name "
            "that a text of the table holds in braces. Correct the spelling, or remove it."
        )
    if missing := [name for name in _REQUIRED if name not in facts]:
        raise ValueError(
            f"Received no {', '.join(missing)} for {where}. Expected at least {', '.join(_REQUIRED)}. Add it."
        )
    values = {}
    for name in facts.keys() & _TYPES.keys():
        kinds = typing.get_args(_TYPES[name]) or (_TYPES[name],)
        if type(facts[name]) not in kinds:
            expected = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
            raise TypeError(f"Received {name}={facts[name]!r} for {where}. Expected {expected}. Correct the value.")
        values[name] = _filled(facts[name], facts, where) if isinstance(facts[name], str) else facts[name]
    if options := values.get("head_options"):
        values["head_options"] = {name: tuple(x) if isinstance(x, list) else x for name, x in options.items()}
    return PublishedWeights(**values)


def _filled(text, facts, where):
    """Replaces each `{field}` in a text by the value of that field, in which fields are replaced in the same way."""

    def value_of(match):
        name = match[1]
        if name not in facts:
            raise ValueError(
                f"Received {text!r} for {where}. Expected a value for {{{name}}} that does not hold itself. Add {name}."
            )
        return _filled(str(facts[name]), {other: facts[other] for other in facts if other != name}, where)

    return re.sub(_PLACEHOLDER, value_of, text)

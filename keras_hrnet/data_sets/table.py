"""Reads the file of a data set."""

import importlib.resources
import tomllib
from typing import Any

from keras_hrnet.data_sets.data_set import DataSet, Layout


def read_table(name: str) -> dict:
    """Reads the TOML file of a data set in this folder."""
    folder = importlib.resources.files("keras_hrnet.data_sets")
    return tomllib.loads(folder.joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def data_set_of(table: dict, **fields: Any) -> DataSet:
    """Returns a data set.

    Args:
        table: fields of `DataSet`; its layouts are in the list `layouts`, the published one first.
        **fields: further fields.
    """
    layout, *others = (Layout(**layout) for layout in table.pop("layouts"))
    return DataSet(layout=layout, other_layouts=tuple(others), **table, **fields)

"""Adds functions that are created at run time to the reference, and converts docstrings to Markdown."""

import importlib
import inspect
import re

import griffe
import reference

# Modules that create functions at run time, each with the attribute that holds the names of these functions.
MADE = {"models.hrnet": "VARIANTS", "data": "DATA_SETS"}


class Docstrings(griffe.Extension):
    """Adds the networks and the data sets to the objects that Griffe has read, and converts docstrings to Markdown."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: object) -> None:
        for path, names in MADE.items():
            module = importlib.import_module(f"{pkg.path}.{path}")
            for name in getattr(module, names):
                member = pkg[path].members.get(name)
                if member is None or member.is_attribute:
                    pkg[path].set_member(name, described(getattr(module, name), name, pkg[path]))

    def on_object(self, *, obj: griffe.Object, **kwargs: object) -> None:
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value, is_class=obj.is_class)


def described(function, name, parent):
    """Returns Griffe's description of a function, from its signature and docstring at run time."""
    code = f"def {name}{inspect.signature(function)}:\n    {as_markdown(inspect.getdoc(function))!r}\n"
    made = griffe.visit(parent.path, filepath=parent.filepath, code=code, docstring_parser=griffe.Parser.google)
    return made[name]


def as_markdown(text, is_class=False):
    """Converts names of the package to links, doctests to code blocks, and call arguments of layers to lists."""
    text = re.sub(r"`(keras_hrnet\.[\w.]+)`", _linked, text)
    text = re.sub(r"^>>> .*(?:\n(?!\s*$).*)*", r"```pycon\n\g<0>\n```", text, flags=re.MULTILINE)
    if is_class:  # Griffe supports "Returns" only for functions, and does not support "Call arguments".
        text = re.sub(r"^(Call arguments|Returns):\n((?:    .*\n?)+)", _section, text, flags=re.MULTILINE)
    return text


def _linked(match):
    home = reference.homes().get(match[1])
    return f"[{match[0]}][{home.definition}]" if home else match[0]


def _section(match):
    title, lines = match[1], inspect.cleandoc("\n" + match[2])
    if title == "Call arguments":
        lines = re.sub(r"^(\*{0,2}\w+):", r"- **`\1`** –", lines, flags=re.MULTILINE)
    return f"**{title}:**\n\n{lines}\n"

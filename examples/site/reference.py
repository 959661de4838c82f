"""Lists the public names of the package, and writes a page of the reference for each.

A name is public if `__all__` of the package, or of a folder directly in it, lists it. A name that several of them list
has its page under the first.
"""

import dataclasses
import functools
import importlib
import inspect
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

PACKAGE = "keras_hrnet"


@dataclasses.dataclass(frozen=True)
class PublicName:
    """A name that users import, the path of its definition, and the first line of its docstring."""

    module: str
    name: str
    definition: str
    summary: str

    @property
    def path(self):
        return f"{self.module}.{self.name}"

    @property
    def page(self):
        return f"reference/{self.module}/{self.name}.md"


@functools.cache
def public_names():
    """Returns the public names by module, the package first, including the data sets, which are created on request."""
    folders = sorted(path.parent.name for path in (ROOT / PACKAGE).glob("*/__init__.py"))
    modules = [importlib.import_module(name) for name in (PACKAGE, *(f"{PACKAGE}.{folder}" for folder in folders))]
    return {module.__name__: _names_of(module) for module in modules if hasattr(module, "__all__")}


def _names_of(module):
    names = {*module.__all__, *(module.DATA_SETS if module.__name__ == f"{PACKAGE}.data" else ())} - {"__version__"}
    values = {name: getattr(module, name) for name in sorted(names, key=str.lower)}
    return [_public_name(module, *item) for item in values.items() if not inspect.ismodule(item[1])]


def _public_name(module, name, value):
    is_code = inspect.isclass(value) or inspect.isfunction(value)
    definition = f"{value.__module__}.{value.__qualname__}" if is_code else f"{module.__name__}.{name}"
    is_constant = not is_code and type(value).__module__ == "builtins"
    summary = f"A `{type(value).__name__}`." if is_constant else inspect.getdoc(value).partition("\n")[0]
    return PublicName(module.__name__, name, definition, summary)


@functools.cache
def homes():
    """Returns, by the path of each public name, the public name whose page describes it."""
    first, found = {}, {}
    for names in public_names().values():
        for name in names:
            found[name.path] = first.setdefault(name.definition, name)
    return found


def pages():
    """Returns the pages of the reference as Markdown, by their path: a page for each module, and for each name."""
    written = {}
    for module, names in public_names().items():
        text = inspect.getdoc(importlib.import_module(module))
        lines = [f"- [`{x.name}`](../{homes()[x.path].page.removeprefix('reference/')}): {x.summary}" for x in names]
        written[f"reference/{module}/index.md"] = "\n".join([f"# {module}\n\n{text}\n", *lines, ""])
        written |= {x.page: _page(x) for x in names if homes()[x.path] is x}
    return written


def _page(name):
    options = f"heading: {name.path}\n      toc_label: {name.name}"
    return f"---\ntitle: {name.name}\n---\n\n::: {name.definition}\n    options:\n      {options}\n"

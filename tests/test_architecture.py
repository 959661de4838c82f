"""Which folder may import which: the arrows of the layout, held by reading the imports."""

import ast
import pathlib

import pytest

import keras_hrnet

pytestmark = pytest.mark.once

PACKAGE = pathlib.Path(keras_hrnet.__file__).parent

# What each folder or file may import, beside the standard library, keras, numpy and itself.
ARROWS = {
    "__main__": {"cli"},
    "__init__": {"checkpoints", "evaluation", "heads", "layers", "models", "training", "version"},
    "architecture": set(),
    "array_files": {"zip_files"},
    "backends": set(),
    "checkpoints": {"data_sets", "families", "heads", "mistaken", "printable", "replacing", "suggestion", "zip_files"},
    "cli": {
        "checkpoints",
        "data",
        "data_sets",
        "distributed",
        "evaluation",
        "export",
        "extras",
        "families",
        "heads",
        "layers",
        "mistaken",
        "models",
        "printable",
        "replacing",
        "streets",
        "suggestion",
        "training",
        "version",
    },
    "command": {"cli"},
    "data": {
        "array_files",
        "backends",
        "data_sets",
        "distributed",
        "picture_files",
        "replacing",
        "streets",
        "suggestion",
    },
    "data_sets": {"printable", "suggestion"},
    "distributed": {"backends"},
    "evaluation": {
        "architecture",
        "data_sets",
        "distributed",
        "extras",
        "layers",
        "mistaken",
        "models",
        "picture_files",
        "printable",
        "replacing",
    },
    "export": {
        "backends",
        "checkpoints",
        "data_sets",
        "evaluation",
        "extras",
        "layers",
        "mistaken",
        "models",
        "replacing",
        "suggestion",
        "version",
    },
    "exchanging": set(),
    "extras": set(),
    "families": {"architecture", "layers"},
    "heads": {"architecture", "families", "layers", "suggestion"},
    "hub": {"checkpoints", "data_sets", "families", "heads", "layers", "models"},
    "layers": {"architecture", "distributed"},
    "mistaken": set(),
    "models": {
        "architecture",
        "backends",
        "checkpoints",
        "data_sets",
        "families",
        "heads",
        "layers",
        "mistaken",
        "suggestion",
    },
    "picture_files": {"extras", "mistaken", "printable"},
    "printable": set(),
    "replacing": {"exchanging"},
    "streets": {"data_sets", "replacing"},
    "suggestion": set(),
    "training": {
        "array_files",
        "backends",
        "data",
        "data_sets",
        "distributed",
        "evaluation",
        "families",
        "layers",
        "models",
        "replacing",
        "suggestion",
        "version",
    },
    "version": set(),
    "zip_files": set(),
}
# Libraries that only these may import, and only inside a function where the backend is not chosen yet.
LIBRARIES = {
    "tensorflow": {"backends", "data", "distributed", "evaluation", "export", "layers", "training"},
    "torch": {"checkpoints", "distributed", "layers", "training"},
    "jax": {"distributed", "evaluation", "layers", "models", "training"},
    "jinja2": {"evaluation", "export"},
    "keras_hub": {"hub"},
    "av": {"evaluation"},
    "PIL": {"cli", "data", "evaluation", "picture_files", "streets"},
    "typer": {"cli"},
    "ray": {"cli"},
    "rich": {"cli", "training"},
    "matplotlib": {"training"},
    "onnx": {"export"},
    "nncf": {"export"},
    "onnxruntime": {"export"},
    "openvino": {"export"},
    "tf2onnx": {"export"},
    "ai_edge_litert": {"export"},
    "ai_edge_quantizer": {"export"},
    "litert_quantizer": {"export"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "keras_hrnet":
                yield from (f"keras_hrnet.{alias.name}" for alias in node.names)
            else:
                yield ("." * node.level) + (node.module or "")


def for_types_only(tree):
    """Lists what is imported for type checkers, and never when the package runs."""
    blocks = [x for x in ast.walk(tree) if isinstance(x, ast.If) and getattr(x.test, "id", "") == "TYPE_CHECKING"]
    return {name for block in blocks for name in imports(block)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_what_the_layout_allows(path):
    tree = ast.parse(path.read_text())
    typing_only = for_types_only(tree)
    for name in imports(tree):
        top, _, rest = name.partition(".")
        assert top, f"{path.name} imports relatively: {name}"
        assert not name.startswith("keras.src"), f"{path.name} uses a private module of Keras: {name}"
        if top == "keras_hrnet" and rest:
            target = rest.partition(".")[0]
            assert target in ARROWS[room(path)] | {room(path)}, f"{path.name} may not import {name}"
        if top == "keras":
            assert room(path) not in ("data", "data_sets", "streets", "version"), f"{path.name} may not import keras"
        if top in LIBRARIES and name not in typing_only:
            assert room(path) in LIBRARIES[top], f"{path.name} may not import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_backends_and_tensorflow_are_imported_inside_functions_only(path):
    for node in ast.parse(path.read_text()).body:
        for name in imports(node) if isinstance(node, ast.Import | ast.ImportFrom) else ():
            assert name.partition(".")[0] not in ("tensorflow", "torch", "jax"), f"{path.name} imports {name} at once"


def test_every_room_has_its_arrows():
    assert {room(path) for path in FILES} == set(ARROWS)

"""Writes the page for a `.tflite` file, and the files that it loads."""

import functools
import hashlib
import importlib.resources
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_hrnet.export.web.runtime import PACKAGES

MODEL = "model.tflite"
RUNTIME = "runtime"
SITE = ("index.html", "page.css", "page.js", "pillow.js", "worker.js", "icon.svg", "LICENSES.txt")
DESCRIPTION = "network.json"
CONTENTS = (MODEL, DESCRIPTION, RUNTIME, *SITE)
"""All files that the folder may contain; the first, the model, identifies it."""

# The files of the runtime that a single browser loads.
LOADED = ("litert.js", "wasm-utils.js", "litert_wasm_internal.js", "litert_wasm_internal.wasm")
# The page may load only the files next to it; its worker is created from a blob, and inherits this policy.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self'; "
    "img-src 'self' blob:; style-src 'self'; base-uri 'none'; form-action 'none'"
)


def write_page(folder: pathlib.Path, metadata: Mapping[str, Any], runtime: Mapping[str, bytes]) -> None:
    """Writes the page, and all files that it loads in addition to the model.

    Args:
        folder: the folder, which contains the `.tflite` file as `MODEL`.
        metadata: the metadata that `keras_hrnet.export.read_metadata` reads from that file.
        runtime: the files of LiteRT.js, as `find_runtime` returns them.
    """
    (folder / RUNTIME).mkdir()
    for name, content in runtime.items():
        (folder / RUNTIME / name).write_bytes(content)
    title = metadata["source"]["model"]
    for name in SITE:
        text = _template().render(title=title, policy=POLICY) if name == "index.html" else _read(name)
        (folder / name).write_text(text, encoding="utf-8")
    model = (folder / MODEL).read_bytes()
    description = {
        "file": MODEL,
        "bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "runtime": f"LiteRT.js {PACKAGES[0].version}",
        "runtime_bytes": sum(len(runtime[name]) for name in LOADED),
        "metadata": dict(metadata),
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


@functools.cache
def _template():
    import jinja2  # Imported here because only a page needs it.

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("index.html")


def _read(name):
    return importlib.resources.files(__package__).joinpath("site", name).read_text(encoding="utf-8")

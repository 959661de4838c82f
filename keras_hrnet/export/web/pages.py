"""Writes the page for an exported file, and the files that it loads."""

import functools
import hashlib
import importlib.resources
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_hrnet.export.web.packages import RUNTIMES, Runtime

RUNTIME = "runtime"
ENGINE = "engine.js"
SITE = ("index.html", "page.css", "page.js", "pillow.js", "worker.js", "icon.svg", "LICENSES.txt")
TEMPLATES = ("index.html", "LICENSES.txt")
DESCRIPTION = "network.json"
CONTENTS = (DESCRIPTION, *(runtime.model for runtime in RUNTIMES), RUNTIME, ENGINE, *SITE)
"""All files that the folder may contain; the first distinguishes it from other folders."""

# The page may load only the files next to it; its worker is created from a blob, and inherits this policy.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self'; "
    "img-src 'self' blob:; style-src 'self'; base-uri 'none'; form-action 'none'"
)


def write_page(folder: pathlib.Path, metadata: Mapping[str, Any], runtime: Runtime, files: Mapping[str, bytes]) -> None:
    """Writes the page, and all files that it loads in addition to the model.

    Args:
        folder: the folder, which contains the exported file as `runtime.model`.
        metadata: the metadata that `keras_hrnet.export.read_metadata` reads from that file.
        runtime: the runtime of that file.
        files: the files of the runtime, as `find_runtime` returns them.
    """
    (folder / RUNTIME).mkdir()
    for name, content in files.items():
        (folder / RUNTIME / name).write_bytes(content)
    for name in SITE:
        text = _read(name)
        if name in TEMPLATES:
            template = _environment().get_template(name)
            text = template.render(title=metadata["source"]["model"], policy=POLICY, runtime=runtime)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / ENGINE).write_text(_read(runtime.engine), encoding="utf-8")
    model = (folder / runtime.model).read_bytes()
    description = {
        "file": runtime.model,
        "bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "runtime": runtime.version,
        "runtime_bytes": {engine: sum(len(files[name]) for name in names) for engine, names in runtime.loaded.items()},
        "metadata": dict(metadata),
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


@functools.cache
def _environment():
    import jinja2  # Imported here because only a page needs it.

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=jinja2.select_autoescape(["html"], default_for_string=True, default=False),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )


def _read(name):
    return importlib.resources.files(__package__).joinpath("site", name).read_text(encoding="utf-8")

"""Collects the pages of the site: README, guides, pages for contributors, and the reference, generated from the code.

Pages keep their paths in the repository, so that links between them work in the repository and on the site.
"""

import pathlib
import posixpath
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import reference
from mkdocs.structure.files import File, InclusionLevel

SUFFIXES = {".md", ".py", ".png", ".svg", ".ipynb"}
# Folders of the site, by folder of the repository. Many servers hide folders whose names begin with a dot.
FOLDERS = {".github/": "contribute/", "examples/": "guides/"}


def on_config(config):
    """Adds the reference to the navigation, before the pages for contributors."""
    sections = {}
    for page in reference.pages():
        _, module, name = page.split("/")
        sections.setdefault(module, []).append(page if name == "index.md" else {name.removesuffix(".md"): page})
    config.nav.insert(-1, {"Reference": [{module: pages} for module, pages in sections.items()]})
    return config


def on_files(files, config):
    """Adds the pages, and the files to which they link."""
    root = reference.ROOT
    for path in (root / "README.md", *sorted(root.glob(".github/*")), *sorted(root.glob("examples/**/*"))):
        source = path.relative_to(root).as_posix()
        if path.suffix in SUFFIXES and not source.startswith("examples/site/"):
            files.append(_file(config, source, abs_src_path=str(path)))
    for source, text in reference.pages().items():
        files.append(_file(config, source, content=text))
    return files


def _file(config, source, **content):
    made = File.generated(config, source, inclusion=InclusionLevel.INCLUDED, **content)
    for folder, name in FOLDERS.items():
        if source.startswith(folder):
            made.dest_uri = name + made.dest_uri.removeprefix(folder)
    return made


def on_page_markdown(markdown, page, config, files):
    """Links names of the package that are marked as code to their page of the reference."""
    folder = posixpath.dirname(page.file.src_uri)

    def linked(match):
        home = reference.homes().get(match[1])
        return f"[{match[0]}]({posixpath.relpath(home.page, folder)})" if home else match[0]

    # Code blocks, headings and links stay unchanged.
    parts = re.split(r"(^```.*?^```|^#.*?$)", markdown, flags=re.DOTALL | re.MULTILINE)
    names = r"(?<!\[)`(keras_hrnet\.[\w.]+)(?:\([^`]*\))?`"
    return "".join(part if part[:1] in ("`", "#") else re.sub(names, linked, part) for part in parts)


def on_post_page(output, page, config):
    """Sets the language of Korean pages, for fonts, screen readers and hyphenation."""
    return output.replace('lang="en"', 'lang="ko"', 1) if page.file.src_uri.endswith(".ko.md") else output

import ast
import pathlib
import re
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.once

ROOT = pathlib.Path(__file__).parent.parent


@pytest.mark.parametrize("verb", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_has_nothing_to_say(verb):
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *verb, "--no-cache", "keras_hrnet", "tests", "examples"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


PAGES = [*ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md"), *(ROOT / ".github").glob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_code_of_a_page_can_be_parsed(page):
    for code in re.findall(r"^[ ]*```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        ast.parse(textwrap.dedent(code), page.name)


def test_a_file_is_short_enough_to_read_at_once():
    long = [path.name for path in (ROOT / "keras_hrnet").rglob("*.py") if len(path.read_text().splitlines()) > 350]
    assert not long


def untyped(body, path=""):
    """Names the public functions in which an argument or the result has no type."""
    for node in body:
        is_public = not getattr(node, "name", "_").startswith("_")
        if isinstance(node, ast.ClassDef) and is_public:
            yield from untyped(node.body, f"{path}{node.name}.")
        if isinstance(node, ast.FunctionDef) and (is_public or node.name in ("__init__", "__call__")):
            given = node.args
            arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
            missing = [x.arg for x in arguments if x.annotation is None and x.arg not in ("self", "cls")]
            missing += [] if node.returns or node.name == "__init__" else ["its result"]
            if missing:
                yield f"{path}{node.name}: {', '.join(missing)}"


@pytest.mark.parametrize("room", sorted((ROOT / "keras_hrnet").iterdir()), ids=lambda path: path.name)
def test_all_that_is_public_says_its_types(room):
    files = [room] if room.suffix == ".py" else sorted(room.rglob("*.py"))
    found = [f"{path.relative_to(ROOT)} {name}" for path in files for name in untyped(ast.parse(path.read_text()).body)]
    assert not found, "\n".join(found)


def test_type_checkers_are_told_of_the_types():
    assert (ROOT / "keras_hrnet" / "py.typed").is_file()


# Phrases that readers stumbled over, with what to write instead. The terms are listed in .github/CONTRIBUTING.md.
STUMBLES = {
    r"(is|are) held to": "verified against",
    r"gone through": "passes over",
    r"goe?s? on from": "resume from",
    r"(start|starts|begin|begins|made) anew": "start over",
    r"whole or not at all": "completely or not at all",
    r"takes? turns": "alternate",
    r"on how many cores": "number of threads",
    r"how many images go in": "batch size",
    r"None takes (one|two|all)": "None uses",
    r"by the clock": "wall-clock time",
    r"lets? go of": "release",
    r"go(es)? together": "match",
    r"what (is|lies) behind it": "layers after it",
    r"what .{1,20} (is|are) called": "name",
    r"as people count": "from 1",
    r"that a repetition needs": "needed to repeat",
}


@pytest.mark.parametrize("phrase", STUMBLES)
def test_no_sentence_stumbles(phrase):
    places = [ROOT / "README.md", *(ROOT / "examples").rglob("*.md"), *(ROOT / "keras_hrnet").rglob("*.py")]
    pattern = re.compile(phrase.replace(" ", r"\s+"))
    found = {path.name: match.group() for path in places if (match := pattern.search(path.read_text(encoding="utf-8")))}
    assert not found, f"{found}. Expected full sentences. Write such as {STUMBLES[phrase]!r}."

"""README's own words: its code is run as it stands there, only smaller."""

import pathlib
import re

import keras
import pytest

from keras_hrnet.data import synthesize

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "examples").rglob("*.md")), *sorted((ROOT / ".github").glob("*.md"))]
README = (ROOT / "README.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

# From the size of Cityscapes and the paper to that of a test.
SMALLER = {
    "HRNetW48": "HRNetW18Small",
    "batch_size=12": "batch_size=2",
    "(512, 1024)": "(64, 128)",
    "epochs=484": "epochs=1",
}


@pytest.mark.once  # Other tests train and export on every backend.
@pytest.mark.slow
def test_the_first_code_block_runs_from_training_to_the_phone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthesize("data/cityscapes", num_train=4, num_val=2, num_test=0, size=(64, 128))
    code = CODE[0]
    for large, small in SMALLER.items():
        assert large in code
        code = code.replace(large, small)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert isinstance(names["model"], keras.Model)
    assert 0 <= names["report"].mean_iou <= 1
    assert (tmp_path / "w48.tflite").stat().st_size > 1e6


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("block", CODE[1:], ids=lambda block: block.splitlines()[0])
def test_another_code_block_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block.replace("HRNetW18SmallV2", "HRNetW18Small"), "README.md", "exec"), {})


@pytest.mark.once
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_picture_is_there(page):
    text = page.read_text()
    for link, anchor in re.findall(r"\]\(([^)#\s]*)(#[^)]*)?\)", text):
        if "://" in link:
            continue
        target = page.parent / link if link else page
        assert target.exists(), link
        if anchor:
            assert anchor[1:] in anchors(target.read_text()), (link, anchor)


def anchors(text):
    """Lists the anchors of a page's headings as the usual renderers of Markdown name them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_readme_has_the_two_commands():
    commands = re.findall(r"^pip install .*$", README, re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("&& keras-hrnet demo")
    assert "[test]" in commands[1] and commands[1].endswith("pytest")

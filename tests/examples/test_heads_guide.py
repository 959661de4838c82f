"""The guide of the heads: its code runs, and its table is what is counted."""

import pathlib
import re

import pytest

from keras_hrnet import Variant
from keras_hrnet.models import VARIANTS, cost

pytestmark = pytest.mark.once

GUIDE = (pathlib.Path(__file__).parents[2] / "examples" / "heads.md").read_text()
ROWS = dict(re.findall(r"^\| (HRNetW\w+) \| (.+) \|$", GUIDE, re.MULTILINE))


@pytest.mark.slow
def test_the_code_runs():
    names = {"TINY": Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)}
    for code in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        code = code.replace("HRNetW18SmallV2(", "HRNet(TINY, ")
        exec(compile(code, "heads.md", "exec"), names)
    assert names["better"].output_shape == (None, None, None, 19)
    assert names["own"].output_shape == (None, None, None, 11)
    assert names["own"].class_names[10] == "plant 10"


@pytest.mark.parametrize("name", [name for name in VARIANTS if name.startswith("HRNet")])
def test_a_row_is_what_is_counted(name):
    columns = [
        {"head": "fcn"},
        *({"head": "ocr", "ocr_channels": channels} for channels in ((128, 64), (256, 128), (512, 256))),
        {"head": "isa"},
        *({"head": "hierarchical", "scales": scales} for scales in ((0.5, 1.0), (0.5, 1.0, 2.0))),
    ]
    counted = [f"{cost(VARIANTS[name], **options).multiplications / 1e9:.2f}" for options in columns]
    assert [cell.strip("* ") for cell in ROWS[name].split("|")] == counted


@pytest.mark.parametrize("name", [name for name in VARIANTS if name.startswith("Lite")])
def test_a_row_of_lite_hrnet_is_what_is_counted(name):
    counted = cost(VARIANTS[name], head="iterative")
    assert f"| {name} | {counted.parameters / 1e6:.2f} | {counted.multiplications / 1e9:.2f} |\n" in GUIDE


def test_the_rows_of_small_networks_are_what_is_counted(benchmark_script):
    networks = benchmark_script("small_networks").NETWORKS
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+ \| [\d.]+) \|", GUIDE, re.MULTILINE))
    assert rows.keys() == networks.keys()
    for name, row in rows.items():
        counted = cost(VARIANTS[name], head=networks[name][0], image_size=(256, 512))
        assert row == f"{counted.parameters / 1e6:.2f} | {counted.multiplications / 1e9:.2f}"

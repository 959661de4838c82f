import pytest
import typer.testing

from keras_hrnet import cli
from keras_hrnet.checkpoints import published_weights

pytestmark = pytest.mark.once


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    return lambda *arguments: typer.testing.CliRunner().invoke(cli.app, ["info", *arguments])


def test_every_published_file_is_listed_by_its_whole_name(run):
    result = run("--weights")
    assert result.exit_code == 0, result.output
    first_words = [line.split()[0] for line in result.output.splitlines() if line.strip()]
    assert [row.name for row in published_weights() if first_words.count(row.name) != 1] == []
    assert "…" not in result.output


def test_a_row_is_a_line_of_100_columns(run):
    lines = run("--weights").output.splitlines()
    assert max(map(len, lines)) <= 100
    line = next(line for line in lines if line.startswith("mmseg_ocr_hr48_cityscapes_160k"))
    assert " ".join(line.split()) == "mmseg_ocr_hr48_cityscapes_160k W48 ocr 81.35 mIoU, val half Apache-2.0 partly"


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("official_w48_ocr_cityscapes", "W48 ocr 81.6 mIoU, val corners * CC0-1.0 no"),
        ("official_small_v1_cityscapes", "† W18Small fcn 70.3 mIoU, val half * MIT no"),
        ("timm_hub_w44_ms", "W44 classification 78.89 % top-1 nearest MIT SHA-256"),
        ("mmlab_w48", "W48 – – nearest – partly"),
        ("official_w48_ocr_lip", "W48 ocr 56.48 mIoU, val, flipped – * CC0-1.0 no"),
        ("mmseg_fcn_hr48_context_59_80k", "W48 fcn 59 51.12 mIoU, val half Apache-2.0 partly"),
    ],
)
def test_what_no_source_states_is_a_dash(name, rest, run):
    line = next(line for line in run("--weights").output.splitlines() if line.startswith(f"{name} "))
    assert " ".join(line.split()) == f"{name} {rest}"


def test_one_data_set_is_listed_alone(run):
    output = run("--weights", "--dataset", "lip").output
    assert "lip, 20 classes" in output
    assert "cityscapes, 19 classes" not in output
    assert "official_w48_ocr_lip" in output


def test_a_data_set_that_there_is_not_is_refused_with_those_there_are(run):
    error = run("--dataset", "kitti").exception
    assert isinstance(error, ValueError)
    assert str(error).startswith("Received --dataset 'kitti'. Expected a data set with published weights: citysca")


def test_without_the_option_the_networks_are_listed(run):
    output = run().output
    assert "HRNetW48()" in output
    assert "mmseg" not in output


@pytest.mark.parametrize(
    ("arguments", "row"),
    [
        ((), "HRNetW18SmallV2() │ 18 │ 1/3/2 │ 3,939,579 │ 19.21 billion"),
        (("--head", "ocr"), "HRNetW18SmallV2() │ 18 │ 1/3/2 │ 6,379,278 │ 88.86 billion"),
        (("--head", "ocr", "--ocr-channels", "256,128"), "HRNetW18SmallV2() │ 18 │ 1/3/2 │ 4,864,526 │ 47.06 billion"),
        (("--head", "hierarchical", "--scales", "1"), "HRNetW18SmallV2() │ 18 │ 1/3/2 │ 8,150,030 │ 88.86 billion"),
    ],
)
def test_a_network_costs_what_its_head_costs(arguments, row, run):
    lines = [" ".join(line.strip("│ ").split()) for line in run(*arguments).output.splitlines()]
    assert row in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--head", "unet"), r"Received --head 'unet'\. Expected one of fcn, ocr"),
        (("--ocr-channels", "512"), r"Received --ocr-channels \(512,\)\. Expected two numbers"),
        (("--scales", "half"), r"Received 'half'\. Expected numbers"),
    ],
)
def test_a_wrong_option_is_refused(arguments, message, run):
    with pytest.raises(ValueError, match=message):
        raise run(*arguments).exception


def test_weights_break_no_word_in_a_window_of_eighty_columns(invoke, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = invoke("info", "--weights").output.splitlines()
    first = lines.index("official_w48_ocr_trainval          W48         ocr")
    assert lines[first + 1 : first + 3] == [
        "    82.3 mIoU, test, 6 scales, flipped; resize corners; license * CC0-1.0;",
        "    checked no",
    ]
    assert max(map(len, lines)) <= 80

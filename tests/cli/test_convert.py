import zipfile

import keras
import numpy as np
import pytest
import typer.testing

import keras_hrnet
from keras_hrnet import Variant, cli
from keras_hrnet.checkpoints import naming

# Weights are loaded into networks of every backend by tests/checkpoints/test_loading.py and the golden cases.
pytestmark = pytest.mark.once

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


@pytest.fixture(scope="module")
def build():
    """Returns a function that builds a small network, the same one for the same arguments."""
    models = {}

    def build(variant=TINY, **options):
        assert variant.width == TINY.width
        key = str(sorted(options.items()))
        if key not in models:
            models[key] = keras_hrnet.HRNet(TINY, **options)
        return models[key]

    return build


@pytest.fixture
def run(build, monkeypatch):
    """Returns a function that runs the command, and builds a network but once."""
    monkeypatch.setattr("keras_hrnet.models.HRNet", build)

    def run(*arguments):
        return typer.testing.CliRunner().invoke(cli.app, ["convert", *map(str, arguments)])

    return run


@pytest.fixture
def convert(run, monkeypatch):
    """Returns a function that converts, and gives the network instead of saving it."""

    def convert(*arguments):
        saved = []
        monkeypatch.setattr(keras.Model, "save", lambda self, path: saved.append(self))
        result = run(*arguments)
        assert result.exit_code == 0, result.exception
        return saved[0], result.output

    return convert


def weights_of(model):
    generator = np.random.default_rng(0)
    weights = {}
    for weight in model.weights:
        value = generator.uniform(0.5, 1.5, weight.shape).astype("float32")
        weights[naming.name_of(weight.path)] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
    return weights


def convention_of(model):
    layer = model.get_layer("stage2")
    return layer.interpolation, layer.align_corners


@pytest.fixture
def file(build, published_file):
    """A file of a small plain network, in official names, which do not state its resize convention."""
    return published_file(weights_of(build(num_classes=5, head="fcn")), "my [red] weights.pth", "model.")


def test_a_file_becomes_the_network_that_it_was_made_for(file, tmp_path):
    result = typer.testing.CliRunner().invoke(cli.app, ["convert", str(file), str(tmp_path / "out.keras")])
    assert result.exit_code == 0, result.exception
    model = keras.models.load_model(tmp_path / "out.keras")
    assert model.output_shape[-1] == 5
    weights = weights_of(model)
    for weight in model.weights:
        value = weights[naming.name_of(weight.path)]
        np.testing.assert_array_equal(weight.numpy(), value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T)
    assert f"{file} (official segmentation): {len(weights)} arrays loaded" in result.output
    assert "assumed from the model, because the file does not state it" in result.output
    assert f"Wrote {tmp_path / 'out.keras'}" in result.output
    assert {path.name for path in tmp_path.iterdir()} == {"my [red] weights.pth", "out.keras"}


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--align-corners"], {"align_corners": True}),
        (["--no-align-corners"], {"align_corners": False}),
        (["--interpolation", "nearest"], {"interpolation": "nearest"}),
        ([], {}),
    ],
)
def test_the_caller_states_the_resize_convention_where_the_file_does_not(
    arguments, options, convert, build, file, tmp_path, monkeypatch
):
    built = []
    network = build(num_classes=5, head="fcn")
    monkeypatch.setattr("keras_hrnet.models.HRNet", lambda variant, **options: built.append(options) or network)
    convert(file, tmp_path / "out.keras", *arguments)
    assert built == [{"num_classes": 5, "head": "fcn", **options}]


def test_a_format_states_the_resize_convention(convert, build, published_file, tmp_path):
    options = {"num_classes": 7, "head": "ocr", "ocr_channels": (12, 6), "align_corners": False}
    weights = weights_of(build(**options))
    path = published_file({naming.NVIDIA.key_of(name): value for name, value in weights.items()}, "a.pth", "module.")
    model, output = convert(path, tmp_path / "out.keras")
    assert model is build(**options)
    assert "bilinear, align_corners=False, as in every file of NVIDIA semantic-segmentation" in output


def test_an_openseg_file_becomes_its_network_and_says_that_pixels_are_bgr(convert, build, published_file, tmp_path):
    model = build(num_classes=7, head="fcn", head_kernel_size=3, align_corners=True)
    weights = {naming.OPENSEG.key_of(name): x for name, x in weights_of(model).items() if name != "last_layer.3.bias"}
    model, output = convert(published_file(weights), tmp_path / "out.keras")
    assert "images[..., ::-1]" in output
    assert convention_of(model) == ("bilinear", True)


def test_the_backbone_alone_is_written_on_request(convert, file, tmp_path):
    model, output = convert(file, tmp_path / "out.keras", "--skip-head")
    assert "ignored (the model has no head): model.last_layer.0.weight" in output
    assert set(model.output) == {"P2", "P3", "P4", "P5"}


def test_the_classes_are_named_where_the_file_does_not_name_them(convert, build, run, published_file, tmp_path):
    file = published_file(weights_of(build(num_classes=3, head="fcn")))
    result = run(file, tmp_path / "other.keras", "--classes", "road,sky")
    assert "Received 2 class names for 'Tiny', which has 3 classes" in str(result.exception)
    model, _ = convert(file, tmp_path / "out.keras", "--classes", "road,sky,tree")
    assert model.class_names == ("road", "sky", "tree")
    result = run(file, tmp_path / "other.keras", "--classes", "road,sky", "--skip-head")
    assert "a backbone has no classes. Leave one out" in str(result.exception)


def test_what_is_there_is_replaced_on_request_only(run, file, tmp_path):
    (tmp_path / "out.keras").write_text("precious")
    result = run(file, tmp_path / "out.keras")
    assert isinstance(result.exception, FileExistsError)
    assert "already exists. Expected a new name. Pass a new name, or --overwrite." in str(result.exception)
    assert (tmp_path / "out.keras").read_text() == "precious"
    assert run(file, tmp_path / "out.keras", "--overwrite").exit_code == 0
    assert zipfile.is_zipfile(tmp_path / "out.keras")


def test_a_failed_save_leaves_what_was_there(run, file, tmp_path, monkeypatch):
    def save(self, path):
        path.write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(keras.Model, "save", save)
    (tmp_path / "out.keras").write_text("precious")
    assert "No space left" in str(run(file, tmp_path / "out.keras", "--overwrite").exception)
    assert (tmp_path / "out.keras").read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {"my [red] weights.pth", "out.keras"}


def test_a_wrong_output_is_refused_before_anything_is_read(run, tmp_path):
    missing = tmp_path / "nowhere.pth"
    assert "Expected a name that ends in .keras" in str(run(missing, tmp_path / "out.h5").exception)
    assert "Expected its folder to exist" in str(run(missing, tmp_path / "no" / "out.keras").exception)
    assert "nowhere.pth'. Expected a file there" in str(run(missing, tmp_path / "out.keras").exception)


def test_a_file_that_does_not_fit_writes_nothing(run, build, published_file, tmp_path):
    weights = weights_of(build(num_classes=5, head="fcn"))
    del weights["conv2.weight"]
    result = run(published_file(weights), tmp_path / "out.keras")
    assert "missing in the file: conv2.weight" in str(result.exception)
    assert not (tmp_path / "out.keras").exists()

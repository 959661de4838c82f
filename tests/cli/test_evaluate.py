"""`keras-hrnet evaluate` on networks and on folders of predictions."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import keras_hrnet
from keras_hrnet.cli.evaluate import published_scores
from keras_hrnet.data import cityscapes, synthesize
from keras_hrnet.evaluation import evaluate
from keras_hrnet.evaluation.official import score_predictions
from keras_hrnet.heads import head_of


@pytest.fixture
def streets(tmp_path):
    return synthesize(tmp_path / "my streets", num_train=0, num_val=2, num_test=0, size=(64, 128)).root


def test_a_network_is_scored_as_in_python_and_its_page_and_numbers_are_written(
    invoke, saved_small_network, streets, tmp_path
):
    json_file, page = tmp_path / "scores.json", tmp_path / "report.html"
    options = ("--flip", "--scales", "0.5,1", "--json", json_file, "--html", page)
    result = invoke("evaluate", saved_small_network, "--data", streets, *options)
    assert result.exit_code == 0, result.output
    expected = evaluate(
        keras.models.load_model(saved_small_network), cityscapes(streets, "val"), scales=(0.5, 1), flip=True
    )
    written = json.loads(json_file.read_text())
    assert written["confusion"] == expected.confusion.tolist()
    assert list(written["images"]) == ["birkenau_000000_000019_leftImg8bit", "marienthor_000000_000019_leftImg8bit"]
    assert "protocol: scales 0.5, 1; with flips; whole images; official average" in result.output
    text = page.read_text()
    assert f"{100 * expected.mean_iou:.2f}" in text
    assert "70.3 mIoU, val" in text  # what is published of HRNetW18Small


@pytest.mark.once
def test_ones_own_images_and_masks_are_scored(invoke, small_network, tmp_path):
    small_network(2).save(tmp_path / "two.keras")
    for folder, shape in (("photos", (40, 50, 3)), ("masks", (40, 50))):
        (tmp_path / folder).mkdir()
        pixels = np.random.default_rng(0).integers(0, 2, shape, dtype="uint8")
        Image.fromarray(pixels).save(tmp_path / folder / "a.png")
    result = invoke(
        "evaluate", tmp_path / "two.keras", "--images", tmp_path / "photos", "--masks", tmp_path / "masks",
        "--classes", "leaf, flower", "--batch-size", 1,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "flower" in result.output


@pytest.mark.once
def test_a_network_that_knows_its_classes_scores_masks_without_their_names(invoke, small_network, tmp_path):
    network = small_network(2)
    network.classes = ["leaf", "flower"]
    network.save(tmp_path / "two.keras")
    for folder, shape in (("photos", (40, 50, 3)), ("masks", (40, 50))):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.ones(shape, "uint8")).save(tmp_path / folder / "a.png")
    options = ("--images", tmp_path / "photos", "--masks", tmp_path / "masks")
    result = invoke("evaluate", tmp_path / "two.keras", *options, "--json", tmp_path / "scores.json")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "scores.json").read_text())["class_names"] == ["leaf", "flower"]
    result = invoke("evaluate", tmp_path / "two.keras", *options, "--classes", "leaf,weed")
    assert "Received --classes leaf,weed for 'HRNetW18Small', whose classes are leaf,flower" in str(result.exception)


@pytest.fixture
def own_data(tmp_path):
    """Photos and masks of one's own: 0 is background, 255 is a leaf, and 7 is to be ignored."""
    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
    generator = np.random.default_rng(0)
    for i in range(5):
        mask = generator.choice(np.array([0, 255, 7], "uint8"), (40, 50), p=[0.5, 0.3, 0.2])
        Image.fromarray(mask).save(tmp_path / "masks" / f"{i}.png")
        Image.fromarray(generator.integers(0, 256, (40, 50, 3), dtype="uint8")).save(tmp_path / "photos" / f"{i}.png")
    return ("--images", tmp_path / "photos", "--masks", tmp_path / "masks")


@pytest.mark.once
def test_the_values_of_ones_own_masks_are_described(invoke, small_network, own_data, tmp_path):
    small_network(2).save(tmp_path / "two.keras")
    options = (*own_data, "--classes", "background,leaf", "--id-map", "0:background,255:leaf", "--ignore-label", "7")
    result = invoke("evaluate", tmp_path / "two.keras", *options, "--json", tmp_path / "scores.json")
    assert result.exit_code == 0, result.output
    masks = np.stack([np.asarray(Image.open(path)) for path in (tmp_path / "masks").iterdir()])
    confusion = np.array(json.loads((tmp_path / "scores.json").read_text())["confusion"])
    assert confusion.sum(axis=1).tolist() == [(masks == 0).sum(), (masks == 255).sum()]
    result = invoke("evaluate", tmp_path / "two.keras", *options, "--val-share", "0.4")
    assert ", 2 images," in result.output


@pytest.mark.once
def test_classes_without_names_are_told_and_their_number_names_nothing(invoke, small_network, own_data, tmp_path):
    network = small_network(2)
    network.save(tmp_path / "two.keras")
    values = ("--id-map", "0:0,255:1", "--ignore-label", "7")
    result = invoke("evaluate", tmp_path / "two.keras", *own_data, *values, "--classes", 2)
    assert result.exit_code == 0, result.exception
    assert (
        "The classes of HRNetW18Small have no names. Name them with --classes road,sky,… or --classes cityscapes."
        in result.output
    )
    network.classes = ["background", "leaf"]
    network.save(tmp_path / "two.keras")
    result = invoke("evaluate", tmp_path / "two.keras", *own_data, *values, "--classes", 2)
    assert "have no names" not in result.output
    assert "leaf" in result.output
    result = invoke("evaluate", tmp_path / "two.keras", *own_data, *values, "--classes", 3)
    assert "Received 3 class names for 'HRNetW18Small', which has 2 classes" in str(result.exception)


@pytest.mark.converts
def test_an_exported_file_is_scored_and_predicts_as_its_network(invoke, small_network, own_data, tmp_path):
    network = small_network(2)
    network.classes = ["background", "leaf"]
    network.save(tmp_path / "two.keras")
    keras_hrnet.export_tflite(network, tmp_path / "two.tflite", image_size=(40, 50))
    scores = {}
    for name in ("two.keras", "two.tflite"):
        options = (*own_data, "--id-map", "0:background,255:leaf", "--ignore-label", "7")
        result = invoke("evaluate", tmp_path / name, *options, "--json", tmp_path / "scores.json")
        assert result.exit_code == 0, result.exception
        scores[name] = json.loads((tmp_path / "scores.json").read_text())
        photo, target = tmp_path / "photos" / "0.png", tmp_path / f"{name}.png"
        assert invoke("predict", tmp_path / name, photo, "--output", target, "--legend").exit_code == 0
    assert scores["two.tflite"]["confusion"] == scores["two.keras"]["confusion"]
    assert scores["two.tflite"]["network"] == "two.tflite"
    assert (tmp_path / "two.tflite.png").read_bytes() == (tmp_path / "two.keras.png").read_bytes()
    result = invoke("predict", tmp_path / "two.tflite", photo, "--hierarchical-scales", "0.5,1")
    assert "received the model 'two.tflite', which runs at one scale" in str(result.exception)


@pytest.fixture
def predictions(streets, tmp_path):
    folder = tmp_path / "my predictions"
    folder.mkdir()
    for truth in streets.glob("gtFine/val/*/*_labelIds.png"):
        ids = np.asarray(Image.open(truth)).copy()
        ids[:20] = 23
        Image.fromarray(ids).save(folder / truth.name.replace("_gtFine_labelIds", "_pred"))
    return folder


@pytest.mark.once
def test_predictions_are_scored_as_officially(invoke, predictions, streets, tmp_path):
    options = ("--predictions", predictions, "--ground-truth", streets, "--json", tmp_path / "scores.json")
    result = invoke("evaluate", *options)
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "scores.json").read_text())
    expected = score_predictions(predictions, streets)
    assert written["confMatrix"] == expected.confusion.tolist()
    assert written["averageScoreClasses"] == expected.to_dict()["averageScoreClasses"]
    assert "averageScoreInstClasses" in written
    without = invoke("evaluate", *options, "--no-instances", "--workers", 1)
    assert without.exit_code == 0, without.output


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Received neither a MODEL nor --predictions"),
        (("--predictions", "."), "Expected either MODEL, or --predictions with --ground-truth"),
        (("m.keras", "--predictions", ".", "--ground-truth", "."), "Pass one or the other"),
        (("--predictions", ".", "--ground-truth", ".", "--html", "a.html"), "without --html"),
        (("--predictions", ".", "--ground-truth", ".", "--json", "nowhere/a.json"), "Expected its folder to exist"),
        (("m.keras", "--data", "."), "Received the model 'm.keras'"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments, message, invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in str(invoke("evaluate", *arguments).exception)


@pytest.mark.once
def test_a_network_needs_data(invoke, saved_small_network):
    assert "Expected --data alone, or --images and --masks" in str(invoke("evaluate", saved_small_network).exception)
    result = invoke("evaluate", saved_small_network, "--data", ".", "--images", ".", "--masks", ".")
    assert "Expected --data alone, or --images and --masks" in str(result.exception)


@pytest.mark.once
@pytest.mark.parametrize("head", ["fcn", "ocr", "isa", "hierarchical"])
def test_the_head_is_known_by_its_layers_and_published_scores_are_of_it(head):
    tiny = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
    options = {"ocr_channels": (8, 4)} if head in ("ocr", "hierarchical") else {}
    model = keras_hrnet.HRNet(tiny, head=head, name="HRNetW48", **options)
    assert head_of(model) == head
    scores = {row.score for row in published_scores(model)}
    expected = {"fcn": "80.9 mIoU, val", "ocr": "81.6 mIoU, val", "hierarchical": "86.92 mIoU, val, 3 scales"}
    assert expected[head] in scores if head in expected else not scores

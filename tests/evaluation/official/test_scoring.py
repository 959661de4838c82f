"""The scores of folders of label images, against cityscapesScripts itself."""

import copy
import importlib
import json
import math
import pathlib
import shutil
import time

import numpy as np
import PIL.Image
import pytest

from keras_hrnet.data.label_coding import coding_of_data_set
from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.evaluation.official import score_predictions, scoring
from keras_hrnet.streets.synthesis import synthesize

pytestmark = pytest.mark.once

evaluator = importlib.import_module("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")

NUM_IMAGES = 5
# Instances of caravan, trailer and `dynamic`, which no score counts, and the smallest and largest numbers of others.
ODD_INSTANCES = (29001, 30002, 5001, 1000, 24000, 33999, 26)


def read(path):
    with PIL.Image.open(path) as image:
        return np.asarray(image)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)


def spoil(pixels, values, rng, num_patches):
    """Returns a copy with rectangles of random values from a list."""
    spoiled = pixels.copy()
    height, width = pixels.shape
    for _ in range(num_patches):
        top, left = rng.integers(0, height), rng.integers(0, width)
        spoiled[top : top + rng.integers(1, 16), left : left + rng.integers(1, 24)] = rng.choice(values)
    return spoiled


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """A small synthetic Cityscapes; no test may write into it."""
    root = tmp_path_factory.mktemp("streets")
    return synthesize(root, num_train=0, num_val=NUM_IMAGES, num_test=2, size=(64, 128), seed=3).root


@pytest.fixture(scope="module")
def spoiled(streets, tmp_path_factory):
    """The same with odd instances and ignored regions in the truth, and predictions with errors of all 34 ids."""
    root = tmp_path_factory.mktemp("spoiled")
    rng = np.random.default_rng(11)
    for path in truths(streets):
        truth = root / path.relative_to(streets)
        labels = read(path)
        write(truth, spoil(labels, range(34), rng, 8))
        instances = instances_of(path)
        write(instances_of(truth), spoil(read(instances), ODD_INSTANCES, rng, 12))
        prediction = spoil(labels, range(34), rng, 20)
        noisy = rng.random(labels.shape) < 0.05
        prediction[noisy] = rng.integers(0, 34, np.count_nonzero(noisy))
        write(root / "results" / path.parent.name / prediction_name(path), prediction)
    return root


@pytest.fixture
def perfect(streets, tmp_path):
    """Predictions that are the truth, which a test may change."""
    for path in truths(streets):
        shutil.copy(path, tmp_path / prediction_name(path))
    return tmp_path


def truths(root):
    return sorted(pathlib.Path(root, "gtFine", "val").rglob("*_gtFine_labelIds.png"))


def instances_of(truth):
    return truth.with_name(truth.name.replace("labelIds", "instanceIds"))


def prediction_name(truth):
    return truth.name.replace("_gtFine_labelIds", "_leftImg8bit")


@pytest.fixture
def officially(tmp_path, monkeypatch):
    """Returns what cityscapesScripts writes as JSON for a folder of predictions and a root."""
    # NumPy 2.4 has no `in1d` any more, which cityscapesScripts calls.
    monkeypatch.setattr(np, "in1d", np.isin, raising=False)

    def evaluate(predictions, root):
        args = copy.copy(evaluator.args)
        args.quiet, args.predictionPath, args.predictionWalk = True, str(predictions), None
        args.exportFile = str(tmp_path / "official" / "result.json")
        paths = [str(path) for path in truths(root)]
        evaluator.evaluateImgLists([evaluator.getPrediction(args, path) for path in paths], paths, args)
        return json.loads(pathlib.Path(args.exportFile).read_text())

    return evaluate


def assert_same(measured, expected, name="result"):
    assert type(measured) is type(expected), name
    if isinstance(expected, dict):
        assert measured.keys() == expected.keys(), name
        for key, value in expected.items():
            assert_same(measured[key], value, f"{name}/{key}")
    elif isinstance(expected, float):
        # Measured 1.1e-16; the weights of the instances are added in another order.
        assert measured == pytest.approx(expected, rel=0, abs=1e-15, nan_ok=True), name
    else:
        assert measured == expected, name


def test_every_number_of_the_json_file_is_the_official_one(spoiled, officially, tmp_path):
    expected = officially(spoiled / "results", spoiled)
    score_predictions(spoiled / "results", spoiled).write(tmp_path / "ours.json")
    assert_same(json.loads((tmp_path / "ours.json").read_text()), expected)
    assert all(0 < score < 1 for score in expected["categoryInstScores"].values() if not math.isnan(score))


def test_a_single_image_without_most_classes_scores_as_officially(spoiled, officially, tmp_path):
    path = truths(spoiled)[0]
    root = tmp_path / "one"
    for source in (path, instances_of(path)):
        (root / source.relative_to(spoiled)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / source.relative_to(spoiled))
    labels = read(path)
    write(root / path.relative_to(spoiled), np.where(labels > 25, np.uint8(7), labels))
    write(root / "results" / prediction_name(path), np.where(labels > 24, np.uint8(29), labels))
    expected = officially(root / "results", root)
    assert math.isnan(expected["classScores"]["bus"])
    assert_same(score_predictions(root / "results", root).to_dict(), expected)


def test_a_perfect_prediction_scores_one(perfect, streets):
    scores = score_predictions(perfect, streets)
    assert scores.num_images == NUM_IMAGES
    assert scores.pixel_accuracy == 1
    for average in (
        scores.average_class_score,
        scores.average_class_instance_score,
        scores.average_category_score,
        scores.average_category_instance_score,
    ):
        assert average == 1


def test_palettes_count_as_officially(perfect, streets, officially):
    for path in perfect.glob("*.png"):
        image = PIL.Image.fromarray(read(path))
        image.putpalette(bytes(range(256)) * 3)
        image.save(path)
    assert_same(score_predictions(perfect, streets).to_dict(), officially(perfect, streets))


@pytest.mark.parametrize("num_workers", [2, 7])
def test_the_scores_do_not_depend_on_the_number_of_workers(spoiled, num_workers):
    one = score_predictions(spoiled / "results", spoiled, num_workers=1).to_dict()
    several = score_predictions(spoiled / "results", spoiled, num_workers=num_workers).to_dict()
    assert json.dumps(several) == json.dumps(one)


def test_train_ids_score_as_the_label_ids_do(streets, perfect):
    table = np.array(coding_of_data_set(CITYSCAPES).train_id_of_value, np.uint8)
    for path in perfect.glob("*.png"):
        write(path, table[read(path)])
    scores = score_predictions(perfect, streets, train_ids=True)
    assert scores.pixel_accuracy == 1
    with pytest.raises(ValueError, match=r"png with the value 255 .* probably hold train ids. .*`--train-ids`"):
        score_predictions(perfect, streets)


def test_train_ids_without_255_are_told_from_label_ids_by_all_images_together(streets, perfect):
    table = np.array(coding_of_data_set(CITYSCAPES).train_id_of_value, np.uint8)
    for path in perfect.glob("*.png"):
        pixels = table[read(path)]
        write(path, np.where(pixels == 255, np.uint8(0), pixels))
    with pytest.raises(ValueError, match=r"predictions of which \d\d % .* look like train ids. Expected label ids"):
        score_predictions(perfect, streets)
    assert score_predictions(perfect, streets, train_ids=True).pixel_accuracy == 1


def test_train_ids_that_say_nothing_anywhere_score_zero(streets, perfect):
    for path in perfect.glob("*.png"):
        write(path, np.full_like(read(path), 255))
    assert score_predictions(perfect, streets, train_ids=True).average_class_score == 0


def test_a_few_images_full_of_an_ignored_label_are_no_train_ids(streets, perfect):
    for path in sorted(perfect.glob("*.png"))[:2]:
        write(path, np.zeros_like(read(path)))
    assert score_predictions(perfect, streets).pixel_accuracy < 0.7


def test_without_instances_the_other_scores_stay(spoiled):
    scores = score_predictions(spoiled / "results", spoiled).to_dict()
    without = score_predictions(spoiled / "results", spoiled, instances=False).to_dict()
    for name in scores:
        if "Inst" not in name:
            assert json.dumps(without[name]) == json.dumps(scores[name])
    assert math.isnan(without["averageScoreInstClasses"])


def test_on_pair_is_called_once_for_each_pair(perfect, streets):
    calls = []
    score_predictions(perfect, streets, on_pair=lambda: calls.append(None))
    assert len(calls) == NUM_IMAGES


def test_nothing_is_read_before_all_files_are_found(perfect, streets, monkeypatch):
    sorted(perfect.glob("*.png"))[-1].unlink()
    monkeypatch.setattr(scoring, "read_label_image", lambda path: pytest.fail(f"{path} was read"))
    with pytest.raises(FileNotFoundError, match=f"no prediction for 1 of {NUM_IMAGES}"):
        score_predictions(perfect, streets)


def test_a_prediction_of_another_size_is_named(perfect, streets):
    path = sorted(perfect.glob("*.png"))[1]
    write(path, read(path)[::2, ::2])
    with pytest.raises(ValueError, match=rf"{path.name} of shape \(32, 64\) for .* of shape \(64, 128\)"):
        score_predictions(perfect, streets)


def test_a_cut_off_prediction_is_named(perfect, streets):
    path = sorted(perfect.glob("*.png"))[1]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=rf"{path.name}, which cannot be read"):
        score_predictions(perfect, streets)


def test_the_dummy_truth_of_the_test_split_is_refused(streets, tmp_path):
    for path in pathlib.Path(streets, "gtFine", "test").rglob("*_gtFine_labelIds.png"):
        shutil.copy(path, tmp_path / prediction_name(path))
    with pytest.raises(ValueError, match=r"split 'test'\), in which no pixel has one of the 19 classes.*server"):
        score_predictions(tmp_path, streets, split="test")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupt_stops_before_the_other_pairs_are_read(perfect, streets, monkeypatch, error):
    reads = []

    def read_slowly(path):
        reads.append(path)
        time.sleep(0.02)
        return np.full((2, 2), 7, np.uint8)

    def interrupt():
        raise error

    monkeypatch.setattr(scoring, "read_label_image", read_slowly)
    with pytest.raises(error):
        score_predictions(perfect, streets, instances=False, num_workers=1, on_pair=interrupt)
    assert len(reads) < 2 * NUM_IMAGES - 2


def test_a_number_of_workers_that_makes_no_sense_is_refused(streets):
    with pytest.raises(ValueError, match=r"num_workers=0. Expected at least 1"):
        score_predictions(streets, streets, num_workers=0)
    with pytest.raises(TypeError, match=r"num_workers='all'. Expected an integer"):
        score_predictions(streets, streets, num_workers="all")

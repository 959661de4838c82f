"""`keras-hrnet predict` on photos, folders and whole splits."""

import errno
import os
import pathlib
import re
import shutil
import time
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

import keras_hrnet
from keras_hrnet.cli.shards import in_shard
from keras_hrnet.data import cityscapes, synthesize
from keras_hrnet.data_sets import Classes, palette
from keras_hrnet.data_sets import cityscapes as labels
from keras_hrnet.evaluation import evaluate
from keras_hrnet.evaluation.official import score_predictions


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (37, 51, 3), dtype="uint8")).save(path)
    return path


def read(path):
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("show", ["overlay", "color", "labels", "label-ids"])
def test_a_picture_of_the_photos_size_is_written(show, invoke, saved_small_network, photo):
    result = invoke("predict", saved_small_network, photo, "--show", show, "--classes", "cityscapes")
    assert result.exit_code == 0, result.output
    written = read(photo.with_name("photo_segmented.png"))
    expected = keras_hrnet.predict(keras.models.load_model(saved_small_network), photo)
    if show == "overlay":
        assert written.shape == (37, 51, 3)
        return
    table = {"color": labels.PALETTE, "labels": range(19), "label-ids": labels.ID_OF_TRAIN_ID}[show]
    np.testing.assert_array_equal(written, np.array(table, "uint8")[expected])


@pytest.mark.once
def test_a_network_of_150_classes_is_painted(invoke, small_network, photo, tmp_path):
    network = small_network(150)
    network.layers[-1].bias.assign(np.eye(150)[130] * 1000)
    network.save(tmp_path / "ade.keras")
    result = invoke("predict", tmp_path / "ade.keras", photo, "--show", "color")
    assert result.exit_code == 0, result.output
    written = read(photo.with_name("photo_segmented.png"))
    assert np.unique(written.reshape(-1, 3), axis=0).tolist() == [list(palette(150)[130])]


@pytest.mark.once
def test_a_network_is_painted_in_its_own_colors_with_a_legend_on_request(invoke, small_network, photo, tmp_path):
    network = small_network(2)
    network.classes = Classes(("leaf", "flower"), ((1, 2, 3), (200, 100, 50)))
    network.save(tmp_path / "two.keras")
    for options, expected in (
        (("--show", "color"), {"output": "color"}),
        (("--legend",), {"output": "overlay", "legend": True}),
        (("--legend", "--classes", "leaf, flower"), {"output": "overlay", "legend": True}),
    ):
        result = invoke("predict", tmp_path / "two.keras", photo, *options)
        assert result.exit_code == 0, result.output
        np.testing.assert_array_equal(
            read(photo.with_name("photo_segmented.png")), keras_hrnet.predict(network, photo, **expected)
        )
    result = invoke("predict", tmp_path / "two.keras", photo, "--classes", "flower,leaf")
    assert "whose classes are leaf,flower. Expected a network without class names" in str(result.exception)


@pytest.mark.once
def test_probabilities_are_written_as_numpy_reads_them(invoke, saved_small_network, photo):
    result = invoke("predict", saved_small_network, photo, "--show", "probabilities", "--flip")
    assert result.exit_code == 0, result.output
    probabilities = np.load(photo.with_name("photo_segmented.npy"))
    assert probabilities.shape == (37, 51, 19)
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)


@pytest.mark.slow
@pytest.mark.once
def test_the_protocol_reaches_the_network(invoke, saved_network, photo):
    options = ("--scales", "0.5,1", "--flip", "--tile", "36x48", "--overlap", "8", "--average", "probabilities")
    result = invoke("predict", saved_network, photo, "--show", "labels", *options)
    assert result.exit_code == 0, result.output
    expected = keras_hrnet.predict(
        keras.models.load_model(saved_network),
        photo,
        scales=(0.5, 1),
        flip=True,
        tile=(36, 48),
        overlap=8,
        average="probabilities",
    )
    np.testing.assert_array_equal(read(photo.with_name("photo_segmented.png")), expected)


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "my photos"
    (folder / "summer").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (33, 40, 3), dtype="uint8")
    for name in ("a.jpg", "a.png", "summer/b.png"):
        Image.fromarray(pixels).save(folder / name)
    return folder


@pytest.mark.once
def test_a_folder_becomes_a_folder_beside_it_with_the_same_tree(invoke, saved_small_network, album):
    for _ in range(2):  # A second run over the first one's output changes nothing.
        result = invoke("predict", saved_small_network, album)
        assert result.exit_code == 0, result.output
        written = album.with_name("my photos_segmented")
        names = sorted(str(path.relative_to(written)) for path in written.rglob("*.png"))
        assert names == ["a.jpg.png", "a.png.png", "summer/b.png.png"]
        assert len(list(album.rglob("*.*"))) == 3


@pytest.mark.once
def test_shards_are_disjoint_and_complete_and_the_photos_left_out_are_resumed(invoke, saved_small_network, album):
    options, output, written = ("--show", "labels", "--output", album.with_name("out")), album.with_name("out"), []
    for shard in ("1/2", "2/2"):
        result = invoke("predict", saved_small_network, album, *options, "--shard", shard)
        assert result.exit_code == 0, result.output
        written.append(len(list(output.rglob("*.png"))))
    assert written == [written[0], 3]
    assert 0 < written[0] < 3
    whole, target = (album / "a.png").read_bytes(), output / "a.png.png"
    target.write_bytes(b"written before")
    (output / "summer" / "b.png.png").unlink()
    (output / "a.jpg.png").write_bytes(b"of an earlier photo")
    os.utime(output / "a.jpg.png", (0, 0))
    in_a_year = time.time() + 365 * 24 * 60 * 60  # As of a camera whose clock is wrong.
    os.utime(album / "a.jpg", (in_a_year, in_a_year))
    assert "Wrote" in invoke("predict", saved_small_network, album, *options, "--resume").output
    assert target.read_bytes() == b"written before"
    assert (output / "summer" / "b.png.png").is_file()
    assert read(output / "a.jpg.png").shape[:2] == read(album / "a.jpg").shape[:2]
    assert (album / "a.png").read_bytes() == whole
    assert (
        "Of 3 photos, none is left to segment."
        in invoke("predict", saved_small_network, album, *options, "--resume").output
    )


@pytest.mark.once
def test_a_shard_does_not_depend_on_other_photos_or_on_where_the_folder_is(tmp_path):
    photos = [tmp_path / f"{i}.jpg" for i in range(100)]
    targets = {photo: photo.with_suffix(".png") for photo in photos}
    shards = [in_shard(targets, [tmp_path], (i, 3)) for i in (1, 2, 3)]
    assert sorted(path for shard in shards for path in shard) == sorted(photos)
    assert min(map(len, shards)) > 20
    half = dict(list(targets.items())[::2])
    assert set(in_shard(half, [tmp_path], (1, 3))) == set(shards[0]) & set(half)
    moved = {pathlib.Path("/elsewhere") / photo.name: target for photo, target in targets.items()}
    assert list(in_shard(moved, [pathlib.Path("/elsewhere")], (1, 3)).values()) == list(shards[0].values())


@pytest.mark.once
def test_a_damaged_photo_stops_no_other_and_is_named(invoke, saved_small_network, album):
    (album / "a.jpg").write_bytes(b"no photo")
    output = album.parent / "out"
    result = invoke("predict", saved_small_network, album, "--output", output, "--batch-size", 2)
    assert result.exit_code == 1
    assert "1 of 3 photos could not be segmented" in str(result.exception)
    assert "a.jpg', which Pillow cannot read" in str(result.exception)
    assert sorted(path.name for path in output.rglob("*.*")) == ["a.png.png", "b.png.png"]


HOSTILE = ("[b]", "-rf", "line\nfeed", "escape\x1b[31m", "👩‍🔬 街", "right\u202eleft", "n" * 251)


@pytest.mark.once
def test_photos_of_any_name_are_segmented(invoke, saved_small_network, album):
    folder = album / "[bold]photos[" / "red]"
    folder.mkdir(parents=True)
    for name in HOSTILE:
        shutil.copy(album / "a.png", folder / f"{name}.png")
    result = invoke("predict", saved_small_network, folder)
    assert (result.exit_code, result.exception) == (0, None)
    assert f"Wrote {len(HOSTILE)} files to {folder}_segmented" in result.output
    assert re.search(r"\d photos per second; the first was written after \d+\.\d s", result.output)
    assert len(list(folder.with_name("red]_segmented").iterdir())) == len(HOSTILE)


@pytest.mark.once
def test_a_photo_whose_result_has_too_long_a_name_stops_no_other_and_is_named(invoke, saved_small_network, album):
    long = (album / "a.png").rename(album / f"{'n' * 248}.png")
    result = invoke("predict", saved_small_network, long, album / "summer/b.png")
    assert f"Wrote {album}/summer/b_segmented.png\n" in result.output
    assert "1 of 2 photos could not be segmented" in str(result.exception)
    assert "n_segmented.png' cannot be written (File name too long). Expected a file name" in str(result.exception)
    assert (album / "summer/b_segmented.png").is_file()


@pytest.mark.once
def test_a_folder_that_may_not_be_written_to_is_refused_before_the_first_photo(
    invoke, saved_small_network, album, monkeypatch
):
    monkeypatch.setattr("os.access", lambda path, mode: mode == os.R_OK)
    for options, folder in (((), album.parent), (("--output", album), album), (("--output", album / "new"), album)):
        error = invoke("predict", saved_small_network, album, *options).exception
        assert isinstance(error, PermissionError)
        assert str(error).startswith(f"The folder '{folder}' cannot be written to. Expected one that this user may")


@pytest.mark.once
def test_a_full_disk_ends_the_prediction_and_is_named(invoke, saved_small_network, album, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Image.Image, "save", fail)
    result = invoke("predict", saved_small_network, album)
    assert re.fullmatch(
        r"'.*a.jpg.png' cannot be written \(No space left on device; [0-9,]+ bytes are free in '.*'\)\. Expected "
        r"enough space\. Free some space, or write to another disk; an earlier file of this name is unchanged\.",
        str(result.exception),
    )
    assert not any(path.is_file() for path in album.with_name("my photos_segmented").rglob("*"))


@pytest.mark.slow
@pytest.mark.once
def test_a_photo_that_is_too_small_stops_no_other_and_is_named(invoke, saved_network, album):
    Image.fromarray(np.zeros((9, 30, 3), "uint8")).save(album / "a.jpg")
    result = invoke("predict", saved_network, album, "--scales", "1,0.75")
    assert "1 of 3 photos could not be segmented" in str(result.exception)
    assert "a.jpg: Received an image of 9x30" in str(result.exception)
    assert "Expected at least 17 at every scale" in str(result.exception)
    assert len(list(album.with_name("my photos_segmented").rglob("*.png"))) == 2


@pytest.mark.once
def test_several_photos_are_written_beside_themselves_or_into_a_folder(invoke, saved_small_network, album):
    photos = (album / "a.png", album / "summer" / "b.png")
    assert invoke("predict", saved_small_network, *photos).exit_code == 0
    assert (album / "summer" / "b_segmented.png").is_file()
    output = album.parent / "out"
    assert invoke("predict", saved_small_network, *photos, "--output", output).exit_code == 0
    assert sorted(path.name for path in output.iterdir()) == ["a.png", "b.png"]


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("photo.png", "--show", "video"), "Received --show 'video'"),
        (("no.png",), "no.png'. Expected a photo or a folder"),
        (("photo.png", "--output", "nowhere/out.png"), "Expected its folder to exist"),
        (("photo.png", "photo.png", "--output", "out.png", "."), "Expected a folder"),
        (("photo.png", "--output", "out.jpg"), "Expected a folder, or a name that ends with .png"),
        (("photo.png", "--output", "out.png", "--show", "probabilities"), "a name that ends with .npy"),
        (("photo.png", "--output", "photo.png"), "photo.png', which is to be segmented"),
        (("photo.png", "--output", "."), "photo.png', which is to be segmented"),
        (("photo.png", "--tile", "512"), "Received the size '512'"),
        (("photo.png", "--average", "mean"), "Received --average 'mean'"),
        (("photo.png", "--hierarchical-scales", "0.5,1"), "runs at one scale"),
        (("photo.png", "--classes", "leaf,flower"), "Received 2 class names for 'HRNetW18Small', which has 19 classes"),
        (("photo.png", "--show", "color", "--legend"), "Expected --show overlay"),
        (("photo.png", "--show", "label-ids"), "--classes cityscapes"),
        (("photo.png", "--submission", "out.zip"), "There is no folder"),
        ((".", "--submission", "out.tar"), "Expected a name that ends in .zip"),
        ((".", "photo.png", "--submission", "out.zip"), "Received 2 paths with --submission"),
        ((".", "--submission", "nowhere/out.zip"), "Expected its folder to exist"),
        ((".", "--submission", "out.zip", "--resume"), "Expected none of them"),
        (("photo.png", "--shard", "0/2"), "Received --shard '0/2'. Expected I/N, from 1/N to N/N"),
        (("photo.png", "--shard", "3/2"), "Received --shard '3/2'"),
        ((".", "--submission", "out.zip", "--split", "all"), "Received the split 'all'"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments, message, invoke, saved_small_network, photo, monkeypatch):
    monkeypatch.chdir(photo.parent)
    assert message in str(invoke("predict", saved_small_network, *arguments).exception)
    assert [path.name for path in photo.parent.iterdir()] == ["photo.png"]


@pytest.mark.once
def test_a_missing_or_broken_model_is_named(invoke, photo):
    assert "Received the model" in str(invoke("predict", photo.with_name("no.keras"), photo).exception)
    broken = photo.with_name("broken.keras")
    broken.write_bytes(b"junk")
    assert "is not a saved Keras model, or is incomplete" in str(invoke("predict", broken, photo).exception)


@pytest.mark.once
def test_a_photo_of_another_size_than_the_networks_stops_no_other(invoke, tmp_path):
    image = keras.Input((37, 51, 3))
    keras.Model(image, keras.layers.Conv2D(3, 1)(image), name="fixed").save(tmp_path / "fixed.keras")
    (tmp_path / "album").mkdir()
    for name, size in (("a", (40, 51, 3)), ("b", (37, 51, 3))):
        Image.fromarray(np.zeros(size, "uint8")).save(tmp_path / "album" / f"{name}.png")
    error = str(invoke("predict", tmp_path / "fixed.keras", tmp_path / "album", "--show", "color").exception)
    assert "1 of 2 photos could not be segmented" in error
    assert "a.png: Received images of shape (1, 40, 51, 3) for the model 'fixed'" in error
    assert [path.name for path in (tmp_path / "album_segmented").iterdir()] == ["b.png"]


@pytest.mark.once
def test_a_network_whose_training_diverged_is_named(invoke, small_network, photo):
    network = small_network(3)
    network.layers[-1].bias.assign([0.0, np.nan, np.inf])
    network.save(photo.with_name("diverged.keras"))
    error = str(invoke("predict", photo.with_name("diverged.keras"), photo).exception)
    assert "whose weight 'last_layer_0/bias' has 2 of 3 values that are NaN or infinite" in error


@pytest.fixture
def streets(tmp_path):
    return synthesize(tmp_path / "my streets", num_train=0, num_val=2, num_test=3, size=(64, 128)).root


@pytest.mark.once
def test_a_submission_is_a_zip_of_label_ids_that_the_evaluator_finds(invoke, saved_small_network, streets, tmp_path):
    path = tmp_path / "val.zip"
    options = ("--submission", path, "--split", "val", "--partial", "--classes", "cityscapes")
    result = invoke("predict", saved_small_network, streets, *options)
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        archive.extractall(tmp_path / "unpacked")
    assert sorted(names) == ["birkenau_000000_000019_labelIds.png", "marienthor_000000_000019_labelIds.png"]
    scores = score_predictions(tmp_path / "unpacked", streets)
    report = evaluate(keras.models.load_model(saved_small_network), cityscapes(streets, "val"))
    np.testing.assert_array_equal(
        scores.confusion[np.ix_(labels.ID_OF_TRAIN_ID, labels.ID_OF_TRAIN_ID)], report.confusion
    )


@pytest.mark.once
def test_a_submission_of_too_few_images_is_refused_unless_it_is_a_trial(invoke, saved_small_network, streets, tmp_path):
    path = tmp_path / "test.zip"
    result = invoke("predict", saved_small_network, streets, "--submission", path)
    assert "has 3 images of the split 'test'. Expected the published 1525" in str(result.exception)
    assert not path.exists()
    options = ("--submission", path, "--partial")
    assert "--classes cityscapes" in str(invoke("predict", saved_small_network, streets, *options).exception)
    assert not path.exists()
    result = invoke("predict", saved_small_network, streets, *options, "--classes", "cityscapes")
    assert result.exit_code == 0, result.output
    assert len(zipfile.ZipFile(path).namelist()) == 3


@pytest.mark.once
def test_a_damaged_image_leaves_no_submission(invoke, saved_small_network, streets, tmp_path, monkeypatch):
    monkeypatch.setitem(labels.CITYSCAPES.num_images, "test", 3)
    image = sorted(streets.glob("leftImg8bit/test/*/*.png"))[-1]
    image.write_bytes(image.read_bytes()[:2000])
    options = ("--submission", tmp_path / "test.zip", "--classes", "cityscapes")
    result = invoke("predict", saved_small_network, streets, *options)
    assert "which Pillow cannot read" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["my streets"]


@pytest.mark.once
def test_a_network_of_other_classes_has_no_submission(invoke, streets, tmp_path):
    tiny = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
    keras_hrnet.HRNet(tiny, 5).save(tmp_path / "five.keras")
    result = invoke("predict", tmp_path / "five.keras", streets, "--submission", tmp_path / "t.zip", "--partial")
    assert "with 5 classes. Expected the 19 classes of Cityscapes" in str(result.exception)

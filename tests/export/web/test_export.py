"""A page is written whole, with a verified network in it, or not at all."""

import json
import pathlib

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.export import ExportedNetwork, write_web_page
from keras_hrnet.export.web.pages import CONTENTS, POLICY, write_page
from keras_hrnet.export.web.runtime import find_runtime

SIZE = (32, 48)
OTHER = {"tflite": "model.onnx", "onnx": "model.tflite"}
EVIL = "<img src=x onerror=document.title='run'>"


@pytest.mark.converts
@pytest.mark.parametrize("file_format", OTHER)
def test_a_page_holds_a_network_that_answers_as_keras_does(file_format, small_network, fake_runtime, tmp_path):
    network = small_network(3)
    options = {"image_size": SIZE, "class_names": ["road", "sky", EVIL], "runtime": fake_runtime}
    report = keras_hrnet.export_web(network, tmp_path / "web", file_format=file_format, **options)
    assert {path.name for path in (tmp_path / "web").iterdir()} == set(CONTENTS) - {OTHER[file_format]}
    assert {path.name for path in tmp_path.iterdir()} == {"web", "web.json"}
    assert report.format == "web page" and report.largest_difference < 1e-4
    image = np.random.default_rng(0).integers(0, 256, (1, *SIZE, 3), dtype="uint8")
    runner = ExportedNetwork(tmp_path / "web")
    np.testing.assert_allclose(runner.predict_on_batch(image), network.predict_on_batch(image), atol=1e-5)
    assert runner.classes.names == ("road", "sky", EVIL)
    description = json.loads((tmp_path / "web" / "network.json").read_text())
    assert description["metadata"] == keras_hrnet.read_metadata(tmp_path / "web")
    assert description["bytes"] == (tmp_path / "web" / f"model.{file_format}").stat().st_size
    assert f"model.{file_format}" in (tmp_path / "web" / "LICENSES.txt").read_text()


@pytest.mark.once
def test_names_are_data_in_the_page_and_its_policy_is_strict(litert, fake_runtime, tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "model.tflite").touch()
    metadata = {"source": {"model": EVIL}, "class_names": [EVIL]}
    write_page(tmp_path / "web", metadata, litert, find_runtime(litert, fake_runtime))
    text = (tmp_path / "web" / "index.html").read_text()
    assert EVIL not in text and text.count("&lt;img src=x onerror") == 2
    assert "default-src &#39;none&#39;" in text and "unsafe-inline" not in POLICY and "http" not in POLICY
    scripts = "".join((tmp_path / "web" / name).read_text() for name in ("page.js", "engine.js", "worker.js"))
    assert not any(word in scripts for word in ("innerHTML", "insertAdjacentHTML", "document.write", "eval("))


@pytest.mark.once
def test_the_licenses_of_all_parts_are_in_the_folder():
    root = pathlib.Path(keras_hrnet.__file__).parents[1]
    site = root / "keras_hrnet" / "export" / "web" / "site"
    own = (root / "LICENSE").read_text().strip()
    assert own in (site / "LICENSES.txt").read_text()
    assert "LiteRT.js" in (text := (site / "litert.txt").read_text()) and "Apache License" in text
    assert "ONNX Runtime Web" in (text := (site / "onnx.txt").read_text())
    assert own.partition("Permission is")[2] in text and "Copyright (c) Microsoft Corporation" in text


@pytest.mark.converts
def test_a_page_is_written_around_a_file_and_replaces_a_page_only(small_network, fake_runtime, tmp_path):
    file = tmp_path / "a.tflite"
    keras_hrnet.export_tflite(small_network(3), file, image_size=SIZE)
    web = write_web_page(file, tmp_path / "web", runtime=fake_runtime)
    assert (web / "model.tflite").read_bytes() == file.read_bytes()
    assert write_web_page(file, web, runtime=fake_runtime) == web
    keras_hrnet.export_onnx(small_network(3), file.with_suffix(".onnx"), image_size=SIZE)
    assert write_web_page(file.with_suffix(".onnx"), web, runtime=fake_runtime) == web
    assert {path.name for path in web.iterdir()} == set(CONTENTS) - {"model.tflite"}
    (web / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="Expected a free path, or a web page to replace"):
        write_web_page(file, web, runtime=fake_runtime)
    with pytest.raises(FileNotFoundError, match=r"Expected a \.tflite or \.onnx file that keras_hrnet"):
        write_web_page(tmp_path / "b.tflite", tmp_path / "other", runtime=fake_runtime)
    keras_hrnet.export_tflite(small_network(3), file, image_size=SIZE, batch_size=2)
    keras_hrnet.export_onnx(small_network(3), tmp_path / "any.onnx")
    for strange in (file, tmp_path / "any.onnx"):
        with pytest.raises(ValueError, match="with image_size and batch_size=1"):
            write_web_page(strange, tmp_path / "other", runtime=fake_runtime)


@pytest.mark.once
def test_what_cannot_be_shown_is_refused_before_anything_is_fetched(tmp_path, small_network):
    image = keras.Input((32, 48, 5))
    many = keras.Model(image, keras.layers.Conv2D(3, 1, data_format="channels_last")(image))
    for network, message in ((many, "whose input is images of 5 channels"), (_classifier(), "classifies whole images")):
        with pytest.raises(ValueError, match=message):
            keras_hrnet.export_web(network, tmp_path / "web", image_size=SIZE, runtime=tmp_path)
    with pytest.raises(FileNotFoundError, match="Received the runtime folder"):
        keras_hrnet.export_web(small_network(3), tmp_path / "web", image_size=SIZE, runtime=tmp_path)
    for option in ({"precision": "int8"}, {"output": "labels"}, {"sensitivity": True}):
        (name,) = option
        with pytest.raises(
            ValueError, match=f"Received {name}=.* with file_format='onnx'. Expected .*Leave {name} out"
        ):
            keras_hrnet.export_web(
                small_network(3), tmp_path / "web", image_size=SIZE, file_format="onnx", runtime=tmp_path, **option
            )
    assert not list(tmp_path.iterdir())


def _classifier():
    image = keras.Input((32, 48, 3))
    return keras.Model(image, keras.layers.GlobalAveragePooling2D(data_format="channels_last")(image))

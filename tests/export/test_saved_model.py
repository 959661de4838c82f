"""SavedModels against Keras, and what is refused.

Under JAX and torch each export starts a TensorFlow process of about ten seconds: most are tried on TensorFlow only.
"""

import errno
import json
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.data_sets import Classes
from keras_hrnet.evaluation import labels_model
from keras_hrnet.export import ServingReport, export_saved_model, read_metadata
from keras_hrnet.export.saved_model import SavedModel

# Run where neither Keras nor this package can be imported.
LOAD_ALONE = """
import sys
sys.modules["keras"] = sys.modules["keras_hrnet"] = None
import numpy as np
import tensorflow as tf
network = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
np.save(sys.argv[3], network(images=tf.constant(np.load(sys.argv[2])))["logits"])
"""


def small_network(num_classes=5, shape=(None, None, 3), **options):
    image = keras.Input(shape)
    x = keras.layers.Rescaling(1 / 255, **options)(image)
    options["data_format"] = "channels_last"
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", **options)(x)
    return keras.Model(image, keras.layers.Conv2D(num_classes, 3, padding="same", **options)(x), name="small")


def tiny_hrnet(**options):
    variant = keras_hrnet.Variant("Tiny", width=8, stage1_blocks=1, stage1_filters=16, modules=(1, 1, 1), blocks=1)
    options = {"data_format": "channels_last", **options}
    return keras_hrnet.HRNet(variant, num_classes=4, **options)


def images(number, size=(16, 24)):
    return np.random.default_rng(1).integers(0, 256, (number, *size, 3), dtype=np.uint8)


def signature_of(path):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures["serving_default"]
    signature.loaded = loaded  # What it computes with lives as long as this.
    return signature


def assert_answers_alike(path, network, sizes, axis=-1):
    import tensorflow as tf

    signature = signature_of(path)
    for number, *size in sizes:
        seen = images(number, size)
        expected = np.moveaxis(network.predict_on_batch(seen if axis == -1 else np.moveaxis(seen, -1, 1)), axis, -1)
        logits = signature(images=tf.constant(seen))["logits"].numpy()
        assert logits.dtype == np.float32
        # Measured 4.3e-5 with interlaced attention, whose softmax of random features is steep; 1e-6 elsewhere.
        np.testing.assert_allclose(logits, expected, rtol=0, atol=5e-4 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.converts
def test_a_saved_model_answers_as_keras_for_images_of_any_size_and_number(tmp_path):
    network, path = tiny_hrnet(), tmp_path / "tiny"
    network.classes = Classes(tuple("abcd"), ignore_label=9)
    report = export_saved_model(network, path)
    assert isinstance(report, ServingReport)
    metadata = read_metadata(path)
    assert (metadata["class_names"], metadata["ignore_label"]) == (list("abcd"), 9)
    assert (metadata["input"]["name"], metadata["input"]["shape"]) == ("images", [None, None, None, 3])
    assert_answers_alike(path, network, [(1, 64, 96), (3, 33, 50)])
    assert (report.image_size, report.batch_size, report.input_dtype) == ((None, None), None, "uint8")
    assert 0 < report.mean_difference < report.largest_difference < 1e-3
    assert report.label_agreement > 0.999
    assert report.size_bytes == sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    assert "any x any x any x 3, uint8" in str(report)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tiny", "tiny.json"]
    assert json.loads((tmp_path / "tiny.json").read_text()) == report.to_dict()


@pytest.mark.slow
@pytest.mark.converts
def test_tensorflow_alone_loads_it(tmp_path):
    network, path = small_network(), tmp_path / "small"
    export_saved_model(network, path)
    np.save(tmp_path / "images.npy", images(2))
    command = [sys.executable, "-c", LOAD_ALONE, path, tmp_path / "images.npy", tmp_path / "logits.npy"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    expected = network.predict_on_batch(images(2))
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, atol=2e-6)  # measured 2e-7


@pytest.mark.converts
@pytest.mark.heavy
def test_a_head_that_fills_up_odd_maps_answers_as_keras(tmp_path):
    network = tiny_hrnet(head="isa", isa_channels=(16, 8))
    export_saved_model(network, tmp_path / "tiny")
    assert_answers_alike(tmp_path / "tiny", network, [(1, 33, 50), (1, 64, 64)])


@pytest.mark.converts
@pytest.mark.heavy
def test_a_network_that_is_channels_first_becomes_a_signature_that_is_channels_last(tmp_path):
    network = tiny_hrnet(data_format="channels_first", output_stride=4)
    export_saved_model(network, tmp_path / "tiny")
    assert_answers_alike(tmp_path / "tiny", network, [(2, 33, 50)], axis=1)


@pytest.mark.converts
@pytest.mark.parametrize(("shape", "size"), [((None, None, 3), (16, 24)), ((16, 24, 3), None), ((16, 24, 3), (16, 24))])
def test_a_fixed_size_is_in_the_signature(tmp_path, shape, size):
    report = export_saved_model(small_network(shape=shape), tmp_path / "small", image_size=size)
    (spec,) = signature_of(tmp_path / "small").structured_input_signature[1].values()
    assert (spec.name, spec.dtype, spec.shape.as_list()) == ("images", "uint8", [None, 16, 24, 3])
    assert report.image_size == (16, 24)


@pytest.mark.converts
def test_images_of_ones_own_are_compared(tmp_path):
    report = export_saved_model(small_network(), tmp_path / "small", representative_data=[(images(3), None), images(9)])
    assert report.num_images == 4


@pytest.mark.converts
def test_a_saved_model_is_replaced_and_a_failed_export_keeps_it(tmp_path, monkeypatch):
    network, path = small_network(), tmp_path / "small"
    export_saved_model(small_network(), path)
    export_saved_model(network, path)
    kept = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    write = SavedModel.write
    monkeypatch.setattr(SavedModel, "write", lambda self, model, *others: write(self, small_network(), *others))
    with pytest.raises(RuntimeError, match=r"differs by .* in a logit, and .* No file was kept"):
        export_saved_model(network, path)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == kept
    assert_answers_alike(path, network, [(1, 16, 24)])
    with pytest.raises(RuntimeError, match=r"No file was kept"):
        export_saved_model(network, tmp_path / "other")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["small", "small.json"]


@pytest.mark.converts
def test_a_full_disk_leaves_nothing_and_keeps_what_was_there(tmp_path, monkeypatch):
    import tensorflow as tf

    network, path = small_network(), tmp_path / "small"
    export_saved_model(network, path)
    save, said = tf.saved_model.save, r"small' cannot be written \(No space left on device; .* Free some space"

    def full(module, folder, **options):
        save(module, folder, **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    def full_at_the_end(new, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match=said):
        patch.setattr(tf.saved_model, "save", full)
        export_saved_model(network, path)
    assert_answers_alike(path, network, [(1, 16, 24)])
    with monkeypatch.context() as patch, pytest.raises(OSError, match=said):
        patch.setattr("keras_hrnet.replacing.exchange", full_at_the_end)
        export_saved_model(network, path)
    assert_answers_alike(path, network, [(1, 16, 24)])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["small", "small.json"]


@pytest.mark.converts
def test_folders_are_as_readable_for_others_as_any_new_folder(tmp_path):
    export_saved_model(small_network(), tmp_path / "small")
    (tmp_path / "other").mkdir()
    (tmp_path / "file").write_text("")
    assert (tmp_path / "small").stat().st_mode == (tmp_path / "other").stat().st_mode
    assert (tmp_path / "small" / "saved_model.pb").stat().st_mode == (tmp_path / "file").stat().st_mode


def test_what_is_no_saved_model_is_not_replaced(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "scores.csv").write_text("1")
    with pytest.raises(
        FileExistsError, match=r"results', where there is a folder with scores.csv. Expected a free path"
    ):
        export_saved_model(small_network(), tmp_path / "results")
    with pytest.raises(FileExistsError, match=r"scores.csv', where there is a file"):
        export_saved_model(small_network(), tmp_path / "results" / "scores.csv")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected a folder .*exports' to write into"):
        export_saved_model(small_network(), tmp_path / "exports" / "small")


@pytest.mark.parametrize("model", ["w48", keras.Sequential(), None])
def test_what_is_no_network_is_refused(tmp_path, model):
    with pytest.raises(TypeError, match=r"Expected a functional keras.Model from one batch of images"):
        export_saved_model(model, tmp_path / "small")


def test_a_model_that_gives_labels_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"dtype uint8. Expected float logits"):
        export_saved_model(labels_model(small_network()), tmp_path / "small")


def test_a_network_in_half_precision_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"computes in bfloat16. Expected float32.*set_weights"):
        export_saved_model(small_network(dtype="mixed_bfloat16"), tmp_path / "small")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    network = small_network()
    network.set_weights([np.full(w.shape, np.nan) for w in network.get_weights()])
    with pytest.raises(ValueError, match=r"'small', whose logits on 3 images are not all finite"):
        export_saved_model(network, tmp_path / "small")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (512, r"image_size=512. Expected the height and width"),
        ((0, 512), r"image_size=\(0, 512\)"),
        ((51.2, 512), r"image_size=\(51.2, 512\)"),
        ((8, 8), r"image_size=\(8, 8\) for the model 'small'. Expected \(16, 24\), which it was built for"),
    ],
)
def test_a_size_that_is_none_is_refused(tmp_path, size, message):
    with pytest.raises(ValueError, match=message):
        export_saved_model(small_network(shape=(16, 24, 3)), tmp_path / "small", image_size=size)
    assert list(tmp_path.iterdir()) == []

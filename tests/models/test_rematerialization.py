"""`remat=True`: it reaches every module of every network, and the networks train as without."""

import json
import zipfile

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.models import hrnet

TINY = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


def tiny(remat, head="fcn"):
    return keras_hrnet.HRNet(TINY, 3, head=head, remat=remat, ocr_channels=(8, 4), data_format="channels_last")


def settings(model):
    """The `remat` of the backbone's layers that have it, by name."""
    layers = [*model.layers, *(inner for layer in model.layers for inner in getattr(layer, "layers", ()))]
    return {layer.name: layer.remat for layer in layers if hasattr(layer, "remat")}


BACKBONE = ("layer1", "stage2", "stage3", "stage4")


@pytest.mark.parametrize("head", [None, "hierarchical"])  # All but the latter share one backbone.
def test_every_layer_of_the_backbone_has_it(head):
    plain, remat = tiny(False, head), tiny(True, head)
    assert {name: settings(remat)[name] for name in BACKBONE} == dict.fromkeys(BACKBONE, True)
    assert not any(settings(plain).values())
    assert [weight.path for weight in remat.weights] == [weight.path for weight in plain.weights]


def test_every_published_network_takes_it(monkeypatch):
    monkeypatch.setattr(hrnet, "HRNet", lambda *args, **options: options)
    for name in hrnet.VARIANTS:
        network = getattr(keras_hrnet, name)
        assert network(remat=True) == {**network(), "remat": True}


# JAX compiles the two networks for a minute.
on_jax_heavy = pytest.mark.heavy if keras.config.backend() == "jax" else pytest.mark.slow


@on_jax_heavy
def test_a_network_trains_as_without():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2, 33, 49, 3), "uint8")
    labels = generator.integers(0, 3, (2, 33, 49), "uint8")
    plain, remat = tiny(False), tiny(True)
    remat.set_weights(plain.get_weights())
    losses = []
    for model in (plain, remat):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        # TensorFlow traces for longer than it trains here; the layers' tests train in its graph.
        model.compile(keras.optimizers.SGD(0.01), loss, run_eagerly=keras.config.backend() == "tensorflow")
        losses.append([model.train_on_batch(images, labels) for _ in range(3)])
    np.testing.assert_allclose(*losses, rtol=1e-5)  # measured 0
    for ours, theirs in zip(remat.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)  # measured 0


@pytest.mark.slow
def test_it_is_saved_and_a_file_from_before_it_loads(tmp_path):
    tiny(True, head=None).save(tmp_path / "new.keras")
    assert settings(keras.models.load_model(tmp_path / "new.keras")) == dict.fromkeys(BACKBONE, True)
    with zipfile.ZipFile(tmp_path / "new.keras") as new, zipfile.ZipFile(tmp_path / "old.keras", "w") as old:
        for name in new.namelist():
            content = new.read(name)
            if name == "config.json":
                assert b'"remat"' in content
                content = json.dumps(without_remat(json.loads(content))).encode()
            old.writestr(name, content)
    assert settings(keras.models.load_model(tmp_path / "old.keras")) == dict.fromkeys(BACKBONE, False)


def without_remat(config):
    if isinstance(config, dict):
        return {key: without_remat(value) for key, value in config.items() if key != "remat"}
    return [without_remat(value) for value in config] if isinstance(config, list) else config

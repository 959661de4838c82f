"""`train`: a recipe through `compile` and `fit`, and what a run leaves behind."""

import csv
import json

import keras
import numpy as np
import pytest
from PIL import Image

import keras_hrnet
from keras_hrnet import Variant
from keras_hrnet.data_sets import Classes
from keras_hrnet.layers import ConvNorm
from keras_hrnet.models.network import Network
from keras_hrnet.training import CrossEntropy, OhemCrossEntropy, freeze_norm, read_run
from keras_hrnet.training.fitting import HEAD_PATTERN
from keras_hrnet.training.run import weights_hash

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


class Batches(keras.utils.PyDataset):
    """Two classes that the red channel tells apart."""

    classes = Classes(("dark", "bright"), ignore_label=200)

    def __init__(self, num_batches, seed):
        super().__init__()
        generator = np.random.default_rng(seed)
        self.images = generator.integers(0, 256, (num_batches, 2, 32, 32, 3), dtype="uint8")
        self.labels = (self.images[..., 0] > 127).astype("uint8")
        self.labels[:, :, :4] = 200

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], self.labels[index]


def test_a_run_leaves_the_best_network_and_all_that_a_repetition_needs(tmp_path, capsys):
    keras.utils.set_random_seed(1)
    # Few layers, of HRNet's names: to trace or compile a hundred convolutions takes most of a minute.
    image = keras.Input((None, None, 3))
    x = ConvNorm(8, 3, name="layer1")(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Conv2D(2, 1, name="last_layer_3")(ConvNorm(8, 1, name="last_layer_0")(x))
    model = Network(image, x, name="Tiny")
    first, first_values = weights_hash(model), model.get_weights()
    train, val = Batches(4, seed=0), Batches(2, seed=1)
    settings = {"epochs": 2, "learning_rate": 0.05, "class_weights": (1, 2), "batch_size": 4, "ema": 0.5}
    # What the last callback leaves in the model is not what `train` gives.
    spoil = keras.callbacks.LambdaCallback(on_train_end=lambda logs: model.set_weights([0 * w for w in first_values]))
    trained = keras_hrnet.train(
        model,
        train,
        val,
        recipe="fine_tuning",
        run_dir=tmp_path / "run",
        loss="ohem",
        seed=3,
        callbacks=[spoil],
        **settings,
    )
    assert trained is model
    folder = tmp_path / "run"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        ".lock",
        "best.json",
        "best.keras",
        "curves.png",
        "last.keras",
        "log.csv",
        "run.json",
        "tensorboard",
    }

    # === What was computed ===
    assert isinstance(model.loss, OhemCrossEntropy)
    assert model.loss.ignore_label == 200
    optimizer = model.optimizer
    assert optimizer.gradient_accumulation_steps == 2
    factors = dict(zip((v.path for v in model.trainable_variables), optimizer.factors, strict=True))
    assert factors["last_layer_3/kernel"] == factors["last_layer_0/norm/gamma"] == 10.0
    assert {factor for path, factor in factors.items() if not path.startswith("last_layer")} == {1.0}

    # === What was written ===
    run = read_run(folder)
    assert run["network"]["first_weights"] == first != weights_hash(model)
    assert (run["recipe"], run["settings"].epochs, run["seed"]) == ("fine_tuning", 2, 3)
    assert run["settings"].loss == "ohem"
    rows = list(csv.DictReader((folder / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert float(rows[-1]["learning_rate"]) == 0  # four updates of four are done
    scores = [float(row["val_mean_iou"]) for row in rows]
    assert run["result"]["best_mean_iou"] == pytest.approx(max(scores))
    assert json.loads((folder / "best.json").read_text())["val_mean_iou"] == pytest.approx(max(scores))
    with Image.open(folder / "curves.png") as picture:
        assert picture.size[0] > 500
    assert "epoch 2/2  step 8/8" in capsys.readouterr().out

    # === The best network, and its honest score ===
    report = keras_hrnet.evaluate(model, val)
    assert report.mean_iou == pytest.approx(max(scores), abs=1e-6)
    best, last = (keras.models.load_model(folder / f"{name}.keras") for name in ("best", "last"))
    assert weights_hash(best) == weights_hash(model)
    assert best.classes == last.classes == model.classes == Batches.classes
    assert run["train"]["class_names"] == ["dark", "bright"]


@pytest.mark.once
class TestBeforeTheFirstStep:
    @pytest.fixture
    def model(self):
        return keras_hrnet.HRNet(TINY, 2)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"recipe": "cityscape"}, "Did you mean cityscapes"),
            ({"learning_rat": 0.1}, "Did you mean learning_rate"),
            ({}, "19 numbers, for a network with 2 classes"),
            ({"loss": keras.losses.SparseCategoricalCrossentropy()}, "from_logits=False"),
            ({"recipe": "fine_tuning", "gradient_accumulation": 4, "epochs": 2}, "at least one update"),
            ({"recipe": "fine_tuning", "save_minutes": -1}, "save_minutes=-1. Expected at least 0"),
        ],
        ids=range(6),
    )
    def test_what_cannot_be_trained_is_refused_and_no_folder_made(self, arguments, message, model, tmp_path):
        batches = Batches(1, seed=0)
        with pytest.raises(ValueError, match=message):
            keras_hrnet.train(model, batches, batches, run_dir=tmp_path / "run", **arguments)
        assert not (tmp_path / "run").exists()

    def test_labels_beyond_the_classes_are_refused(self, model, tmp_path):
        batches = Batches(1, seed=0)
        batches.labels[0, 0, 10, 10] = 2
        with pytest.raises(ValueError, match="Received label 2 in `train` for a network with 2 classes"):
            keras_hrnet.train(model, batches, batches, recipe="fine_tuning", run_dir=tmp_path / "run")

    @pytest.mark.slow
    def test_frozen_normalization_neither_learns_nor_moves(self, model):
        num_norms = sum(variable.path.endswith("/norm/gamma") for variable in model.variables)
        assert freeze_norm(model) == num_norms > 50
        model.compile("sgd", CrossEntropy())
        before = {v.path: keras.ops.convert_to_numpy(v).copy() for v in model.variables if "/norm/" in v.path}
        model.train_on_batch(*Batches(1, seed=0)[0])
        after = {v.path: keras.ops.convert_to_numpy(v) for v in model.variables if "/norm/" in v.path}
        assert len(before) == 4 * num_norms
        assert all((before[path] == after[path]).all() for path in before)

    def test_a_recipe_freezes_normalization_before_it_compiles(self, model, tmp_path):
        def stop(logs):
            raise KeyboardInterrupt

        batches, norm = Batches(1, seed=0), model.get_layer("last_layer_0").norm
        with pytest.raises(KeyboardInterrupt):
            keras_hrnet.train(
                model,
                batches,
                batches,
                recipe="fine_tuning",
                run_dir=tmp_path / "run",
                callbacks=[keras.callbacks.LambdaCallback(on_train_begin=stop)],
                freeze_norm=True,
                gradient_accumulation=1,
            )
        assert not norm.trainable
        assert model.compiled
        assert len(model.trainable_variables) < len(model.weights) / 2

    @pytest.mark.parametrize("head", ["fcn", "ocr", "isa", "hierarchical"])
    def test_the_head_is_what_is_behind_the_backbone(self, head):
        import re

        model = keras_hrnet.HRNet(TINY, 2, head=head)
        of_head = {v.path.split("/")[0] for v in model.trainable_variables if re.search(HEAD_PATTERN, v.path)}
        backbone = {v.path.split("/")[0] for v in model.trainable_variables} - of_head
        stages = {"stage2", "stage3", "stage4", "transition1", "transition2", "transition3"}
        assert backbone == {"stem", "layer1", *stages}
        assert of_head

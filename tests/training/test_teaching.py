"""Training with a teacher: its loss, what it changes and what it leaves alone, and what is refused."""

import concurrent.futures
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_hrnet
from keras_hrnet.data_sets import Classes
from keras_hrnet.models.network import Network
from keras_hrnet.training import CrossEntropy, Dice, Distillation, Recipe, SumOfLosses
from keras_hrnet.training.teaching import taught

pytestmark = pytest.mark.usefixtures("without_pictures")

SIZE = (8, 12)
SETTINGS = {"epochs": 2, "batch_size": 2, "crop_size": SIZE, "class_weights": None, "learning_rate": 0.1}
TINY = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
WIDER = keras_hrnet.Variant("Wider", width=6, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


def network(seed=0, num_classes=3, data_format="channels_last", name="student"):
    keras.utils.set_random_seed(seed)
    is_last = data_format == "channels_last"
    image = keras.Input((None, None, 3) if is_last else (3, None, None))
    x = keras.layers.Rescaling(1 / 255)(image if is_last else keras.layers.Permute((2, 3, 1))(image))
    x = keras.layers.Conv2D(num_classes, 3, padding="same", name="last", data_format="channels_last")(x)
    return Network(image, x if is_last else keras.layers.Permute((3, 1, 2))(x), name=name)


def batches(labels=None):
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (2, 2, *SIZE, 3), dtype=np.uint8)
    labels = draw.integers(0, 3, (2, 2, *SIZE), dtype=np.uint8) if labels is None else labels
    return Batches(images, labels)


class Batches(keras.utils.PyDataset):
    def __init__(self, images, labels):
        super().__init__()
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


def recipe(**settings):
    return Recipe(source="none", **settings)


def divergence(teacher, student, temperature):
    known, learned = (np.exp(x / temperature) for x in (teacher, student))
    known, learned = (x / x.sum(-1, keepdims=True) for x in (known, learned))
    return temperature**2 * np.sum(known * np.log(known / learned), axis=-1)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_loss_is_the_mean_divergence_over_pixels_that_count(temperature, data_format):
    draw = np.random.default_rng(0)
    student, teacher = draw.normal(size=(2, 1, 4, 5, 3)).astype("float32")
    labels = draw.integers(0, 3, (1, 4, 5)).astype("uint8")
    labels[0, 0] = 255
    expected = divergence(teacher, student, temperature)[0, 1:].mean()
    pair = np.concatenate([student, teacher], -1)
    pair = pair if data_format == "channels_last" else np.moveaxis(pair, -1, 1)
    actual = float(Distillation(temperature, data_format=data_format)(labels, pair))
    assert actual == pytest.approx(expected, rel=2e-6)
    assert float(Distillation(temperature, data_format=data_format)(np.full_like(labels, 255), pair)) == 0
    copy = keras.losses.deserialize(keras.losses.serialize(Distillation(temperature, data_format=data_format)))
    assert float(copy(labels, pair)) == actual


def test_pixels_have_the_weights_that_their_classes_have_in_the_loss_for_the_labels():
    model, teacher = network(1), network(2, name="teacher")
    images, labels = batches()[0]
    of_pixels = divergence(teacher.predict_on_batch(images), model.predict_on_batch(images), 1.0)
    weights = np.array([0.5, 1.0, 4.0])
    expected = np.average(of_pixels, weights=weights[labels])
    assert abs(expected - of_pixels.mean()) > 1e-3 * expected
    losses = {"plain": CrossEntropy(weights), "sum": SumOfLosses([Dice(), CrossEntropy(weights)])}
    for of_labels in losses.values():
        model.compile(keras.optimizers.SGD(0.0), of_labels)
        alone = model.train_on_batch(images, labels)
        with taught(model, teacher, recipe(), of_labels):
            model.train_function = None
            assert float(model.train_on_batch(images, labels)) == pytest.approx(float(alone) + expected, rel=1e-5)
    with pytest.raises(ValueError, match="2 class_weights, and logits of 3 classes"):
        Distillation(class_weights=[1, 2])(labels, np.zeros((2, *SIZE, 6), "float32"))
    assert keras.losses.deserialize(keras.losses.serialize(Distillation(class_weights=[1, 2]))).class_weights == (1, 2)


@pytest.mark.parametrize("teacher_format", ["channels_last", "channels_first"])
def test_a_step_adds_the_teachers_loss_and_leaves_validation_and_the_network_alone(teacher_format):
    model, teacher = network(1), network(2, data_format=teacher_format, name="teacher")
    images, labels = batches()[0]
    logits = keras.ops.convert_to_numpy(model(images))
    turned = images if teacher_format == "channels_last" else np.moveaxis(images, -1, 1)
    known = keras.ops.convert_to_numpy(teacher(turned))
    known = known if teacher_format == "channels_last" else np.moveaxis(known, 1, -1)
    added = 0.5 * divergence(known, logits, 2.0).mean()
    weights, teachers = model.get_weights(), teacher.get_weights()
    model.compile(keras.optimizers.SGD(0.1), CrossEntropy())
    alone = model.train_on_batch(images, labels)
    model.set_weights(weights)
    with taught(model, teacher, recipe(distillation=0.5, temperature=2.0), CrossEntropy()):
        model.train_function = None
        assert float(model.train_on_batch(images, labels)) == pytest.approx(float(alone) + added, rel=1e-5)
        model.set_weights(weights)
        assert float(model.test_on_batch(images, labels)) == pytest.approx(float(alone), rel=1e-5)
    assert float(model.train_on_batch(images, labels)) == pytest.approx(float(alone), rel=1e-5)
    for before, after in zip(teachers, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert len(model.weights) == len(weights) == 2


def test_a_network_learns_its_teacher_where_the_labels_say_nothing_else(tmp_path):
    model, teacher = network(1), network(2, name="teacher")
    images = batches().images
    labels = np.stack([np.argmax(teacher.predict_on_batch(x), -1) for x in images]).astype("uint8")
    data = Batches(images, labels)

    def distance():
        pairs = [(teacher.predict_on_batch(x), model.predict_on_batch(x)) for x in images]
        return np.mean([divergence(known, learned, 1.0).mean() for known, learned in pairs])

    before = distance()
    settings = {**SETTINGS, "epochs": 20, "distillation": 10.0, "weight_decay": 0.0}
    keras_hrnet.train(model, data, data, teacher=teacher, run_dir=tmp_path, **settings)
    assert distance() < 0.1 * before
    run = keras_hrnet.training.read_run(tmp_path)
    assert (run["teacher"]["name"], len(run["teacher"]["weights"])) == ("teacher", 64)
    assert run["settings"].distillation == 10.0
    saved = keras.models.load_model(tmp_path / "best.keras")
    assert len(saved.weights) == 2


def test_a_run_resumes_with_its_teacher_alone(tmp_path):
    check_resuming(network, batches(), SETTINGS, (None, network(3)), tmp_path)


@pytest.mark.slow
@pytest.mark.compiles
def test_a_run_resumes_with_its_teachers_maps(tmp_path):
    def build(seed):
        keras.utils.set_random_seed(seed)
        return keras_hrnet.HRNet(TINY, 3)

    draw = np.random.default_rng(0)
    data = Batches(
        draw.integers(0, 256, (2, 2, 96, 96, 3), dtype=np.uint8), draw.integers(0, 3, (2, 2, 96, 96), dtype=np.uint8)
    )
    # The statistics of small batches make large steps sensitive to rounding.
    settings = {"crop_size": (96, 96), "distillation": 0.0, "feature_distillation": 1.0, "learning_rate": 0.01}
    check_resuming(build, data, {**SETTINGS, **settings}, (build(3),), tmp_path)


def check_resuming(build, data, settings, other_teachers, folder):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    def train(run_dir, teacher, **options):
        model = build(1)
        options = {**settings, "save_minutes": 0, "run_dir": run_dir, **options}
        keras_hrnet.train(model, data, data, teacher=teacher, **options)
        return model.get_weights()

    expected = train(folder / "whole", build(2))
    with pytest.raises(KeyboardInterrupt):
        train(folder / "stopped", build(2), callbacks=[Stop()])
    for other in other_teachers:
        with pytest.raises(ValueError, match="which already holds a run with teacher"):
            train(folder / "stopped", other)
    for one, same in zip(train(folder / "stopped", build(2)), expected, strict=True):
        np.testing.assert_allclose(one, same, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.compiles
@pytest.mark.parametrize("weights", [{"temperature": 2.0}, {"distillation": 0.0, "feature_distillation": 1.0}])
def test_a_network_with_a_second_loss_learns_from_one_with_another_head(weights, tmp_path):
    model = keras_hrnet.HRNet(TINY, 3, head="ocr", ocr_channels=(8, 4), dtype="mixed_bfloat16", remat=True)
    teacher = keras_hrnet.HRNet(TINY, 3, name="teacher")
    draw = np.random.default_rng(0)
    data = Batches(
        draw.integers(0, 256, (1, 2, 32, 48, 3), dtype=np.uint8), draw.integers(0, 3, (1, 2, 32, 48), dtype=np.uint8)
    )
    before = model.get_weights()
    settings = {**SETTINGS, "epochs": 1, "crop_size": (32, 48), **weights}
    keras_hrnet.train(model, data, data, teacher=teacher, run_dir=tmp_path, **settings)
    assert all((one != other).any() for one, other in zip(before, model.get_weights(), strict=True))


def unexplained(labels, ours, known):
    """Computes the mean share of the maps of all stages that no linear function explains, in float64."""
    of_stages = []
    for stage, maps in zip(ours, known, strict=True):
        shares = []
        for i, (x, y) in enumerate(zip(stage, maps, strict=True)):
            counts = labels[:, :: 4 * 2**i, :: 4 * 2**i, 0] != 250
            x, y = (each[counts].astype("float64") - each[counts].mean(0) for each in (x, y))
            ridge = 1e-3 * x.var(0).mean() * len(x) * np.eye(x.shape[1])
            error = x @ np.linalg.solve(x.T @ x + ridge, x.T @ y) - y
            shares.append(np.mean(np.mean(error**2, 0) / (y.var(0) + 1e-3 * y.var(0).mean())))
        of_stages.append(np.mean(shares))
    return np.mean(of_stages)


@pytest.mark.slow
@pytest.mark.compiles
def test_a_network_learns_the_maps_of_a_wider_teacher_of_another_format(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras_hrnet.HRNet(TINY, 3, data_format="channels_last")
    model.classes = Classes(tuple("abc"), ignore_label=250)
    teacher = keras_hrnet.HRNet(WIDER, 3, data_format="channels_first", name="teacher")
    draw = np.random.default_rng(0)
    # No side is a multiple of a stride; the coarsest maps have 64 positions and 32 channels.
    images = draw.integers(0, 256, (4, 125, 123, 3), dtype=np.uint8)
    labels = draw.integers(0, 3, (4, 125, 123, 1), dtype=np.uint8)
    labels[:, :10] = 250

    def maps(network, training):
        layers = [network.get_layer(name) for name in ("stage2", "stage3", "stage4")]
        is_last = network.inputs[0].shape[-1] == 3
        outputs = keras.Model(network.input, [layer.output for layer in layers])(
            images if is_last else np.moveaxis(images, -1, 1), training=training
        )
        # The layers of a network for images with channels first may have channels last.
        axes = [-1 if layer.data_format == "channels_last" else 1 for layer in layers]
        return [
            [np.moveaxis(keras.ops.convert_to_numpy(x), axis, -1) for x in stage]
            for axis, stage in zip(axes, outputs, strict=True)
        ]

    weights = model.get_weights()
    expected = unexplained(labels, maps(model, training=True), maps(teacher, training=False))
    model.set_weights(weights)
    of_labels = CrossEntropy(ignore_label=250)
    model.compile(keras.optimizers.SGD(0.0), of_labels)
    alone = float(model.train_on_batch(images, labels))
    model.set_weights(weights)
    with taught(model, teacher, recipe(distillation=0.0, feature_distillation=3.0), of_labels):
        model.train_function = None
        assert float(model.train_on_batch(images, labels)) == pytest.approx(alone + 3 * expected, rel=1e-4)
        model.set_weights(weights)
        # In a graph, the sizes of these crops are not known.
        spec = tf.TensorSpec((None, None, None, 3), "uint8"), tf.TensorSpec((None, None, None, 1), "uint8")
        crops = tf.data.Dataset.from_generator(lambda: [(images, labels)], output_signature=spec)
        history = model.fit(crops.apply(tf.data.experimental.assert_cardinality(1)), verbose=0).history
        assert history["loss"] == [pytest.approx(alone + 3 * expected, rel=1e-4)]
    assert "call" not in vars(model.get_layer("stage2"))
    model.set_weights(weights)
    data = Batches(images[None, :, :96, :96], labels[None, :, :96, :96, 0])
    settings = {**SETTINGS, "epochs": 16, "crop_size": (96, 96), "distillation": 0.0, "feature_distillation": 10.0}
    keras_hrnet.train(model, data, data, teacher=teacher, run_dir=tmp_path, **settings)
    model.load_weights(tmp_path / "last.keras")
    assert unexplained(labels, maps(model, training=True), maps(teacher, training=False)) < 0.9 * expected
    assert len(keras.models.load_model(tmp_path / "last.keras").weights) == len(model.weights)


@pytest.mark.slow
@pytest.mark.compiles
def test_each_thread_compares_its_own_maps():
    # TensorFlow runs the steps of several devices in threads of one process.
    keras.utils.set_random_seed(0)
    model, teacher = keras_hrnet.HRNet(TINY, 3), keras_hrnet.HRNet(WIDER, 3, name="teacher")
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 256, (2, 96, 96, 3), dtype=np.uint8) for _ in range(2)]
    labels = [draw.integers(0, 3, (2, 96, 96), dtype=np.uint8) for _ in range(2)]
    of_labels = CrossEntropy(ignore_label=255)
    model.compile(keras.optimizers.SGD(0.0), of_labels)

    def loss(i, wait=lambda: None):
        logits = model(images[i], training=True)
        wait()
        return float(keras.ops.convert_to_numpy(model.compute_loss(images[i], labels[i], logits)))

    with taught(model, teacher, recipe(distillation=0.0, feature_distillation=10.0), of_labels):
        alone = [loss(i) for i in range(2)]
        both_are_there = threading.Barrier(2, timeout=60)
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            together = list(threads.map(loss, range(2), [both_are_there.wait] * 2))
    assert together == pytest.approx(alone, rel=1e-4)
    assert abs(alone[0] - alone[1]) > 1e-3 * alone[0]


@pytest.mark.once
def test_networks_without_the_same_stages_cannot_compare_them(tmp_path):
    data, settings = batches(), {**SETTINGS, "feature_distillation": 1.0}
    with pytest.raises(ValueError, match=r"'student' with stages of \[\] branches and .* stages of \[2, 3, 4\]"):
        keras_hrnet.train(
            network(), data, data, teacher=keras_hrnet.HRNet(TINY, 3), run_dir=tmp_path / "run", **settings
        )
    nothing = {**SETTINGS, "distillation": 0.0}
    with pytest.raises(ValueError, match=r"with distillation=0 and feature_distillation=0\. Expected"):
        keras_hrnet.train(network(), data, data, teacher=network(2), run_dir=tmp_path / "run", **nothing)
    assert not (tmp_path / "run").exists()


@pytest.mark.once
@pytest.mark.parametrize(
    ("teacher", "settings", "message"),
    [
        (lambda: network(num_classes=4, name="teacher"), {}, "the teacher 'teacher' of 4 classes .* of 3"),
        (lambda: keras_hrnet.models.network.labels_model(network()), {}, "which returns labels. Expected logits"),
        (lambda: None, {"temperature": 4.0}, "Received temperature=4.0 without a teacher"),
        (lambda: None, {"feature_distillation": 1.0}, "Received feature_distillation=1.0 without a teacher"),
        (lambda: None, {"recipe": recipe(feature_distillation=1.0)}, "feature_distillation=1.0 without a teacher"),
        (network, {"distillation": -1.0}, "distillation=-1.0"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(teacher, settings, message, tmp_path):
    data = batches()
    settings = {**SETTINGS, **settings}
    with pytest.raises(ValueError, match=message):
        keras_hrnet.train(network(), data, data, teacher=teacher(), run_dir=tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.once
def test_a_teacher_of_other_names_and_what_is_no_network_are_refused(tmp_path):
    data, model, teacher = batches(), network(), network(name="teacher")
    model.classes, teacher.classes = ("sky", "road", "car"), ("sky", "car", "road")
    with pytest.raises(ValueError, match="whose class 1 is 'car', for the network 'student', whose class 1 is 'road'"):
        keras_hrnet.train(model, data, data, teacher=teacher, run_dir=tmp_path, **SETTINGS)
    with pytest.raises(TypeError, match=r"a teacher of type str\. Expected a trained keras.Model"):
        keras_hrnet.train(model, data, data, teacher="w48.keras", run_dir=tmp_path, **SETTINGS)

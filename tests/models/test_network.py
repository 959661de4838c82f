"""`Network`: what it does beside `keras.Model`."""

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.data_sets import Classes
from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.models.network import Network, classes_of, labels_model

NAMES = ("sky", "road", "tree")
VARIANT = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


def small(num_classes=3, data_format="channels_last"):
    is_last = data_format == "channels_last"
    image = keras.Input((None, None, 3) if is_last else (3, None, None))
    return Network(image, keras.layers.Conv2D(num_classes, 1, data_format=data_format)(image), name="Tiny")


def test_a_step_is_traced_once_with_its_optimizer_built():
    model = small()
    calls = []

    def loss(labels, logits):
        calls.append(model.optimizer.built)
        return keras.ops.mean(logits)

    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss)
    images, labels = np.zeros((2, 32, 48, 3), "float32"), np.zeros((2, 32, 48), "uint8")
    model.train_on_batch(images, labels)
    model.train_on_batch(images, labels)
    assert calls[-1]
    if keras.config.backend() == "tensorflow":
        assert calls == [True]  # JAX and PyTorch ask for shapes before they build.


def test_a_network_that_nobody_named_has_numbered_classes():
    model = keras_hrnet.HRNet(VARIANT, 19, data_format="channels_last")
    assert model.class_names[:2] == ("class 0", "class 1")
    assert not model.classes.are_named
    assert model.ignore_label == 255


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_file_keeps_names_colors_and_ignore_label(data_format, tmp_path):
    model = small(data_format=data_format)
    model.classes = Classes(NAMES, ((1, 2, 3), (4, 5, 6), (7, 8, 9)), ignore_label=254)
    model.save(tmp_path / "named.keras")
    loaded = keras.models.load_model(tmp_path / "named.keras")
    assert loaded.class_names == NAMES
    assert loaded.class_colors == ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    assert loaded.ignore_label == 254


def test_a_file_keeps_which_classes_change_places_and_one_without_them_is_read(tmp_path):
    model = small()
    model.classes = Classes(("body", "left arm", "right arm"), mirrored=((1, 2),))
    model.save(tmp_path / "pairs.keras")
    loaded = keras.models.load_model(tmp_path / "pairs.keras")
    assert loaded.classes.mirrored == ((1, 2),)
    config = model.get_config()
    del config["classes"]["mirrored"]
    assert Network.from_config(config).classes.mirrored == ()


@pytest.mark.compiles
def test_models_made_of_a_network_keep_its_classes():
    model = keras_hrnet.HRNet(VARIANT, 2, head="hierarchical", ocr_channels=(8, 4), data_format="channels_last")
    model.classes = ["sky", "road"]
    optimized = keras_hrnet.optimize_for_inference(model)
    assert optimized.class_names == labels_model(model).class_names == ("sky", "road")
    assert keras_hrnet.with_scales(model, (1.0,)).class_names == ("sky", "road")


def test_a_network_takes_its_classes_from_the_data_that_it_is_fitted_to():
    class Batches(keras.utils.PyDataset):
        classes = Classes(NAMES)

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return np.zeros((1, 32, 48, 3), "float32"), np.zeros((1, 32, 48), "uint8")

    model = small()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(Batches(), verbose=0)
    assert model.class_names == NAMES


def test_any_model_can_be_told_its_classes():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Conv2D(19, 1, data_format="channels_last")(image))
    assert classes_of(model).names[0] == "class 0"
    model.classes = "cityscapes"
    assert classes_of(model) == CITYSCAPES.classes
    model.classes = ["sky", "road"]
    with pytest.raises(ValueError, match=r"2 class names for .*, which has 19 classes"):
        classes_of(model)


def test_the_names_of_a_data_set_bring_its_colors():
    model = small(19)
    model.classes = list(CITYSCAPES.classes.names)
    assert model.classes == CITYSCAPES.classes


def test_a_model_of_labels_that_nobody_named_does_not_say_its_classes():
    named = labels_model(small())
    assert named.class_names == ("class 0", "class 1", "class 2")
    model = Network(named.inputs[0], named.outputs[0])
    assert model.classes is None
    with pytest.raises(ValueError, match="returns labels, without class_names"):
        classes_of(model)


def test_a_data_set_names_the_classes_only_where_it_is_asked_for():
    model = small(19)
    model.classes = "cityscapes"
    assert model.class_names[0] == "road"
    assert model.class_colors[0] == (128, 64, 128)


@pytest.mark.parametrize(
    ("classes", "error", "message"),
    [
        (["sky"], ValueError, "1 class names for 'Tiny', which has 3 classes"),
        ("citiscapes", ValueError, "the classes 'citiscapes'. Expected names, or a data set: cityscapes"),
        (7, TypeError, "classes of type int"),
        (["sky", "sky", "road"], ValueError, "the class name 'sky' more than once"),
        ([1, 2, 3], TypeError, "Expected a sequence of texts"),
    ],
    ids=range(5),
)
def test_classes_that_do_not_fit_are_refused(classes, error, message):
    model = small()
    with pytest.raises(error, match=message):
        model.classes = classes


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_weights_that_are_no_numbers_are_not_loaded(ending, value, tmp_path):
    image = keras.Input((None, None, 3))
    network = Network(image, keras.layers.Conv2D(2, 1, name="last")(image), name="small")
    kernel, bias = network.get_weights()
    network.set_weights([kernel, np.array([0, value])])
    path = tmp_path / f"diverged{ending}"
    network.save(path) if ending == ".keras" else network.save_weights(path)
    network.set_weights([kernel, bias])
    with pytest.raises(ValueError, match=rf"diverged{ending}' was not loaded.*weight 'last/bias' has 1 of 2 values"):
        network.load_weights(path)
    np.testing.assert_array_equal(network.get_weights()[1], bias)

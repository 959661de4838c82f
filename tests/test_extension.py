"""What a user can add without touching the package: a head, a variant with another block, and a data set."""

import dataclasses

import keras
import numpy as np
import PIL.Image
import pytest

import keras_hrnet
from keras_hrnet import data, families, heads
from keras_hrnet.data_sets import Classes, DataSet, Layout
from keras_hrnet.layers import ConvNorm
from keras_hrnet.models import cost

SIZE = (64, 96)


@dataclasses.dataclass(frozen=True)
class Pointwise(heads.Head):
    """Classifies the four maps joined, and trains logits of the finest one besides."""

    filters: int = 8

    loss_weights = (0.2,)

    def logits(self, maps, num_classes, options):
        fine = ConvNorm(self.filters, 3, name="fine", **options.of_layer)(maps[0])
        joined = keras_hrnet.layers.ResizeConcatenate(name="joined", **options.of_resizing)([fine, *maps[1:]])
        return [
            keras.layers.Conv2D(num_classes, 1, name=name, **options.of_layer)(x)
            for name, x in (("of_all", joined), ("of_fine", fine))
        ]

    def convolutions(self, widths, num_classes):
        yield families.ConvolutionCost(widths[0], self.filters, 3, 4)
        yield families.ConvolutionCost(self.filters + sum(widths[1:]), num_classes, 1, 4, bias=True, norm=False)


@keras.saving.register_keras_serializable(package="test_extension")
class DepthwiseBlock(keras.layers.Layer):
    """Adds to a map what a depthwise convolution and one over channels make of it."""

    def __init__(self, filters, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.data_format = data_format
        options = {"padding": "same", "data_format": data_format, "dtype": self.dtype_policy}
        self.spatial = keras.layers.DepthwiseConv2D(3, name="spatial", **options)
        self.channels = keras.layers.Conv2D(filters, 1, name="channels", **options)

    def build(self, input_shape):
        self.spatial.build(input_shape)
        self.channels.build(self.spatial.compute_output_shape(input_shape))

    def call(self, x):
        return keras.ops.relu(x + self.channels(self.spatial(x)))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "data_format": self.data_format}


VARIANT = keras_hrnet.Variant(
    "Depthwise", width=4, stage1_blocks=1, stage1_filters=4, modules=(1, 1, 1), blocks=1, block=DepthwiseBlock
)


FIELDS = DataSet(
    name="fields",
    title="Fields",
    classes=Classes(("soil", "weed", "maize"), ((90, 60, 30), (220, 60, 60), (60, 200, 60))),
    train_ids={0: 255, 10: 0, 20: 1, 30: 2},
    layout=Layout("photos/{split}/*.png", "masks/{split}/*_mask.png"),
    num_images={"train": 2},
    license="Drawn.",
    source="Draw it.",
)


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    """Two photos of noise with their masks, read as that data set."""
    root = tmp_path_factory.mktemp("fields")
    generator = np.random.default_rng(0)
    for i in range(FIELDS.num_images["train"]):
        for name, pixels in (
            (f"photos/train/{i}.png", generator.integers(0, 256, (*SIZE, 3))),
            (f"masks/train/{i}_mask.png", generator.choice([*FIELDS.train_ids], SIZE)),
        ):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(np.uint8(pixels)).save(root / name)
    return data.data_set(FIELDS, root, "train", batch_size=2, augment=False)


@pytest.fixture(scope="module")
def trained(fields, tmp_path_factory, without_pictures):
    """The folder of a run of two steps, and its network."""
    keras.utils.set_random_seed(0)
    model = keras_hrnet.HRNet(VARIANT, 3, head=Pointwise(filters=6), data_format="channels_last")
    before = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    folder = tmp_path_factory.mktemp("run") / "run"
    settings = {"epochs": 2, "class_weights": None, "learning_rate": 0.01, "weight_decay": 1e-4}
    keras_hrnet.train(model, fields, fields, run_dir=folder, **settings)
    return model, before, folder


def test_every_weight_of_a_block_and_a_head_of_ones_own_moves(trained):
    model, before, _ = trained
    for weight, old in zip(model.weights, before, strict=True):
        assert np.any(keras.ops.convert_to_numpy(weight) != old), weight.path
    assert {layer.name for layer in model.layers} >= {"fine", "joined", "of_all", "of_fine", "supervision"}


def test_a_network_with_them_is_saved_with_the_classes_of_its_data(trained, fields):
    model, _, folder = trained
    loaded = keras.models.load_model(folder / "best.keras")
    assert loaded.classes == FIELDS.classes
    images, _ = next(iter(fields.as_numpy_iterator()))
    expected, actual = (keras.ops.convert_to_numpy(x(images, training=False)) for x in (model, loaded))
    np.testing.assert_array_equal(actual, expected)


def test_a_network_with_them_is_optimized_and_exported(trained, fields, tmp_path):
    model = trained[0]
    optimized = keras_hrnet.optimize_for_inference(model)
    assert optimized.count_params() < model.count_params()
    report = keras_hrnet.export_tflite(model, tmp_path / "own.tflite", image_size=SIZE)
    assert report.label_agreement > 0.999
    metadata = keras_hrnet.read_metadata(tmp_path / "own.tflite")
    assert tuple(metadata["class_names"]) == FIELDS.classes.names
    assert tuple(map(tuple, metadata["colors"])) == FIELDS.classes.colors


@pytest.mark.once
def test_a_head_of_ones_own_says_what_it_costs():
    variant = dataclasses.replace(VARIANT, block="basic")
    model = keras_hrnet.HRNet(variant, 3, head=Pointwise(), data_format="channels_last")
    of_auxiliary = model.get_layer("of_fine").count_params()
    counted = cost(variant, 3, head=Pointwise()).parameters
    assert counted == sum(int(np.prod(w.shape)) for w in model.trainable_weights) - of_auxiliary


@pytest.mark.once
def test_a_head_that_returns_something_else_is_refused():
    class Silent(Pointwise):
        loss_weights = ()

    with pytest.raises(
        ValueError, match=r"The head Silent returned maps of shapes .* Expected the logits and .* with 3 channels"
    ):
        keras_hrnet.HRNet(VARIANT, 3, head=Silent(), data_format="channels_last")

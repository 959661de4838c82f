import keras
import keras_hub
import numpy as np
import pytest

from keras_hrnet.hub import (
    HRNetBackbone,
    HRNetImageConverter,
    HRNetImageSegmenter,
    HRNetImageSegmenterPreprocessor,
)


@pytest.fixture(scope="module")
def saved(backbone):
    """A segmenter with a preprocessor."""
    converter = HRNetImageConverter(image_size=(33, 49), pad_to_aspect_ratio=True)
    return HRNetImageSegmenter(backbone, 5, HRNetImageSegmenterPreprocessor(converter))


@pytest.fixture(scope="module")
def folder(saved, tmp_path_factory):
    """The folder that it was saved to."""
    path = str(tmp_path_factory.mktemp("preset"))
    saved.save_to_preset(path)
    return path


def assert_same_weights(model, other):
    for weight, value in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), keras.ops.convert_to_numpy(value))


def test_kerashub_reads_a_segmenter_back_that_computes_the_same(saved, folder, images, arrays_of):
    loaded = keras_hub.models.ImageSegmenter.from_preset(folder)
    assert isinstance(loaded, HRNetImageSegmenter)
    assert loaded.get_config() == saved.get_config()
    np.testing.assert_array_equal(arrays_of(loaded(images)), arrays_of(saved(images)))


def test_kerashub_reads_the_backbone_of_a_segmenter(saved, folder):
    loaded = keras_hub.models.Backbone.from_preset(folder)
    assert isinstance(loaded, HRNetBackbone)
    assert loaded.get_config() == saved.backbone.get_config()
    assert_same_weights(loaded, saved.backbone)


def test_a_segmenter_of_other_classes_keeps_the_backbone_and_has_a_new_head(saved, folder):
    keras.utils.set_random_seed(1)  # The one of every test may be that of `saved`.
    loaded = HRNetImageSegmenter.from_preset(folder, num_classes=7)
    assert loaded.output_shape == (None, None, None, 7)
    assert_same_weights(loaded.backbone, saved.backbone)
    kernels = [keras.ops.convert_to_numpy(x.get_layer("last_layer_0").conv.kernel) for x in (loaded, saved)]
    assert np.any(kernels[0] != kernels[1])


@pytest.mark.once
def test_a_preset_is_read_under_another_dtype_policy_and_size(folder):
    loaded = HRNetImageSegmenter.from_preset(folder, dtype="mixed_bfloat16", image_shape=(64, 96, 3))
    assert loaded.backbone.dtype_policy.name == "mixed_bfloat16"
    assert loaded.output_shape == (None, 64, 96, 5)


@pytest.mark.once
def test_kerashub_reads_the_preprocessing_of_a_segmenter(saved, folder):
    loaded = keras_hub.models.ImageSegmenterPreprocessor.from_preset(folder)
    assert isinstance(loaded, HRNetImageSegmenterPreprocessor)
    assert loaded.get_config() == saved.preprocessor.get_config()
    converter = keras_hub.layers.ImageConverter.from_preset(folder)
    assert isinstance(converter, HRNetImageConverter)
    assert converter.get_config() == saved.preprocessor.image_converter.get_config()


@pytest.mark.once
def test_a_segmenter_is_built_on_the_preset_of_a_backbone(backbone, tmp_path):
    backbone.save_to_preset(str(tmp_path))
    segmenter = keras_hub.models.ImageSegmenter.from_preset(str(tmp_path), num_classes=5, preprocessor=None)
    assert_same_weights(segmenter.backbone, backbone)


@pytest.mark.once
def test_a_preset_keeps_the_names_of_the_classes(backbone, tmp_path):
    segmenter = HRNetImageSegmenter(backbone, 3, class_names=("sky", "road", "tree"))
    segmenter.save_to_preset(str(tmp_path / "named"))
    loaded = keras_hub.models.ImageSegmenter.from_preset(str(tmp_path / "named"))
    assert loaded.class_names == ("sky", "road", "tree")
    assert loaded.class_colors == segmenter.class_colors

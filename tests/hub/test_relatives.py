"""HRFormer and Lite-HRNet as KerasHub's backbones, segmenters and presets."""

import keras
import keras_hub
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import hub

SIZES = {"stage1_blocks": 1, "stage1_filters": 8, "modules": (1, 1, 1), "blocks": 1, "window_size": 3}
OCR = {"ocr_channels": (8, 4), "ocr_auxiliary_channels": 6}
# For each family: the prefix of its classes, its row, and options of the head that it is published with.
FAMILIES = {
    "HRFormer": (keras_hrnet.HRFormerVariant("Tiny", 4, num_heads=2, **SIZES), OCR),
    "LiteHRNet": (keras_hrnet.LiteVariant("Tiny", 16, (1, 1, 1), 1), {}),
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    """The name of a family, its row, its classes, and a segmenter that its default head is put on."""
    variant, options = FAMILIES[request.param]
    names = ("Backbone", "ImageConverter", "ImageSegmenter", "ImageSegmenterPreprocessor")
    kinds = {name: getattr(hub, f"{request.param}{name}") for name in names}
    backbone = kinds["Backbone"](**variant.sizes())
    preprocessor = kinds["ImageSegmenterPreprocessor"](kinds["ImageConverter"](image_size=(33, 49)))
    return variant, options, kinds, kinds["ImageSegmenter"](backbone, 5, preprocessor, **options)


@pytest.mark.slow
@pytest.mark.compiles
def test_it_is_the_network_of_keras_hrnet_with_the_same_weights(family, images, arrays_of):
    variant, options, _, segmenter = family
    network = keras_hrnet.HRNet(variant, 5, head=variant.default_head, **options)
    assert [weight.path for weight in network.weights] == [weight.path for weight in segmenter.weights]
    network.set_weights(segmenter.get_weights())
    np.testing.assert_array_equal(arrays_of(segmenter(images)), arrays_of(network(images)))


@pytest.mark.slow
@pytest.mark.compiles
def test_kerashub_reads_it_back_from_a_preset(family, images, arrays_of, tmp_path):
    _, _, kinds, segmenter = family
    segmenter.save_to_preset(str(tmp_path / "preset"))
    loaded = keras_hub.models.ImageSegmenter.from_preset(str(tmp_path / "preset"))
    assert type(loaded) is kinds["ImageSegmenter"]
    assert type(loaded.preprocessor) is kinds["ImageSegmenterPreprocessor"]
    assert type(loaded.preprocessor.image_converter) is kinds["ImageConverter"]
    assert loaded.get_config() == segmenter.get_config()
    np.testing.assert_array_equal(arrays_of(loaded(images)), arrays_of(segmenter(images)))
    backbone = keras_hub.models.Backbone.from_preset(str(tmp_path / "preset"))
    assert {name: x.shape[-1] for name, x in backbone.pyramid_outputs.items()} == dict(
        zip(("P2", "P3", "P4", "P5"), segmenter.backbone.variant.widths, strict=True)
    )


@pytest.mark.compiles
def test_it_trains_on_images_and_labels(family, images, labels):
    *_, segmenter = family
    segmenter.compile(keras.optimizers.SGD(0.01), run_eagerly=True)
    assert np.isfinite(segmenter.train_on_batch(images, labels)[0])


@pytest.mark.once
def test_a_published_network_is_built_by_its_name():
    backbone = hub.LiteHRNetBackbone.from_variant("LiteHRNetNaive18", modules=(1, 1, 1), blocks=1)
    assert (backbone.variant.width, backbone.variant.block, backbone.variant.modules) == (30, "shuffle", (1, 1, 1))
    backbone = hub.HRFormerBackbone.from_variant("HRFormerSmall", modules=(1, 1, 1), blocks=1)
    assert (backbone.variant.width, backbone.variant.drop_path, backbone.align_corners) == (32, 0.2, True)


@pytest.mark.once
def test_a_network_of_another_family_is_refused(family):
    _, _, kinds, segmenter = family
    with pytest.raises(ValueError, match=r"from_variant` received name='HRNetW18'\. Expected one of (HRFormer|Lite)"):
        kinds["Backbone"].from_variant("HRNetW18")
    with pytest.raises(TypeError, match=r"Expected an `HRNetBackbone`, because the head reads its maps"):
        hub.HRNetImageSegmenter(segmenter.backbone, 5)

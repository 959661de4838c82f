import types

import numpy as np
import pytest

from keras_hrnet import load_checkpoint
from keras_hrnet.checkpoints import naming
from keras_hrnet.checkpoints.contents import read_contents
from keras_hrnet.checkpoints.convention import check_convention, convention_of_model
from keras_hrnet.checkpoints.description import describe_contents

# Weights are loaded into networks of every backend by tests/checkpoints/test_loading.py and the golden cases.
pytestmark = pytest.mark.once

HALF_PIXEL, ALIGNED, NEAREST = ("bilinear", False), ("bilinear", True), ("nearest", False)


def model_with(interpolation, align_corners):
    """Stands in for a network of a convention: building one for each takes long."""
    layer = types.SimpleNamespace(interpolation=interpolation, align_corners=align_corners)
    return types.SimpleNamespace(name="Tiny", layers=[types.SimpleNamespace(name="image"), layer])


def check(path, convention, loads_head=True, skip_head=False):
    contents = read_contents(path)
    return check_convention(contents, model_with(*convention), describe_contents(contents), loads_head, skip_head)


def under(one, weights):
    """Renames official weights as another format does."""
    return {one.key_of(name): value for name, value in weights.items() if not one.lacks(name)}


@pytest.mark.parametrize(
    ("one", "head", "known", "others", "argument"),
    [
        (naming.NVIDIA, "ocr", HALF_PIXEL, [ALIGNED, NEAREST], "align_corners=False"),
        (naming.MMSEGMENTATION, "fcn", HALF_PIXEL, [ALIGNED, NEAREST], "align_corners=False"),
        (naming.OPENSEG, "fcn", ALIGNED, [HALF_PIXEL, NEAREST], "align_corners=True"),
        (naming.CLASSIFICATION, "classification", NEAREST, [HALF_PIXEL, ALIGNED], 'interpolation="nearest"'),
    ],
    ids=["nvidia", "mmsegmentation", "openseg", "classification"],
)
def test_a_model_of_another_convention_is_refused_with_the_call_that_fits(
    one, head, known, others, argument, tiny, official_weights, published_file
):
    path = published_file(under(one, official_weights(tiny(head=head))))
    for other in others:
        with pytest.raises(ValueError, match=f"as in every file of {one.title}") as caught:
            check(path, other)
        assert f'head="{head}"' in str(caught.value)
        assert f"{argument})`, or pass skip_head=True to load only the backbone." in str(caught.value)
        assert ", as in the model; the file has" in check(path, other, loads_head=False, skip_head=True)
    assert f", as in every file of {one.title}" in check(path, known)


def test_nothing_is_loaded_into_a_model_of_another_convention(tiny, official_weights, published_file):
    model = tiny(head="ocr")
    path = published_file(official_weights(model), "hrnet_ocr_cs_8162_torch11.pth")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"'Tiny' has bilinear, align_corners=False\. Build `HRNet\(Variant"):
        load_checkpoint(model, path)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_convention_of_a_published_file_is_known_by_its_name(tiny, official_weights, published_file):
    path = published_file(official_weights(tiny(head="ocr")), "hrnet_ocr_cs_8162_torch11.pth")
    with pytest.raises(ValueError, match=r"convention bilinear, align_corners=True, as in the published file offi"):
        check(path, HALF_PIXEL)
    assert check(path, ALIGNED) == "bilinear, align_corners=True, as in the published file official_w48_ocr_cityscapes"


def test_a_published_file_of_which_no_source_says_it_is_like_any_other(tiny, official_weights, published_file):
    path = published_file(official_weights(tiny(head="ocr")), "hrnet_ocr_lip_5648_torch04.pth")
    assert "assumed from the model" in check(path, HALF_PIXEL)


@pytest.mark.parametrize("convention", [HALF_PIXEL, ALIGNED])
def test_what_an_official_file_does_not_say_is_assumed_and_reported(convention, tiny, official_weights, published_file):
    path = published_file(official_weights(tiny()))
    assert check(path, convention) == (
        f"bilinear, align_corners={convention[1]}, assumed from the model, because the file does not state it"
    )
    report = load_checkpoint(tiny(), path)
    assert f"resize convention: {check(path, HALF_PIXEL)}" in str(report)


def test_imagenet_weights_do_not_set_the_convention_of_a_backbone(tiny, official_weights, published_file):
    path = published_file(official_weights(tiny(head="classification")))
    report = load_checkpoint(tiny(head=None), path)
    assert report.convention == check(path, HALF_PIXEL, loads_head=False)
    assert report.convention == (
        "bilinear, align_corners=False, as in the model; the file has nearest, align_corners=False, but a backbone "
        "works with either"
    )


def test_segmentation_weights_set_the_convention_of_a_backbone(tiny, official_weights, published_file):
    path = published_file(under(naming.OPENSEG, official_weights(tiny())))
    with pytest.raises(ValueError, match=r"head=None, align_corners=True\)`, or pass skip_head=True"):
        load_checkpoint(tiny(head=None), path)
    check(path, ALIGNED, loads_head=False)
    load_checkpoint(tiny(head=None), path, skip_head=True)


@pytest.mark.parametrize(
    ("options", "convention"),
    [({"head": "hierarchical"}, HALF_PIXEL), ({"head": "classification"}, NEAREST), ({"head": "fcn"}, HALF_PIXEL)],
)
def test_a_models_convention_is_found(options, convention, tiny):
    found = convention_of_model(tiny(**options))
    assert (found.interpolation, found.align_corners) == convention


def test_a_convention_is_found_in_a_model_inside_another():
    found = convention_of_model(types.SimpleNamespace(layers=[model_with(*ALIGNED)]))
    assert (found.interpolation, found.align_corners) == ALIGNED


def test_a_model_that_resizes_nothing_has_no_convention():
    assert convention_of_model(types.SimpleNamespace(layers=[types.SimpleNamespace(name="image")])) is None

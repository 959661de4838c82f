"""Names that do not exist, and which ones were meant, wherever one is passed."""

import pytest

import keras_hrnet
from keras_hrnet.cli.data_options import DataOptions
from keras_hrnet.cli.info import print_networks, print_weights
from keras_hrnet.models.network import standardize_classes
from keras_hrnet.suggestion import closest, suggestion

pytestmark = pytest.mark.once

TINY = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


def test_the_closest_names_are_asked_about_whatever_their_case():
    known = ["HRNetW18Small", "HRNetW18SmallV2", "HRNetW48"]
    assert suggestion("hrnetw18smal", known) == " Did you mean HRNetW18Small?"
    assert suggestion("HRNetW18SmallV3", known, number=2) == " Did you mean HRNetW18SmallV2 or HRNetW18Small?"
    assert suggestion("UNet", known) == ""
    assert closest("UNet", known, cutoff=0) == ["HRNetW48"]


@pytest.mark.parametrize(
    ("pass_name", "meant"),
    [
        (lambda: keras_hrnet.HRNet(TINY, weights="cityscape"), "'cityscapes'"),
        (lambda: keras_hrnet.HRNet(TINY, head="orc"), "ocr"),
        (lambda: standardize_classes("city-scapes"), "cityscapes"),
        (lambda: DataOptions(data=".", data_set="camvit"), "camvid"),
        (lambda: print_networks("32x64", 19, "hierachical", (8, 4), (1.0,)), "hierarchical"),
        (lambda: print_weights("ade20"), "ade20k"),
    ],
)
def test_a_name_that_does_not_exist_is_answered_with_the_one_that_was_meant(pass_name, meant):
    with pytest.raises(ValueError, match=rf"Did you mean {meant}"):
        pass_name()

"""What a protocol says of itself, and what it refuses."""

import json

import pytest

from keras_hrnet.evaluation import Protocol

pytestmark = pytest.mark.once


def test_the_plain_protocol_is_said_in_words():
    assert str(Protocol()) == "scale 1; no flips; whole images"


def test_the_published_protocol_is_said_in_words():
    protocol = Protocol(scales=(0.5, 0.75, 1), flip=True, tile=(1024, 2048), hierarchical_scales=(0.5, 1.0))
    assert str(protocol) == (
        "scales 0.5, 0.75, 1; with flips; tiles of 1024x2048 that overlap by 256; official average: sum of "
        "exp(logits); hierarchical scales 0.5, 1"
    )


def test_averaged_probabilities_are_named_as_such():
    assert str(Protocol(flip=True, average="probabilities")).endswith("averaged probabilities")


def test_a_single_number_is_one_scale():
    assert Protocol(scales=2).scales == (2.0,)


def test_a_protocol_goes_through_json():
    read = json.loads(json.dumps(Protocol(scales=(1, 2), tile=(64, 128)).to_dict()))
    assert read["scales"] == [1.0, 2.0]
    assert read["tile"] == [64, 128]
    assert read["overlap"] == 16
    assert read["average"] == "official"
    assert read["text"].startswith("scales 1, 2; no flips; tiles of 64x128")


@pytest.mark.parametrize("scales", [(), (0,), (-1.0, 1.0), ("1",), (float("inf"),), (True, None)])
def test_impossible_scales_are_refused(scales):
    with pytest.raises(ValueError, match=r"scales=.*Expected positive numbers, at least one"):
        Protocol(scales=scales)


@pytest.mark.parametrize("tile", [512, (512,), (512, 1024, 3), (0, 512), (512.0, 512)])
def test_what_is_no_size_is_refused_as_a_tile(tile):
    with pytest.raises(ValueError, match=r"tile=.*two whole numbers of pixels"):
        Protocol(tile=tile)


@pytest.mark.parametrize("overlap", [-1, 64, 1.5])
def test_an_overlap_as_large_as_the_tile_is_refused(overlap):
    with pytest.raises(ValueError, match=r"overlap=.* for tile=\(64, 128\). Expected a whole number of pixels from 0"):
        Protocol(tile=(64, 128), overlap=overlap)


def test_an_overlap_without_tiles_is_refused():
    with pytest.raises(ValueError, match="overlap=64 without a tile"):
        Protocol(overlap=64)


def test_an_unknown_average_is_refused():
    with pytest.raises(ValueError, match=r"average='mean'. Expected one of"):
        Protocol(average="mean")

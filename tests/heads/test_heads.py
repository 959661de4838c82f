"""What is asked of a head: by name and as an object, and of a network which head it has."""

import pytest

import keras_hrnet
from keras_hrnet import heads

pytestmark = pytest.mark.once

TINY = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=4, modules=(1, 1, 1), blocks=1)


def test_a_head_is_an_object_or_a_name():
    by_name = keras_hrnet.HRNet(TINY, 3, head="ocr", ocr_channels=(8, 4), head_kernel_size=3)
    by_object = keras_hrnet.HRNet(TINY, 3, head=heads.OCR(channels=(8, 4), kernel_size=3))
    assert [w.path for w in by_name.weights] == [w.path for w in by_object.weights]
    assert [w.shape for w in by_name.weights] == [w.shape for w in by_object.weights]
    with pytest.raises(TypeError, match=r"received head=OCR\(.*\) and ocr_channels"):
        keras_hrnet.HRNet(TINY, 3, head=heads.OCR(), ocr_channels=(8, 4))
    with pytest.raises(TypeError, match=r"unexpected argument 'ocr_chanels'. Did you mean 'ocr_channels'"):
        keras_hrnet.HRNet(TINY, 3, head="ocr", ocr_chanels=(8, 4))
    with pytest.raises(ValueError, match=r"`OCR` received channels=\(8,\)"):
        heads.OCR(channels=(8,))


@pytest.mark.parametrize("head", [*heads.HEADS, None])
def test_the_head_of_a_network_is_known_by_its_layers(head):
    model = keras_hrnet.HRNet(TINY, 3, head=head, ocr_channels=(8, 4), isa_channels=(8, 4))
    assert heads.head_of(model) == head

"""KerasHub's classes with images of other than three channels."""

import keras
import keras_hub
import numpy as np
import pytest

from keras_hrnet.hub import HRNetImageSegmenter

OPTIONS = {"image_shape": (None, None, 4), "mean": (1, 2, 3, 4), "deviation": (5, 6, 7, 8)}


@pytest.mark.compiles
def test_a_segmenter_of_four_channels_is_saved_as_a_preset(tiny, tmp_path):
    segmenter = HRNetImageSegmenter(tiny(data_format="channels_last", **OPTIONS), 5)
    segmenter.save_to_preset(tmp_path / "preset")
    loaded = keras_hub.models.ImageSegmenter.from_preset(str(tmp_path / "preset"))
    images = np.random.default_rng(0).uniform(0, 9, (1, 32, 40, 4)).astype("float32")
    values = [keras.ops.convert_to_numpy(model(images)) for model in (segmenter, loaded)]
    np.testing.assert_array_equal(*values)
    assert loaded.backbone.mean == OPTIONS["mean"]


@pytest.mark.once
def test_other_channels_need_their_statistics(tiny):
    with pytest.raises(ValueError, match="received images of 4 channels without mean"):
        tiny(image_shape=(None, None, 4))

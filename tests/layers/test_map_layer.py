"""What layers of maps share, by layers that a user would write."""

import keras
import numpy as np
import pytest

from keras_hrnet.layers import ConvNorm, FoldableLayer, MapLayer, Transition


@keras.saving.register_keras_serializable(package="tests")
class Shift(MapLayer):
    """Adds a number; it keeps its argument under the argument's name."""

    def __init__(self, by=1.0, **kwargs):
        super().__init__(**kwargs)
        self.by = by

    def build(self, input_shape):
        pass

    def call(self, x):
        return x + self.by

    def compute_output_shape(self, input_shape):
        return input_shape


class Scale(MapLayer):
    """Keeps its argument under another name, and says so itself; it names an argument of Keras's too."""

    def __init__(self, factor, dtype=None, **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.inverse = 1 / factor

    def get_config(self):
        return {**super().get_config(), "factor": 1 / self.inverse}


class Mix(FoldableLayer):
    """Hands its options to a layer inside."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.convolution = ConvNorm(filters, 1, name="convolution", **self.options)


def test_a_config_holds_the_arguments_of_every_constructor():
    config = Mix(4, data_format="channels_first", folded=True, name="mix").get_config()
    assert config.pop("dtype")["config"] == {"name": "float32"}
    assert config == {
        "filters": 4,
        "data_format": "channels_first",
        "folded": True,
        "name": "mix",
        "trainable": True,
    }
    assert "folded" not in Shift().get_config()


def test_a_config_holds_keras_data_format_where_none_was_given():
    assert Shift().get_config()["data_format"] == keras.config.image_data_format()


def test_a_layer_may_write_its_own_config():
    config = Scale(2.0, dtype="mixed_float16").get_config()
    assert config["factor"] == 2.0
    assert config["dtype"]["config"] == {"name": "mixed_float16"}
    assert Scale.from_config(config).get_config() == config


def test_a_saved_layer_of_a_user_is_loaded(tmp_path):
    image = keras.Input((2, 3, 4))
    keras.Model(image, Shift(0.5)(image)).save(tmp_path / "shift.keras")
    loaded = keras.models.load_model(tmp_path / "shift.keras")
    result = keras.ops.convert_to_numpy(loaded(np.zeros((1, 2, 3, 4), "float32")))
    np.testing.assert_array_equal(result, np.full((1, 2, 3, 4), 0.5))


@pytest.mark.parametrize("folded", [False, True])
def test_options_reach_the_layers_inside(folded):
    inner = Mix(4, data_format="channels_first", folded=folded, dtype="mixed_bfloat16").convolution
    assert (inner.data_format, inner.folded, inner.dtype_policy.name) == ("channels_first", folded, "mixed_bfloat16")


def test_options_are_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        Transition((4, 8), "channels_first")

"""The network that a training starts from: weights of other classes give their backbone."""

import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import Variant, models
from keras_hrnet.checkpoints.naming.official import name_of
from keras_hrnet.cli.starting import starting_network
from keras_hrnet.cli.train import check_network
from keras_hrnet.data_sets import Classes

pytestmark = pytest.mark.once

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
MADE = {
    "network": "Tiny", "head": "fcn", "ocr_channels": "8,4", "weights": None, "align_corners": None, "remat": False,
    "dtype": "float32",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setitem(models.VARIANTS, "Tiny", TINY)


@pytest.fixture(scope="module")
def trained():
    model = keras_hrnet.HRNet(TINY, 3, align_corners=True)
    model.classes = Classes(("a", "b", "c"))
    return model


@pytest.fixture
def file(trained, tmp_path, published_file):
    def write(kind):
        if kind == "keras":
            trained.save(tmp_path / "trained.keras")
            return str(tmp_path / "trained.keras")
        weights = {}
        for variable in trained.variables:
            value = np.asarray(variable.value.detach().cpu() if hasattr(variable.value, "detach") else variable.value)
            weights[name_of(variable.path)] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
        return str(published_file(weights, "trained.safetensors"))

    return write


FEWER = "and the head is new, because the file has 3 classes instead of 2."


@pytest.mark.parametrize(
    ("kind", "classes", "message"),
    [
        ("keras", Classes(("a", "b", "c")), None),
        ("keras", Classes(("leaf", "flower")), FEWER),
        ("keras", Classes(("a", "b", "d")), "the file has the class 'c' where the data has 'd'."),
        ("safetensors", Classes(("leaf", "flower")), FEWER),
        ("safetensors", Classes(("a", "b", "d")), None),  # Such a file has no names.
    ],
    ids=["same", "fewer", "renamed", "fewer, safetensors", "renamed, safetensors"],
)
def test_weights_of_other_classes_give_their_backbone(kind, classes, message, file, trained):
    path = file(kind)
    model, said = starting_network({**MADE, "weights": path}, classes)
    assert said is None if message is None else said.endswith(message) and path in said
    assert model.output_shape[-1] == len(classes.names)
    theirs = {variable.path: variable for variable in trained.variables}
    for variable in model.variables:
        is_taken = message is None or variable.path.split("/")[0] in ("stem", "layer1", "stage4", "transition3")
        if is_taken or variable.path == "last_layer_3/kernel":
            ours, known = (keras_hrnet_numpy(each) for each in (variable, theirs[variable.path]))
            assert (ours.shape == known.shape and np.array_equal(ours, known)) == is_taken, variable.path
    assert models.interface.resize_convention(model)["align_corners"] is (kind == "keras")


def keras_hrnet_numpy(variable):
    import keras

    return keras.ops.convert_to_numpy(variable)


def test_a_file_of_another_network_is_refused(file):
    made = {**MADE, "network": "HRNetW18Small", "weights": file("keras")}
    with pytest.raises(ValueError, match=r"holds 'Tiny', for --network HRNetW18Small: \d+ weights of the backbone"):
        starting_network(made, Classes(("a", "b", "c")))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("HRNetW18small", "HRNetW18Small"),
        ("hrnet_w48", "HRNetW48"),
        ("HRNetW19", "HRNetW18"),
        ("w18", None),
        ("unet", None),
    ],
)
def test_an_unknown_network_is_refused_with_the_nearest_name(name, near):
    with pytest.raises(ValueError, match=f"Received --network '{name}'") as refused:
        check_network(name)
    assert ("Did you mean" in str(refused.value)) == (near is not None)
    assert near is None or str(refused.value).endswith(f"Did you mean {near}?")

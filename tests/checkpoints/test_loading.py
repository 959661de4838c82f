import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import Variant, load_checkpoint
from keras_hrnet.checkpoints.naming import official

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


def build(head="fcn", num_classes=5):
    return keras_hrnet.HRNet(TINY, num_classes, head=head)


def weights_of(model):
    """Random weights under the official keys, in PyTorch's layout."""
    generator = np.random.default_rng(0)
    weights = {}
    for weight in model.weights:
        value = generator.uniform(0.5, 1.5, weight.shape).astype("float32")
        weights[official.key_of(weight.path)] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
    return weights


def assert_holds(model, weights):
    for weight in model.weights:
        value = weights[official.key_of(weight.path)]
        np.testing.assert_array_equal(
            weight.numpy() if hasattr(weight, "numpy") else np.array(weight),
            (value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T),
        )


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("stem/conv2/conv/kernel", "conv2.weight"),
        ("stem/conv1/norm/moving_variance", "bn1.running_var"),
        ("layer1/block_0/downsample/norm/beta", "layer1.0.downsample.1.bias"),
        ("layer1/block_3/conv3/conv/kernel", "layer1.3.conv3.weight"),
        ("transition1/branch_0/conv/kernel", "transition1.0.0.weight"),
        ("transition1/branch_1/norm/gamma", "transition1.1.0.1.weight"),
        ("transition3/branch_3/conv/kernel", "transition3.3.0.0.weight"),
        ("stage3/module_2/branch_1/block_3/conv2/norm/moving_mean", "stage3.2.branches.1.3.bn2.running_mean"),
        ("stage4/module_0/fuse/up_0_3/conv/kernel", "stage4.0.fuse_layers.0.3.0.weight"),
        ("stage4/module_0/fuse/down_3_0_2/norm/gamma", "stage4.0.fuse_layers.3.0.2.1.weight"),
        ("last_layer_0/conv/bias", "last_layer.0.bias"),
        ("last_layer_0/norm/gamma", "last_layer.1.weight"),
        ("last_layer_3/kernel", "last_layer.3.weight"),
        ("incre_modules_2/block_0/conv1/conv/kernel", "incre_modules.2.0.conv1.weight"),
        ("downsamp_modules_1/conv/bias", "downsamp_modules.1.0.bias"),
        ("final_layer/norm/beta", "final_layer.1.bias"),
        ("classifier/kernel", "classifier.weight"),
        ("my_own_layer/kernel", None),
    ],
)
def test_a_weight_has_the_official_key(path, key):
    assert official.key_of(path) == key


@pytest.mark.parametrize("head", ["fcn", "classification"])
@pytest.mark.parametrize(
    ("name", "prefix"),
    [("a.pth", ""), ("a.pth", "model."), ("a.pth", "module.model."), ("a.pth.tar", ""), ("a.safetensors", "")],
)
def test_a_published_file_fills_every_weight(head, name, prefix, published_file):
    model = build(head)
    weights = weights_of(model)
    report = load_checkpoint(model, published_file(weights, name, prefix))
    assert sorted(report.loaded) == sorted(weights)
    assert not (report.missing or report.unexpected or report.mismatched)
    assert_holds(model, weights)


def test_what_is_no_weight_is_named_with_its_reason(published_file):
    import torch

    model = build()
    extra = {"loss.criterion.weight": torch.ones(19)}
    report = load_checkpoint(model, published_file(weights_of(model), "a.pth.tar", "model.", extra))
    assert report.ignored["loss.criterion.weight"] == "the loss's own tensors, saved with the model"
    assert report.ignored["epoch"] == "not a weight"
    counts = [key for key in report.ignored if key.endswith("num_batches_tracked")]
    assert len(counts) == sum(key.endswith("running_mean") for key in report.loaded)
    assert "ignored (the loss's own tensors, saved with the model): loss.criterion.weight" in str(report)


@pytest.mark.parametrize("head", ["fcn", "classification"])
def test_a_network_without_a_head_loads_the_rest_and_says_so(head, published_file):
    weights = weights_of(build(head))
    backbone = build(None)
    report = load_checkpoint(backbone, published_file(weights))
    assert_holds(backbone, weights)
    left_out = [key for key, reason in report.ignored.items() if reason == "the model has no head"]
    assert sorted(left_out + list(report.loaded)) == sorted(weights)
    assert left_out


def change(weights, kind):
    key = "stage2.0.branches.1.0.conv2.weight"
    if kind == "renamed":
        weights["stage2.0.branches.1.0.conv9.weight"] = weights.pop(key)
    elif kind == "missing":
        del weights[key]
    elif kind == "extra":
        weights["stage2.0.branches.7.0.conv2.weight"] = weights[key]
    else:
        weights[key] = weights[key][..., :1]


@pytest.mark.parametrize(
    ("kind", "messages"),
    [
        (
            "renamed",
            [
                "missing in the file: stage2.0.branches.1.0.conv2.weight",
                "unknown to the model: stage2.0.branches.1.0.conv9.weight",
            ],
        ),
        ("missing", ["missing in the file: stage2.0.branches.1.0.conv2.weight"]),
        ("extra", ["unknown to the model: stage2.0.branches.7.0.conv2.weight"]),
        ("reshaped", ["stage2.0.branches.1.0.conv2.weight is (8, 8, 3, 1), model has (8, 8, 3, 3)"]),
    ],
)
def test_one_wrong_key_is_named_and_nothing_is_loaded(kind, messages, published_file):
    model = build()
    weights = weights_of(model)
    change(weights, kind)
    before = model.get_weights()
    with pytest.raises(ValueError, match="nothing was loaded") as caught:
        load_checkpoint(model, published_file(weights))
    for message in messages:
        assert message in str(caught.value)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_file_of_another_variant_is_refused_with_what_it_holds(published_file):
    wider = keras_hrnet.HRNet(Variant("Wider", 8, 1, 8, (1, 1, 1), 1), 5)
    with pytest.raises(ValueError, match=r"The file holds width=8, .*modules=\(1, 1, 1\).*head=fcn, num_classes=5"):
        load_checkpoint(build(), published_file(weights_of(wider)))


def test_a_file_of_another_class_count_is_refused_with_what_it_holds(published_file):
    with pytest.raises(ValueError, match=r"last_layer\.3\.weight is \(7, 60, 1, 1\), model has \(5, 60, 1, 1\)"):
        load_checkpoint(build(), published_file(weights_of(build(num_classes=7))))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth'\. Expected a file there"):
        load_checkpoint(build(), tmp_path / "nowhere.pth")


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
def test_a_damaged_file_is_refused(name, published_file):
    model = build()
    path = published_file(weights_of(model), name)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"cut\..* could not be read as weights"):
        load_checkpoint(model, path)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    import pickle

    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    path = tmp_path / "harmful.pth"
    path.write_bytes(pickle.dumps({"state_dict": Harmful()}, protocol=2))
    with pytest.raises(ValueError, match="could not be read as weights"):
        load_checkpoint(build(), path)
    assert not (tmp_path / "written").exists()


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"Expected a name that ends in one of .*\.safetensors"):
        load_checkpoint(build(), path)


def test_a_file_of_something_else_is_refused(tmp_path):
    import torch

    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match=r"holds a list\. Expected a dict of tensors"):
        load_checkpoint(build(), tmp_path / "list.pth")


def test_a_constructor_loads_a_path(published_file):
    weights = weights_of(build())
    model = keras_hrnet.HRNet(TINY, 5, weights=published_file(weights))
    assert_holds(model, weights)


@pytest.mark.parametrize(("name", "package"), [("a.pth", "torch"), ("a.safetensors", "safetensors")])
def test_without_its_library_a_file_says_what_to_install(name, package, published_file, monkeypatch):
    import sys

    model = build()
    path = published_file(weights_of(model), name)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=f"pip install {package}"):
        load_checkpoint(model, path)

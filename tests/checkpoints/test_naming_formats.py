"""A whole file of every format fills a model exactly; one wrong key of it is named, and nothing is loaded."""

import dataclasses

import numpy as np
import pytest

from keras_hrnet import load_checkpoint
from keras_hrnet.checkpoints import naming

# Weights are loaded into networks of every backend by tests/checkpoints/test_loading.py and the golden cases.
pytestmark = pytest.mark.once


@dataclasses.dataclass(frozen=True)
class Case:
    """A kind of file: the network it is for, and how its code saves it."""

    format: naming.Format
    options: dict
    wrapper: str = ""
    level: str | None = None
    beside: dict = dataclasses.field(default_factory=dict)
    file: str = "weights.pth"
    notes: tuple = ()


CASES = {
    "official-fcn": Case(naming.SEGMENTATION, {"head": "fcn"}, "model."),
    "official-ocr": Case(naming.SEGMENTATION, {"head": "ocr"}, "module.model."),
    "official-classification": Case(
        naming.CLASSIFICATION, {"head": "classification"}, level="state_dict", beside={"epoch": 100, "perf": 0.79}
    ),
    "timm": Case(naming.CLASSIFICATION, {"head": "classification"}, file="model.safetensors"),
    "ssld": Case(
        naming.SSLD,
        {"head": "classification"},
        notes=(
            "biases that such files do not have, set to zero: downsamp_modules_0/conv/bias, "
            "downsamp_modules_1/conv/bias",
        ),
    ),
    "nvidia-ocr": Case(
        naming.NVIDIA, {"head": "ocr"}, "module.", "state_dict", {"arch": "ocrnet.HRNet", "optimizer": {}}
    ),
    "nvidia-hierarchical": Case(naming.NVIDIA, {"head": "hierarchical"}, "module.", "state_dict"),
    "mmsegmentation-fcn": Case(
        naming.MMSEGMENTATION,
        {"head": "fcn"},
        level="state_dict",
        beside={"meta": {}},
        notes=("biases that such files do not have, set to zero: last_layer_0/conv/bias",),
    ),
    "mmsegmentation-ocr": Case(
        naming.MMSEGMENTATION,
        {"head": "ocr"},
        level="state_dict",
        notes=("biases that such files do not have, set to zero: aux_head_0/conv/bias, conv3x3_ocr/conv/bias",),
    ),
    "openseg-fcn": Case(
        naming.OPENSEG,
        {"head": "fcn", "head_kernel_size": 3, "align_corners": True},
        "module.",
        "state_dict",
        notes=(
            "biases that such files do not have, set to zero: last_layer_3/bias",
            "trained on BGR pixels: pass images with reversed channels, images[..., ::-1]",
        ),
    ),
    "openseg-ocr": Case(
        naming.OPENSEG,
        {"head": "ocr", "head_kernel_size": 3, "align_corners": True},
        level="model",
        notes=(
            "biases folded into the moving mean of the normalization after them: ocr_distri_head.object_context_block.",
            "trained on BGR pixels: pass images with reversed channels, images[..., ::-1]",
        ),
    ),
}


def values_of(weights, case):
    """Makes what the file holds, by official name: biases that such files do not have left out, all others put in."""
    values = {name: value for name, value in weights.items() if not case.format.lacks(name)}
    for name in weights:
        if (bias := naming.format.first_replacement(case.format.folded, name)) is not None:
            values[bias] = np.linspace(-1, 1, len(weights[name]), dtype="float32")
    return values


def keyed(values, case, hollow=False):
    """Gives the values the keys of the format; `hollow` makes them all one, which takes no room in a file."""
    import torch

    def tensor(value):
        return torch.ones(()).expand(value.shape) if hollow else torch.from_numpy(np.ascontiguousarray(value))

    return {case.wrapper + case.format.key_of(name): tensor(value) for name, value in values.items()}


def write(state, case, folder):
    import safetensors.torch
    import torch

    path = folder / case.file
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
        return path
    count = next(iter(state)).rpartition(".")[0] + ".num_batches_tracked"
    state = {**state, count: torch.tensor(1000)}
    torch.save({case.level: state, **case.beside} if case.level else state, path)
    return path


def expected_value(values, case, name, shape):
    """What the weight must be: the file's own numbers in Keras's layout, but for the two conversions."""
    if name not in values:
        return np.zeros(shape, "float32")
    value = values[name]
    key = case.format.folded_key_of(name)
    if key:
        biases = {case.format.key_of(other): array for other, array in values.items()}
        value = value - biases[key]
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_whole_file_fills_every_weight_exactly(case, tiny, official_weights, tmp_path):
    model = tiny(**case.options)
    values = values_of(official_weights(model), case)
    state = keyed(values, case)
    report = load_checkpoint(model, write(state, case, tmp_path))
    assert report.format == case.format.title
    assert sorted(report.loaded) == sorted(state)
    assert report.fits
    assert not report.untouched
    for weight in model.weights:
        expected = expected_value(values, case, naming.name_of(weight.path), weight.shape)
        np.testing.assert_array_equal(np.asarray(weight.numpy()), expected, err_msg=weight.path)
    notes = [note for note in report.notes if not note.startswith("the normalization is plain")]
    for expected, note in zip(case.notes, notes, strict=True):
        assert note.startswith(expected)
        assert note in str(report)
    assert {key for key in case.beside if report.ignored[key] != "not a weight"} == set()


def renamed(state, key):
    state[f"{key}_old"] = state.pop(key)
    return {f"missing in the file: {key}", f"unknown to the model: {key}_old"}


def missing(state, key):
    del state[key]
    return {f"missing in the file: {key}"}


def extra(state, key):
    state[f"{key}.more"] = state[key]
    return {f"unknown to the model: {key}.more"}


def reshaped(state, key):
    shape = tuple(state[key].shape)
    state[key] = state[key][..., None].expand(*shape, 2)
    return {f"of another shape: {key} is {(*shape, 2)}, model has {shape}"}


def refusal(model, path):
    """The lines of the message that refuses a file; nothing is loaded."""
    some = model.weights[::10]
    before = [weight.numpy() for weight in some]
    with pytest.raises(ValueError, match="and nothing was loaded") as caught:
        load_checkpoint(model, path)
    for old, weight in zip(before, some, strict=True):
        np.testing.assert_array_equal(old, weight.numpy())
    return {line.strip() for line in str(caught.value).splitlines()}


# Of the head, which formats name differently, and of the backbone, which they prefix.
HEADS = ("last_layer.0.weight", "final_layer.0.weight", "ocr_distri_head.object_context_block.f_pixel.2.weight")
BACKBONE = "stage3.0.fuse_layers.2.0.1.1.running_var"


@pytest.mark.parametrize("case", [case for case in CASES if case != "timm"])
@pytest.mark.parametrize(("first", "second"), [(renamed, reshaped), (missing, extra)])
def test_a_wrong_key_of_the_head_and_one_of_the_backbone_are_named_and_nothing_is_loaded(
    case, first, second, tiny, official_weights, tmp_path
):
    case = CASES[case]
    model = tiny(**case.options)
    values = values_of(official_weights(model), case)
    state = keyed(values, case, hollow=True)
    head = next(name for name in HEADS if name in values)
    expected = first(state, case.wrapper + case.format.key_of(head))
    expected |= second(state, case.wrapper + case.format.key_of(BACKBONE))
    assert expected <= refusal(model, write(state, case, tmp_path))


@pytest.mark.parametrize("change", [renamed, missing, extra, reshaped])
@pytest.mark.parametrize("name", [HEADS[0], BACKBONE])
def test_one_wrong_key_is_enough(name, change, tiny, official_weights, tmp_path):
    case = CASES["mmsegmentation-fcn"]
    model = tiny(**case.options)
    state = keyed(values_of(official_weights(model), case), case, hollow=True)
    expected = change(state, case.format.key_of(name))
    assert expected <= refusal(model, write(state, case, tmp_path))


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("openseg-ocr", "ocr_distri_head.object_context_block.f_pixel.2.bias"),
        ("official-classification", "final_layer.0.bias"),
        ("official-fcn", "last_layer.0.bias"),
        ("official-ocr", "cls_head.bias"),
        ("nvidia-ocr", "conv3x3_ocr.0.bias"),
    ],
)
def test_a_missing_bias_is_never_taken_for_one_that_the_format_lacks(case, name, tiny, official_weights, tmp_path):
    case = CASES[case]
    model = tiny(**case.options)
    state = keyed(values_of(official_weights(model), case), case, hollow=True)
    key = case.wrapper + case.format.key_of(name)
    del state[key]
    with pytest.raises(ValueError, match="missing in the file: ") as caught:
        load_checkpoint(model, write(state, case, tmp_path))
    assert f"missing in the file: {key}\n" in str(caught.value)


@pytest.mark.parametrize(("case", "name"), [("mmsegmentation-ocr", "aux_head.0.bias"), ("ssld", "final_layer.0.bias")])
def test_a_file_with_some_of_the_biases_that_its_format_lacks_must_have_all(
    case, name, tiny, official_weights, tmp_path
):
    case = CASES[case]
    model = tiny(**case.options)
    state = keyed(values_of(official_weights(model), case), case, hollow=True)
    state |= keyed({name: np.ones(60 if "aux" in name else 2048, "float32")}, case)
    with pytest.raises(ValueError, match=r"missing in the file: .*\.bias") as caught:
        load_checkpoint(model, write(state, case, tmp_path))
    assert case.format.key_of(name) not in str(caught.value)

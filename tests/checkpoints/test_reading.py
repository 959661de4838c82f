import pickle
import sys

import numpy as np
import pytest

from keras_hrnet.checkpoints.reading import read_checkpoint

pytestmark = pytest.mark.once

WEIGHTS = {"conv1.weight": np.arange(24, dtype="float32").reshape(2, 3, 2, 2), "bn1.bias": np.ones(2, "float32")}


@pytest.fixture
def save(tmp_path):
    """Returns a function that saves an object by PyTorch, `before_1_6` as it did until then: not as a zip file."""

    def save(content, name="a.pth", before_1_6=False):
        import torch

        path = tmp_path / name
        torch.save(content, path, _use_new_zipfile_serialization=not before_1_6)
        return path

    return save


def tensors(weights=WEIGHTS):
    import torch

    return {key: torch.from_numpy(np.array(value)) for key, value in weights.items()}


def assert_weights(arrays):
    assert list(arrays) == list(WEIGHTS)
    for key, value in WEIGHTS.items():
        assert arrays[key].dtype == "float32"
        np.testing.assert_array_equal(arrays[key], value)


@pytest.mark.parametrize("before_1_6", [False, True])
@pytest.mark.parametrize("name", ["a.pth", "a.pth.tar", "a.pt", "a.bin"])
def test_a_pickle_of_either_kind_is_read(name, before_1_6, save):
    arrays, extras = read_checkpoint(save(tensors(), name, before_1_6))
    assert_weights(arrays)
    assert extras == {}


@pytest.mark.parametrize("levels", [["state_dict"], ["model"], ["model", "state_dict"]])
def test_weights_are_found_under_what_training_codes_put_them(levels, save):
    content = tensors()
    for i, level in enumerate(levels):
        content = {level: content, f"epoch{i}": 3, "optimizer": {"state": {}}}
    arrays, extras = read_checkpoint(save(content))
    assert_weights(arrays)
    assert set(extras) == {"optimizer", *(f"epoch{i}" for i in range(len(levels)))}
    assert set(extras.values()) == {"not a weight"}


def test_what_is_no_tensor_is_named(save):
    arrays, extras = read_checkpoint(save({**tensors(), "version": "1.0"}))
    assert_weights(arrays)
    assert extras == {"version": "not a tensor"}


def test_parameters_are_read_as_tensors(save):
    import torch

    arrays, _ = read_checkpoint(save({key: torch.nn.Parameter(x) for key, x in tensors().items()}))
    assert_weights(arrays)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_floats_are_read_as_float32(dtype, name, tmp_path):
    import safetensors.torch
    import torch

    state = {key: x.to(getattr(torch, dtype)) for key, x in tensors().items()} | {"steps": torch.tensor(7)}
    save = torch.save if name == "a.pth" else safetensors.torch.save_file
    save(state, tmp_path / name)
    arrays, _ = read_checkpoint(tmp_path / name)
    assert arrays.pop("steps") == 7
    assert_weights({key: arrays[key] for key in WEIGHTS})


def test_safetensors_of_a_type_that_numpy_lacks_are_refused(tmp_path):
    import safetensors.torch
    import torch

    safetensors.torch.save_file({"a": torch.zeros(2, dtype=torch.float8_e4m3fn)}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="it holds numbers of a type that NumPy lacks"):
        read_checkpoint(tmp_path / "a.safetensors")


# === Numbers beside the weights ===


def as_numpy_1(path):
    """Renames NumPy's modules in a pickle to what they were called before NumPy 2."""
    path.write_bytes(path.read_bytes().replace(b"numpy._core", b"numpy.core"))
    return path


@pytest.mark.parametrize("numpy_1", [False, True])
def test_scores_of_numpy_beside_the_weights_are_passed_over(numpy_1, save):
    import torch

    allowed = set(torch.serialization.get_safe_globals())
    scores = {"best_mIoU": np.float64(0.81), "epoch": np.int64(484), "iou": np.linspace(0, 1, 19)}
    path = save({"state_dict": tensors(), **scores}, before_1_6=numpy_1)
    arrays, extras = read_checkpoint(as_numpy_1(path) if numpy_1 else path)
    assert_weights(arrays)
    assert set(extras) == set(scores)
    assert set(torch.serialization.get_safe_globals()) == allowed


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("before_1_6", [False, True])
def test_a_harmful_object_beside_weights_and_scores_is_refused(before_1_6, save, tmp_path):
    content = {"state_dict": tensors(), "best_mIoU": np.float64(0.81), "optimizer": [Harmful(tmp_path / "written")]}
    with pytest.raises(ValueError, match=r"could not be read as weights: it holds (io|_io)\.open, which is") as caught:
        read_checkpoint(save(content, before_1_6=before_1_6))
    assert not (tmp_path / "written").exists()
    assert "weights_only=False" not in str(caught.value)


def test_a_harmful_object_inside_an_array_is_refused(save, tmp_path):
    array = np.array([Harmful(tmp_path / "written")], dtype=object)
    with pytest.raises(ValueError, match="could not be read as weights"):
        read_checkpoint(save({"state_dict": tensors(), "scores": array}))
    assert not (tmp_path / "written").exists()


def test_a_bare_pickle_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "harmful.pth"
    path.write_bytes(pickle.dumps({"state_dict": Harmful(tmp_path / "written")}, protocol=2))
    with pytest.raises(ValueError, match="could not be read as weights"):
        read_checkpoint(path)
    assert not (tmp_path / "written").exists()


# === What PyTorch's tensors can be ===


@pytest.mark.parametrize("before_1_6", [False, True])
def test_tensors_that_share_their_values_or_lie_otherwise_are_read_as_pytorch_reads_them(before_1_6, save):
    import torch

    base = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    content = {
        "whole": base, "turned": base.permute(2, 0, 1), "part": base[1:, ::2, 3], "one": base[2, 3, 4],
        "expanded": torch.tensor([2.5]).expand(4), "empty": torch.zeros(0, 3), "last": base.flatten()[50:],
        "flags": torch.tensor([True, False]), "counts": torch.arange(3, dtype=torch.int16), "half": base.bfloat16(),
        "channels_last": torch.ones(1, 2, 3, 3).to(memory_format=torch.channels_last),
    }  # fmt: skip
    path = save(content, before_1_6=before_1_6)
    arrays, _ = read_checkpoint(path)
    expected = torch.load(path, weights_only=True)
    for key, array in arrays.items():
        value = expected[key].float() if expected[key].is_floating_point() else expected[key]
        assert (array.dtype, array.shape) == (value.numpy().dtype, tuple(value.shape))
        np.testing.assert_array_equal(array, value.numpy(), err_msg=key)
    assert list(arrays) == list(content)


def test_a_file_without_checksums_is_read(save):
    import torch

    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        path = save(tensors())
    finally:
        torch.serialization.set_crc32_options(before)
    assert_weights(read_checkpoint(path)[0])


def test_one_wrong_bit_in_the_values_is_found(save):
    path = save(tensors())
    content = path.read_bytes()
    path.write_bytes(content.replace(np.float32(5).tobytes(), np.float32(5.5).tobytes()))
    assert path.read_bytes() != content
    with pytest.raises(ValueError, match=r"a\.pth' could not be read as weights: the checksum of a part is wrong"):
        read_checkpoint(path)


def strange(kind):
    """A file's content that is no plain tensor; PyTorch warns of some that it makes."""
    import warnings

    import torch

    itself = {}
    itself["state_dict"] = itself
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = {
            "itself": lambda: itself,
            "expanded": lambda: {"a": torch.ones(1).expand(3_000_000_000)},
            "sparse": lambda: {"a": torch.eye(3).to_sparse()},
            "quantized": lambda: {"a": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)},
            "conjugate": lambda: {"a": torch.ones(3, dtype=torch.complex64).conj()},
            "complex": lambda: {"a": torch.ones(3, dtype=torch.complex64)},
            "meta": lambda: {"a": torch.empty(3, device="meta")},
        }
        return made[kind]()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("itself", "its weights contain themselves"),
        ("expanded", r"the tensor 'a' and those before it take 12,000,000,000 bytes, in a file of 1,\d+\."),
        ("sparse", "the tensor 'a' is sparse"),
        ("quantized", "the tensor 'a' is quantized"),
        ("conjugate", "the tensor 'a' is a conjugate or negative view"),
        ("complex", "the tensor 'a' is of the type 'ComplexFloatStorage'"),
        ("meta", "the tensor 'a' is on the device “meta”, without values"),
    ],
)
def test_what_is_no_plain_tensor_is_named(kind, message, save):
    with pytest.raises(ValueError, match=rf"a\.pth' could not be read as weights: {message}"):
        read_checkpoint(save(strange(kind)))


def test_keys_that_are_not_text_are_reported(save):
    import torch

    arrays, extras = read_checkpoint(save({**tensors(), 1: torch.ones(2), (2, 3): torch.ones(2)}))
    assert_weights(arrays)
    assert extras == {"1": "its key is not text", "a tuple": "its key is not text"}


# === What cannot be read ===


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth'\. Expected a file there"):
        read_checkpoint(tmp_path / "nowhere.pth")


@pytest.mark.parametrize("name", ["cut.pth", "old.pth", "cut.safetensors"])
def test_a_damaged_file_is_refused(name, published_file, save):
    big = {"a": np.ones(1000, "float32")}
    path = save(tensors(big), name, before_1_6=True) if name == "old.pth" else published_file(big, name)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"(cut|old)\..* could not be read as weights"):
        read_checkpoint(path)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.pth").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty\.pth' could not be read as weights"):
        read_checkpoint(tmp_path / "empty.pth")


def test_a_length_beyond_the_end_of_a_file_is_refused_before_memory_is_allocated(tmp_path):
    path = tmp_path / "long.pth"
    path.write_bytes(pickle.PROTO + b"\2" + pickle.BINUNICODE8 + (2**62).to_bytes(8, "little") + b"text")
    with pytest.raises(ValueError, match=r"'.*long.pth'.*its pickle is damaged .*only 4 remain"):
        read_checkpoint(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"Expected a name that ends in one of .*\.safetensors"):
        read_checkpoint(path)


def test_a_file_of_something_else_is_refused(save):
    with pytest.raises(ValueError, match=r"holds a list\. Expected a dict of tensors, or one under 'state_dict' or"):
        read_checkpoint(save([1, 2]))


def test_without_its_library_a_file_says_what_to_install(published_file, monkeypatch):
    path = published_file(WEIGHTS, "a.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match="pip install safetensors"):
        read_checkpoint(path)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_files_are_read_without_pytorch(name, published_file, monkeypatch):
    path = published_file(WEIGHTS, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    arrays, _ = read_checkpoint(path)
    assert_weights({key: arrays[key] for key in WEIGHTS})


@pytest.mark.parametrize("name", ["a.ckpt", "A.PTH", "Model.Pth.Tar"])
def test_endings_are_read_in_letters_of_either_case(name, save):
    assert_weights(read_checkpoint(save(tensors(), name))[0])


@pytest.mark.parametrize("level", ["model_state_dict", "net", "params", "state_dict_ema", "params_ema"])
def test_weights_are_found_under_further_names(level, save):
    arrays, extras = read_checkpoint(save({level: tensors(), "epoch": 3}))
    assert_weights(arrays)
    assert extras == {"epoch": "not a weight"}


@pytest.mark.parametrize(
    ("plain", "mean"), [("state_dict", "state_dict_ema"), ("model", "model_ema"), ("params", "params_ema")]
)
def test_of_plain_and_averaged_weights_the_report_says_which_were_taken_and_how_to_take_the_others(plain, mean, save):
    averages = {key: value + 1 for key, value in WEIGHTS.items()}
    path = save({plain: tensors(), mean: tensors(averages)})
    arrays, extras = read_checkpoint(path)
    assert_weights(arrays)
    assert extras == {
        mean: f"averaged weights: the plain ones under {plain!r} were loaded; pass averaged=True to load these"
    }
    arrays, extras = read_checkpoint(path, averaged=True)
    np.testing.assert_array_equal(arrays["bn1.bias"], averages["bn1.bias"])
    assert extras == {
        plain: f"plain weights: the averaged ones under {mean!r} were loaded; pass averaged=False to load these"
    }


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_averaged_weights_that_are_not_there_are_named(name, published_file):
    with pytest.raises(ValueError, match=r"holds no averaged weights. Expected a file with averaged"):
        read_checkpoint(published_file(WEIGHTS, name), averaged=True)

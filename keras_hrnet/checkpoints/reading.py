"""Reads a weight file into arrays, without running any code that it holds."""

import os
import pathlib

import numpy as np

from keras_hrnet.checkpoints.torch_files import UNUSUAL_TENSORS, TorchFile
from keras_hrnet.checkpoints.unpickling import Name, Tensor
from keras_hrnet.mistaken import check_not_mistaken

TORCH_ENDINGS = (".pth", ".pth.tar", ".pt", ".bin", ".ckpt")
SAFETENSORS_ENDING = ".safetensors"

# The keys under which training code saves the weights, in addition to its epoch and optimizer.
_LEVELS = ("state_dict", "model", "model_state_dict", "net", "params")
# The keys of the weights averaged over training: timm, utils/checkpoint_saver.py; timm before 0.5; BasicSR, models/.
_AVERAGED_LEVELS = ("state_dict_ema", "model_ema", "params_ema")


def has_ending(path: str | os.PathLike, *endings: str) -> bool:
    """Whether the name of a file has one of these endings, regardless of case."""
    return pathlib.PurePath(path).name.lower().endswith(endings)


def read_checkpoint(path: str | os.PathLike, averaged: bool = False) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads the tensors of a weight file.

    A `.pth` file is a pickle, which can run code: it is read as plain data, and refused if it holds anything else. The
    sizes that a file states are compared with the size of the file before memory is allocated.

    Args:
        path: a file ending in `.pth`, `.pth.tar`, `.pt`, `.bin` or `.ckpt`, or in `.safetensors`, regardless of case.
        averaged: whether to read the weights averaged over training, if the file holds both averaged and plain weights.

    Returns:
        The arrays by key, converted to float32 from any other floating type; and, for each other entry of the file (an
        optimizer, an epoch, weights of the other kind), the reason why it is not loaded, by key.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is of another type, is damaged, holds no tensors or no averaged ones, or is a web page
            or a Git LFS pointer.
        ImportError: if it is a `.safetensors` file, and safetensors is not installed.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Received the checkpoint {str(path)!r}. Expected a file there. Check the path.")
    check_not_mistaken(path)
    if has_ending(path, SAFETENSORS_ENDING):
        if averaged:
            raise _not_averaged(path)
        return _require_tensors(path, _read_safetensors(path), {})
    if has_ending(path, *TORCH_ENDINGS):
        return _require_tensors(path, *_read_torch(path, averaged))
    raise ValueError(
        f"Received the checkpoint {str(path)!r}. Expected a name that ends in one of "
        f"{(*TORCH_ENDINGS, SAFETENSORS_ENDING)}. A `.keras` or `.weights.h5` file is loaded by Keras itself."
    )


def _require_tensors(path, arrays, extras):
    if not arrays:
        raise ValueError(
            f"{str(path)!r} holds no tensors whose keys are text. Expected the weights of a network. Save its "
            "state_dict."
        )
    return arrays, extras


def is_pickle(path: str | os.PathLike) -> bool:
    """Whether a weight file was pickled by PyTorch."""
    return has_ending(path, *TORCH_ENDINGS)


def _read_safetensors(path):
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            f"Reading {str(path)!r} needs the package safetensors, which is not installed. Run "
            "`pip install safetensors`."
        ) from error
    try:
        arrays = safetensors.numpy.load_file(path)  # bfloat16 too: Keras registers it with NumPy.
    except (AttributeError, KeyError, TypeError) as error:  # Raised by safetensors for a type that NumPy lacks.
        raise _damaged(path, f"it holds numbers of a type that NumPy lacks ({error}).") from error
    except (safetensors.SafetensorError, ValueError, OverflowError) as error:  # NumPy supports at most 64 axes.
        raise _damaged(path, f"{error}.") from error
    for key, array in arrays.items():
        if array.dtype.kind == "c":
            raise _damaged(path, f"the tensor {key!r:.80} is of the type {array.dtype}.")
    whole = ("i", "u", "b")
    return {key: x if x.dtype.kind in whole else x.astype(np.float32, copy=False) for key, x in arrays.items()}


def _read_torch(path, averaged):
    try:
        file = TorchFile(path)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    state, extras = _unwrap(path, file.content, averaged)
    if not isinstance(state, dict):
        raise ValueError(
            f"{str(path)!r} holds {_kind_of(state)}. Expected a dict of tensors, or one under "
            f"{' or '.join(map(repr, _LEVELS))}. Save the model's state_dict."
        )
    arrays = {}
    for key, value in state.items():
        if not isinstance(key, str):
            extras[f"{key!r:.80}"] = "its key is not text"
        elif isinstance(value, Tensor):
            try:
                arrays[key] = file.array(value)
            except ValueError as error:
                raise _damaged(path, f"the tensor {key!r:.80} {error}") from error
        elif isinstance(value, Name) and value.text in UNUSUAL_TENSORS:
            raise _damaged(path, f"the tensor {key!r:.80} is {UNUSUAL_TENSORS[value.text]}.")
        else:
            extras[key] = "not a tensor"
    return arrays, extras


def _kind_of(value):
    names = {Tensor: "a tensor", Name: "an object that is not a tensor"}
    return names.get(type(value), f"a {type(value).__name__}")


def _unwrap(path, content, averaged):
    """Finds the weights in the contents of a file, and the reason why each other entry is not loaded."""
    extras, has_averaged, seen = {}, False, set()
    while isinstance(content, dict):
        if id(content) in seen:
            raise _damaged(path, "its weights contain themselves.")
        seen.add(id(content))
        plain, mean = (_level(content, names) for names in (_LEVELS, _AVERAGED_LEVELS))
        has_averaged = has_averaged or mean is not None
        level = mean if plain is None or (averaged and mean) else plain
        if level is None:
            break
        extras.update({_text(key): "not a weight" for key in content if key != level})
        if plain and mean:
            kinds = {plain: ("plain", False), mean: ("averaged", True)}
            left = mean if level == plain else plain
            extras[left] = (
                f"{kinds[left][0]} weights: the {kinds[level][0]} ones under {level!r} were loaded; pass "
                f"averaged={kinds[left][1]} to load these"
            )
        content = content[level]
    if averaged and not has_averaged:
        raise _not_averaged(path)
    return content, extras


def _text(key):
    return key if isinstance(key, str) else f"{key!r:.80}"


def _level(content, names):
    return next((name for name in names if isinstance(content.get(name), dict)), None)


def _not_averaged(path):
    return ValueError(
        f"Received averaged=True for {str(path)!r}, which holds no averaged weights. Expected a file with "
        f"averaged weights under {' or '.join(map(repr, _AVERAGED_LEVELS))}. Leave averaged out."
    )


def _damaged(path, reason):
    first_line = reason.strip().partition("\n")[0]
    return ValueError(
        f"{str(path)!r} could not be read as weights: {first_line} Expected a complete file that holds only tensors. "
        "Download it again, or save the model's state_dict again."
    )

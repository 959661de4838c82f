"""Reads a weight file into arrays, without running any code that it holds."""

import os
import pathlib
import pickle
import re
import zipfile

import numpy as np

from keras_hrnet.mistaken import check_not_mistaken

TORCH_ENDINGS = (".pth", ".pth.tar", ".pt", ".bin")
SAFETENSORS_ENDING = ".safetensors"

# The keys under which training code saves the weights, beside its epoch and optimizer.
_LEVELS = ("state_dict", "model")


def read_checkpoint(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads the tensors of a weight file.

    A `.pth` is a pickle, which can run code: it is read with `weights_only=True`, which refuses to do so.

    Args:
        path: a file ending in `.pth`, `.pth.tar`, `.pt` or `.bin` (needs PyTorch) or in `.safetensors`.

    Returns:
        The arrays by key, float32 where the file has any other floating type; and, by key, the reason why what the file
        holds beside its weights (an optimizer, an epoch) is not loaded.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is of another type, is damaged, holds no tensors, or is a web page or a Git LFS pointer.
        ImportError: if the library that reads it is not installed.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Received the checkpoint {str(path)!r}. Expected a file there. Check the path.")
    check_not_mistaken(path)
    if path.name.endswith(SAFETENSORS_ENDING):
        return _read_safetensors(path), {}
    if path.name.endswith(TORCH_ENDINGS):
        return _read_torch(path)
    raise ValueError(
        f"Received the checkpoint {str(path)!r}. Expected a name that ends in one of "
        f"{(*TORCH_ENDINGS, SAFETENSORS_ENDING)}. A `.keras` or `.weights.h5` file is loaded by Keras itself."
    )


def is_pickle(path: str | os.PathLike) -> bool:
    """Whether a weight file was pickled by PyTorch."""
    return pathlib.Path(path).name.endswith(TORCH_ENDINGS)


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
    except (AttributeError, KeyError, TypeError) as error:  # What safetensors raises for a type that NumPy lacks.
        raise _damaged(path, f"it holds numbers of a type that NumPy lacks ({error}).") from error
    except safetensors.SafetensorError as error:
        raise _damaged(path, str(error)) from error
    whole = ("i", "u", "b")
    return {key: x if x.dtype.kind in whole else x.astype(np.float32, copy=False) for key, x in arrays.items()}


def _read_torch(path):
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"Reading {str(path)!r} needs PyTorch, which is not installed. Run `pip install torch`, or convert the "
            "file to .safetensors where PyTorch is."
        ) from error
    try:
        with torch.serialization.safe_globals(_number_stand_ins()):
            # Files of PyTorch before 1.6 are not zip files, and cannot be mapped into memory.
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise _damaged(path, _reason_of_refusal(str(error))) from error
    except (RuntimeError, EOFError, ValueError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    state, extras = _unwrap(content)
    if not isinstance(state, dict):
        raise ValueError(
            f"{str(path)!r} holds a {type(state).__name__}. Expected a dict of tensors, or one under "
            f"{' or '.join(map(repr, _LEVELS))}. Save the model's state_dict."
        )
    arrays = {}
    for key, value in state.items():
        if isinstance(value, torch.Tensor):
            # NumPy has no bfloat16; float32 holds all of its values.
            arrays[key] = (value.float() if value.is_floating_point() else value).detach().numpy()
        else:
            extras[key] = "not a tensor"
    return arrays, extras


def _unwrap(content):
    extras = {}
    while isinstance(content, dict):
        level = next((name for name in _LEVELS if isinstance(content.get(name), dict)), None)
        if level is None:
            break
        extras.update({key: "not a weight" for key in content if key != level})
        content = content[level]
    return content, extras


class _NumberStandIn:
    """Takes the place of a NumPy number or array, such as a score that training code saves beside the weights.

    Nothing of it is kept, and no code of NumPy runs: NumPy's types hold more than numbers, and trust the file.
    """

    def __init__(self, *args):
        pass

    def __setstate__(self, state):
        pass


def _number_stand_ins():
    """Returns the stand-ins, under the names by which NumPy 1 and 2 pickle their numbers."""
    names = [("numpy", "dtype"), ("numpy", "ndarray")]
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        names += [(module, "scalar"), (module, "_reconstruct")]
    return [type(name, (_NumberStandIn,), {"__module__": module}) for module, name in names]


def _reason_of_refusal(message):
    """Returns what PyTorch refused, without its advice to load the file anyway."""
    if found := re.search(r"GLOBAL (\S+)", message):
        return f"it holds {found.group(1)}, which is neither a tensor nor a number, and reading that could run code."
    found = re.search(r"WeightsUnpickler error: (.*)", message)
    return found.group(1) if found else message


def _damaged(path, reason):
    first_line = reason.strip().partition("\n")[0]
    return ValueError(
        f"{str(path)!r} could not be read as weights: {first_line} Expected a whole file of tensors, with no other "
        "objects in it. Download it again, or save its state_dict anew."
    )

"""Reads a weight file into arrays, without running anything that it holds."""

import pathlib
import pickle

TORCH_ENDINGS = (".pth", ".pth.tar", ".pt", ".bin")
SAFETENSORS_ENDING = ".safetensors"


def read_checkpoint(path):
    """Reads the tensors of a weight file.

    A `.pth` is a pickle, which can run code: it is read with `weights_only=True`, which refuses to.

    Args:
        path: a file ending in `.pth`, `.pth.tar`, `.pt` or `.bin` (needs PyTorch) or in `.safetensors`.

    Returns:
        A pair: a dict of NumPy arrays by key; and a dict of what the file holds beside its weights (an optimizer, an
        epoch), by key, with the reason why it is not loaded.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is of another kind, damaged, or holds no tensors.
        ImportError: if the library that reads it is not installed.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Received the checkpoint {str(path)!r}. Expected a file there. Check the path.")
    if path.name.endswith(SAFETENSORS_ENDING):
        return _read_safetensors(path), {}
    if path.name.endswith(TORCH_ENDINGS):
        return _read_torch(path)
    raise ValueError(
        f"Received the checkpoint {str(path)!r}. Expected a name that ends in one of "
        f"{(*TORCH_ENDINGS, SAFETENSORS_ENDING)}. A `.keras` or `.weights.h5` file is loaded by Keras itself."
    )


def _read_safetensors(path):
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            f"Reading {str(path)!r} needs the package safetensors, which is not installed. Run "
            "`pip install safetensors`."
        ) from error
    try:
        return safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, KeyError) as error:
        raise _damaged(path, error) from error


def _read_torch(path):
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"Reading {str(path)!r} needs PyTorch, which is not installed. Run `pip install torch`, or convert the "
            "file to .safetensors where PyTorch is."
        ) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise _damaged(path, error) from error
    extras = {}
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        extras = {key: "not a weight" for key in content if key != "state_dict"}
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise ValueError(
            f"{str(path)!r} holds a {type(content).__name__}. Expected a dict of tensors, or one under 'state_dict'. "
            "Save the model's state_dict."
        )
    arrays = {}
    for key, value in content.items():
        if isinstance(value, torch.Tensor):
            # NumPy has no bfloat16; float32 holds all of its values.
            arrays[key] = (value.float() if value.is_floating_point() else value).numpy()
        else:
            extras[key] = "not a tensor"
    return arrays, extras


def _damaged(path, error):
    first_line = str(error).strip().partition("\n")[0]
    return ValueError(
        f"{str(path)!r} could not be read as weights: {type(error).__name__}: {first_line} Expected a whole file of "
        "tensors, with no other objects in it. Download it again, or save its state_dict anew."
    )

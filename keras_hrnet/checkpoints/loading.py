"""Loads a foreign weight file into a model, strictly: every key is used or named, every weight is filled."""

import dataclasses
import re

from keras_hrnet.checkpoints.naming import official
from keras_hrnet.checkpoints.reading import read_checkpoint


@dataclasses.dataclass(frozen=True)
class CheckpointReport:
    """What became of every key of a weight file, and of every weight of the model.

    Args:
        path: the file.
        loaded: keys whose values are now in the model.
        ignored: keys that were left out on purpose, each with the reason.
        missing: keys that the model needs and the file lacks.
        unexpected: keys that the model has no weight for.
        mismatched: keys of another shape, each with (shape in the file, shape in the model), both in PyTorch's order.
    """

    path: str
    loaded: tuple[str, ...]
    ignored: dict[str, str]
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: dict[str, tuple] = dataclasses.field(default_factory=dict)

    def __str__(self):
        lines = [f"{self.path}: {len(self.loaded)} arrays loaded"]
        reasons = sorted(set(self.ignored.values()))
        for reason in reasons:
            keys = [key for key, value in self.ignored.items() if value == reason]
            lines.append(f"  ignored ({reason}): {_listed(keys)}")
        if self.missing:
            lines.append(f"  missing in the file: {_listed(self.missing)}")
        if self.unexpected:
            lines.append(f"  unknown to the model: {_listed(self.unexpected)}")
        if self.mismatched:
            pairs = [f"{key} is {theirs}, model has {ours}" for key, (theirs, ours) in self.mismatched.items()]
            lines.append(f"  of another shape: {_listed(pairs)}")
        return "\n".join(lines)


def load_checkpoint(model, path):
    """Loads a published weight file into a model.

    Nothing is assigned unless every weight of the model is in the file with its shape, and every key of the file is
    used or ignored for a known reason. A model with `head=None` leaves a head's keys out, and says so.

    Args:
        model: a network of this package.
        path: an official plain segmentation or classification file of the published PyTorch code: `.pth`, `.pth.tar`,
            `.pt` or `.bin` (read without running anything it holds; needs PyTorch), or `.safetensors`.

    Returns:
        A `CheckpointReport`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or is not of this network and class count; the message names what differs.
        ImportError: if PyTorch or safetensors is needed and not installed.

    Reference: HRNet-Semantic-Segmentation, branch HRNet-OCR, and HRNet-Image-Classification: the keys of their files.
    """
    arrays, extras = read_checkpoint(path)
    arrays, ignored = _only_weights(arrays)
    weights = {official.key_of(weight.path): weight for weight in model.weights}
    report = _compare(str(path), model, weights, arrays, {**extras, **ignored})
    if report.missing or report.unexpected or report.mismatched:
        raise ValueError(_refusal(report, model, arrays))
    for key in report.loaded:
        weights[key].assign(_to_keras_layout(arrays[key]))
    return report


def _only_weights(arrays):
    stripped, ignored = {}, {}
    for key, array in arrays.items():
        name = key
        while name.startswith(official.PREFIXES):
            name = name.partition(".")[2]
        reason = next((why for pattern, why in official.NOT_WEIGHTS if re.search(pattern, name)), None)
        if reason:
            ignored[key] = reason
        else:
            stripped[name] = array
    return stripped, ignored


def _compare(path, model, weights, arrays, ignored):
    unknown = [key for key in arrays if key not in weights]
    if isinstance(model.output, dict):
        heads = [key for key in unknown if re.match(official.HEAD_KEYS, key)]
        ignored = {**ignored, **dict.fromkeys(heads, "the model has no head")}
        unknown = [key for key in unknown if key not in ignored]
    mismatched = {
        key: (arrays[key].shape, _torch_shape(weight.shape))
        for key, weight in weights.items()
        if key in arrays and arrays[key].shape != _torch_shape(weight.shape)
    }
    return CheckpointReport(
        path=path,
        loaded=tuple(key for key in weights if key in arrays and key not in mismatched),
        ignored=ignored,
        missing=tuple(key for key in weights if key not in arrays),
        unexpected=tuple(unknown),
        mismatched=mismatched,
    )


def _to_keras_layout(array):
    """Brings PyTorch's (out, in, height, width) to Keras's (height, width, in, out), and (out, in) to (in, out)."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


def _torch_shape(shape):
    shape = tuple(shape)
    return (shape[3], shape[2], shape[0], shape[1]) if len(shape) == 4 else shape[::-1]


def _refusal(report, model, arrays):
    facts = official.describe({key: array.shape for key, array in arrays.items()})
    holds = ", ".join(f"{name}={value}" for name, value in facts.items())
    return (
        f"The checkpoint does not fit the model {model.name!r}, and nothing was loaded.\n{report}\n"
        f"Expected every weight of the model in the file, with its shape, and no other. The file holds {holds}: build "
        "the network that it was made for (see `keras_hrnet.models.VARIANTS`), with that head and class count."
    )


def _listed(items, limit=5):
    items = list(items)
    rest = len(items) - limit
    return ", ".join(items[:limit]) + (f" and {rest} more" if rest > 0 else "")

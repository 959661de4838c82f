"""The report on a loaded weight file: the result for each of its keys and for each weight of the model."""

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class CheckpointReport:
    """The result of loading a weight file, for each of its keys and for each weight of the model.

    Keys are listed as in the file, including its prefix. A weight of the model that files of this format do not hold is
    listed by its path in the model.

    Args:
        path: the file.
        format: the name of the format of its keys.
        loaded: keys whose values are now in the model.
        ignored: keys that were skipped on purpose, each with the reason.
        missing: keys that the model needs and the file does not have.
        unexpected: keys for which the model has no weight.
        mismatched: keys of another shape, each with (shape in the file, shape in the model), both in PyTorch's order.
        untouched: paths of the weights of the model's head, if the head was not loaded.
        convention: the resize convention of the weights, and the reason why it is known or assumed.
        notes: one sentence for each conversion that was needed.
    """

    path: str
    format: str
    loaded: tuple[str, ...]
    ignored: dict[str, str]
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = dataclasses.field(default_factory=dict)
    untouched: tuple[str, ...] = ()
    convention: str = ""
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether each key has a weight of its shape in the model, and each weight has a key."""
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        lines = [f"{self.path} ({self.format}): {len(self.loaded)} arrays loaded"]
        for reason in sorted(set(self.ignored.values())):
            keys = [key for key, value in self.ignored.items() if value == reason]
            lines.append(f"  ignored ({reason}): {listed(keys)}")
        pairs = [f"{key} is {theirs}, model has {ours}" for key, (theirs, ours) in self.mismatched.items()]
        for what, items in (
            ("missing in the file", self.missing),
            ("unknown to the model", self.unexpected),
            ("of another shape", pairs),
            ("head left as it was", self.untouched),
            ("resize convention", [self.convention] if self.convention else []),
        ):
            if items:
                lines.append(f"  {what}: {listed(items)}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def listed(items: Iterable[str], limit: int = 5) -> str:
    """Joins the first items with commas, followed by the number of the others."""
    items = list(items)
    rest = len(items) - limit
    return ", ".join(items[:limit]) + (f" and {rest} more" if rest > 0 else "")

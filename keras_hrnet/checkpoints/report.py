"""What became of a weight file: every key of it, and every weight of the model."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class CheckpointReport:
    """What became of every key of a weight file, and of every weight of the model.

    Keys are the file's own, with the prefix that it has. A weight of the model that files of this format do not hold
    goes by its path in the model.

    Args:
        path: the file.
        format: what the format of its keys is called.
        loaded: keys whose values are now in the model.
        ignored: keys that were left out on purpose, each with the reason.
        missing: keys that the model needs and the file lacks.
        unexpected: keys that the model has no weight for.
        mismatched: keys of another shape, each with (shape in the file, shape in the model), both in PyTorch's order.
        untouched: paths of the weights of the model's head, where it was left as it was.
        convention: how the weights' network enlarges maps, and how that is known or why it is assumed.
        notes: what was converted on the way, one sentence each.
    """

    path: str
    format: str
    loaded: tuple[str, ...]
    ignored: dict[str, str]
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: dict[str, tuple] = dataclasses.field(default_factory=dict)
    untouched: tuple[str, ...] = ()
    convention: str = ""
    notes: tuple[str, ...] = ()

    @property
    def fits(self):
        """Whether every key and every weight found its like."""
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self):
        lines = [f"{self.path} ({self.format}): {len(self.loaded)} arrays loaded"]
        for reason in sorted(set(self.ignored.values())):
            keys = [key for key, value in self.ignored.items() if value == reason]
            lines.append(f"  ignored ({reason}): {listed(keys)}")
        if self.missing:
            lines.append(f"  missing in the file: {listed(self.missing)}")
        if self.unexpected:
            lines.append(f"  unknown to the model: {listed(self.unexpected)}")
        if self.mismatched:
            pairs = [f"{key} is {theirs}, model has {ours}" for key, (theirs, ours) in self.mismatched.items()]
            lines.append(f"  of another shape: {listed(pairs)}")
        if self.untouched:
            lines.append(f"  head left as it was: {listed(self.untouched)}")
        if self.convention:
            lines.append(f"  resize convention: {self.convention}")
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


def listed(items, limit=5):
    """Joins the first items by commas, and says how many more there are."""
    items = list(items)
    rest = len(items) - limit
    return ", ".join(items[:limit]) + (f" and {rest} more" if rest > 0 else "")

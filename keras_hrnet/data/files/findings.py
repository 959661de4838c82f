"""The findings of the check of a data set, as data and as text."""

import dataclasses
from pathlib import Path

ERROR, REMARK = "error", "remark"
NUM_SHOWN = 3
MOST_VALUES = 40


@dataclasses.dataclass(frozen=True)
class Finding:
    """A single finding about a file or a folder.

    Args:
        severity: "error" for what training refuses, "remark" for what may be intended.
        kind: the kind of the finding, in a few words.
        path: the file or folder.
        message: description of the problem, to be read after the name of the file.
        cure: a sentence that says what to do.
    """

    severity: str
    kind: str
    path: Path
    message: str
    cure: str


@dataclasses.dataclass(frozen=True)
class Row:
    """One split with one kind of label images.

    Args:
        split: the name of the split, or "all" for a data set that has none.
        annotation: "fine" or "coarse", or "masks" for your own data.
        found: the pairs of image and label image.
        published: number of pairs in the published data set; None if it is not a published data set.
        state: "complete", "sound" (no errors, but not the published number of pairs), "absent: " and the missing
            archives, "unreadable", or the number of errors.
    """

    split: str
    annotation: str
    found: int
    published: int | None
    state: str


@dataclasses.dataclass(frozen=True)
class Survey:
    """The files of a data set, and the problems with them.

    Args:
        root: the folder, or a description of two folders.
        rows: a `Row` for each split and annotation.
        findings: each `Finding`, errors and remarks.
        values: for your own label images, the values that they store, or the colors in hexadecimal digits, each with
            the name of its class, "ignored", or "" without classes. It is empty unless all files were read without an
            error.
    """

    root: str
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    values: tuple[tuple[str, str], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there are files to train on, without errors."""
        return not any(finding.severity == ERROR for finding in self.findings)

    def groups(self) -> list[list[Finding]]:
        """Groups findings of the same kind with the same cure.

        Returns:
            A list of lists of `Finding`, errors first.
        """
        groups = {}
        for finding in sorted(self.findings, key=lambda finding: finding.severity != ERROR):
            groups.setdefault((finding.severity, finding.kind, finding.cure), []).append(finding)
        return list(groups.values())

    def as_dict(self) -> dict:
        """Returns the survey in types that JSON supports: dictionaries, lists, strings, numbers and truth values."""
        findings = [dataclasses.asdict(finding) | {"path": str(finding.path)} for finding in self.findings]
        rows = [dataclasses.asdict(row) for row in self.rows]
        values = [{"value": value, "class": name} for value, name in self.values]
        return {"root": self.root, "ok": self.ok, "rows": rows, "findings": findings, "values": values}

    def table(self) -> list[tuple[str, ...]]:
        """Returns the heads of the columns, then the cells of each row; "published" only if a row states it."""
        table = [("annotation", "split", "found", "published", "state"), *map(_cells, self.rows)]
        if any(row.published is not None for row in self.rows):
            return table
        return [(*cells[:3], cells[4]) for cells in table]

    def values_in_words(self) -> str:
        """Returns the values of your own label images as text, such as "0 (background), 255 (ignored)"."""
        words = [f"{value} ({name})" if name else value for value, name in self.values]
        more = f" and {len(words) - MOST_VALUES} more" if len(words) > MOST_VALUES else ""
        return ", ".join(words[:MOST_VALUES]) + more

    def __str__(self) -> str:
        table = self.table()
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [self.root]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
        ]
        lines += [f"values in the masks: {self.values_in_words()}"] * bool(self.values)
        for group in self.groups():
            lines += ["", heading(group), *(f"  {finding.path} {finding.message}" for finding in group[:NUM_SHOWN])]
            lines += [f"  and {len(group) - NUM_SHOWN} more"] * (len(group) > NUM_SHOWN)
            lines.append(f"  → {group[0].cure}")
        return "\n".join(lines)


def _cells(row):
    published = "–" if row.published is None else str(row.published)
    return row.annotation, row.split, str(row.found), published, row.state


def heading(group: list[Finding]) -> str:
    """Returns the line above a group of findings, such as "2 errors: cut short"."""
    return f"{counted(len(group), group[0].severity)}: {group[0].kind}"


def counted(count: int, noun: str) -> str:
    """Returns a count with its noun, such as "2 errors"."""
    return f"{count} {noun}{'s' * (count != 1)}"

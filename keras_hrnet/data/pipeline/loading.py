"""Opens the files of a data set for the pipeline, and decides what happens to damaged ones."""

import warnings

from keras_hrnet.data.files.pairs import Pair, check_pairs, usable_pairs
from keras_hrnet.data.pipeline.sources import Files
from keras_hrnet.data_sets import LabelValues

DAMAGED = ("error", "skip")


def open_files(pairs: list[Pair], *, known: LabelValues, verify: bool, damaged: str) -> Files:
    """Checks files, and returns them as a source.

    Args:
        verify: whether to read all files; if False, only their headers are read.
        damaged: "error", or "skip" to leave out pairs that cannot be used, with a warning that counts and names them.

    Raises:
        ValueError: if `damaged` is invalid, for the first file that cannot be used, or if no file can be used.
    """
    if damaged not in DAMAGED:
        raise ValueError(f"Received damaged={damaged!r}. Expected 'error' or 'skip'. Choose one of them.")
    if damaged == "error":
        headers = check_pairs(pairs, known=known, contents=verify)
    else:
        usable = usable_pairs(pairs, known=known, contents=verify)
        _report(usable.left_out, len(pairs))
        pairs, headers = usable.pairs, usable.headers
    return Files(pairs, headers)


def _report(left_out, num_pairs):
    if len(left_out) == num_pairs:
        raise ValueError(
            f"None of the {num_pairs} pairs of image and label can be used. The first error: {left_out[0][1]}"
        )
    if left_out:
        faults = "\n".join(f"  {error}" for _, error in left_out[:20])
        more = f"\n  and {len(left_out) - 20} more" if len(left_out) > 20 else ""
        warnings.warn(
            f"{len(left_out)} of {num_pairs} pairs of image and label cannot be used and are left out:\n{faults}{more}",
            # The caller of `cityscapes`, `folders` or `data_set`, which open their files in a separate function.
            stacklevel=5,
        )

"""Segments photos and writes their results, in this process or in another one that receives the job."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from keras_hrnet.cli import protocol
from keras_hrnet.cli.console import Console
from keras_hrnet.cli.progress import progress_bar
from keras_hrnet.cli.shards import Targets, keep_current
from keras_hrnet.replacing import is_out_of_room, replacing

if TYPE_CHECKING:
    import keras
    import numpy as np

    from keras_hrnet.evaluation.segmenter import Segmenter
    from keras_hrnet.export import ExportedNetwork

Outcomes = Iterator[tuple[pathlib.Path, Exception | str | None]]
"""Pairs of a photo and the reason why it has no result; None if its result has been written."""


@dataclasses.dataclass(frozen=True)
class Job:
    """The network that segments photos or a video, and its options.

    All of them are plain values, so that another process can receive them and open the network.

    Args:
        network: path of the network, as in `keras_hrnet.cli.protocol.open_network`.
        hierarchical_scales: as in `keras_hrnet.cli.protocol.open_network`.
        classes: as in `keras_hrnet.cli.protocol.open_network`.
        options: the keyword arguments of a `Segmenter`.
        output: as in `keras_hrnet.predict`.
        legend: as in `keras_hrnet.predict`.
        batch_size: number of photos of the same size, or of frames, in a batch.
    """

    network: pathlib.Path
    hierarchical_scales: str | None
    classes: str | None
    options: dict[str, Any]
    output: str
    legend: bool
    batch_size: int

    @property
    def painting(self) -> dict[str, Any]:
        """The output, the legend and the batch size, as arguments of the functions that predict."""
        return {"output": self.output, "legend": self.legend, "batch_size": self.batch_size}

    def open_network(self) -> keras.Model | ExportedNetwork:
        """Opens the network.

        Raises:
            FileNotFoundError: as `keras_hrnet.cli.protocol.open_network`.
            ValueError: as `keras_hrnet.cli.protocol.open_network`, or if the network cannot produce the output.
        """
        from keras_hrnet.evaluation.prediction import check_output

        network = protocol.open_network(self.network, self.hierarchical_scales, self.classes)
        check_output(network, self.output, self.legend)
        return network

    def open(self, num_photos: int) -> Segmenter:
        """Opens the network to segment photos.

        Args:
            num_photos: number of photos; if there are many, the network is optimized first.

        Raises:
            FileNotFoundError: as `open_network`.
            ValueError: as `open_network`.
        """
        from keras_hrnet.evaluation.running import optimized_for
        from keras_hrnet.evaluation.segmenter import Segmenter

        finds_labels = num_photos > 1 and self.output != "probabilities"
        return Segmenter(optimized_for(self.open_network(), num_photos), **self.options, for_many=finds_labels)

    def write_each(self, segmenter: Segmenter, targets: Targets) -> Outcomes:
        """Segments photos and writes each result as soon as it exists. Photos that cannot be used are skipped.

        Args:
            segmenter: the segmenter that `open` returned.
            targets: the file for the result of each photo.

        Yields:
            The photos in order, each with the error because of which it has no result, or None.

        Raises:
            OSError: if the disk is full.
        """
        from keras_hrnet.evaluation.prediction import predictions

        def write(photo, result):
            try:
                write_result(targets[photo], result)
                keep_current(photo, targets[photo])
            except OSError as error:
                if is_out_of_room(error):
                    raise
                return error
            return None

        return predictions(segmenter, targets, **self.painting, write=write)


def report_written(targets: Targets, outcomes: Outcomes) -> None:
    """Shows a progress bar while results are written, and then prints where they are and the photos per second.

    Args:
        targets: the file for the result of each photo.
        outcomes: the outcome for each photo, in any order.

    Raises:
        ValueError: after all other results are written, if some photos could not be segmented, for example because
            they cannot be read or are too small.
    """
    console, errors, written = Console(soft_wrap=True, highlight=False), [], []
    start = time.perf_counter()
    first = None
    with contextlib.closing(outcomes), progress_bar("Segmenting", len(targets), "photos") as advance:
        for photo, error in outcomes:
            advance()
            if error:
                errors.append(error)
                continue
            # On TensorFlow and JAX, the network is compiled before it.
            first = first or time.perf_counter() - start
            written.append(targets[photo])
    if len(written) == 1:
        console.print("Wrote", written[0])
    elif written:
        folders = sorted({str(target.parent) for target in written})
        console.print(f"Wrote {len(written)} files to", folders[0] if len(folders) == 1 else f"{len(folders)} folders")
        seconds = time.perf_counter() - start
        console.print(f"{len(written) / seconds:.3g} photos per second; the first was written after {first:.1f} s")
    if errors:
        listed = "\n".join(map(str, errors))
        raise ValueError(f"{len(errors)} of {len(targets)} photos could not be segmented.\n{listed}")


def write_result(target: pathlib.Path, result: np.ndarray) -> None:
    """Writes a result: as `numpy.save` does if the target ends in .npy, and as PNG otherwise.

    Raises:
        OSError: if the target cannot be written.
    """
    import numpy as np

    from keras_hrnet.evaluation.pictures import write_png

    with replacing(target) as part:
        if target.suffix.lower() == ".npy":
            np.save(part, result)
        else:
            write_png(result, part)

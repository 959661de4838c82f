"""`keras-hrnet predict --engine ray`: workers that die, photos that cannot be read, and runs that are resumed."""

import dataclasses
import os
import pathlib
import signal
import sys

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.cli.ray_engine import write_with_ray
from keras_hrnet.cli.segmenting import Job

pytestmark = pytest.mark.once


@dataclasses.dataclass(frozen=True)
class DyingJob(Job):
    """Kills its process once, after it has written the fifth result, and notes each result that it reports."""

    notes: pathlib.Path

    def write_each(self, segmenter, targets):
        for i, (photo, error) in enumerate(super().write_each(segmenter, targets)):
            with open(self.notes / "reported.txt", "a") as file:
                file.write(f"{photo.name}\n")
            if i == 4 and not (self.notes / "died.txt").exists():
                (self.notes / "died.txt").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield photo, error


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "my photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(70):
        Image.fromarray(generator.integers(0, 256, (33, 40, 3), dtype="uint8")).save(folder / f"{i:02}.png")
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff, and then nothing")
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_all_photos_are_written_once_although_a_worker_dies(invoke, saved_small_network, album, tmp_path):
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    expected, written = tmp_path / "expected", tmp_path / "written"
    invoke("predict", saved_small_network, album, "--show", "labels", "--output", expected)
    written.mkdir()
    targets = {photo: written / f"{photo.stem}.png" for photo in sorted(album.iterdir())}
    job = DyingJob(
        network=saved_small_network,
        hierarchical_scales=None,
        classes=None,
        options={"scales": (1.0,), "flip": False, "tile": None, "overlap": None, "average": "official"},
        output="labels",
        legend=False,
        batch_size=1,
        notes=tmp_path,
    )
    outcomes = dict(write_with_ray(job, targets, 2))
    assert (tmp_path / "died.txt").exists()
    assert sorted(outcomes) == sorted(targets)
    failed = {photo.name: error for photo, error in outcomes.items() if error}
    assert list(failed) == ["damaged.jpg"]
    assert "damaged.jpg" in failed["damaged.jpg"]
    names = sorted(path.name for path in expected.iterdir())
    # What a killed process was writing stays under a hidden name.
    assert names == sorted(path.name for path in written.glob("[!.]*")) == [f"{i:02}.png" for i in range(70)]
    assert all((expected / name).read_bytes() == (written / name).read_bytes() for name in names)
    reported = (tmp_path / "reported.txt").read_text().split("\n")[:-1]
    assert len(set(reported)) == len(reported)  # Nothing that had been written was computed again.


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_second_run_leaves_what_is_written_and_lists_what_cannot_be_read(invoke, saved_small_network, album):
    for photo in list(album.glob("*.png"))[3:]:
        photo.unlink()
    output = album.with_name("output")
    output.mkdir()
    kept = output / sorted(album.glob("*.png"))[0].name
    kept.write_bytes(b"written before")
    options = ("--output", output, "--engine", "ray", "--workers", 1)
    result = invoke("predict", saved_small_network, album, *options)
    assert "1 of 3 photos could not be segmented" in str(result.exception)
    assert "damaged.jpg" in str(result.exception)
    assert kept.read_bytes() == b"written before"
    assert len(list(output.iterdir())) == 3


def test_ray_is_asked_for_where_it_is_missing(invoke, saved_small_network, album, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    result = invoke("predict", saved_small_network, album, "--engine", "ray")
    assert isinstance(result.exception, ImportError)
    assert 'pip install "keras-hrnet[ray]"' in str(result.exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--engine", "spark"), "Received --engine 'spark'. Expected one of here, ray."),
        (("--workers", "2"), "Received --workers 2 with --engine here. Expected --engine ray."),
        (("--engine", "ray", "--submission", "a.zip"), "Received --submission with --shard, --resume or --engine."),
    ],
)
def test_options_that_do_not_go_together_are_refused(invoke, album, options, message):
    assert message in str(invoke("predict", "network.keras", album, *options).exception)

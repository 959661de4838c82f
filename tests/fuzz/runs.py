"""Readers of the files of a run: what it was made of, and what it is resumed from."""

import dataclasses
import json

import keras
import numpy as np

from keras_hrnet.training import Recipe, read_run
from keras_hrnet.training.callbacks import Saves
from keras_hrnet.training.folder import open_folder
from keras_hrnet.training.state import TrainingState, write_state
from tests.fuzz.harness import Reader
from tests.fuzz.mutation import damage_json, damage_member, zip_members, zipped

NUM_STEPS, NUM_EPOCHS = 10, 5
DATA = {"batches": 5, "batch_size": 2, "class_names": ["road", "sky"], "fingerprint": "ab"}
RUN = {
    "recipe": "own", "settings": dataclasses.asdict(Recipe(source="x", epochs=3, crop_size=(4, 8))), "given": [],
    "chosen": {}, "loss": None, "seed": 0, "backend": "torch", "notes": {"network": "HRNetW48"}, "versions": {},
    "network": {"name": "Tiny", "num_weights": 9, "first_weights": "ab"}, "train": DATA, "val": DATA,
    "started": "now", "ignore_label": 255,
}  # fmt: skip


def runs(folder):
    return [json.dumps(run).encode() for run in (RUN, {**RUN, "result": {"seconds": 1.5}})]


def hostile_json():
    return [b"[" * 100_000, b'{"a":' * 50_000, b"", b"null", b"\xff\xfe", b'"' + b"x" * 10**6, b"1" * 10_000]


def damage_run(content, generator):
    return damage_json(content, generator)


def read_as_default_folder(path):
    """A file that stands in the first folder of `runs` must not keep new runs from beginning."""
    import contextlib

    folder = path.parent / "runs" / "Tiny-own-1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_bytes(path.read_bytes())
    with contextlib.chdir(path.parent), open_folder(None, RUN) as (opened, _):
        (opened / "run.json").unlink()


def state():
    """A small training, and what saves it."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.optimizer.build(model.trainable_variables)
    return TrainingState(model, [])


STATES = []


def the_state():
    if not STATES:
        STATES.append(state())
    return STATES[0]


def states(folder):
    write_state(folder / "resume.npz", the_state().take(), {"epoch": 1, "step": 2, "seconds": 3.5})
    return [(folder / "resume.npz").read_bytes()]


def hostile_states():
    def npy(header, content=b""):
        return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content

    def header(descr="'<f4'", shape="(3, 4)"):
        return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()

    arrays = [
        npy(header(shape="(99999999999,)")),
        npy(header(shape="(-1,)")),
        npy(header(shape="(" + "1, " * 100 + "12)"), bytes(48)),
        npy(header(descr="'|O'"), bytes(96)),
        npy(header(descr="[('a', '<f4')]"), bytes(48)),
        npy(header(descr="'<f7'"), bytes(84)),
        npy(b"(" * 5000),
        npy(header(shape="(0, 99999999999)")),
    ]
    files = [zipped({"network/0.npy": array, "position.npy": array}) for array in arrays]
    bomb = zipped({"network/0.npy": npy(header(shape="(500_000,)"), bytes(2_000_000))}, 8)
    return [*files, bomb, b"", b"PK\5\6" + bytes(18)]


def read_save(path):
    Saves(path, the_state(), NUM_STEPS, NUM_EPOCHS).read()


def damage_state(content, generator):
    members = zip_members(content)
    if generator.random() < 0.2:
        # The text of the position, of the right length for its header.
        text = json.loads(str(np.load(_file(members["position.npy"]))))
        damaged = damage_json(json.dumps(text).encode(), generator).decode(errors="replace")
        members["position.npy"] = _npy(damaged)
        return zipped(members)
    return damage_member(content, generator, {})


def _file(content):
    import io

    return io.BytesIO(content)


def _npy(text):
    file = _file(b"")
    np.save(file, np.array(text))
    return file.getvalue()


READERS = (
    Reader("run.json", "run.json", runs, read_run, damage=damage_run, hostile=hostile_json),
    Reader("run.json in runs/", "run.json", runs, read_as_default_folder, (), damage_run, hostile_json),
    Reader("resume.npz", "resume.npz", states, read_save, damage=damage_state, hostile=hostile_states),
)

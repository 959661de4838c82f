"""Readers of networks that Keras saved."""

import json

import keras

from keras_hrnet.cli.protocol import load_network
from keras_hrnet.layers import ConvNorm
from keras_hrnet.models.network import Network
from tests.fuzz.harness import Reader
from tests.fuzz.mutation import damage_json, damage_member, zip_members, zipped

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
SEEDS = []


def networks(folder):
    """Files of a network of this package, small enough to be loaded in a blink."""
    if not SEEDS:
        image = keras.Input((None, None, 3))
        x = ConvNorm(4, 3, name="conv_norm")(keras.layers.Rescaling(1 / 255)(image))
        Network(image, keras.layers.Conv2D(2, 1, name="last_layer_0")(x), name="tiny").save(folder / "tiny.keras")
        SEEDS.append((folder / "tiny.keras").read_bytes())
    return SEEDS


def hostile_networks():
    """Numbers that would make a network of any size, and archives of any."""
    import io
    import pathlib
    import tempfile

    import h5py
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        members = zip_members(networks(pathlib.Path(folder))[0])
    for number in (2**31, 2**20, 30_000, -1, 0, 10**400, 1e9, "4", None):
        for names in (("filters",), ("kernel_size",), ("filters", "kernel_size")):
            yield zipped({**members, CONFIG: _changed(members[CONFIG], names, number)})
    wide = io.BytesIO(members[WEIGHTS])
    with h5py.File(wide, "a") as file:
        file.create_dataset("long", data=np.zeros(100_000, "uint8"))
        file.create_dataset("bomb", shape=(2**40,), chunks=(2**20,), compression="gzip", dtype="float32")
    yield zipped({**members, WEIGHTS: wide.getvalue()})
    with h5py.File(wide, "a") as file:
        del file["bomb"]
    changed = _changed(members[CONFIG], ("filters",), 100_000)
    yield zipped({**members, WEIGHTS: wide.getvalue(), CONFIG: changed})
    yield zipped({**members, CONFIG: b"[" * 100_000})
    yield zipped({**members, CONFIG: b"{}"})
    yield zipped({**members, "assets/../../escaped": b"x"})
    yield zipped(members, 8)
    yield zipped({**members, "assets/bomb": bytes(60_000_000)}, 8)
    for name in members:
        yield zipped({other: content for other, content in members.items() if other != name})
    config = json.loads(members[CONFIG])
    for module, name in (("os", "system"), ("keras", "Lambda"), ("keras.layers", "Lambda"), ("builtins", "eval")):
        config["config"]["layers"][1].update(module=module, class_name=name, registered_name=None)
        yield zipped({**members, CONFIG: json.dumps(config).encode()})


def _changed(config, names, number):
    config = json.loads(config)
    for layer in config["config"]["layers"]:
        for name in names:
            if name in layer["config"]:
                layer["config"][name] = number
    return json.dumps(config).encode()


def damage_network(content, generator):
    return damage_member(content, generator, {".json": damage_json})


READERS = (
    Reader(
        "keras", "network.keras", networks, load_network, damage=damage_network, hostile=hostile_networks,
        suite_inputs=20, inputs=3000,
    ),
)  # fmt: skip

"""Readers of weight files: PyTorch's of today and of before 1.6, and safetensors."""

import collections
import io
import pickle

import numpy as np

from keras_hrnet.checkpoints.reading import read_checkpoint
from tests.fuzz.harness import Reader
from tests.fuzz.mutation import damage_bytes, damage_member, zip_members, zipped

SIZES = b"K\1", b"K\4", b"M\0\1", b"J\xff\xff\xff\x7f", b"J\xff\xff\xff\xff", b"\x8a\x08" + b"\xff" * 7 + b"\x7f"


def contents():
    import torch

    weights = {
        "conv1.weight": torch.arange(24.0).reshape(2, 3, 2, 2),
        "bn1.weight": torch.ones(4, dtype=torch.float16),
        "bn1.bias": torch.zeros(4, dtype=torch.bfloat16),
        "bn1.num_batches_tracked": torch.tensor(7),
    }
    ordered = collections.OrderedDict(weights)
    ordered._metadata = collections.OrderedDict({"": {"version": 1}})
    scores = {"best_mIoU": np.float64(0.8), "optimizer": {"state": {0: {"step": 3}}, "param_groups": [{"lr": 0.1}]}}
    return [weights, {"state_dict": ordered, "epoch": 3, **scores}]


def saved(content, is_zip=True):
    import torch

    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=is_zip)
    return file.getvalue()


def zips(folder):
    return [saved(content) for content in contents()]


def legacies(folder):
    return [saved(content, is_zip=False) for content in contents()]


def damage_sizes(content, generator):
    """Changes a number in a pickle, or where one thing is, another: what stays is mostly a pickle."""
    content = bytearray(content)
    places = [i for i, byte in enumerate(content[:-2]) if byte in b"KMJ\x8aqrh"]
    if not places or generator.random() < 0.4:
        return damage_bytes(content, generator)
    for _ in range(generator.choice((1, 1, 2, 3))):
        place = generator.choice(places)
        if content[place] in b"qrh":
            content[place + 1] = generator.randrange(40)
        else:
            length = {b"K": 2, b"M": 3, b"J": 5}.get(bytes(content[place : place + 1]), 3)
            new = generator.choice(SIZES)
            if len(new) == length:
                content[place : place + length] = new
            else:
                content[place + 1] = generator.randrange(256)
    return bytes(content)


def damage_zip(content, generator):
    return damage_member(content, generator, {".pkl": damage_sizes})


def hostile_zips():
    yield from hostile_contents(lambda content: saved(content))
    members = zip_members(saved(contents()[0]))
    yield zipped(members, 8)
    name = next(name for name in members if name.endswith("data.pkl"))
    for code in hostile_pickles():
        yield zipped({**members, name: code})
    # Padded: many times as large when it is unpacked.
    yield zipped({**members, name: members[name][:2] + b"N0" * 500_000 + members[name][2:]}, 8)
    yield zipped({**members, name: members[name][:2] + b"(" * 100_000})


def hostile_legacies():
    import torch

    yield from hostile_contents(lambda content: saved(content, is_zip=False))
    good = saved({"a": torch.ones(3)}, is_zip=False)
    for number in (4, 2**31, 2**63 - 1, 2**64 - 1):
        yield good.replace((3).to_bytes(8, "little"), number.to_bytes(8, "little"))
    yield from hostile_pickles()


def hostile_contents(save):
    """Files of tensors that no network has, and dicts that lead nowhere; PyTorch warns of some that it makes."""
    import warnings

    import torch

    itself = {}
    itself["state_dict"] = itself
    complex_numbers = torch.ones(3, dtype=torch.complex64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sparse = torch.eye(3).to_sparse()
        rows = torch.eye(3).to_sparse_csr()
        quantized = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
        nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    tensors = [
        torch.ones(1).expand(3_000_000_000), torch.ones(1, dtype=torch.float16).expand(10**9), complex_numbers,
        complex_numbers.conj(), torch._neg_view(torch.ones(3)), sparse, rows, quantized, nested,
        torch.empty(3, device="meta"), torch.ones(3, dtype=torch.float8_e4m3fn), torch.ones(3).to(torch.uint16),
        torch.ones(0, 2**40), torch.ones((1,) * 64),
    ]  # fmt: skip
    for value in (itself, *({"a": tensor} for tensor in tensors), [1], None, 3, "x", {}, {1: torch.ones(2)}):
        try:
            yield save(value)
        except (RuntimeError, TypeError, NotImplementedError, pickle.PicklingError):  # The older format lacks it.
            continue
    yield save({(1, 2): torch.ones(2), None: 3, "state_dict": {("a",): torch.ones(2), "b": torch.ones(2)}})


def hostile_pickles():
    """Pickles that fill the memory, or run code, where they are believed."""
    start, encode = b"\x80\x02", b"c_codecs\nencode\n"
    yield start + b"X\x04\0\0\0aaaa" + (b"q\0" + encode + b"h\0X\x03\0\0\0hex\x86R") * 40 + b"."
    yield start + b"cbuiltins\nbytearray\n\x8a\x05\0\0\0\0\x40\x85R."
    yield start + b"cos\nsystem\nX\x04\0\0\0true\x85R."
    yield start + b"ctorch\nFloatTensor\n\x8a\x05\0\0\0\0\x40\x85R."
    yield start + b"ctorch.storage\nUntypedStorage\n\x8a\x05\0\0\0\0\x40\x85R."
    yield start + b"}r\xff\xff\xff\xff."
    yield start + b"X\xff\xff\xff\xff."
    yield start + b")" + b"\x85" * 100_000 + b"K\1s."
    yield start + b"}" + b")" + b"\x85" * 100_000 + b"K\1s."
    yield start + b"]" * 50_000 + b"."
    yield start + b"\x8f" * 50_000 + b"."
    yield b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f."
    yield b"I" + b"1" * 5000 + b"\n."


def safetensors(folder):
    import safetensors.numpy

    arrays = {"conv1.weight": np.arange(24, dtype="float32").reshape(2, 3, 2, 2), "bn1.bias": np.ones(4, "float16")}
    return [safetensors.numpy.save(arrays), safetensors.numpy.save({"a": np.ones(3, "int64")}, {"format": "pt"})]


def hostile_safetensors():
    for header in (
        b'{"a": {"dtype": "F32", "shape": [99999999999], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [' + b"1, " * 69 + b'1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "C64", "shape": [1], "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": "F8_E8M0", "shape": [4], "data_offsets": [0, 4]}}',
        b"[" * 100_000,
    ):
        yield len(header).to_bytes(8, "little") + header + bytes(8 if b"C64" in header else 4)
    yield (2**63).to_bytes(8, "little") + b"{}"
    yield (10**8).to_bytes(8, "little") + b"{}"
    yield b""


READERS = (
    Reader("pth", "weights.pth", zips, read_checkpoint, damage=damage_zip, hostile=hostile_zips),
    Reader("pth before 1.6", "old.pth", legacies, read_checkpoint, damage=damage_sizes, hostile=hostile_legacies),
    Reader("safetensors", "weights.safetensors", safetensors, read_checkpoint, hostile=hostile_safetensors),
)

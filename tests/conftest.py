"""What several tests share: small sets of files, the golden cases, and files in the published formats."""

import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zlib

import keras
import numpy as np
import pytest

OTHER_SUITES = pytest.StashKey()
COMPILED = pytest.StashKey()
# What does not depend on the backend ("once") runs on the active one alone.
NESTED_OPTIONS = ("-q", "-rfE", "--no-header", "-p", "no:cacheprovider", "-m", "not once and not heavy")
GOLDEN = pathlib.Path(__file__).parent / "golden"


def pytest_configure(config):
    """Lets JAX compile once what several tests build anew, such as the step of the same small network."""
    if keras.config.backend() != "jax":
        return
    import jax

    # Not by environment variables: a process that a test kills would leave half a file for the others to read.
    config.stash[COMPILED] = tempfile.TemporaryDirectory()
    jax.config.update("jax_compilation_cache_dir", config.stash[COMPILED].name)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)  # A file for each operation costs more.


@pytest.fixture(autouse=True)
def _same_start():
    keras.utils.set_random_seed(0)


def golden_weights(keys):
    """Draws the weights of a golden case: each from the checksum of its key, as the reference's were."""
    weights = {}
    for key, shape in keys.items():
        generator = np.random.default_rng(zlib.crc32(key.encode()))
        if len(shape) >= 2:
            value = generator.standard_normal(shape) * math.sqrt(1 / math.prod(shape[1:]))
        elif key.endswith("running_var"):
            value = generator.uniform(0.5, 1.5, shape)
        elif key.endswith("weight"):
            value = generator.uniform(0.25, 0.75, shape)
        else:
            value = generator.standard_normal(shape) * 0.1
        weights[key] = value.astype("float32")
    return weights


@pytest.fixture
def golden_case():
    """Returns a function that reads a golden case: its weights by key, and its arrays by name."""

    def read(name):
        description = json.loads((GOLDEN / f"{name}.json").read_text())
        with np.load(GOLDEN / f"{name}.npz") as arrays:
            return golden_weights(description["keys"]), dict(arrays)

    return read


@pytest.fixture
def published_file(tmp_path):
    """Returns a function that writes weights as the published training code saves them, or as safetensors."""

    def write(weights, name="published.pth", prefix="", extra=None):
        path = tmp_path / name
        if name.endswith(".safetensors"):
            import safetensors.numpy

            safetensors.numpy.save_file({prefix + key: np.ascontiguousarray(v) for key, v in weights.items()}, path)
            return path
        import torch

        state = {prefix + key: torch.from_numpy(np.array(value)) for key, value in weights.items()}
        for key in weights:
            if key.endswith("running_mean"):
                count = key.removesuffix("running_mean") + "num_batches_tracked"
                state[prefix + count] = torch.tensor(1000)
        state.update({key: torch.as_tensor(value) for key, value in (extra or {}).items()})
        torch.save({"epoch": 484, "state_dict": state} if name.endswith(".tar") else state, path)
        return path

    return write


@pytest.fixture
def sublayers():
    """Returns a function that lists a layer and all the layers inside it."""

    def walk(layer):
        found = [layer]
        for value in list(vars(layer).values()):
            children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
            for child in children:
                if isinstance(child, keras.layers.Layer) and child not in found:
                    found += walk(child)
        return found

    return walk


def pytest_collection_finish(session):
    """Starts the suite on the other backends where it is asked for: side by side, as each leaves a core idle often."""
    backends = [item.callspec.params["backend"] for item in session.items if "other_suites" in item.fixturenames]
    if session.config.option.collectonly:
        return
    session.config.stash[OTHER_SUITES] = {}
    nice = [shutil.which("nice"), "-n", "5"] if shutil.which("nice") else []
    for backend in sorted(backends, key=lambda backend: backend != "jax"):
        # JAX compiles each operation for each shape and takes longest, this suite comes next, and the other one has
        # least to do: each gives way to what takes longer, and the whole ends sooner.
        before = nice if backend != "jax" else []
        session.config.stash[OTHER_SUITES][backend] = _start_suite(backend, session.config.rootpath, before)
        if nice and backend == "jax":
            os.nice(5)


def _start_suite(backend, root, before):
    environment = {**os.environ, "KERAS_HRNET_NESTED_SUITE": "1", "OMP_NUM_THREADS": "1", "KERAS_BACKEND": backend}
    # Most of what JAX does in these tests is compiling, and what it compiles runs once.
    environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    if backend == "jax":
        # XLA's newer way to fuse operations compiles a step in 11 s that the older one compiles in 6.
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false".strip()
        # An XLA without the older way would end the process.
        code = "import jax; jax.numpy.zeros(1)"
        if not subprocess.run([sys.executable, "-c", code], env={**environment, "XLA_FLAGS": flags}).returncode:
            environment["XLA_FLAGS"] = flags
    # A file takes whatever a suite prints; a pipe would stop it once it is full.
    output = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in `pytest_unconfigure`)
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "pytest", *NESTED_OPTIONS],
        cwd=root,
        env=environment,
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    return output, process


@pytest.fixture(scope="session")
def other_suites(request):
    """For each other backend, the file that its suite prints to, and the process."""
    return request.config.stash[OTHER_SUITES]


def pytest_unconfigure(config):
    for output, process in config.stash.get(OTHER_SUITES, {}).values():
        process.kill()
        process.wait()
        output.close()
    if COMPILED in config.stash:
        config.stash[COMPILED].cleanup()


def pytest_terminal_summary(terminalreporter):
    """Says how many tests ran on the other backends."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "closing line" and report.when == "call":
                terminalreporter.write_line(value)

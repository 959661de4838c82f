"""What several tests share: small sets of files, the golden cases, and files in the published formats.

Keras is imported inside of functions: it takes seconds, and the process that gives tests to others does not need it.
"""

import contextlib
import fractions
import gc
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zlib

import numpy as np
import pytest

GOLDEN = pathlib.Path(__file__).parent / "golden"

BROWSER_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


def pytest_xdist_auto_num_workers(config):
    """Divides the whole suite among the cores, and runs files that are named in this process."""
    return 0 if config.args_source is config.ArgsSource.ARGS else None


def pytest_configure(config):
    """Makes JAX compile fast, and once what several tests build anew: most of what it compiles here runs once."""
    if config.option.numprocesses:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # Each process has one of the cores.
        return
    if backend() != "jax":
        return
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # In the processes that tests start, too.
    # XLA's newer way to fuse operations compiles a step in 11 s that the older one compiles in 6.
    flag, flags = "--xla_cpu_use_fusion_emitters=false", os.environ.get("XLA_FLAGS", "")
    if flag not in flags:
        environment = {**os.environ, "XLA_FLAGS": f"{flags} {flag}".strip()}
        # An XLA without the older way would end the process.
        command = [sys.executable, "-c", "import jax; jax.numpy.zeros(1)"]
        if not subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False).returncode:
            os.environ["XLA_FLAGS"] = environment["XLA_FLAGS"]
    compiled = tempfile.TemporaryDirectory()
    config.add_cleanup(compiled.cleanup)
    # Not by an environment variable: a process that a test kills would leave half a file for the others to read.
    jax.config.update("jax_compilation_cache_dir", compiled.name)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)  # A file for each operation costs more.


def backend():
    """Returns the name of the active backend."""
    import keras

    return keras.config.backend()


@pytest.hookimpl(tryfirst=True)  # Before pytest chooses by markers.
def pytest_collection_modifyitems(items):
    """Leaves to the heavy tests what JAX takes long to compile, and other backends show."""
    if backend() == "jax":
        for item in items:
            if item.get_closest_marker("compiles"):
                item.add_marker("heavy")


def pytest_runtest_setup(item):
    """Skips tests that export on JAX and PyTorch: some without this marker show that each format is written there."""
    if item.get_closest_marker("converts") and backend() != "tensorflow":
        pytest.skip(
            "each export would start a TensorFlow process, which takes seconds; other tests export on this backend"
        )


@pytest.fixture(autouse=True)
def _same_start():
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _memory():
    """Lets JAX forget what it compiled once it takes much memory: at the end of the suite, it would be 10 GB."""
    yield
    if backend() == "jax" and resident_bytes() > 3e9:
        import jax

        jax.clear_caches()
        gc.collect()


def resident_bytes():
    """Returns the memory of this process, or 0 where the system does not say."""
    status = pathlib.Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0


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
        if "keys_of" in description:
            description = json.loads((GOLDEN / f"{description['keys_of']}.json").read_text())
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
    import keras

    def walk(layer):
        found = [layer]
        for value in list(vars(layer).values()):
            children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
            for child in children:
                if isinstance(child, keras.layers.Layer) and child not in found:
                    found += walk(child)
        return found

    return walk


@pytest.fixture(scope="session")
def small_network():
    """Returns a function that builds what stands for a network whose own layers a test does not ask about.

    TensorFlow takes seconds to trace the hundred convolutions of the smallest HRNet, once for each model.
    """
    import keras

    def build(num_classes=19, name="HRNetW18Small"):
        from keras_hrnet.models.network import Network

        image = keras.Input((None, None, 3))
        options = {"padding": "same", "data_format": "channels_last"}
        x = keras.layers.Conv2D(8, 3, activation="relu", **options)(keras.layers.Rescaling(1 / 255)(image))
        x = keras.layers.BatchNormalization(axis=-1)(x)
        # By the name of this layer, its head is HRNet's "fcn".
        return Network(image, keras.layers.Conv2D(num_classes, 3, name="last_layer_0", **options)(x), name=name)

    return build


@pytest.fixture(scope="module")
def without_pictures():
    """Leaves out the pictures of an epoch, which take most of the time of small trainings and have their own tests."""
    from keras_hrnet.training.callbacks import Curves, PredictionImages

    with pytest.MonkeyPatch.context() as patch:
        for callback in (Curves, PredictionImages):
            patch.setattr(callback, "on_epoch_end", lambda self, epoch, logs=None: None)
        yield


@pytest.fixture(scope="session")
def draw_video():
    """Returns a function that draws a video of squares that move, and gives the frames as they were drawn.

    `times` are in 15360ths of a second, as FFmpeg counts in an .mp4 of 30 frames a second.
    """
    import av

    def draw(path, times=range(0, 12 * 512, 512), size=(64, 96), codec="libx264", sound=None, **turn):
        pictures, unit = [], fractions.Fraction(1, 15360)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=30)
            stream.height, stream.width = size
            stream.pix_fmt, stream.codec_context.time_base = "yuv420p", unit
            if turn:
                stream.set_display_rotation(**turn)
            voice = container.add_stream(sound, rate=48000, layout="mono") if sound else None
            for i, time in enumerate(times):
                picture = np.full((*size, 3), (40, 90, 20 * i % 256), np.uint8)
                picture[8:32, 4 * i % size[1] : 4 * i % size[1] + 24] = (220, 30, 60)
                picture[40:60, 10:30] = (30, 200, 50)
                frame = av.VideoFrame.from_ndarray(picture)
                frame.pts, frame.time_base = time, unit
                container.mux(stream.encode(frame))
                pictures.append(picture)
            container.mux(stream.encode())
            for start in range(0, 19200, 960) if voice else ():
                wave = np.sin(np.arange(start, start + 960, dtype="float32") / 20)[np.newaxis]
                wave = wave if voice.format.name == "fltp" else (wave * 20000).astype("int16")
                frame = av.AudioFrame.from_ndarray(wave, format=voice.format.name, layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 48000, start, fractions.Fraction(1, 48000)
                container.mux(voice.encode(frame))
            if voice:
                container.mux(voice.encode())
        return pictures

    return draw


@pytest.fixture(scope="session")
def decode_video():
    """Returns a function that lists the frames of a video as PyAV decodes them: times in seconds, and pixels."""
    import av

    def decode(path, pixels="rgb24"):
        with av.open(str(path)) as container:
            return [(frame.time, frame.to_ndarray(format=pixels)) for frame in container.decode(video=0)]

    return decode


@pytest.fixture(scope="session")
def start_browser(tmp_path_factory):
    """Starts headless Chromium with further flags; its console and requests are logged."""
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        pytest.fail('These tests need selenium. It is not installed. Run `pip install -e ".[browser]"`.')
    browser, control = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not control:
        pytest.fail(
            f"These tests need Chromium and its driver. Found chromium={browser}, chromedriver={control}. Run "
            "`apt-get install -y chromium chromium-driver`."
        )

    @contextlib.contextmanager
    def start_browser(*flags):
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        for flag in (*BROWSER_FLAGS, *flags, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(control))
        try:
            yield driver
        finally:
            driver.quit()

    return start_browser


@pytest.fixture(scope="session")
def driver(start_browser):
    """Headless Chromium without a GPU."""
    with start_browser("--disable-gpu") as driver:
        yield driver

"""The commands that write files, on data so small that each of them takes a second or two."""

import dataclasses
import json
import pathlib
import shutil

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "seg_w18_small_v2.json"


@dataclasses.dataclass(frozen=True)
class Writer:
    """A command that writes: one entry of `WRITERS`.

    Args:
        command: the arguments of the command; `{made}` is the folder that `make` filled, `{out}` the folder whose files
            are watched, and `{beside}` a folder that is emptied before each trial.
        earlier: the arguments of a command that writes other contents to the same files. With None, the command is
            tried only without earlier files.
        again: arguments to add when the command is run after a kill.
        is_resumed: whether the files after a kill may differ from the final ones, because the next run resumes.
        warns: whether the command warns of a full disk and continues.
    """

    command: str
    earlier: str | None = None
    again: str = ""
    is_resumed: bool = False
    warns: bool = False


TRAINING = (
    "train --network {made}/net.keras --data {made}/streets --recipe fine_tuning --set epochs=2 --set batch_size=2 "
    "--set norm_batches=0 --set repeats=1 --set crop_size=32x64 --save-minutes 0"
)
PREDICTION = "predict {made}/net.keras"

WRITERS = {
    "train": Writer(TRAINING + " --run-dir {out}/run", is_resumed=True, warns=True),
    "train --stop-on-full-disk": Writer(TRAINING + " --run-dir {out}/run --stop-on-full-disk", is_resumed=True),
    "train --cache (the cache)": Writer(TRAINING + " --run-dir {beside}/run --cache {out}"),
    "predict (photos)": Writer(
        PREDICTION + " {made}/photos --output {out}/results",
        earlier=PREDICTION + " {made}/photos --output {out}/results --show color",
    ),
    "predict --resume": Writer(PREDICTION + " {made}/photos --output {out}/results", again=" --resume"),
    "predict (a video)": Writer(
        PREDICTION + " {made}/video.mp4 --output {out}/video.mp4",
        earlier=PREDICTION + " {made}/video.mp4 --output {out}/video.mp4 --show color",
    ),
    "predict --submission": Writer(
        PREDICTION + " {made}/streets --submission {out}/submission.zip --split val --partial",
        earlier="predict {made}/other.keras {made}/streets --submission {out}/submission.zip --split val --partial",
    ),
    "evaluate --html --json": Writer(
        "evaluate {made}/net.keras --data {made}/streets --html {out}/report.html --json {out}/report.json",
        earlier="evaluate {made}/other.keras --data {made}/streets --html {out}/report.html --json {out}/report.json",
    ),
    "export (.tflite)": Writer(
        "export {made}/net.keras {out}/net.tflite --size 64x128",
        earlier="export {made}/other.keras {out}/net.tflite --size 64x128",
    ),
    "export (.onnx)": Writer(
        "export {made}/net.keras {out}/net.onnx", earlier="export {made}/other.keras {out}/net.onnx"
    ),
    "export (SavedModel)": Writer("export {made}/net.keras {out}/net", earlier="export {made}/other.keras {out}/net"),
    "export --web": Writer(
        "export {made}/net.keras {out}/page --size 64x128 --web --runtime {made}/runtime",
        earlier="export {made}/other.keras {out}/page --size 64x128 --web --runtime {made}/runtime",
    ),
    "export (.xml)": Writer("export {made}/net.keras {out}/net.xml", earlier="export {made}/other.keras {out}/net.xml"),
    "export (.keras)": Writer(
        "export {made}/net.keras {out}/lean.keras", earlier="export {made}/other.keras {out}/lean.keras"
    ),
    "convert": Writer(
        "convert {made}/published.safetensors {out}/converted.keras --align-corners --overwrite",
        earlier="convert {made}/published.safetensors {out}/converted.keras --no-align-corners --overwrite",
    ),
    "data pack": Writer("data pack {made}/large {out}/packed --split train --shard-size 1", is_resumed=True),
    "data synthesize": Writer("data synthesize {out}/streets --train 6 --val 2 --test 1 --size 64x128"),
}


def make(folder: pathlib.Path) -> None:
    """Makes the inputs of the commands: streets, photos, a video, networks, a published file, and a page's runtime."""
    from keras_hrnet.data import synthesize

    synthesize(folder / "streets", num_train=6, num_val=3, num_test=1, size=(64, 128))
    synthesize(folder / "large", num_train=6, num_val=1, num_test=0, size=(512, 1024))
    (folder / "photos" / "more").mkdir(parents=True)
    for number, path in enumerate(sorted((folder / "streets" / "leftImg8bit").rglob("*.png"))[:8]):
        shutil.copy(path, folder / "photos" / ("more" if number % 2 else ".") / f"{number}.png")
    _make_video(folder / "video.mp4", sorted((folder / "streets" / "leftImg8bit").rglob("*.png")))
    for number, name in enumerate(("net", "other")):
        _make_network(folder / f"{name}.keras", number)
    _make_published(folder / "published.safetensors")
    from keras_hrnet.export.web.packages import LITERT
    from keras_hrnet.export.web.runtime import find_runtime, runtime_cache

    find_runtime(LITERT)  # npm downloads it once.
    (folder / "runtime").mkdir()
    for package in LITERT.packages:
        shutil.copy(runtime_cache(LITERT) / package.archive, folder / "runtime")


def _make_network(path, seed):
    import keras

    from keras_hrnet.data_sets.cityscapes import CITYSCAPES
    from keras_hrnet.layers import ConvNorm
    from keras_hrnet.models.network import Network

    keras.utils.set_random_seed(seed)
    image = keras.Input((None, None, 3))
    x = ConvNorm(16, 3, name="conv_norm")(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Conv2D(64, 3, padding="same", name="wide")(x)
    output = keras.layers.Conv2D(len(CITYSCAPES.classes.names), 1, name="last_layer_0")(x)
    network = Network(image, output, name="small")
    network.classes = CITYSCAPES.classes
    network.save(path)


def _make_video(path, pictures):
    import av
    import numpy as np
    import PIL.Image

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        for number in range(24):
            picture = np.asarray(PIL.Image.open(pictures[number % len(pictures)]).convert("RGB"))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def _make_published(path):
    import numpy as np
    import safetensors.numpy

    from tests.conftest import golden_weights

    weights = golden_weights(json.loads(GOLDEN.read_text())["keys"])
    safetensors.numpy.save_file({key: np.ascontiguousarray(value) for key, value in weights.items()}, path)

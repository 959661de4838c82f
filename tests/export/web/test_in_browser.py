"""The page as Chromium runs it: the same pixels, logits and labels as Python, from its folder alone."""

import base64
import contextlib
import importlib.util
import json
import pathlib
import threading
import time

import numpy as np
import PIL
import pytest
from PIL import Image

import keras_hrnet
from keras_hrnet.cli.web_server import address_of, web_server
from keras_hrnet.export.formats import open_runner
from keras_hrnet.export.web.packages import RUNTIMES
from keras_hrnet.export.web.runtime import find_runtime

pytestmark = [pytest.mark.once, pytest.mark.browser]

SIZE = (64, 128)
EVIL = "<img src=x onerror=document.title='run'> " + 60 * "x"
SEGMENT = pathlib.Path(__file__).parents[3] / "examples" / "on_device" / "segment.py"
SECONDS = 90  # A busy machine takes a minute to compile WebAssembly.
# What the worker reads of a picture, and answers.
ASK = """
const [png, done] = arguments;
const blob = new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))], {type: "image/png"});
createImageBitmap(blob, {colorSpaceConversion: "none"})
  .then((bitmap) => engine.ask("segment", {bitmap, keepsAnswer: true}, [bitmap]))
  .then(({pixels, values}) => done([[...pixels], [...values]]), (error) => done(String(error)));
"""
RESIZE = """
const [png, height, width, channels, done] = arguments;
const blob = new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))], {type: "image/png"});
createImageBitmap(blob, {colorSpaceConversion: "none"}).then((bitmap) => {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", {willReadFrequently: true});
  context.drawImage(bitmap, 0, 0);
  const read = (top, rows) => context.getImageData(0, top, bitmap.width, rows).data;
  const resized = resizePhoto(read, {height: bitmap.height, width: bitmap.width}, {height, width}, channels);
  done([[...resized], [...nearestPixels(height, bitmap.height)], [...nearestPixels(width, bitmap.width)]]);
});
"""
MASK = """
const {data, height, width} = maskCanvas.getContext("2d").getImageData(0, 0, maskCanvas.width, maskCanvas.height);
let text = "";
for (const value of data) text += String.fromCharCode(value);
return [btoa(text), height, width];
"""


@pytest.fixture(scope="module")
def runtime():
    try:
        for kind in RUNTIMES:
            find_runtime(kind)
    except (OSError, ValueError) as error:
        pytest.fail(f"These tests need the runtimes of pages. {error}")


@pytest.fixture(scope="module")
def pages(runtime, small_network, tmp_path_factory):
    """Pages in float32 with the names of Cityscapes, for each runtime, and one in int8 whose names hold markup."""
    folder = tmp_path_factory.mktemp("pages")
    network = small_network(19, name="Streets")
    network.classes = "cityscapes"
    images = np.stack([smooth(seed, *SIZE) for seed in range(8)])
    keras_hrnet.export_web(network, folder / "float32", image_size=SIZE)
    keras_hrnet.export_web(network, folder / "onnx", image_size=SIZE, file_format="onnx")
    keras_hrnet.export_web(
        network,
        folder / "int8",
        image_size=SIZE,
        precision="int8",
        representative_data=images,
        class_names=[f"{i} {EVIL}" for i in range(19)],
    )
    return folder


def smooth(seed, height, width):
    """A picture of soft blobs, uint8, on which labels are not noise."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype="uint8")
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def gpu_driver(start_browser):
    """Chromium with a GPU that the processor emulates."""
    with start_browser("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader") as driver:
        yield driver


@pytest.fixture
def open_page(driver, pages):
    with opening(driver, pages) as open_page:
        yield open_page


@pytest.fixture
def open_page_with_gpu(gpu_driver, pages):
    with opening(gpu_driver, pages) as open_page:
        yield open_page


@contextlib.contextmanager
def opening(driver, pages):
    """Yields a function that serves a page and opens it, light and 1280 pixels wide, until it is ready."""
    servers = []

    def open_page(name="float32", isolated=True, theme="light", width=1280):
        server = web_server(pages / name, isolated=isolated)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        features = [{"name": "prefers-color-scheme", "value": theme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.set_script_timeout(SECONDS)
        driver.get("about:blank")
        driver.get_log("browser")
        driver.get_log("performance")
        driver.get(address_of(server))
        wait_for(driver, "Ready.")
        return driver

    yield open_page
    driver.get("about:blank")
    for server in servers:
        server.shutdown()
        server.server_close()


def text_of(driver, name):
    return driver.execute_script("return document.getElementById(arguments[0]).textContent", name)


def wait_for(driver, words, name="status"):
    """Waits until an element holds words, and returns all that it holds."""
    end = time.monotonic() + SECONDS
    while words not in (found := text_of(driver, name)):
        error = text_of(driver, "error")
        assert name == "error" or not error, error
        assert time.monotonic() < end, f"{name} has {found!r}, and not {words!r}, after {SECONDS} s."
        time.sleep(0.05)
    return found


def png(image):
    return base64.b64encode(image._repr_png_()).decode()


def drop(driver, path):
    """Drops a file on the photo, as the mouse does."""
    box = driver.execute_script("return document.getElementById('frame').getBoundingClientRect().toJSON()")
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "data": data}
    for kind in ("dragEnter", "dragOver", "drop"):
        driver.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, **where})


def mask_of(driver):
    """The pixels of the mask, uint8 (height, width, 4)."""
    data, height, width = driver.execute_script(MASK)
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)


def requests_of(driver):
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}


def press(driver, *keys):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    ActionChains(driver, duration=0).send_keys(*(getattr(Keys, key) for key in keys)).perform()


@pytest.mark.parametrize("name", ["float32", "int8", "onnx"])
def test_pixels_and_logits_are_those_of_the_native_runner(open_page, pages, name):
    page = open_page(name)
    photo = Image.fromarray(smooth(99, 150, 210))
    pixels, values = page.execute_async_script(ASK, png(photo))
    expected = np.asarray(photo.resize(SIZE[::-1], Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(np.array(pixels, np.uint8).reshape(expected.shape), expected)
    logits = open_runner(pages / name, 1)(expected[np.newaxis])
    found = np.array(values, np.float32).reshape(logits.shape)
    assert np.ptp(logits) > 0.1
    if name == "int8":
        np.testing.assert_array_equal(found, logits)
    else:
        # Measured 2e-6 for the demo's network with LiteRT.js, and 4e-7 with ONNX Runtime Web.
        assert abs(found - logits).max() <= 1e-5 * abs(logits).max()


@pytest.mark.parametrize("name", ["float32", "int8", "onnx"])
def test_logits_of_webgpu_are_close_to_those_of_the_native_runner(open_page_with_gpu, pages, name, tmp_path):
    page = open_page_with_gpu(name)
    page.find_element("id", "webgpu").click()
    wait_for(page, "Ready.")
    photo = Image.fromarray(smooth(99, 150, 210))
    pixels, values = page.execute_async_script(ASK, png(photo))
    logits = open_runner(pages / name, 1)(np.array(pixels, np.uint8).reshape(1, *SIZE, 3))
    found = np.array(values, np.float32).reshape(logits.shape)
    # Measured 3e-7, 4e-7 with ONNX Runtime Web, and 7e-3 for int8, which WebGPU computes in floats.
    assert abs(found - logits).max() <= (7e-2 if name == "int8" else 1e-5) * abs(logits).max()
    assert (found.argmax(-1) == logits.argmax(-1)).mean() >= 0.99
    photo.save(tmp_path / "a.png")
    page.find_element("id", "file").send_keys(str(tmp_path / "a.png"))
    wait_for(page, "WebGPU", "runs")
    assert page.get_log("browser") == []


@pytest.mark.parametrize(
    ("photo", "wanted"),
    [
        ((53, 37), (24, 16)),
        ((24, 16), (53, 37)),
        ((64, 300), (64, 32)),
        ((300, 64), (32, 64)),  # The width stays, and more rows are read than at once.
        ((41, 97), (97, 41)),
        ((1, 1), (5, 3)),
        ((480, 640), (64, 128)),
        pytest.param(
            (100, 40),
            (64, 64),
            marks=pytest.mark.skipif(
                int(PIL.__version__.split(".")[0]) < 13,
                reason="before version 13, Pillow resizes the width first in this case",
            ),
        ),
    ],
    ids=str,
)
def test_the_page_resizes_as_pillow_does_to_the_bit(driver, open_page, photo, wanted):
    if "localhost" not in driver.current_url:
        open_page()
    pixels = np.random.default_rng(0).integers(0, 256, (*photo, 3), dtype="uint8")
    labels = np.random.default_rng(1).integers(0, 19, wanted, dtype="int32")
    picture = Image.fromarray(pixels)
    for mode, channels in (("RGB", 3), ("L", 1)):
        found, rows, columns = driver.execute_async_script(RESIZE, png(picture), *wanted, channels)
        expected = np.asarray(picture.convert(mode).resize(wanted[::-1], Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(np.array(found, np.uint8), expected.ravel())
        enlarged = Image.fromarray(labels).resize(photo[::-1], Image.Resampling.NEAREST)
        np.testing.assert_array_equal(labels[np.ix_(rows, columns)], np.asarray(enlarged))


def test_a_photo_that_is_dropped_gets_the_labels_of_segment_py_and_nothing_else_happens(open_page, pages, tmp_path):
    page = open_page()
    address = page.current_url
    Image.fromarray(smooth(5, 170, 230)).save(tmp_path / "street.png")
    drop(page, tmp_path / "street.png")
    status = wait_for(page, "mostly")
    assert status.startswith("street.png: ")
    spec = importlib.util.spec_from_file_location("segment", SEGMENT)
    segment = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(segment)
    file = pages / "float32" / "model.tflite"
    labels, _ = segment.Segmenter(file, 1, "cpu")(Image.open(tmp_path / "street.png"))
    metadata = segment.read_metadata(file)
    mask = mask_of(page)
    np.testing.assert_array_equal(mask[..., :3], np.array(metadata["colors"], np.uint8)[labels])
    assert (mask[..., 3] == 255).all()
    words = "(row) => ['.name', '.share'].map((part) => row.querySelector(part).textContent)"
    rows = page.execute_script(f"return [...document.getElementById('legend').children].map({words})")
    ids, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    assert len(ids) > 1
    assert [name for name, _ in rows] == [metadata["class_names"][i] for i in ids[order]]
    assert rows[0][1] == f"{100 * counts.max() / labels.size:.1f} %"
    assert_quiet(page, address)


def test_an_onnx_page_gives_a_photo_the_labels_of_onnx_runtime_and_nothing_else_happens(open_page, pages, tmp_path):
    page = open_page("onnx")
    address = page.current_url
    photo = Image.fromarray(smooth(5, 170, 230))
    photo.save(tmp_path / "street.png")
    drop(page, tmp_path / "street.png")
    wait_for(page, "mostly")
    resized = np.asarray(photo.resize(SIZE[::-1], Image.Resampling.BILINEAR))
    labels = open_runner(pages / "onnx", 1)(resized[np.newaxis])[0].argmax(-1).astype("uint8")
    labels = np.asarray(Image.fromarray(labels).resize(photo.size, Image.Resampling.NEAREST))
    colors = np.array(keras_hrnet.read_metadata(pages / "onnx")["colors"], np.uint8)
    np.testing.assert_array_equal(mask_of(page)[..., :3], colors[labels])
    assert len(np.unique(labels)) > 1
    assert "ONNX Runtime Web 1.30.0" in text_of(page, "about")
    assert_quiet(page, address)


def assert_quiet(page, address):
    """Checks that the console is empty, where runtimes write notices as errors, and that only the page was loaded."""
    assert page.get_log("browser") == []
    assert {url for url in requests_of(page) if not url.startswith((address, "blob:", "about:"))} == set()


def test_neither_the_page_nor_its_worker_can_reach_another_host(open_page):
    page = open_page()
    worker = """
    const done = arguments[0];
    const source = `addEventListener("securitypolicyviolation", (event) => postMessage(event.effectiveDirective));
      fetch("https://example.org/").catch(() => {});`;
    const worker = new Worker(URL.createObjectURL(new Blob([source], {type: "text/javascript"})));
    worker.onmessage = ({data}) => done(data);
    """
    assert page.execute_async_script(worker) == "connect-src"
    image = """
    const done = arguments[0];
    document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective), {once: true});
    document.body.append(Object.assign(new Image(), {src: "https://example.org/picture.png"}));
    """
    assert page.execute_async_script(image) == "img-src"
    page.get_log("browser")


@pytest.mark.parametrize("name", ["float32", "onnx"])
def test_threads_are_used_where_the_server_isolates_the_page_and_one_without(open_page, name):
    page = open_page(name)
    cores = page.execute_script("return navigator.hardwareConcurrency")
    assert text_of(page, "threads").endswith(f"{cores} threads" if cores > 1 else "one thread")
    page = open_page(name, isolated=False)
    assert "one thread, because the server does not isolate the page" in text_of(page, "threads")
    assert page.get_log("browser") == []


def test_names_with_markup_are_text_and_all_fits_on_a_narrow_screen(open_page, tmp_path):
    page = open_page("int8", theme="dark", width=360)
    Image.fromarray(smooth(6, 300, 150)).save(tmp_path / f"{40 * 'long '}.png")
    drop(page, next(tmp_path.iterdir()))
    wait_for(page, "mostly")
    assert EVIL in text_of(page, "legend")
    assert page.title == "Streets"
    assert page.execute_script("return document.documentElement.scrollWidth <= 360")
    # The page says that WebGPU computes otherwise, of a file of integers only.
    assert page.execute_script("return document.getElementById('arithmetic').checkVisibility()")
    assert page.get_log("browser") == []


def test_all_is_reached_and_used_by_keyboard(open_page, tmp_path):
    page = open_page()
    assert not page.execute_script("return document.getElementById('arithmetic').checkVisibility()")
    Image.fromarray(smooth(7, 60, 100)).save(tmp_path / "a.png")
    page.find_element("id", "file").send_keys(str(tmp_path / "a.png"))
    wait_for(page, "mostly")
    usable = """
    window.usable = [...document.querySelectorAll("a[href], button, summary, input:not([type=radio]), input:checked")]
      .filter((element) => element.checkVisibility() && !element.disabled);
    return usable.map((element) => element.id || element.className || element.tagName);
    """
    where = """
    const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement);
    return [usable.indexOf(document.activeElement), outlineStyle === "solid" && parseFloat(outlineWidth) >= 2];
    """
    names = page.execute_script(usable)
    reached = []
    for _ in names:
        press(page, "TAB")
        index, is_seen = page.execute_script(where)
        assert is_seen and index >= 0
        reached.append(names[index])
    assert reached == names
    assert {"choose", "camera", "again", "save", "opacity", "theme"} <= set(names)
    page.execute_script("document.getElementById('opacity').focus()")
    press(page, "ARROW_RIGHT", "ARROW_RIGHT")
    assert page.execute_script("return maskCanvas.style.opacity") == "0.62"
    page.execute_script("document.querySelector('#legend button').focus()")
    press(page, "SPACE")
    mask = mask_of(page)
    assert (mask[..., 3] == 0).any() and not (mask[..., 3] == 0).all()
    page.execute_script("document.getElementById('show-all').focus()")
    press(page, "ENTER")
    assert (mask_of(page)[..., 3] == 255).all()
    page.execute_script("document.getElementById('again').focus()")
    press(page, "ENTER")
    wait_for(page, "2. a.png", "runs")


def test_the_camera_runs_on_request_and_stops(open_page):
    page = open_page()
    assert page.execute_script("return stream === null")
    page.find_element("id", "camera").click()
    wait_for(page, "pictures per second", "rate")
    assert (mask_of(page)[..., 3] == 255).all()
    page.find_element("id", "camera").click()
    wait_for(page, "The camera is off.")
    assert page.execute_script("return stream === null && !video.srcObject")


def test_a_file_that_is_no_picture_and_a_browser_without_a_gpu_are_said(open_page, tmp_path):
    page = open_page()
    (tmp_path / "notes.txt").write_text("no picture")
    drop(page, tmp_path / "notes.txt")
    assert "cannot read notes.txt as a picture. Choose a JPEG" in wait_for(page, "notes.txt", "error")
    page.find_element("id", "webgpu").click()
    assert "The page runs on WebAssembly again." in wait_for(page, "WebGPU cannot be used here", "error")
    assert page.execute_script("return document.getElementById('wasm').checked")
    # Chromium itself says so; the page adds nothing.
    assert {entry["message"].partition(" - ")[2] for entry in page.get_log("browser")} <= {"No available adapters."}

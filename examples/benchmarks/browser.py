"""Compares the times of exported files in a browser's WebAssembly and natively, each on one thread of one machine.

Command:  python examples/benchmarks/browser.py w18_small.tflite w18_small_int8.tflite w18_small.onnx --rounds 15
Hardware: a CPU with two cores; Chromium and its driver, and `pip install -e ".[browser,export]"`.
Result:   see "A web page" in examples/export.md.

A page is made of each file: LiteRT.js runs a `.tflite` file, and ONNX Runtime Web an ONNX file. All files take turns,
in Chromium and natively (LiteRT, ONNX Runtime), so that other load on the machine slows all of them in the same way.
The table shows medians, and the median of the ratios. All runs are timed from pixels to logits. "First load" is the
time from opening the page, with an empty cache, until the network is ready.
"""

import argparse
import base64
import contextlib
import io
import pathlib
import shutil
import statistics
import tempfile
import threading
import time

import numpy as np
from PIL import Image

from keras_hrnet.cli.web_server import address_of, web_server
from keras_hrnet.export import write_web_page
from keras_hrnet.export.formats import open_runner

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
STEP = 13  # Only one of this many logits is compared, because it would take minutes to transfer all of them.
RUN = """
const [png, step, done] = arguments;
const blob = new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))], {type: "image/png"});
createImageBitmap(blob, {colorSpaceConversion: "none"})
  .then((bitmap) => engine.ask("segment", {bitmap, keepsAnswer: step > 0}, [bitmap]))
  .then(({times, values}) => done([times, step ? [...values.filter((_, i) => i % step === 0)] : []]));
"""
STATE = "return [document.getElementById('status').textContent, document.getElementById('error').textContent]"


def main():
    parser = argparse.ArgumentParser(description="Compares exported files in a browser and natively, on one thread.")
    parser.add_argument("files", type=pathlib.Path, nargs="+", help="`.tflite` and `.onnx` files of keras_hrnet")
    parser.add_argument("--rounds", type=int, default=15, help="number of runs of each file")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(opened(file)) for file in options.files]
        for _ in range(options.rounds):
            for file in files:
                file.measure()
    print("| file | MB | first load, s | browser, ms | native, ms | ratio | difference | resizing, ms |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for file in files:
        print(file.row())


class File:
    """A file, its page in a browser, and the times of both.

    Args:
        path: the file.
        driver: a browser that shows the page.
        load: time that it took to open the page, in seconds.
    """

    def __init__(self, path, driver, load):
        self.path, self.driver, self.load = path, driver, load
        self.native = open_runner(path, 1)
        photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype="uint8"))
        self.scaled = np.asarray(photo.resize(self.native.image_size[::-1], Image.Resampling.BILINEAR))[np.newaxis]
        stream = io.BytesIO()
        photo.save(stream, "png")
        self.png = base64.b64encode(stream.getvalue()).decode()
        _, values = driver.execute_async_script(RUN, self.png, STEP)
        expected = self.native(self.scaled)
        difference = abs(np.array(values, np.float32) - expected.ravel()[::STEP]).max()
        self.difference = difference / abs(expected).max()
        self.times = []

    def measure(self):
        """Runs the file once natively, and once in the browser."""
        start = time.perf_counter()
        self.native(self.scaled)
        native = 1000 * (time.perf_counter() - start)
        times = self.driver.execute_async_script(RUN, self.png, 0)[0]
        self.times.append((times["network"], native, times["network"] / native, times["resize"]))

    def row(self):
        """Returns the row of the table."""
        page, native, ratio, resizing = map(statistics.median, zip(*self.times, strict=True))
        size = self.path.stat().st_size / 1e6
        return (
            f"| {self.path.name} | {size:.1f} | {self.load:.1f} | {page:.0f} | {native:.0f} | {ratio:.2f} | "
            f"{self.difference:.1e} | {resizing:.0f} |"
        )


@contextlib.contextmanager
def opened(path):
    """Writes the page of a file, and opens it in a browser of its own."""
    with tempfile.TemporaryDirectory() as folder:
        page = write_web_page(path, pathlib.Path(folder, "web"))
        with web_server(page, isolated=False) as server, browser(folder) as driver:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield File(path, driver, load_seconds(driver, address_of(server)))
            server.shutdown()


def browser(folder):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, f"--user-data-dir={folder}/profile"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(300)
    return driver


def load_seconds(driver, address):
    start = time.perf_counter()
    driver.get(address)
    while (state := driver.execute_script(STATE))[0] != "Ready.":
        if state[1]:
            raise SystemExit(state[1])
        time.sleep(0.02)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

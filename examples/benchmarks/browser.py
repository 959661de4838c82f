"""Compares the times of `.tflite` files in a browser's WebAssembly and in LiteRT, each on one thread of one machine.

Command:  python examples/benchmarks/browser.py w18_small.tflite w18_small_int8.tflite --rounds 15
Hardware: a CPU with two cores; Chromium and its driver, and `pip install -e ".[browser]"`.
Result:   see "A web page" in examples/export.md.

A page is made of each file. Runs in Chromium and in LiteRT alternate, so that other load on the machine slows both in
the same way. The table shows medians, and the median of the ratios. Both are timed from pixels to logits. "First load"
is the time from opening the page, with an empty cache, until the network is ready.
"""

import argparse
import base64
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
from keras_hrnet.export.litert import TFLiteModel

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
    parser = argparse.ArgumentParser(description="Compares .tflite files in a browser and in LiteRT, on one thread.")
    parser.add_argument("files", type=pathlib.Path, nargs="+", help="`.tflite` files of keras_hrnet")
    parser.add_argument("--rounds", type=int, default=15, help="number of runs of each file")
    options = parser.parse_args()
    print("| file | MB | first load, s | browser, ms | LiteRT, ms | ratio | difference | resizing, ms |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for file in options.files:
        print(f"| {file.name} | {file.stat().st_size / 1e6:.1f} | {measured(file, options.rounds)} |", flush=True)


def measured(file, rounds):
    native = TFLiteModel(file, 1)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype="uint8"))
    scaled = np.asarray(photo.resize(native.image_size[::-1], Image.Resampling.BILINEAR))[np.newaxis]
    stream = io.BytesIO()
    photo.save(stream, "png")
    png = base64.b64encode(stream.getvalue()).decode()
    with tempfile.TemporaryDirectory() as folder:
        page = write_web_page(file, pathlib.Path(folder, "web"))
        with web_server(page, isolated=False) as server, browser(folder) as driver:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            load = opened(driver, address_of(server))
            _, values = driver.execute_async_script(RUN, png, STEP)
            expected = native(scaled)
            difference = abs(np.array(values, np.float32) - expected.ravel()[::STEP]).max()
            times = []
            for _ in range(rounds):
                start = time.perf_counter()
                native(scaled)
                alone = 1000 * (time.perf_counter() - start)
                times.append((driver.execute_async_script(RUN, png, 0)[0], alone))
            server.shutdown()
    page, alone = (statistics.median(column) for column in zip(*((x["network"], y) for x, y in times), strict=True))
    ratio = statistics.median(x["network"] / y for x, y in times)
    resizing = statistics.median(x["resize"] for x, _ in times)
    relative = difference / abs(expected).max()
    return f"{load:.1f} | {page:.0f} | {alone:.0f} | {ratio:.2f} | {relative:.1e} | {resizing:.0f}"


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


def opened(driver, address):
    start = time.perf_counter()
    driver.get(address)
    while (state := driver.execute_script(STATE))[0] != "Ready.":
        if state[1]:
            raise SystemExit(state[1])
        time.sleep(0.02)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

"""Measures the time until a network answers: importing the package, building the network, and its first call.

Command:  git clone https://github.com/HRNet/HRNet-Semantic-Segmentation ../reference
          python examples/benchmarks/startup.py --network HRNetW48 --reference ../reference
Hardware: any CPU; compare ratios instead of seconds.
Result:   see examples/benchmarks/README.md.

Each start has its own process. The contenders start in alternation, and medians are shown. "import" is the time of
importing this package after Keras and its backend. "first" and "second" are calls on one image. With "cache", JAX keeps
compiled programs in a folder, which an additional first start has filled.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

KINDS = ("Keras", "optimized")
# Keeps all programs; by default, JAX keeps only programs that take at least a second to compile.
CACHE = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}


def main():
    parser = argparse.ArgumentParser(description="Times the start of a network.")
    parser.add_argument("--network", default="HRNetW48")
    parser.add_argument("--size", type=int, nargs=2, default=(512, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--backends", nargs="+", default=("tensorflow", "torch", "jax"))
    parser.add_argument("--contenders", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--reference", default="", help="a checkout of HRNet-Semantic-Segmentation")
    parser.add_argument("--rounds", type=int, default=3, help="number of starts of each contender")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(**json.loads(options.worker))))
        return
    with tempfile.TemporaryDirectory() as folder:
        show(options, measure_in_turn(options, folder))


def measure_in_turn(options, folder):
    """Returns lists of times by contender, backend, and whether compiled programs are kept."""
    names = [("published", "torch", False)] if options.reference else []
    for backend in options.backends:
        names += [(contender, backend, False) for contender in options.contenders]
        if backend == "jax":
            names += [(contender, backend, True) for contender in options.contenders]
    for name in names:
        if name[-1]:
            start(*name, options, folder)
    told = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            told[name].append(start(*name, options, folder))
    return told


def start(contender, backend, is_cached, options, folder):
    worker = {
        "contender": contender,
        "network": options.network,
        "size": options.size,
        "reference": options.reference,
    }
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    if is_cached:
        environment.update(CACHE, JAX_COMPILATION_CACHE_DIR=str(pathlib.Path(folder, contender)))
    command = [sys.executable, __file__, "--worker", json.dumps(worker)]
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def measure(contender, network, size, reference):
    """Starts one network in this process, and returns the seconds of each part."""
    import speed_worker

    options = {"task": "inference", "dtype": "float32", "threads": os.cpu_count(), "gpu": False}
    options |= {"network": network, "reference": reference}
    prepare, build, infer = speed_worker.CONTENDERS[contender](options)
    if contender != "published":
        import keras  # noqa: F401 (imported before the measurement)
    begin = time.perf_counter()
    prepare()
    imported = time.perf_counter()
    model = build()
    built = time.perf_counter()
    calls = []

    def steps():
        for _ in range(2):
            begin = time.perf_counter()
            yield
            calls.append(time.perf_counter() - begin)

    images = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    infer(model, images, np.zeros((1, *size), np.uint8), steps())
    return {"import": imported - begin, "build": built - imported, "first": calls[0], "second": calls[1]}


def show(options, told):
    print(f"{options.network}, {options.size[0]}x{options.size[1]}, median of {options.rounds}")
    print("| | backend | import, s | build, s | of published | first, s | second, s |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    published = told.get(("published", "torch", False))
    for (contender, backend, is_cached), starts in told.items():
        median = {part: statistics.median(seconds[part] for seconds in starts) for part in starts[0]}
        share = ""
        if published:
            share = statistics.median(a["build"] / b["build"] for a, b in zip(starts, published, strict=True))
            share = f"{share:.2f}"
        imported = "" if contender == "published" else f"{median['import']:.2f}"
        print(
            f"| {contender} | {backend}{', cache' if is_cached else ''} | {imported} | {median['build']:.2f} | {share} "
            f"| {median['first']:.1f} | {median['second']:.2f} |"
        )


if __name__ == "__main__":
    main()

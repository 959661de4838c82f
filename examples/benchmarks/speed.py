"""Compares the speed of the networks, on each backend and as exported files, with the published PyTorch code.

Command:  git clone https://github.com/HRNet/HRNet-Semantic-Segmentation ../reference   (branch HRNet-OCR)
          python examples/benchmarks/speed.py inference training --reference ../reference --files
          python examples/benchmarks/speed.py inference training --reference ../reference --gpu --network HRNetW48
              --size 512 1024 --batch 12 --dtype mixed_bfloat16
          python examples/benchmarks/speed.py inference training --reference ../relatives --network HRFormerSmall
Hardware: a CPU with two cores and 12 GB. The line with --gpu requires a GPU with 100 GB, or a smaller batch.
Result:   see examples/benchmarks/README.md.

Each contender has its own process. They run in alternation, one step each (on a GPU, ten steps each), so that other
load slows all of them in the same way, and medians are shown. "Of published" is the median, over the rounds, of the
ratio to the published code with channels_last memory, which is compiled by `torch.compile` on a GPU.
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

YARDSTICK = ("published, channels_last", "torch")
GPU_YARDSTICK = ("published, compiled", "torch")
GPU_STEPS = 10
NUM_OPERATORS = 6
BACKENDS = ("tensorflow", "torch", "jax")
FILES = ("SavedModel", "ONNX Runtime", "OpenVINO", "LiteRT float32", "LiteRT int8")


def main():
    parser = argparse.ArgumentParser(description="Compares the speed of the networks with the published code.")
    parser.add_argument("tasks", nargs="+", choices=("inference", "training"))
    parser.add_argument("--reference", required=True, help="folder of the published code; see published.py")
    parser.add_argument("--network", default="HRNetW18SmallV2")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="size of the images; by default 512x1024, or 256x512 for training",
    )
    parser.add_argument("--batch", type=int, help="number of images in a batch; by default 1, or 2 for training")
    parser.add_argument(
        "--dtype", default="float32", help="a dtype policy; if not float32, the published code runs with AMP"
    )
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--rounds", type=int, default=9, help="number of rounds")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="number of threads")
    parser.add_argument(
        "--cpu-seconds", action="store_true", help="measure processor time, for machines that do other work"
    )
    parser.add_argument("--files", action="store_true", help="also measure exported files")
    parser.add_argument("--gpu", action="store_true", help="measure JAX and PyTorch on a GPU, with torch.compile")
    parser.add_argument("--profile", action="store_true", help="show the operators that take the time of a step")
    parser.add_argument(
        "--plot", type=pathlib.Path, help="picture file to write; its name is extended by the task: NAME-inference.png"
    )
    parser.add_argument("--out", type=pathlib.Path, help="JSON file to which results are added")
    options = parser.parse_args()
    for task in options.tasks:
        with tempfile.TemporaryDirectory() as folder:
            measured, peak = measure(task, options, folder)
        show(task, options, measured, peak)
        if options.profile:
            show_operators(measured)
        if options.plot:
            plot(measured, task, options)
        if options.out:
            known = json.loads(options.out.read_text()) if options.out.exists() else {}
            rows = [[*name, values] for name, values in measured.items()]
            known[f"{task} {options.network}"] = {"peak": peak, "rows": rows}
            options.out.write_text(json.dumps(known, indent=2) + "\n")


def contenders(task, options):
    """Returns pairs of contender and backend."""
    found = [("published", "torch"), YARDSTICK]
    if options.gpu:
        found.append(GPU_YARDSTICK)
    for backend in options.backends:
        if options.gpu and backend == "tensorflow":
            continue
        found.append(("Keras", backend))
        if task == "inference":
            found.append(("optimized", backend))
    if task == "inference" and options.files:
        found += [(name, "tensorflow") for name in files(options)]
    return found


def files(options):
    """Returns the formats of exported files. Only OpenVINO computes a float32 network in bfloat16."""
    return FILES if options.dtype == "float32" else ("OpenVINO",)


def measure(task, options, folder):
    """Returns the seconds and bytes of each contender and backend, and the operations per second of the peak."""
    if task == "inference" and options.files:
        export(options, folder)
    names = contenders(task, options)
    measured = {}
    with contextlib.ExitStack() as stack:
        processes = {}
        # Contenders that compile for minutes start first, while the others take their first steps one after the other.
        for name in sorted(names, key=compiles_for_gpu, reverse=True) if options.gpu else names:
            processes[name] = stack.enter_context(start(name, task, options, folder))
            if not (options.gpu and compiles_for_gpu(name)):
                measured[name] = ask(processes[name])
        measured = {name: measured.get(name) or ask(processes[name]) for name in names}
        seconds, peaks = {name: [] for name in names}, []
        for _ in range(options.rounds):
            for name in names:
                seconds[name].append(ask(processes[name], "step")["seconds"])
            peaks.append(matrix_peak(options))
        for name in names:
            measured[name] |= {"seconds": seconds[name], **ask(processes[name], "memory")}
            if options.profile and name[0] not in FILES:
                measured[name]["operators"] = ask(processes[name], "profile")
    return measured, statistics.median(peaks)


def compiles_for_gpu(name):
    return name == GPU_YARDSTICK or name[1] == "jax"


def start(name, task, options, folder):
    contender, backend = name
    size, batch = size_and_batch(task, options)
    worker = {
        "contender": contender,
        "network": options.network,
        "task": task,
        "size": size,
        "batch": batch,
        "dtype": options.dtype,
        "threads": options.threads,
        "gpu": options.gpu,
        "cpu_seconds": options.cpu_seconds,
        "steps": GPU_STEPS if options.gpu else 1,
        "reference": options.reference,
        "files": folder,
    }
    path = pathlib.Path(__file__).with_name("speed_worker.py")
    return subprocess.Popen(
        [sys.executable, str(path), json.dumps(worker)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if os.environ.get("QUIET", "1") == "1" else None,
        text=True,
        env=environment(backend, options.threads),
    )


def size_and_batch(task, options):
    size, batch = ((256, 512), 2) if task == "training" else ((512, 1024), 1)
    return options.size or size, options.batch or batch


def environment(backend, threads):
    variables = {
        "KERAS_BACKEND": backend,
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # Several processes share a GPU.
    }
    if threads < (os.cpu_count() or 1):
        variables["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false" if threads == 1 else ""
    return {**os.environ, **variables}


def ask(process, command=None):
    if command:
        process.stdin.write(command + "\n")
        process.stdin.flush()
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError(f"{process.args[-1]} ended with status {process.wait()}. Set QUIET=0 to see its messages.")


def export(options, folder):
    """Writes the network in every format; integers and bfloat16 are not verified, because only speed is measured."""
    code = (
        "import sys, pathlib, keras_hrnet, numpy as np\n"
        "from keras_hrnet.export import conversion, quantization\n"
        "scripts, name, folder, dtype, *size = sys.argv[1:]\n"
        "size = tuple(map(int, size)); folder = pathlib.Path(folder)\n"
        "sys.path.insert(0, scripts); from exports import settle\n"
        "model = getattr(keras_hrnet, name)(19)\n"
        "settle(model, np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), np.uint8))\n"
        "keras_hrnet.export_openvino(model, folder / f'{name}.xml', image_size=size, batch_size=1)\n"
        "if dtype != 'float32': sys.exit()\n"
        "keras_hrnet.export_saved_model(model, folder / name)\n"
        "keras_hrnet.export_onnx(model, folder / f'{name}.onnx', image_size=size, batch_size=1)\n"
        "network = keras_hrnet.optimize_for_inference(model)\n"
        "content = conversion.convert(network, conversion.TFLiteOptions(size))\n"
        "(folder / f'{name}-float32.tflite').write_bytes(content)\n"
        "noise = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)\n"
        "ranges = quantization.calibrate(content, noise, 1)\n"
        "(folder / f'{name}-int8.tflite').write_bytes(quantization.quantize(content, 'int8', ranges))\n"
    )
    size = map(str, options.size or (512, 1024))
    scripts = str(pathlib.Path(__file__).parent)
    command = [sys.executable, "-c", code, scripts, options.network, folder, options.dtype, *size]
    subprocess.run(command, check=True, env=environment("tensorflow", options.threads), stderr=subprocess.DEVNULL)


def show(task, options, measured, peak):
    from keras_hrnet.models import VARIANTS
    from keras_hrnet.models.cost import cost

    size, batch = size_and_batch(task, options)
    multiplications = batch * cost(VARIANTS[options.network], image_size=tuple(size)).multiplications
    # The backward pass has twice as many multiplications: for the gradients of the maps, and of the kernels.
    operations = 2 * multiplications * (3 if task == "training" else 1)
    side, dtype = matrix(options)
    print(f"\n{task}, {options.network}, {batch} x {size[0]}x{size[1]}, {options.dtype}, {options.threads} threads")
    print(f"A product of matrices of {side} x {side} in {dtype}: {peak / 1e9:.0f} GFLOP/s, the peak\n")
    titles = ("first, s", "step, ms", "images per second", "of published", "memory, GB", "share of peak")
    print(f"| | backend | {' | '.join(titles)} |\n| --- | --- |{' ---: |' * len(titles)}")
    for (contender, backend), told in measured.items():
        seconds = statistics.median(told["seconds"])
        row = [
            contender,
            backend,
            f"{told['first']:.1f}",
            f"{1000 * seconds:.1f}" if options.gpu else f"{1000 * seconds:.0f}",
            f"{batch / seconds:.1f}",
            f"{median_ratio(told, measured[GPU_YARDSTICK if options.gpu else YARDSTICK]):.2f}",
            f"{told['bytes'] / 1e9:.2f}",
            f"{100 * operations / seconds / peak:.0f} %",
        ]
        print(f"| {' | '.join(row)} |")


def show_operators(measured):
    print("\n| | backend | seconds by operator, over all threads |\n| --- | --- | --- |")
    for (contender, backend), told in measured.items():
        if operators := told.get("operators"):
            total = sum(operators.values())
            parts = [f"{kind} {100 * seconds / total:.0f} %" for kind, seconds in operators.items()]
            print(f"| {contender} | {backend} | {total:.2f}: {', '.join(parts[:NUM_OPERATORS])} |")


def plot(measured, task, options):
    """Plots a bar for the median step of each contender, and a line from its fastest to its slowest step."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panel = pyplot.subplots(figsize=(8, 0.4 * len(measured) + 1.2), layout="constrained")
    names = [f"{contender} ({backend})" for contender, backend in measured]
    steps = [[1000 * seconds for seconds in told["seconds"]] for told in measured.values()]
    medians = [statistics.median(milliseconds) for milliseconds in steps]
    colors = ["0.7" if contender.startswith("published") else "tab:blue" for contender, _ in measured]
    panel.barh(names, medians, color=colors)
    panel.hlines(names, [min(x) for x in steps], [max(x) for x in steps], color="0.2", linewidth=1)
    yardstick = measured[GPU_YARDSTICK if options.gpu else YARDSTICK]
    panel.axvline(1000 * statistics.median(yardstick["seconds"]), color="0.4", linestyle=":")
    panel.invert_yaxis()
    size, batch = size_and_batch(task, options)
    panel.set(xlabel="ms per step", title=f"{task}, {options.network}, {batch} x {size[0]}x{size[1]}, {options.dtype}")
    path = options.plot.with_name(f"{options.plot.stem}-{task}{options.plot.suffix}")
    figure.savefig(path, dpi=120)
    print(f"\nThe picture is in {path}.")


def median_ratio(told, yardstick):
    return statistics.median(a / b for a, b in zip(told["seconds"], yardstick["seconds"], strict=True))


def matrix(options):
    """Returns the side and the dtype of the matrices whose product shows the peak of the hardware."""
    return (8192, "bfloat16") if options.gpu else (2048, "float32")


def matrix_peak(options):
    """Measures the operations per second of a large matrix product; a multiplication and its addition count as two."""
    import torch
    from torch.utils.benchmark import Timer

    side, dtype = matrix(options)
    device = "cuda" if options.gpu else "cpu"
    a, b = (torch.randn(side, side, device=device, dtype=getattr(torch, dtype)) for _ in range(2))
    timer = Timer("a @ b", globals={"a": a, "b": b}, num_threads=options.threads)
    return 2 * math.pow(side, 3) / timer.blocked_autorange(min_run_time=0.5).median


if __name__ == "__main__":
    main()

"""Measures how the time of inference depends on pixels, width, batch and threads.

Command:  python examples/benchmarks/scaling.py --reference ../reference --rounds 3 --plot scaling.png
Hardware: a CPU with two cores and 12 GB; ten minutes with three rounds.
Result:   see examples/benchmarks/README.md.

The reference is a checkout, as for `speed.py`. Contenders run in alternation, each in its own process, and medians are
shown. The exponent is the slope of a straight line through the logarithms; 1 means that time is proportional.
"""

import argparse
import contextlib
import os
import pathlib
import statistics

import numpy as np
import speed

from keras_hrnet.families import VARIANTS

CONTENDERS = (speed.YARDSTICK, ("optimized", "tensorflow"), ("optimized", "torch"))
NETWORKS = [name for name in VARIANTS if name not in ("HRNetW18Small", "HRNetW18SmallV2")]


def main():
    parser = argparse.ArgumentParser(description="Measures how inference scales.")
    parser.add_argument("--reference", required=True, help="a checkout of HRNet-Semantic-Segmentation")
    parser.add_argument("--network", default="HRNetW18SmallV2", help="network for all axes except the width")
    parser.add_argument("--axes", nargs="+", default=["pixels", "width", "batch", "threads"], help="axes to measure")
    parser.add_argument("--rounds", type=int, default=7, help="number of runs of each contender")
    parser.add_argument("--plot", type=pathlib.Path, help="picture file to write")
    options = parser.parse_args()
    measured = {}
    for axis in options.axes:
        measured[axis] = [(x, seconds(options, **point)) for x, point in points(axis)]
        show(axis, measured[axis])
    if options.plot:
        plot(measured, options.plot)


def points(axis):
    """Returns the values of an axis, each with the options that it changes."""
    if axis == "pixels":
        sizes = [(256 * 2**i, 512 * 2**i) for i in range(4)]
        return [(height * width, {"size": (height, width)}) for height, width in sizes]
    if axis == "width":
        return [(VARIANTS[name].width, {"network": name, "size": (256, 512)}) for name in NETWORKS]
    if axis == "batch":
        return [(batch, {"batch": batch, "size": (256, 512)}) for batch in (1, 2, 4, 8)]
    return [(threads, {"threads": threads}) for threads in range(1, (os.cpu_count() or 1) + 1)]


def seconds(options, network=None, **changes):
    """Returns the median seconds of each contender for one value of an axis."""
    point = {"size": (512, 1024), "batch": 1, "dtype": "float32", "threads": os.cpu_count(), **changes}
    point = argparse.Namespace(**point, network=network or options.network, reference=options.reference, gpu=False)
    with contextlib.ExitStack() as stack:
        processes = {name: stack.enter_context(speed.start(name, "inference", point, "")) for name in CONTENDERS}
        for process in processes.values():
            speed.ask(process)
        rounds = [
            {name: speed.ask(p, "step")["seconds"] for name, p in processes.items()} for _ in range(options.rounds)
        ]
    return {name: statistics.median(told[name] for told in rounds) for name in processes}


def exponent(rows, name):
    x, y = zip(*((x, told[name]) for x, told in rows), strict=True)
    return float(np.polyfit(np.log(x), np.log(y), 1)[0]) if len(set(x)) > 1 else float("nan")


def show(axis, rows):
    titles = [f"{contender}, {backend}" for contender, backend in CONTENDERS]
    print(f"\n| {axis} | {' | '.join(titles)} |\n| ---: |{' ---: |' * len(titles)}")
    for x, told in rows:
        print(f"| {x} | {' | '.join(f'{told[name]:.3f} s' for name in CONTENDERS)} |")
    print(f"| exponent | {' | '.join(f'{exponent(rows, name):.2f}' for name in CONTENDERS)} |", flush=True)


def plot(measured, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    figure, panels = pyplot.subplots(
        1, len(measured), figsize=(4 * len(measured), 4), layout="constrained", squeeze=False
    )
    for panel, (axis, rows) in zip(panels[0], measured.items(), strict=True):
        for name in CONTENDERS:
            label = f"{', '.join(name)}: {exponent(rows, name):.2f}"
            panel.loglog([x for x, _ in rows], [told[name] for _, told in rows], marker="o", label=label)
        panel.set(xlabel=axis, ylabel="seconds")
        values = [x for x, _ in rows]
        panel.set_xticks(values, [f"{x / 1e6:.2g} M" if axis == "pixels" else str(x) for x in values], fontsize=8)
        panel.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        for direction in (panel.xaxis, panel.yaxis):
            direction.set_minor_locator(ticker.NullLocator())
        panel.grid(alpha=0.3, which="both")
        panel.legend(title="exponent", fontsize=8)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()

"""Measures a training step on PyTorch with and without copies of the maps for the gradients of large kernels.

Command:  python examples/benchmarks/gradients.py HRNetW18SmallV2 HRFormerSmall --threads 1
Hardware: a CPU; a minute for each network.
Result:   two tables; see examples/benchmarks/README.md.

Both ways run in alternation, in processor seconds, and medians are shown. With copies, the maps of a 3x3 convolution of
at least 48 channels are copied to PyTorch's own layout before the gradient of the kernel is computed.
"""

import argparse
import functools
import os
import statistics
import time

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch

import keras_hrnet
from keras_hrnet.layers import torch_gradient

# Channels, filters, stride, height and width of 3x3 convolutions.
CONVOLUTIONS = [
    (18, 18, 1, 64, 128),
    (48, 48, 1, 64, 128),
    (64, 64, 2, 128, 256),
    (192, 192, 1, 16, 32),
    (480, 512, 1, 64, 128),
]


def main():
    parser = argparse.ArgumentParser(description="Measures what copies of maps save in a training step on PyTorch.")
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--head", help="head of the networks, instead of their own")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 512), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    parts = [
        f"{part}, {layout}" for part in ("result", "gradient of maps", "of kernel") for layout in ("last", "first")
    ]
    print(f"| channels | filters | stride | map | {' | '.join([*parts, 'copies'])} |")
    print(f"| ---: | ---: | ---: | --- |{' ---: |' * (len(parts) + 1)}")
    for convolution in CONVOLUTIONS:
        channels, filters, stride, height, width = convolution
        times = " | ".join(f"{1000 * value:.1f}" for value in convolution_times(*convolution, options))
        print(f"| {channels} | {filters} | {stride} | {height}x{width} | {times} |")
    print("| network | s per step without copies | with copies | median ratio |\n| --- | ---: | ---: | ---: |")
    for network in options.networks:
        without, with_copies = measure(network, options)
        ratio = statistics.median(one / other for one, other in zip(with_copies, without, strict=True))
        print(f"| {network} | {statistics.median(without):.2f} | {statistics.median(with_copies):.2f} | {ratio:.2f} |")


def convolution_times(channels, filters, stride, height, width, options):
    """Returns the processor seconds of a convolution and its gradients, with channels last and first, and of copies."""
    maps = torch.randn(options.batch, channels, height, width)
    upstream = torch.randn(options.batch, filters, height // stride, width // stride)
    kernel = torch.randn(filters, channels, 3, 3)
    first = upstream, maps, kernel
    last = [tensor.to(memory_format=torch.channels_last) for tensor in first]

    def gradient(tensors, *mask):
        how = None, (stride, stride), (1, 1), (1, 1), False, (0, 0), 1
        return torch.ops.aten.convolution_backward(*tensors, *how, (*mask, False))

    ways = []
    for run in (
        lambda tensors: torch.nn.functional.conv2d(tensors[1], tensors[2], stride=stride, padding=1),
        lambda tensors: gradient(tensors, True, False),
        lambda tensors: gradient(tensors, False, True),
    ):
        ways += [functools.partial(run, tensors) for tensors in (last, first)]
    ways.append(lambda: [tensor.contiguous() for tensor in last])
    seconds = [[] for _ in ways]
    for _ in range(options.rounds):
        for values, run in zip(seconds, ways, strict=True):
            start = time.process_time()
            run()
            values.append(time.process_time() - start)
    return [statistics.median(values) for values in seconds]


def measure(network, options):
    """Returns the processor seconds of each step without and with copies."""
    model = getattr(keras_hrnet, network)(**({"head": options.head} if options.head else {}))
    losses = [keras.losses.SparseCategoricalCrossentropy(from_logits=True)] * len(model.outputs)
    model.compile(keras.optimizers.SGD(1e-3), losses)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (options.batch, *options.size, 3), np.uint8)
    labels = [generator.integers(0, 19, images.shape[:3])] * len(model.outputs)
    seconds = {10**6: [], torch_gradient.LEAST_CHANNELS: []}
    for i in range(options.rounds + 1):
        for least_channels, values in seconds.items():
            torch_gradient.LEAST_CHANNELS = least_channels
            start = time.process_time()
            model.train_on_batch(images, labels)
            if i:  # The first step is slower.
                values.append(time.process_time() - start)
    return seconds.values()


if __name__ == "__main__":
    main()

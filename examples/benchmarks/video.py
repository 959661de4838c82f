"""Compares the segmentation of a video with the network alone, in frames per second, and measures memory.

Command:  python examples/benchmarks/video.py --network HRNetW18Small --size 256 512 --seconds 60
Hardware: a CPU with Linux; the network alone and the video alternate in one process, so that other load affects both.
          The command takes ten minutes on two cores.
Result:   see examples/video.md.
"""

import argparse
import contextlib
import pathlib
import tempfile
import time

NUM_DRAWN = 8
RATE = 30


def main():
    parser = argparse.ArgumentParser(description="Compares the segmentation of a video with its network alone.")
    parser.add_argument("--network", default="HRNetW18Small")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 512), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--seconds", type=float, default=60, help="length of the video")
    parser.add_argument("--rounds", type=int, default=3, help="number of times to segment it")
    parser.add_argument("--smooth", type=float, default=0.0, help="smoothing over time, as in `keras-hrnet predict`")
    parser.add_argument("--keep", type=pathlib.Path, help="folder in which the videos are kept")
    options = parser.parse_args()

    import keras

    import keras_hrnet
    from keras_hrnet.evaluation.video.reading import Video

    with contextlib.ExitStack() as stack:
        folder = options.keep or pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(exist_ok=True)
        source, target = folder / "street.mp4", folder / "overlay.mp4"
        draw(source, tuple(options.size), round(options.seconds * RATE), folder / "streets")
        network = keras_hrnet.optimize_for_inference(getattr(keras_hrnet, options.network)(num_classes=19))
        network.classes = "cityscapes"
        with Video(source) as video:
            image = next(video.frames()).image[None]
        results = measure(network, source, target, image, options)
    print(
        f"{options.network}, {options.size[0]}x{options.size[1]}, {keras.config.backend()}, smooth={options.smooth}\n"
    )
    titles = ("frames per second", "network alone", "video / network: seconds", "CPU seconds", "MiB after each round")
    print(f"| {' | '.join(titles)} |")
    print("| ---: | ---: | ---: | ---: | --- |")
    print("| {:.2f} | {:.2f} | {:.2f} | {:.2f} | {} |".format(*results))


def draw(path, size, count, folder):
    """Writes a video that pans over a few synthetic streets, with `count` frames."""
    import av
    import numpy as np

    from keras_hrnet.data import synthesize
    from keras_hrnet.evaluation import read_image

    height, width = size
    root = synthesize(folder, num_train=0, num_val=NUM_DRAWN, num_test=0, size=(height, 2 * width)).root
    streets = [read_image(street) for street in sorted(root.rglob("*_leftImg8bit.png"))]
    each = -(-count // len(streets))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for i in range(count):
            left = (i % each) * width // each
            picture = np.ascontiguousarray(streets[i // each][:, left : left + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())


def measure(network, source, target, image, options):
    """Segments the video several times, in alternation with the network alone.

    Returns:
        Frames per second of the video and of the network alone, the median ratios of their seconds and CPU seconds, and
        the memory after each round.
    """
    import statistics

    from keras_hrnet.cli.video import write_frames
    from keras_hrnet.evaluation.segmenter import Segmenter
    from keras_hrnet.evaluation.video.prediction import segmenter_for
    from keras_hrnet.evaluation.video.reading import Video
    from keras_hrnet.evaluation.video.writing import writing_video

    alone = Segmenter(network)
    alone.labels(image)
    rounds, memory = [], []
    with Video(source) as video:
        segmenter = segmenter_for(network, video, output="overlay", smooth=options.smooth)
    for _ in range(options.rounds):
        start = clocks()
        with Video(source) as video, writing_video(target, video) as writer:
            count = write_frames(video, segmenter, writer, output="overlay", smooth=options.smooth)
        middle = clocks()
        for _ in range(count):
            alone.labels(image)
        end = clocks()
        rounds.append([(b - a, c - b) for a, b, c in zip(start, middle, end, strict=True)])
        memory.append(resident())
    seconds = [each[0] for each in rounds]
    return (
        count / statistics.median(video for video, _ in seconds),
        count / statistics.median(network for _, network in seconds),
        *(statistics.median(each[i][0] / each[i][1] for each in rounds) for i in range(2)),
        ", ".join(f"{each:.0f}" for each in memory),
    )


def clocks():
    return time.perf_counter(), time.process_time()


def resident():
    """Returns the memory that the process holds, in MiB."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()

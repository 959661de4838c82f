"""Kills a short run at random moments, resumes it, and compares its weights with those of an uninterrupted run.

Command:  KERAS_BACKEND=torch python examples/benchmarks/kills.py --kills 20
          KERAS_BACKEND=torch python examples/benchmarks/kills.py --cost HRNetW48
Hardware: any; some minutes on two CPU cores. Use one device, which is required for identical bits.
Result:   a line for each finished run, and exit status 1 if one of them has different weights; see
          examples/training.md.

A process is killed by SIGKILL, after its first step and within a quarter of the duration of the run; it writes nothing
before its first step. The run saves after each step, averages weights, accumulates gradients, and uses dropout and
random crops. The script compares the weights that `train` returns, and the weights and the optimizer in `last.keras`.

`--cost` times the saves of a network with momentum and averaged weights, and reports the share of a run that they take
at the default interval: the time of a save, divided by the time from one save to the next.
"""

import argparse
import hashlib
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

NUM_IMAGES, NUM_EPOCHS, BATCH_SIZE = 41, 4, 2
FIRST_STEP, ENDED = "first step", "ended"


def work(root, folder):
    """Trains a network that is small enough to start quickly, and prints a hash of the results."""
    import keras

    import keras_hrnet
    from keras_hrnet.data import CLASS_NAMES, cityscapes
    from keras_hrnet.training.run import weights_hash

    class SayFirstStep(keras.callbacks.Callback):
        is_said = False

        def on_train_batch_end(self, batch, logs=None):
            if not self.is_said:
                print(FIRST_STEP, flush=True)
            self.is_said = True

    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, padding="same")(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Dropout(0.2)(keras.layers.BatchNormalization()(x))
    x = keras.layers.Dropout(0.2, seed=1)(keras.layers.Conv2D(8, 1, activation="relu")(x))
    model = keras.Model(image, keras.layers.Conv2D(len(CLASS_NAMES), 1)(x), name="small")
    train = cityscapes(root, "train", batch_size=BATCH_SIZE, crop_size=(32, 64))
    val = cityscapes(root, "val")
    settings = {"epochs": NUM_EPOCHS, "batch_size": 2 * BATCH_SIZE, "warmup_epochs": 0.5, "validate_every": 2}
    keras_hrnet.train(
        model,
        train,
        val,
        recipe="fine_tuning",
        run_dir=folder,
        callbacks=[SayFirstStep()],
        save_minutes=0,
        **settings,
    )
    last = keras.models.load_model(folder / "last.keras")
    digest = hashlib.sha256(weights_hash(model).encode() + weights_hash(last).encode())
    for variable in last.optimizer.variables:
        digest.update(keras.ops.convert_to_numpy(variable).tobytes())
    print(ENDED, digest.hexdigest(), flush=True)


def cost(name, saves=5):
    """Prints the size of a save of a network, its time, and the share of a run that saves take."""
    import inspect

    import keras_hrnet
    from keras_hrnet.training.state import TrainingState, write_state

    model = getattr(keras_hrnet, name)()
    optimizer = keras_hrnet.training.SGD(0.01, momentum=0.9, use_ema=True)
    model.compile(optimizer)
    optimizer.build(model.trainable_variables)
    state, seconds = TrainingState(model, []), []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = pathlib.Path(folder) / "resume.npz"
        for _ in range(saves):
            begun = time.monotonic()
            arrays = state.take()
            state.is_finite(arrays)
            taken = time.monotonic() - begun
            write_state(path, arrays, {})
            seconds.append((time.monotonic() - begun, taken))
        size = path.stat().st_size
    minutes = inspect.signature(keras_hrnet.train).parameters["save_minutes"].default
    whole, taken = (statistics.median(times) for times in zip(*seconds, strict=True))
    share = whole / (60 * minutes + whole)
    print(
        f"{name}: {size / 1e6:.0f} MB, {whole:.2f} s per save ({taken:.2f} s of which to copy), at most "
        f"{max(seconds)[0]:.2f} s; {100 * share:.2f} % of the time with a save every {minutes:g} minutes"
    )


def start(root, folder):
    command = [sys.executable, __file__, "--worker", str(root), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for(process, beginnings):
    """Returns the next line of a process that begins with one of these texts; an empty line if there is none."""
    return next((line.strip() for line in process.stdout if line.startswith(beginnings)), "")


def undisturbed(root, folder):
    """Returns the result of a run that is not killed, and its seconds after the first step."""
    with start(root, folder) as process:
        wait_for(process, FIRST_STEP)
        begun = time.monotonic()
        line = wait_for(process, ENDED)
        return line, time.monotonic() - begun


def main():
    parser = argparse.ArgumentParser(description="Kills a run, and verifies that it ends with the same weights.")
    parser.add_argument("--kills", type=int, default=20, help="number of kills")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments of the kills")
    parser.add_argument("--worker", nargs=2, type=pathlib.Path, metavar=("DATA", "RUN"), help=argparse.SUPPRESS)
    parser.add_argument("--cost", metavar="NETWORK", help="time saves of this network, such as HRNetW48")
    options = parser.parse_args()
    if options.cost:
        cost(options.cost)
        return
    if options.worker:
        work(*options.worker)
        return
    from keras_hrnet.data import synthesize

    generator = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        root = folder / "streets"
        synthesize(root, num_train=NUM_IMAGES, num_val=2, num_test=0, size=(64, 128))
        expected, seconds = undisturbed(root, folder / "undisturbed")
        if not expected:
            sys.exit("The uninterrupted run did not finish.")
        print(f"uninterrupted: {expected}, {seconds:.1f} s after the first step", flush=True)
        num_kills, num_in_saves, runs, results = 0, 0, 0, []
        while num_kills < options.kills or not results:
            runs += 1
            run, kills_of_run, line = folder / f"run {runs}", 0, ""
            while not line:
                with start(root, run) as process:
                    if num_kills < options.kills:
                        line = wait_for(process, (FIRST_STEP, ENDED))
                        line = "" if line == FIRST_STEP else line
                        time.sleep(generator.uniform(0, seconds / 4))
                        process.kill()
                    line = line or wait_for(process, ENDED)
                if not line and process.returncode != -9:
                    sys.exit(f"A run ended with status {process.returncode}.")
                if not line:
                    num_kills, kills_of_run = num_kills + 1, kills_of_run + 1
                    num_in_saves += any(run.glob(".*-part*"))
            results.append(line == expected)
            print(f"run {runs}, {kills_of_run} kills: {'the same' if results[-1] else 'DIFFERENT'} weights", flush=True)
        print(f"{num_kills} kills, {num_in_saves} of them while a file was written: {sum(results)} of {runs} the same")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()

"""Makes mistakes on the command line as users do, and measures the answers and the time until they appear.

Command:  python examples/benchmarks/mistakes.py
Hardware: any; three minutes on one CPU core.
Result:   a table in Markdown, and exit status 1 if a command succeeds or writes a file, or if its answer lacks the
          expected text, shows a traceback, or takes more than ten seconds of processor time; see
          examples/benchmarks/README.md.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

MOST_SECONDS = 10

OWN = "train --images photos --masks masks --val-share 0.5 --recipe from_scratch --network HRNetW18Small"
NAMED = f"{OWN} --classes road,sky"

OTHERS_ARE_WRITTEN = "predict network.keras damaged"

MISTAKES = (
    # A command, and a text that its answer must contain.
    ("trian", "No such command 'trian'"),
    ("train --imges photos", "No such option"),
    ("train", "--data"),
    ("train --images photos --classes road,sky", "--masks"),
    ("train --images photos --masks nowhere --val-share 0.5 --classes road,sky", "nowhere"),
    (f"{OWN} --classes road", "Expected at least two"),
    (f"{OWN} --classes road,road", "road"),
    (f"{NAMED} --network HRNetW18Smal", "HRNetW18Small"),
    (f"{NAMED} --recipe from_scrach", "from_scratch"),
    (f"{NAMED} --set learning_rat=0.1", "learning_rate"),
    (f"{NAMED} --set learning_rate=fast", "learning_rate"),
    (f"{NAMED} --set batch_size=0", "at least 1"),
    (f"{NAMED} --set optimizer=adam", "adamw"),
    (f"{NAMED} --set loss=focal", "cross_entropy"),
    (f"{NAMED} --set crop_size=512", "crop_size"),
    (f"{NAMED} --set epochs=5 --set warmup_epochs=5", "warmup_epochs"),
    (f"{NAMED} --val-share 1.5", "val_share"),
    (f"{NAMED} --ignore-label black", "--ignore-label"),
    (f"{NAMED} --id-map 0:road,1:cloud", "cloud"),
    (f"{NAMED} --palette #000000", "palette"),
    (f"{NAMED} --weights cityscape", "cityscapes"),
    (f"{NAMED} --weights page.pth", "web page"),
    (f"{NAMED} --weights pointer.pth", "LFS"),
    (f"{NAMED} --weights nowhere.pth", "nowhere.pth"),
    (f"{NAMED} --teacher nowhere.keras", "nowhere.keras"),
    (f"{NAMED} --run-dir note.txt", "note.txt"),
    (f"{NAMED} --masks masks_of_255", "255"),
    (f"{NAMED} --masks masks_of_three", "2"),
    (f"{NAMED} --masks masks_of_another_size", "size"),
    (f"{NAMED} --masks masks_without_one", "b.png"),
    (f"{NAMED} --images damaged", "b.png"),
    ("train --data photos --data-set camvidd", "camvid"),
    ("train --data photos --recipe cityscapes", "photos"),
    ("predict nowhere.keras photos", "nowhere.keras"),
    ("predict note.txt photos", "note.txt"),
    ("predict network.keras nowhere.jpg", "nowhere.jpg"),
    ("predict network.keras note.txt", "note.txt"),
    (OTHERS_ARE_WRITTEN, "b.png"),
    ("predict network.keras photos --output mask.jpg", "mask.jpg"),
    ("predict network.keras photos --output nowhere/masks", "nowhere"),
    ("predict network.keras photos --show colored", "colored"),
    ("predict network.keras photos --engine spark", "ray"),
    ("train --images photos --masks masks --classes road,sky --recipe from_scratch", "--val-share"),
    ("predict network.keras photos --show labels --legend", "legend"),
    ("predict network.keras photos --scales 0", "scale"),
    ("predict network.keras photos --tile 100", "100"),
    ("predict network.keras photos --shard 5/4", "--shard"),
    ("predict network.keras photos --show label-ids", "Cityscapes"),
    ("predict without_numbers.keras photos", "NaN"),
    ("evaluate network.keras", "--data"),
    ("evaluate network.keras --images photos --masks masks --classes road,sky,tree", "road,sky"),
    ("evaluate network.keras --images photos --masks masks_of_255", "255"),
    ("export network.keras network.tfl", ".tflite"),
    ("export network.keras network.tflite", "--size"),
    ("export network.keras network.tflite --size 64x96 --precision int8", "--photos"),
    ("export network.keras network.tflite --size 64x96 --precision int9", "int8"),
    ("export network.keras nowhere/network.tflite --size 64x96", "nowhere"),
    ("export note.txt network.tflite --size 64x96", "note.txt"),
    ("convert page.pth new.keras", "web page"),
    ("info HRNetW47", "HRNetW47"),
    ("benchmark nowhere.tflite", "nowhere.tflite"),
    ("data check nowhere", "nowhere"),
    ("data synthesize note.txt", "note.txt"),
    ("serve nowhere", "nowhere"),
)


def make_files(folder: pathlib.Path) -> None:
    """Writes the photos, masks, networks and other files that the commands read."""
    import keras
    import numpy as np
    from PIL import Image

    from keras_hrnet.models.network import Network

    generator = np.random.default_rng(0)
    kinds = (
        "photos",
        "damaged",
        "masks",
        "masks_of_255",
        "masks_of_three",
        "masks_of_another_size",
        "masks_without_one",
    )
    for kind in kinds:
        (folder / kind).mkdir()
    for name in "abcd":
        labels = generator.integers(0, 2, (64, 96), dtype="uint8")
        photo = generator.integers(0, 256, (64, 96, 3), dtype="uint8")
        Image.fromarray(photo).save(folder / "photos" / f"{name}.png")
        Image.fromarray(photo).save(folder / "damaged" / f"{name}.png")
        Image.fromarray(labels).save(folder / "masks" / f"{name}.png")
        Image.fromarray(labels * 255).save(folder / "masks_of_255" / f"{name}.png")
        Image.fromarray(labels + 1).save(folder / "masks_of_three" / f"{name}.png")
        Image.fromarray(labels[:32]).save(folder / "masks_of_another_size" / f"{name}.png")
        if name != "b":
            Image.fromarray(labels).save(folder / "masks_without_one" / f"{name}.png")
    damaged = folder / "damaged" / "b.png"
    damaged.write_bytes(damaged.read_bytes()[:5000])
    (folder / "note.txt").write_text("These are my photos.\n")
    (folder / "page.pth").write_text("<!DOCTYPE html><html><body>Not found</body></html>\n")
    (folder / "pointer.pth").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 263000000\n"
    )
    image = keras.Input((None, None, 3))
    options = {"padding": "same", "data_format": "channels_last"}
    x = keras.layers.Conv2D(8, 3, **options)(keras.layers.Rescaling(1 / 255)(image))
    network = Network(image, keras.layers.Conv2D(2, 3, name="last_layer_0", **options)(x), name="HRNetW18Small")
    network.classes = ("road", "sky")
    network.save(folder / "network.keras")
    network.layers[-1].bias.assign([np.nan, 0])
    network.save(folder / "without_numbers.keras")


def answer_of(command: str, folder: pathlib.Path) -> tuple[int, str, float, float]:
    """Runs a command in a folder.

    Returns:
        The exit status, the printed text, and the seconds of wall-clock and processor time.
    """
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "keras_hrnet_command", *shlex.split(command)],
        cwd=folder,
        env={**os.environ, "COLUMNS": "10000"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, after = time.perf_counter() - start, os.times()
    processor = sum(after[2:4]) - sum(before[2:4])
    return done.returncode, " ".join((done.stdout + done.stderr).split()), seconds, processor


def main() -> None:
    faults = []
    print("| command | answer | s | processor seconds |\n| --- | --- | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_files(folder)
        before = sorted(folder.rglob("*"))
        for command, expected in MISTAKES:
            status, text, seconds, processor = answer_of(command, folder)
            answer = re.sub(r"[─╭╮╰╯│| ]+", " ", text[max(0, text.find("Error")) :].replace(str(folder), "…"))
            cells = f"`{command}` | {answer:.400}".replace(OWN, "train …")
            print(f"| {cells} | {seconds:.1f} | {processor:.1f} |", flush=True)
            written = set() if command == OTHERS_ARE_WRITTEN else set(folder.rglob("*")) - set(before)
            for fault, is_there in (
                ("it succeeded", status == 0),
                (f"it does not say {expected!r}", expected not in text),
                ("it shows a traceback", "Traceback" in text),
                (f"it took {processor:.1f} s", processor > MOST_SECONDS),
                (
                    f"it wrote {', '.join(sorted(path.name for path in written))}",
                    bool(written) and command != OTHERS_ARE_WRITTEN,
                ),
            ):
                if is_there:
                    faults.append(f"{command}: {fault}")
            before = sorted(folder.rglob("*"))
    print(f"\n{len(MISTAKES)} mistakes, {len(faults)} faults", *faults, sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()

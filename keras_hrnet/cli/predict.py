"""`keras-hrnet predict`: segments photos or a video, or writes a submission to the Cityscapes test server."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Annotated

import typer

from keras_hrnet.cli import protocol
from keras_hrnet.cli.choices import require_choice
from keras_hrnet.cli.console import Console
from keras_hrnet.cli.outputs import FILE_ENDINGS, check_replaces_none, require_folder_of, require_writable
from keras_hrnet.cli.ray_engine import write_with_ray
from keras_hrnet.cli.segmenting import Job, report_written
from keras_hrnet.cli.shards import in_shard, parse_shard, without_written
from keras_hrnet.cli.start import start
from keras_hrnet.cli.video import find_video, name_video_target, segment_video
from keras_hrnet.extras import require_packages

OUTPUTS = ("overlay", "color", "labels", "label-ids", "probabilities")
"""The values of `--show`; `keras_hrnet.predict` has the same names, with underscores."""

ENGINES = ("here", "ray")


def predict(
    model: Annotated[
        pathlib.Path,
        typer.Argument(help="A network saved by Keras, `.keras`, or exported: `.tflite`, `.onnx`, `.xml`, SavedModel."),
    ],
    photos: Annotated[
        list[pathlib.Path],
        typer.Argument(
            help="Photos, and folders of photos; or a video, or the number of a camera, such as 0; with --submission, "
            "a Cityscapes root."
        ),
    ],
    output: Annotated[
        pathlib.Path | None,
        typer.Option(
            help=(
                "Folder to write to, or for a single photo a .png or .npy file. By default, a result is written next "
                "to its photo, and the results of a folder are written to a folder next to it, with `_segmented` in "
                "the name. For a video: a .mp4, .mov, .mkv or .webm file; for its labels, an .mkv file, which is "
                "lossless; or a folder, which receives a file for each frame and a table of their times."
            )
        ),
    ] = None,
    show: Annotated[
        str,
        typer.Option(
            help="Output: overlay, color, labels (train ids), label-ids (of Cityscapes), or probabilities (`.npy`)."
        ),
    ] = "overlay",
    legend: Annotated[bool, typer.Option("--legend", help="Add a legend with the class names to overlays.")] = False,
    classes: protocol.ClassNames = None,
    scales: protocol.Scales = "1",
    flip: protocol.Flip = False,
    tile: protocol.Tile = None,
    overlap: protocol.Overlap = None,
    average: protocol.Average = "official",
    hierarchical_scales: protocol.HierarchicalScales = None,
    batch_size: Annotated[int, typer.Option(help="Batch size for photos of the same size, or for frames.", min=1)] = 1,
    smooth: Annotated[
        float,
        typer.Option(
            help=(
                "For a video: weight of earlier frames when probabilities are averaged over successive frames, from "
                "0 to below 1. With 0.5, labels flicker less but follow motion with a delay, and the prediction takes "
                "more time and memory."
            )
        ),
    ] = 0.0,
    sound: Annotated[bool, typer.Option("--sound/--no-sound", help="For a video: whether to keep its sound.")] = True,
    shard: Annotated[
        str | None,
        typer.Option(help="Segment only a part of the photos, such as 1/4 for the first of four processes."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip photos that already have a result, unless the photo is newer.")
    ] = False,
    engine: Annotated[
        str,
        typer.Option(
            help=(
                "Where to segment: 'here', in this process, or 'ray', on the workers of a Ray cluster, which skip "
                "photos as --resume does."
            )
        ),
    ] = "here",
    workers: Annotated[
        int | None,
        typer.Option(help="With --engine ray: number of workers; by default, one for each GPU or processor.", min=1),
    ] = None,
    submission: Annotated[
        pathlib.Path | None,
        typer.Option(help="Write the label ids of a Cityscapes split as a zip for the test server."),
    ] = None,
    split: Annotated[str, typer.Option(help="With --submission: the name of the split.")] = "test",
    partial: Annotated[bool, typer.Option("--partial", help="With --submission: accept missing images.")] = False,
) -> None:
    """Segment photos or a video, and write pictures of the classes in the size of the photo or video."""
    require_choice("--show", show, OUTPUTS)
    if legend and show != "overlay":
        raise ValueError(f"Received --legend with --show {show}. Expected --show overlay. Leave out one of them.")
    require_choice("--engine", engine, ENGINES)
    if workers is not None and engine != "ray":
        raise ValueError(f"Received --workers {workers} with --engine {engine}. Expected --engine ray. Pass it too.")
    job = Job(
        network=model,
        hierarchical_scales=hierarchical_scales,
        classes=classes,
        options=protocol.read_options(scales, flip, tile, overlap, average),
        output=show.replace("-", "_"),
        legend=legend,
        batch_size=batch_size,
    )
    part, source = parse_shard(shard), None if submission is not None else find_video(photos, output)
    is_divided = shard is not None or resume or engine != "here"
    if submission is not None and is_divided:
        raise ValueError(
            "Received --submission with --shard, --resume or --engine. Expected none of them, because a submission "
            "contains a complete split. Leave them out."
        )
    if source is not None and is_divided:
        raise ValueError("Received --shard, --resume or --engine with a video. Expected photos. Leave them out.")
    if source is None and (smooth or not sound):
        raise ValueError("Received --smooth or --no-sound with photos. Expected a video. Leave them out.")
    protocol.require_network(model)
    if submission is not None:
        _submit(job, submission, photos, split, partial)
    elif source is not None:
        segment_video(job, source, name_video_target(source, output, show), sound=sound, smooth=smooth)
    else:
        _segment_photos(job, photos, output, part, resume=resume, engine=engine, workers=workers)


def _submit(job, path, photos, split, partial):
    start()
    from keras_hrnet.cli.submission import check_submission, write_submission
    from keras_hrnet.evaluation.running import optimized_for
    from keras_hrnet.evaluation.segmenter import Segmenter

    images = check_submission(path, photos, split, partial)
    network = protocol.open_network(job.network, job.hierarchical_scales, job.classes)
    segmenter = Segmenter(optimized_for(network, len(images)), **job.options)
    write_submission(path, segmenter, images, job.batch_size)


def _segment_photos(job, photos, output, part, *, resume, engine, workers):
    is_on_ray = engine == "ray"
    if is_on_ray:
        require_packages(["ray"], "--engine ray", extra="ray")
    targets = name_targets(photos, output, ".npy" if job.output == "probabilities" else ".png")
    require_writable(dict.fromkeys(target.parent for target in targets.values()))
    found, targets = len(targets), in_shard(targets, [path for path in photos if path.is_dir()], part)
    if resume or is_on_ray:
        targets = without_written(targets)
    if not targets:
        Console(highlight=False).print(f"Of {found} photos, none is left to segment.")
        return
    start()
    if not is_on_ray:
        report_written(targets, job.write_each(job.open(len(targets)), targets))
        return
    job.open_network()  # A network that cannot be used is refused once, before workers start.
    # Ray's processes may have another working folder.
    job = dataclasses.replace(job, network=job.network.absolute())
    targets = {photo.absolute(): target.absolute() for photo, target in targets.items()}
    report_written(targets, write_with_ray(job, targets, workers))


def name_targets(
    photos: list[pathlib.Path], output: pathlib.Path | None, ending: str
) -> dict[pathlib.Path, pathlib.Path]:
    """Decides where the result of each photo is written.

    Args:
        photos: files and folders.
        output: for a single photo, a file whose suffix is `ending`; otherwise a folder. None writes next to the photos.
        ending: the suffix of the files to write, with its dot.

    Returns:
        The paths by photo, in order.

    Raises:
        FileNotFoundError: if a photo, a folder or the output's folder is missing.
        ValueError: if the output has another suffix, several photos would be written to one file, or a photo would be
            overwritten.
    """
    require_folder_of("--output", output)
    is_file = output is not None and output.suffix.lower() in FILE_ENDINGS and not output.is_dir()
    if is_file and output.suffix.lower() != ending:
        raise ValueError(f"Received --output {str(output)!r}. Expected a folder, or a name that ends with {ending}.")
    if is_file and (len(photos) > 1 or photos[0].is_dir()):
        raise ValueError(
            f"Received --output {str(output)!r} for several photos or a folder of them. Expected a folder. Pass one, "
            "or a single photo."
        )
    places = {}
    for path in photos:
        if path.is_dir():
            start()
            from keras_hrnet.evaluation.photos import find_photos

            folder = output or path.resolve().with_name(f"{path.resolve().name}_segmented")
            places |= {photo: folder / photo.relative_to(path).parent for photo in find_photos(path)}
        elif not path.is_file():
            raise FileNotFoundError(f"Received the path {str(path)!r}. Expected a photo or a folder. Check the name.")
        else:
            places[path] = output or path.parent
    if is_file:
        return check_replaces_none({photos[0]: output})
    suffix = "" if output is not None or photos[0].is_dir() else "_segmented"
    targets = {photo: place / f"{photo.stem}{suffix}{ending}" for photo, place in places.items()}
    if len(set(targets.values())) < len(targets):  # street.jpg and street.png
        targets = {photo: place / f"{photo.name}{suffix}{ending}" for photo, place in places.items()}
    if len(set(targets.values())) < len(targets):
        raise ValueError(
            f"Received photos with the same name from several folders for the output {output}. Expected different "
            "names. Pass the folders one by one, or their common parent folder."
        )
    return check_replaces_none(targets)

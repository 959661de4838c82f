"""`keras-hrnet export`: exports a trained network for the phone, the server or the browser."""

import pathlib
import shlex
from typing import Annotated

import typer

from keras_hrnet.cli import data_options
from keras_hrnet.cli.choices import (
    ANSWERS,
    INPUT_DTYPES,
    NPU_VENDORS,
    OPENVINO_PRECISIONS,
    TFLITE_PRECISIONS,
    WEB_FORMATS,
    require_choice,
)
from keras_hrnet.cli.console import Console
from keras_hrnet.cli.data_options import DataOptions, require_masks
from keras_hrnet.cli.info import parse_size
from keras_hrnet.cli.outputs import require_folder_of
from keras_hrnet.cli.protocol import (
    ClassNames,
    HierarchicalScales,
    load_network,
    report_missing_names,
    require_network,
)
from keras_hrnet.cli.start import start
from keras_hrnet.replacing import replacing
from keras_hrnet.suggestion import suggestion

ENDINGS = (".tflite", ".onnx", ".xml", ".keras")
OTHER_ENDINGS = (".h5", ".hdf5", ".pb", ".pt", ".pth", ".safetensors", ".mlmodel", ".mlpackage", ".engine", ".bin")
CALIBRATED = ("int8", "int16x8", "mixed")
EXPORTED = "a page made from an exported file"

# The number of images on which `export_tflite` calibrates.
NUM_PHOTOS = 64


def export(
    model: Annotated[
        pathlib.Path,
        typer.Argument(help="A network saved by Keras, `.keras`; with --web also a `.tflite` or `.onnx` file."),
    ],
    output: Annotated[
        pathlib.Path,
        typer.Argument(
            help="File to write: `.tflite`, `.onnx`, `.xml` (OpenVINO) or `.keras` (optimized); or a folder "
            "(SavedModel, or --web)."
        ),
    ],
    size: Annotated[
        str | None, typer.Option(help="Height and width of the images; required for `.tflite` and --web.")
    ] = None,
    web: Annotated[
        bool, typer.Option("--web", help="Write a folder with a web page that segments photos in the browser.")
    ] = False,
    web_format: Annotated[
        str, typer.Option(help="With --web: format of the network, tflite (LiteRT.js) or onnx (ONNX Runtime Web).")
    ] = "tflite",
    runtime: Annotated[
        pathlib.Path | None,
        typer.Option(
            help=(
                "With --web: folder with the archives of the runtime that `npm pack` writes; by default, npm downloads "
                "them once."
            )
        ),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            help="Precision: float32, float16, dynamic, int8, int16x8 or mixed for `.tflite` and --web; float32, "
            "float16, bfloat16 or int8 for `.xml`."
        ),
    ] = "float32",
    answer: Annotated[
        str, typer.Option(help="Output of `.tflite` and --web: logits, logits_stride4, labels or probabilities.")
    ] = "logits",
    input_dtype: Annotated[
        str, typer.Option(help="Dtype of the pixels, for all formats but SavedModel and `.keras`: float32 or uint8.")
    ] = "float32",
    batch_size: Annotated[
        int | None, typer.Option(help="Number of images in a batch, for `.tflite`, `.onnx` and `.xml`.", min=1)
    ] = None,
    data: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="Root of a known data set, or folder that `data pack` wrote, whose crops are used for calibration."
        ),
    ] = None,
    data_set: data_options.DataSetName = None,
    photos: Annotated[
        pathlib.Path | None, typer.Option(help="Folder of photos to calibrate on, instead of --data.")
    ] = None,
    images: data_options.Images = None,
    masks: data_options.Masks = None,
    val_share: Annotated[
        float | None,
        typer.Option(
            help="Share of --images that `train --val-share` validates on; these images are not used for calibration."
        ),
    ] = None,
    ignore_label: data_options.IgnoreLabel = None,
    id_map: data_options.IdMap = None,
    palette: data_options.Palette = None,
    npu: Annotated[
        str | None,
        typer.Option(
            help="Vendor of NPUs for which the `.tflite` file is also compiled, one file for each SoC: qualcomm, "
            "mediatek, google or intel; or one SoC, such as qualcomm:SM8750."
        ),
    ] = None,
    sensitivity: Annotated[
        bool,
        typer.Option(
            "--sensitivity", help="Measure the error of each layer; for integer precisions of `.tflite` and --web."
        ),
    ] = False,
    hierarchical_scales: HierarchicalScales = None,
    classes: ClassNames = None,
) -> None:
    """Export a network, run the exported file, and compare it with Keras. Files that differ too much are not kept."""
    if output.resolve() == model.resolve():
        raise ValueError(
            f"Received {str(output)!r} as the network and as the file to write. Expected a different name, because "
            "an exported network cannot be trained further. Pass another output."
        )
    require_folder_of("OUTPUT", output)
    if not web:
        _check_ending(output)
    require_choice("--web-format", web_format, WEB_FORMATS)
    kind = output.suffix
    if web:
        kind = "--web-format onnx" if web_format == "onnx" else "--web"
    if web and model.suffix in (".tflite", ".onnx"):
        kind = EXPORTED
    _check_options(
        kind,
        precision=precision != "float32",
        answer=answer != "logits",
        input_dtype=input_dtype != "float32",
        batch_size=batch_size is not None,
        sensitivity=sensitivity,
        web_format=web_format != "tflite",
        runtime=runtime is not None,
        npu=npu is not None,
        size=size is not None,
        photos=photos is not None,
        data=data is not None,
        images=images is not None,
        classes=classes is not None,
    )
    require_choice("--precision", precision, OPENVINO_PRECISIONS if kind == ".xml" else TFLITE_PRECISIONS)
    require_choice("--answer", answer, ANSWERS)
    require_choice("--input-dtype", input_dtype, INPUT_DTYPES)
    if npu is not None:
        require_choice("--npu", npu.partition(":")[0], NPU_VENDORS)
    if kind == EXPORTED:
        require_network(model)
        start()
        from keras_hrnet.export import write_web_page

        _print_serve_command(write_web_page(model, output, runtime=runtime))
        return
    image_size = None if size is None else parse_size(size)
    given = [source for source in (data, photos, images) if source is not None]
    if len(given) > 1:
        raise ValueError(
            f"Received --data {data}, --photos {photos} and --images {images}. Expected one of them. Leave out "
            f"the other{'s' if len(given) > 2 else ''}."
        )
    require_masks(("--images", images), ("--masks", masks), f" Or pass --photos {images}, which needs no masks.")
    if image_size is None and (web or kind == ".tflite" or given):
        raise ValueError(
            "Received no --size. Expected a size, because the file or its images have a fixed size. Pass --size "
            "512x1024."
        )
    if precision in CALIBRATED and not given:
        raise ValueError(
            f"Received --precision {precision} without images for calibration. Expected images like those that the "
            "network will see. Pass --photos with a folder of them, or --precision dynamic, which needs none."
        )
    require_network(model)
    start()
    from keras_hrnet.export import (
        compile_for_npu,
        export_onnx,
        export_openvino,
        export_saved_model,
        export_tflite,
        export_web,
    )
    from keras_hrnet.export.npu import npu_targets
    from keras_hrnet.export.options import half_precision
    from keras_hrnet.models import classes_of, optimize_for_inference

    if npu is not None:
        npu_targets(npu)  # Raises an error before the export, which takes longer.
    network = load_network(model, hierarchical_scales, classes)
    console = Console(soft_wrap=True, highlight=False)
    report_missing_names(network, console)
    if kind == ".keras":
        with replacing(output) as part:
            optimize_for_inference(network).save(part)
        console.print(f"Wrote {output}")
        return
    if half := half_precision(network):
        console.print(f"The network computes in {half}; the file computes in float32.")
        network = optimize_for_inference(network, dtype="float32")
    described = None
    if photos is None and given:
        described = DataOptions(
            data=data, data_set=data_set, images=images, masks=masks, val_share=val_share,
            ignore_label=ignore_label, id_map=id_map, palette=palette,
            classes=None if images is None else classes_of(network),
        )  # fmt: skip
    shared = {"image_size": image_size, "representative_data": _images(network, described, photos, image_size)}
    if web or kind == ".tflite":
        options = {"precision": precision, "output": answer, "input_dtype": input_dtype, "sensitivity": sensitivity}
        if web:
            report = export_web(network, output, **shared, **options, file_format=web_format, runtime=runtime)
        else:
            report = export_tflite(network, output, **shared, **options, batch_size=batch_size or 1)
    elif kind == ".xml":
        report = export_openvino(
            network, output, **shared, input_dtype=input_dtype, batch_size=batch_size, precision=precision
        )
    elif kind == ".onnx":
        report = export_onnx(network, output, **shared, input_dtype=input_dtype, batch_size=batch_size)
    else:
        report = export_saved_model(network, output, **shared)
    console.print(str(report))
    if npu is not None:
        console.print(str(compile_for_npu(output, npu)))
    if web:
        _print_serve_command(output)


def _check_ending(output):
    """Refuses a name with the suffix of another format, which would otherwise become the folder of a SavedModel."""
    meant = suggestion(output.suffix, ENDINGS) if output.suffix not in ENDINGS else ""
    if meant or output.suffix.lower() in OTHER_ENDINGS:
        raise ValueError(
            f"Received {str(output)!r} as the file to write. Expected a name that ends with {', '.join(ENDINGS)}, or "
            f"the name of a folder for a SavedModel.{meant or ' Pass one of them.'}"
        )


def _print_serve_command(folder):
    command = shlex.join(["keras-hrnet", "serve", str(folder)])
    Console(soft_wrap=True, highlight=False).print(f"Try the page: {command}")


def _check_options(kind, **given):
    """Refuses options that do not apply to the kind of file."""
    shared = {"size", "photos", "data", "images", "classes"}
    serving = {"input_dtype", "batch_size", *shared}
    known = {
        ".tflite": set(given) - {"web_format", "runtime"},
        ".onnx": serving,
        ".xml": {*serving, "precision"},
        "--web": set(given) - {"batch_size", "npu"},
        "--web-format onnx": {"input_dtype", "web_format", "runtime", *shared},
        EXPORTED: {"runtime"},
    }.get(kind, shared)
    strange = [f"--{name.replace('_', '-')}" for name, is_given in given.items() if is_given and name not in known]
    if strange:
        raise ValueError(
            f"Received {', '.join(strange)} for {kind or 'a SavedModel'}. Expected only options that apply to it. "
            "Leave them out, or write another kind of file."
        )


def _images(network, described, photos, size):
    if described is not None:
        return described.dataset("train", batch_size=1, crop_size=size)
    if photos is None:
        return None
    import numpy as np

    from keras_hrnet.evaluation.photos import find_photos, read_image
    from keras_hrnet.models.interface import num_channels

    channels = num_channels(network)
    paths = find_photos(photos, channels)
    count = min(len(paths), NUM_PHOTOS)
    # The first photos may all show the same street.
    paths = [paths[i * len(paths) // count] for i in range(count)]
    return np.stack([_fitted(read_image(path, channels), size) for path in paths])


def _fitted(image, size):
    """Crops the center of a photo, as large as its shape allows, and resizes it to (height, width)."""
    import numpy as np
    import PIL.Image

    scale = min(length / wanted for length, wanted in zip(image.shape, size, strict=False))
    height, width = (min(length, round(wanted * scale)) for length, wanted in zip(image.shape, size, strict=False))
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    middle = np.moveaxis(image[top : top + height, left : left + width], -1, 0)
    # Pillow resizes each channel independently, and supports at most four.
    pictures = (PIL.Image.fromarray(channel).resize(size[::-1], PIL.Image.Resampling.BILINEAR) for channel in middle)
    return np.stack([np.asarray(picture) for picture in pictures], axis=-1)

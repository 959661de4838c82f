"""Submissions to the Cityscapes test server: a zip of label ids, with a PNG for each image."""

import contextlib
import io
import pathlib
import zipfile

from keras_hrnet.cli.console import Console
from keras_hrnet.cli.outputs import require_folder_of
from keras_hrnet.cli.progress import progress_bar
from keras_hrnet.data.files.splits import list_images
from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.evaluation.pictures import write_png
from keras_hrnet.evaluation.prediction import check_output, predictions
from keras_hrnet.evaluation.segmenter import Segmenter
from keras_hrnet.replacing import replacing

# cityscapesScripts, evaluation/evalPixelLevelSemanticLabeling.py, finds a prediction by `<city>_<seq>_<frame>*.png`.
ENDING = "_labelIds.png"


def check_submission(path: pathlib.Path, roots: list[pathlib.Path], split: str, partial: bool) -> list[pathlib.Path]:
    """Checks the input of a submission before the first image is predicted.

    Args:
        path: the zip to write.
        roots: a list of one Cityscapes root.
        split: "train", "val" or "test".
        partial: whether fewer images than published are accepted.

    Returns:
        The images of the split.

    Raises:
        FileNotFoundError: if the root, the split or the folder of the zip is missing.
        ValueError: if the file's name does not end in `.zip`, there are several roots, there is no such split, or the
            number of images differs from the published one.
    """
    if path.suffix != ".zip":
        raise ValueError(f"Received --submission {str(path)!r}. Expected a name that ends in .zip. Pass such a name.")
    require_folder_of("--submission", path)
    if len(roots) != 1:
        raise ValueError(
            f"Received {len(roots)} paths with --submission. Expected one Cityscapes root. Pass only that."
        )
    images = list_images(roots[0], CITYSCAPES, split)
    published = CITYSCAPES.num_images[split]
    if len(images) != published and not partial:
        raise ValueError(
            f"{roots[0]} has {len(images)} images of the split {split!r}. Expected the published {published}, because "
            "the server accepts no fewer. Unpack leftImg8bit_trainvaltest.zip there, or pass --partial for a trial."
        )
    return images


def write_submission(path: pathlib.Path, segmenter: Segmenter, images: list[pathlib.Path], batch_size: int) -> None:
    """Predicts the images of a split, and writes their label ids as a zip file; if that fails, no file is written.

    Args:
        path: the zip to write.
        segmenter: the network under a protocol.
        images: the images of the split.
        batch_size: number of images in a batch.

    Raises:
        ValueError: if the network's classes are not Cityscapes' 19, or an image cannot be read.
    """
    check_output(segmenter.model, "label_ids")

    def encode(image, label_ids):
        png = io.BytesIO()
        write_png(label_ids, png)
        return png.getvalue()

    options = {"output": "label_ids", "batch_size": batch_size, "write": encode}
    with (
        replacing(path) as part,
        zipfile.ZipFile(part, "w") as archive,  # Compression would not make PNG files smaller.
        contextlib.closing(predictions(segmenter, images, **options)) as results,
        progress_bar("Segmenting", len(images), "images") as advance,
    ):
        for image, png in results:
            if isinstance(png, Exception):
                raise png
            archive.writestr(image.name.removesuffix("_leftImg8bit.png") + ENDING, png)
            advance()
    Console(soft_wrap=True, highlight=False).print(f"Wrote {path}: {len(images)} label images")

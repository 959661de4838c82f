"""Writes a network as a SavedModel that TensorFlow alone loads: the public function `export_saved_model`."""

import pathlib

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.export.serving import INPUT_NAME, OUTPUT_NAME, ServingOptions, serving_function
from keras_hrnet.export.verified import check_folder, export_verified

SIGNATURE = "serving_default"
# What may be in the folder of a SavedModel.
CONTENTS = {"saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"}


def export_saved_model(model, path, *, image_size=None, representative_data=None):
    """Writes a network as a SavedModel, loads it, and keeps it only if it answers as Keras does.

    Its signature "serving_default" goes from "images", uint8 `(batch, height, width, 3)`, RGB in [0, 255], to
    "logits", float32: of every pixel or of the image, channels last also from a model that is channels first. Any
    number of images of any size go in, unless the model or `image_size` fixes it. TensorFlow loads it without Keras
    and without this package, on CPUs and GPUs. Weights are constants in it, normalisations are folded: it is for
    inference only, loads in a third of the time that variables take, and cannot be larger than two gigabytes.

    A report, as JSON, is written beside it: "w48.json" for the folder "w48". Under JAX and torch the weights go
    through a TensorFlow process, which takes some seconds more.

    Args:
        model: a functional network from RGB images to logits, in float32.
        path: the folder to make. A SavedModel that is there, or an empty folder, is replaced, once the new one is
            verified; any other folder or file is not.
        image_size: (height, width) of the images in pixels; None for what the model takes.
        representative_data: images to compare on: an array `(num_images, height, width, 3)` or an iterable of batches
            of images or of `(images, labels)`; the first four are taken. None means noise and gradients, of two sizes
            where it may vary.

    Returns:
        A `ServingReport`: size and differences from Keras; `print` shows it.

    Raises:
        FileNotFoundError: if the folder that `path` is in does not exist.
        FileExistsError: if something else than a SavedModel is at `path`.
        TypeError: if `model` is not a functional model from one tensor to one.
        ValueError: if it gives no logits, computes in half precision, or `image_size` or the images do not go with it.
        RuntimeError: if the SavedModel differs from Keras by more than 0.5 % of the largest logit, or the TensorFlow
            process fails. Nothing is left then.

    Example:

    ```python
    report = keras_hrnet.export_saved_model(model, "w48")
    print(report)

    import tensorflow as tf

    network = tf.saved_model.load("w48").signatures["serving_default"]
    logits = network(images=image[None])["logits"]
    ```
    """
    path = pathlib.Path(path)
    check_folder(path)
    _check_replaceable(path)
    options = ServingOptions(image_size).for_model(model)
    return export_verified(
        model,
        path,
        options,
        representative_data,
        kind="saved_model",
        file_format="SavedModel",
        write=write_saved_model,
        load=load_saved_model,
    )


def write_saved_model(model, options, path):
    """Writes a SavedModel.

    Args:
        model: a functional network on the TensorFlow backend.
        options: `ServingOptions` for the model.
        path: the folder to make.
    """
    import tensorflow as tf

    # Constants: HRNetW18Small loads in 0.2 s, and in 0.6 s with variables.
    signature = serving_function(model, options, freezes=True).get_concrete_function()
    tf.saved_model.save(tf.Module(), str(path), signatures={SIGNATURE: signature})


def load_saved_model(path):
    """Loads a SavedModel with TensorFlow.

    Args:
        path: its folder.

    Returns:
        A function from uint8 `(batch, height, width, 3)` to logits, both NumPy arrays.
    """
    tf = host_tensorflow()
    loaded = tf.saved_model.load(str(path))

    def run(images):
        return loaded.signatures[SIGNATURE](**{INPUT_NAME: tf.constant(images)})[OUTPUT_NAME].numpy()

    return run


def _check_replaceable(path):
    if path.is_dir():
        names = {entry.name for entry in path.iterdir()}
        if not names or ("saved_model.pb" in names and names <= CONTENTS):
            return
        found = f"a folder with {', '.join(sorted(names)[:3])}"
    elif path.exists():
        found = "a file"
    else:
        return
    raise FileExistsError(
        f"Received the path {str(path)!r}, where there is {found}. Expected nothing, or a SavedModel, which is "
        "replaced. Pass another name, or remove it."
    )

"""Predicts the labels of one's own images: the public function `predict`."""

import os
import pathlib

import numpy as np
import PIL.Image
import PIL.ImageOps

from keras_hrnet.evaluation.inference import check_model, check_size, image_size, images_for, labels_of


def predict(model, image):
    """Predicts the class of every pixel of an image, or of a batch of images of one size.

    JAX compiles each new image size, TensorFlow the first two.

    Args:
        model: a network from RGB images to logits of their height and width; or what `labels_model` made of one.
        image: the path of a picture (PNG, JPEG and what else Pillow reads, of 8 bits a channel; grey, palette and
            transparent pictures become RGB, and the rotation that a camera noted is done); or uint8 `(height, width,
            3)`, RGB in [0, 255]; or a batch of such, `(batch, height, width, 3)`.

    Returns:
        Labels `(height, width)`, of a batch `(batch, height, width)`, train ids: uint8, or int32 if there are more
        than 255 classes.

    Raises:
        FileNotFoundError: if there is no such file.
        TypeError: if `model` is no built functional model, or `image` neither a path nor uint8.
        ValueError: if the file is no picture of 8 bits a channel, the array has another shape, or the model gives
            logits of another size.

    Example:

    ```python
    labels = keras_hrnet.predict(model, "street.jpg")
    keras_hrnet.evaluation.overlay(keras_hrnet.evaluation.read_image("street.jpg"), labels)
    ```
    """
    check_model(model)
    if isinstance(image, (str, os.PathLike)):
        image = read_image(image)
    _check_image(image)
    is_batch = image.ndim == 4
    images = images_for(model, image if is_batch else image[np.newaxis])
    labels = labels_of(model, model.predict_on_batch(images))
    check_size(model, labels, image_size(model, images))
    return labels if is_batch else labels[0]


def read_image(path):
    """Reads a picture file as RGB, the right way up.

    Args:
        path: a PNG, JPEG or other file that Pillow reads, of 8 bits a channel.

    Returns:
        uint8 `(height, width, 3)`, RGB in [0, 255].

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no whole picture, or has more than 8 bits a channel.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Received the path {str(path)!r}. Expected a picture file. Check the name.")
    try:
        with PIL.Image.open(path) as picture:
            if picture.mode.startswith(("I", "F")):
                raise ValueError(
                    f"Received the picture {str(path)!r} of mode {picture.mode!r}, more than 8 bits a channel. "
                    "Expected 8 bits. Scale its values to 0 to 255 and save it again."
                )
            return np.asarray(PIL.ImageOps.exif_transpose(picture).convert("RGB"))
    except OSError as error:
        raise ValueError(
            f"Received the file {str(path)!r}, which Pillow cannot read ({error}). Expected a whole PNG or JPEG file. "
            "Fetch it again, or convert it."
        ) from error


def _check_image(image):
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f"Received an image of type {type(image).__name__}. Expected a path or a numpy array. Convert it with "
            "`np.asarray(image)`."
        )
    if image.dtype != np.uint8:
        raise TypeError(
            f"Received an image of dtype {image.dtype}. Expected uint8 with values 0 to 255. If its values are in [0, "
            "1], multiply them by 255 first; then use `.astype('uint8')`."
        )
    if image.ndim not in (3, 4) or image.shape[-1] != 3:
        raise ValueError(
            f"Received an image of shape {image.shape}. Expected (height, width, 3) or (batch, height, width, 3). "
            "Stack a grey image three times; leave out a channel of transparency."
        )

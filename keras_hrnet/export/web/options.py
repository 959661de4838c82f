"""The options of a page's network, whose input must be photos."""

import dataclasses
from typing import Self

import keras

from keras_hrnet.export.conversion import TFLiteOptions

CHANNELS = (1, 3)


@dataclasses.dataclass(frozen=True)
class WebOptions(TFLiteOptions):
    """The options of the `.tflite` file of a page; see `TFLiteOptions`."""

    def for_model(self, model: keras.Model) -> Self:
        """Checks a network as `TFLiteOptions` does, and that it segments photos.

        Raises:
            TypeError: as there.
            ValueError: as there, or if its input is not RGB or grayscale pixels, or it classifies whole images.
        """
        options = super().for_model(model)
        if len(model.outputs[0].shape) != 4:
            raise ValueError(
                f"Received the model {model.name!r}, which classifies whole images. Expected a network with an output "
                "for each pixel, which a page can show. Export it with export_tflite instead."
            )
        if options.channels not in CHANNELS or not options.takes_pixels:
            unit = "" if options.takes_pixels else ", in another unit than pixels"
            raise ValueError(
                f"Received the model {model.name!r}, whose input is images of {options.channels} channels{unit}. "
                "Expected RGB or grayscale pixels in [0, 255], as a browser reads them from photos. Export it with "
                "export_tflite instead."
            )
        return options

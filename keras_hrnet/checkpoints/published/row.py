"""The description of a published weight file."""

import dataclasses

from keras_hrnet.data_sets import DATA_SETS, Classes


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """A published weight file. A field that none of its sources states is None.

    Args:
        name: its name in this package.
        variant: the network that the file is for, such as "HRNetW48".
        head: the head whose weights it holds, such as "fcn"; None if only its backbone is known.
        head_options: constructor arguments that build this head, such as `{"ocr_channels": (512, 256)}`; others have
            their defaults.
        num_classes: the number of classes of that head.
        dataset: the data set that it was last trained on, such as "cityscapes".
        file: the name of the file where it is published.
        url: the address of the file itself.
        page: the address of the page that links to it.
        size: its size in bytes.
        sha256: its SHA-256, in hexadecimal digits.
        sha256_start: the first eight of these digits, if only the name of the file states them.
        license: the license of the weights; "repository: MIT" or similar if only the repository of the code states one.
            Data sets have their own terms, which are not repeated here.
        source: the repository, and the file in it, that states these facts.
        score: its score and the images on which it was measured; single-scale without flipping unless stated otherwise.
        interpolation: the interpolation by which the trained network upsamples maps: "nearest" or "bilinear".
        align_corners: whether bilinear interpolation aligns the centers of the corner pixels.
        channel_order: the channel order of the pixels that it was trained on, "RGB" or "BGR".
    """

    name: str
    variant: str
    dataset: str
    file: str
    page: str
    source: str
    head: str | None = None
    head_options: dict = dataclasses.field(default_factory=dict, hash=False)
    num_classes: int | None = None
    url: str | None = None
    size: int | None = None
    sha256: str | None = None
    sha256_start: str | None = None
    license: str | None = None
    score: str | None = None
    interpolation: str | None = None
    align_corners: bool | None = None
    channel_order: str = "RGB"

    @property
    def is_for_pixels(self) -> bool:
        """Whether its head classifies pixels. Networks with such a head load other files without their heads."""
        return self.dataset not in ("imagenet", "coco_keypoints")

    @property
    def classes(self) -> Classes | None:
        """The names and colors of its classes; None if this package does not know them."""
        rows = (DATA_SETS.get(name) for name in (self.dataset, f"{self.dataset}_{self.num_classes}"))
        return next((row.classes for row in rows if row and len(row.classes.names) == self.num_classes), None)

    @property
    def verification(self) -> str:
        """The means of verifying a copy of the file: "SHA-256", "8 digits of SHA-256" or "nothing"."""
        if self.sha256:
            return "SHA-256"
        return "8 digits of SHA-256" if self.sha256_start else "nothing"

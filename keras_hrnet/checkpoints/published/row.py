"""What is known of a published weight file."""

import dataclasses

from keras_hrnet.data_sets import DATA_SETS, Classes


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """A published weight file. What none of its sources states is None.

    Args:
        name: what it is called here.
        variant: the network it fits, such as "HRNetW48".
        head: the head whose weights it holds, such as "fcn"; None if only its backbone is known.
        head_options: arguments of the constructor that build this head, such as `{"ocr_channels": (512, 256)}`; what is
            left out has its default.
        num_classes: the number of classes of that head.
        dataset: what it was trained on last, such as "cityscapes".
        file: what the file is called where it is published.
        url: where the file itself is.
        page: where a person finds it.
        size: bytes.
        sha256: SHA-256 of the file, in hexadecimal digits.
        sha256_start: the first eight of those digits, where the file's name gives no more.
        licence: of the weights; "repository: MIT" and the like where only the repository beside them states one. Data
            sets have terms of their own, which no row repeats.
        source: the repository, and the file in it, that these facts are from.
        score: what it reaches, and on what; at a single scale and not flipped unless it says so.
        interpolation: how the network that it was trained in resizes maps: "nearest" or "bilinear".
        align_corners: whether bilinear resizing aligns the centres of the corner pixels.
        channel_order: the order of the channels in the pixels it was trained on, "RGB" or "BGR".
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
    licence: str | None = None
    score: str | None = None
    interpolation: str | None = None
    align_corners: bool | None = None
    channel_order: str = "RGB"

    @property
    def classes(self) -> Classes | None:
        """The names and colours of its classes; None if this package does not know them."""
        classes = DATA_SETS.get(self.dataset)
        return classes if classes and len(classes.names) == self.num_classes else None

    @property
    def verification(self) -> str:
        """What a copy of the file can be verified by: "SHA-256", "8 digits of SHA-256" or "nothing"."""
        if self.sha256:
            return "SHA-256"
        return "8 digits of SHA-256" if self.sha256_start else "nothing"

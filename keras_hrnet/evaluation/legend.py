"""Draws a legend: color swatches with names next to them, in columns."""

import math
from collections.abc import Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from keras_hrnet.data_sets.classes import Color

TEXT_COLOR = (60, 64, 67)
OUTLINE = (189, 193, 198)
SHORTEST_COLUMN = 10  # in font sizes
# For text over a photo: the background lets a tenth of the photo through, which keeps text readable.
INK, PAPER, OPACITY = (24, 26, 29), (255, 255, 255), 0.9
SMALLEST_FONT, SPACING = 10, 1.4
# A photo of 1000 by 1000 pixels has a font size of 20.
PHOTO_PER_FONT = 50


class Legend:
    """Swatches and names in as many columns as fit into a width; lengths scale with the font size.

    Args:
        entries: pairs of a name and a color, in the order to show, column by column. Without a color, only the name
            is written.
        font_size: in pixels.
        width: maximum width of the legend, in pixels.
        most_rows: maximum number of rows; the last entry then states how many are left out. None shows all.
        spacing: distance from one row to the next, in font sizes.
    """

    def __init__(
        self,
        entries: Sequence[tuple[str, Color | None]],
        font_size: int,
        width: int,
        most_rows: int | None = None,
        spacing: float = 1.75,
    ) -> None:
        self.font = PIL.ImageFont.load_default(font_size)
        self.row_height = round(spacing * font_size)
        self.swatch = (round(1.625 * font_size), font_size)
        self.name_left = self.swatch[0] + round(0.625 * font_size)
        gap = 2 * font_size
        needed = self.name_left + max(self.font.getlength(name) for name in [f"{len(entries)} more", *dict(entries)])
        # A single long name must not take the space of many others.
        self.column_width = gap + min(
            math.ceil(needed), width, max((width - 2 * gap) // 3, SHORTEST_COLUMN * font_size)
        )
        columns = max(1, min(len(entries), (width + gap) // self.column_width))
        if most_rows is not None and len(entries) > columns * most_rows:
            shown = columns * most_rows - 1
            entries = [*entries[:shown], (f"and {len(entries) - shown} more", None)]
        self.rows = math.ceil(len(entries) / columns)
        # If rows are filled one after the other, fewer columns may be needed.
        columns = math.ceil(len(entries) / max(self.rows, 1))
        self.width = columns * self.column_width - gap
        room = self.column_width - gap - self.name_left
        self.entries = [
            (self._fitting(name, room if color else room + self.name_left), color) for name, color in entries
        ]

    @property
    def height(self) -> int:
        """In pixels."""
        return self.rows * self.row_height

    def draw(self, draw: PIL.ImageDraw.ImageDraw, left: int, top: int, ink: Color = TEXT_COLOR) -> None:
        """Draws the legend.

        Args:
            draw: the picture to draw on.
            left: left edge, in pixels.
            top: top edge, in pixels.
            ink: the color of the text.
        """
        width, height = self.swatch
        for i, (name, color) in enumerate(self.entries):
            column, row = divmod(i, self.rows)
            x = left + column * self.column_width
            middle = top + row * self.row_height + self.row_height // 2
            if color is not None:
                box = (x, middle - height // 2, x + width, middle + height // 2)
                draw.rounded_rectangle(box, radius=3, fill=color, outline=OUTLINE)
                x += self.name_left
            draw.text((x, middle), name, ink, self.font, anchor="lm")

    def _fitting(self, name, width):
        if self.font.getlength(name) <= width:
            return name
        shortened = (f"{name[:length].rstrip()}…" for length in range(len(name) - 1, 0, -1))
        return next((text for text in shortened if self.font.getlength(text) <= width), "")


def with_legend(picture: np.ndarray, entries: Sequence[tuple[str, Color]]) -> np.ndarray:
    """Draws a legend over the lower edge of a picture, and covers at most half of it.

    Args:
        picture: uint8 `(height, width, 3)`, RGB in [0, 255].
        entries: pairs of a name and a color, the most important first; the last ones are left out if there is no room.

    Returns:
        uint8 `(height, width, 3)`.
    """
    if not entries:
        return picture
    height, width = picture.shape[:2]
    font_size = max(SMALLEST_FONT, round(math.sqrt(height * width) / PHOTO_PER_FONT))
    margin = font_size // 2
    most_rows = max(1, (height // 2 - margin) // round(SPACING * font_size))
    legend = Legend(entries, font_size, max(width - 2 * margin, 1), most_rows, SPACING)
    box = (0, height - legend.height - margin, legend.width + 2 * margin, height)
    whole = PIL.Image.fromarray(picture)
    covered = whole.crop(box)
    whole.paste(PIL.Image.blend(covered, PIL.Image.new("RGB", covered.size, PAPER), OPACITY), box[:2])
    legend.draw(PIL.ImageDraw.Draw(whole), margin, box[1] + margin // 2, INK)
    return np.array(whole)

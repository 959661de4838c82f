"""Draws samples as rows of three panels with titles, over a legend of swatches and names."""

import dataclasses
import math

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

# Lengths are in pixels of the finished picture.
MARGIN = 32
GUTTER = 16
SMALLEST_PANEL_WIDTH = 320
LARGEST_PANEL_WIDTH = 640
LARGEST_PANEL_HEIGHT = 640
TITLES = ("Image", "Truth", "Prediction")
TITLE_SIZE = 20
TITLE_HEIGHT = 36
LEGEND_SIZE = 16
LEGEND_ROW_HEIGHT = 28
LEGEND_GAP = 24
SWATCH_WIDTH = 26
SWATCH_HEIGHT = 16
SWATCH_GAP = 10
COLUMN_GAP = 32

BACKGROUND = (255, 255, 255)
TITLE_COLOR = (32, 33, 36)
TEXT_COLOR = (60, 64, 67)
OUTLINE = (189, 193, 198)


@dataclasses.dataclass(frozen=True)
class Sample:
    """One row of a sheet: three RGB pictures of one size.

    Args:
        image: the photograph.
        truth: the true labels in colours.
        prediction: the predicted labels in colours.
    """

    image: PIL.Image.Image
    truth: PIL.Image.Image
    prediction: PIL.Image.Image


def draw_sheet(samples, legend):
    """Draws one row for each sample, and the legend below.

    Args:
        samples: the rows, a list of `Sample`; panels of all rows have the width of the first.
        legend: pairs of a name and an RGB colour, in the order to show.

    Returns:
        A `PIL.Image.Image`, RGB.
    """
    width = _panel_width(samples[0].image.size)
    heights = [max(1, round(sample.image.height * width / sample.image.width)) for sample in samples]
    sheet_width = 2 * MARGIN + 3 * width + 2 * GUTTER
    font = PIL.ImageFont.load_default(LEGEND_SIZE)
    grid = _legend_grid(legend, font, sheet_width - 2 * MARGIN)
    panels_height = sum(heights) + GUTTER * (len(heights) - 1)
    sheet_height = MARGIN // 2 + TITLE_HEIGHT + panels_height + LEGEND_GAP + grid.height + MARGIN // 2
    sheet = PIL.Image.new("RGB", (sheet_width, sheet_height), BACKGROUND)
    draw = PIL.ImageDraw.Draw(sheet)
    lefts = [MARGIN + i * (width + GUTTER) for i in range(3)]
    _draw_titles(draw, lefts)
    top = MARGIN // 2 + TITLE_HEIGHT
    for sample, height in zip(samples, heights, strict=True):
        _paste_panels(sheet, sample, lefts, top, (width, height))
        top += height + GUTTER
    _draw_legend(draw, grid, legend, font, top - GUTTER + LEGEND_GAP)
    return sheet


def _panel_width(size):
    width, height = size
    if width < SMALLEST_PANEL_WIDTH:
        width *= math.ceil(SMALLEST_PANEL_WIDTH / width)
        height *= width // size[0]
    scale = min(1, LARGEST_PANEL_WIDTH / width, LARGEST_PANEL_HEIGHT / height)
    return max(1, round(width * scale))


def _draw_titles(draw, lefts):
    font = PIL.ImageFont.load_default(TITLE_SIZE)
    for title, left in zip(TITLES, lefts, strict=True):
        draw.text((left, MARGIN // 2 + TITLE_HEIGHT // 2), title, TITLE_COLOR, font, anchor="lm")


def _paste_panels(sheet, sample, lefts, top, size):
    shrinks = size[0] < sample.image.width
    smooth = PIL.Image.Resampling.LANCZOS if shrinks else PIL.Image.Resampling.NEAREST
    # Colours between two classes' colours would be a third class.
    sharp = PIL.Image.Resampling.NEAREST
    pictures = ((sample.image, smooth), (sample.truth, sharp), (sample.prediction, sharp))
    for (picture, resampling), left in zip(pictures, lefts, strict=True):
        sheet.paste(picture.resize(size, resampling), (left, top))


@dataclasses.dataclass(frozen=True)
class _Grid:
    columns: int
    column_width: int
    rows: int

    @property
    def height(self):
        return self.rows * LEGEND_ROW_HEIGHT


def _legend_grid(legend, font, width):
    widest = max((font.getlength(name) for name, _ in legend), default=0)
    needed = math.ceil(SWATCH_WIDTH + SWATCH_GAP + widest + COLUMN_GAP)
    columns = max(1, min(len(legend), (width + COLUMN_GAP) // needed))
    rows = math.ceil(len(legend) / columns)
    return _Grid(math.ceil(len(legend) / max(rows, 1)), needed, rows)


def _draw_legend(draw, grid, legend, font, top):
    for i, (name, color) in enumerate(legend):
        column, row = divmod(i, grid.rows)
        left = MARGIN + column * grid.column_width
        middle = top + row * LEGEND_ROW_HEIGHT + LEGEND_ROW_HEIGHT // 2
        box = (left, middle - SWATCH_HEIGHT // 2, left + SWATCH_WIDTH, middle + SWATCH_HEIGHT // 2)
        draw.rounded_rectangle(box, radius=3, fill=color, outline=OUTLINE)
        draw.text((left + SWATCH_WIDTH + SWATCH_GAP, middle), name, TEXT_COLOR, font, anchor="lm")

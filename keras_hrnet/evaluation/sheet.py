"""Draws samples as rows of three panels with titles, over a legend of swatches and names."""

import dataclasses
import math
from collections.abc import Sequence

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from keras_hrnet.data_sets.classes import Color
from keras_hrnet.evaluation.legend import Legend

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
LEGEND_GAP = 24

BACKGROUND = (255, 255, 255)
TITLE_COLOR = (32, 33, 36)


@dataclasses.dataclass(frozen=True)
class Sample:
    """One row of a sheet: three RGB pictures of the same size.

    Args:
        image: the photograph.
        truth: the true labels in colors.
        prediction: the predicted labels in colors.
    """

    image: PIL.Image.Image
    truth: PIL.Image.Image
    prediction: PIL.Image.Image


def draw_sheet(samples: Sequence[Sample], entries: Sequence[tuple[str, Color]]) -> PIL.Image.Image:
    """Draws one row for each sample, and a legend below, in RGB.

    Args:
        samples: the rows; all panels have the width of the first row's.
        entries: entries of the legend: pairs of a name and a color, in the order to show.
    """
    width = _panel_width(samples[0].image.size)
    heights = [max(1, round(sample.image.height * width / sample.image.width)) for sample in samples]
    sheet_width = 2 * MARGIN + 3 * width + 2 * GUTTER
    legend = Legend(entries, LEGEND_SIZE, sheet_width - 2 * MARGIN)
    panels_height = sum(heights) + GUTTER * (len(heights) - 1)
    sheet_height = MARGIN // 2 + TITLE_HEIGHT + panels_height + LEGEND_GAP + legend.height + MARGIN // 2
    sheet = PIL.Image.new("RGB", (sheet_width, sheet_height), BACKGROUND)
    draw = PIL.ImageDraw.Draw(sheet)
    lefts = [MARGIN + i * (width + GUTTER) for i in range(3)]
    _draw_titles(draw, lefts)
    top = MARGIN // 2 + TITLE_HEIGHT
    for sample, height in zip(samples, heights, strict=True):
        _paste_panels(sheet, sample, lefts, top, (width, height))
        top += height + GUTTER
    legend.draw(draw, MARGIN, top - GUTTER + LEGEND_GAP)
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
    # A blend of two classes' colors would look like a third class.
    sharp = PIL.Image.Resampling.NEAREST
    pictures = ((sample.image, smooth), (sample.truth, sharp), (sample.prediction, sharp))
    for (picture, resampling), left in zip(pictures, lefts, strict=True):
        sheet.paste(picture.resize(size, resampling), (left, top))

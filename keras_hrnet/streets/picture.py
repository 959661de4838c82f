"""Draws the picture of a street from far to near, and exposes it as a camera would."""

import dataclasses
import math
import random as python_random

import numpy as np
from PIL import Image, ImageFilter

from keras_hrnet.streets import backdrop, texture
from keras_hrnet.streets.canvas import Camera, Canvas
from keras_hrnet.streets.facade import Facade, facade_pixels
from keras_hrnet.streets.shadows import ShadowPlane
from keras_hrnet.streets.street import build_street
from keras_hrnet.streets.weather import choose_light

BONNET_COLORS = ((22, 24, 28), (60, 64, 70), (150, 154, 158), (34, 44, 72), (90, 24, 26))
RECTIFICATION_BORDER, OUT_OF_ROI = 2, 3
# About as in the real data set: 5 of 2048 columns.
RIM = 5 / 2048


@dataclasses.dataclass(frozen=True)
class Picture:
    """A drawn street.

    Args:
        image: uint8 `(height, width, 3)`, RGB.
        label_ids: uint8 `(height, width)`, label ids.
        instance_ids: int32 `(height, width)`: the label id or, for labels with instances, 1000 times the label id plus
            the number of the instance.
    """

    image: np.ndarray
    label_ids: np.ndarray
    instance_ids: np.ndarray


@dataclasses.dataclass(frozen=True)
class Painting:
    """A street on a canvas, before it is photographed.

    Args:
        canvas: the canvas with all shapes.
        num_background: number of its objects that are sky and ground.
        generator: a NumPy generator, for the noise of the camera.
    """

    canvas: Canvas
    num_background: int
    generator: np.random.Generator

    def photograph(self) -> Picture:
        """Returns the `Picture`. Call it only once, from any thread, because it consumes random numbers."""
        canvas = self.canvas
        pixels, things = canvas.finish()
        pixels = _expose(canvas, pixels, things, self.num_background, self.generator)
        label_ids, instance_ids = (np.int32(table).take(things) for table in (canvas.label_ids, canvas.values))
        _add_rims(label_ids, instance_ids)
        return Picture(pixels, label_ids.astype(np.uint8), instance_ids)


def draw_street(size: tuple[int, int], seed: str, number: int) -> Picture:
    """Draws a street and its labels.

    Args:
        size: `(height, width)` in pixels.
        seed: the same seed and number give the same picture and, at any size, the same street.
        number: determines the kind of street; five consecutive numbers show all 19 classes.
    """
    return paint_street(size, seed, number).photograph()


def paint_street(size: tuple[int, int], seed: str, number: int) -> Painting:
    """Does the first half of `draw_street`; the second half, `Painting.photograph`, lets other Python threads run."""
    random = python_random.Random(seed)
    generator = np.random.default_rng(random.getrandbits(64))
    camera, light = _choose_camera(random, size), choose_light(random)
    street = build_street(random, number)
    canvas = _background(camera, light, street, generator, random)
    num_background = len(canvas.values)
    for item in street.items:
        item.draw(canvas)
    _draw_bonnet(canvas)
    return Painting(canvas, num_background, generator)


def _choose_camera(random, size):
    height, width = size
    return Camera(
        height=height,
        width=width,
        focal=width * random.uniform(0.92, 1.12),
        column=width * random.uniform(0.42, 0.58),
        horizon=height * random.uniform(0.38, 0.48),
        eye=random.uniform(1.25, 1.75),
    )


def _background(camera, light, street, generator, random):
    """Returns a canvas with the sky and the ground, including the shadows of all items of the street."""
    shadows = ShadowPlane(camera, light)
    for item in street.items:
        if item.shadow is not None:
            shadows.cast(*item.shadow)
    shift = random.uniform(0, texture.TILE)
    above = backdrop.sky(camera, light, shift)
    below, strips = backdrop.ground(camera, light, street.ground, shadows.maps(), generator, shift)
    names = [surface.name for surface in street.ground.surfaces]
    index = np.concatenate([np.full(above.shape[:2], len(names), np.int32), strips])
    return Canvas(camera, light, np.concatenate([above, below]), index, [*names, "sky"], random)


def _draw_bonnet(canvas):
    """Draws the hood of the car that carries the camera, along the lower edge."""
    camera, random = canvas.camera, canvas.random
    canvas.begin("ego vehicle", 0.0)
    rise = camera.height * random.uniform(0.05, 0.11)
    middle = camera.width * random.uniform(0.47, 0.53)
    color = random.choice(BONNET_COLORS)
    for i in range(16):
        part = 1 - i / 16
        glow = 0.55 * (1 - part) ** 2 + (0.4 if i == 0 else 0.0)
        mixed = [(1 - glow) * c + glow * 0.6 * haze for c, haze in zip(color, canvas.light.haze, strict=True)]
        curve = []
        for j in range(25):
            across = j / 12 - 1
            up = part * rise * (1 - 0.55 * abs(across) ** 2.4)
            curve.append((middle + across * 0.62 * camera.width, camera.height - up))
        corners = [(camera.width * 1.3, camera.height + 2), (-0.3 * camera.width, camera.height + 2)]
        canvas.polygon(curve + corners, canvas.paint(mixed, (0.0, 0.9, -0.43)))


def _expose(canvas, pixels, things, num_background, generator):
    """Adds facades, haze, vignette, blur and noise; returns the final pixels, uint8 `(height, width, 3)`."""
    camera, light, random = canvas.camera, canvas.light, canvas.random
    z = camera.focal * camera.eye / np.maximum(np.arange(camera.height) + 0.5 - camera.horizon, 0.5)
    clear = np.exp(-np.float32(canvas.depths) / light.visibility).take(things)
    # The sky is the last object of the background, and already includes haze.
    on_ground = things < num_background - 1
    clear = np.where(on_ground, np.exp(-z / light.visibility).astype(np.float32)[:, None], clear)
    _pattern_facades(canvas, things, pixels, clear)

    rows = np.linspace(-1, 1, camera.height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, camera.width, dtype=np.float32)[None, :]
    gain = random.uniform(0.94, 1.2) * (1 - random.uniform(0.03, 0.14) * (rows**2 + columns**2))
    gain *= 1 + random.uniform(-0.05, 0.05) * columns
    contrast = random.uniform(0.92, 1.15)
    through = clear * gain
    hazed = gain - through
    for i in range(3):
        factor = contrast * random.uniform(0.97, 1.03)
        channel = pixels[..., i] * (through * factor)
        channel += hazed * (factor * light.haze[i]) + 118 * (1 - contrast)
        pixels[..., i] = np.clip(channel, 0, 255, out=channel)
    blur = ImageFilter.BoxBlur(random.uniform(0.3, 0.5) * math.sqrt(camera.width / 512))
    blurred = Image.fromarray(pixels).filter(blur)
    noise = texture.speckle(generator, pixels.shape)
    noise *= random.uniform(1.0, 4.0)
    noise += np.asarray(blurred)
    return np.clip(noise, 0, 255, out=noise).astype(np.uint8)


def _pattern_facades(canvas, things, pixels, clear):
    """Writes the colors of all facades to `pixels`, and the fractions of them that remain visible to `clear`."""
    numbers = np.full(len(canvas.values), -1, np.int32)
    numbers[list(canvas.facades)] = np.arange(len(canvas.facades))
    which = numbers.take(things)
    places = np.flatnonzero(which >= 0)
    table = np.array(list(canvas.facades.values()), np.float32)
    facades = Facade(*table.T.take(which.ravel().take(places), axis=1))
    rows, columns = np.divmod(places.astype(np.int32), np.int32(things.shape[1]))
    colors, depths = facade_pixels(canvas.camera, canvas.light, facades, np.float32(rows), np.float32(columns))
    pixels.reshape(-1, 3)[places] = colors
    clear.reshape(-1)[places] = np.exp(-depths / canvas.light.visibility)


def _add_rims(label_ids, instance_ids):
    """Labels thin rims as in the real data set: `rectification border` at the left edge, `out of roi` at the others."""
    thin = max(1, round(label_ids.shape[1] * RIM))
    for ids in (label_ids, instance_ids):
        ids[:thin] = ids[-thin:] = OUT_OF_ROI
        ids[:, -thin:] = OUT_OF_ROI
        ids[:, :thin] = RECTIFICATION_BORDER

"""Draws the sky and the ground, each with all its pixels at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_hrnet.streets.canvas import Camera, Light
from keras_hrnet.streets.texture import band, fractal, speckle, stripes

CLOUD = (250, 250, 252)


class Surface(NamedTuple):
    """The appearance of a strip of the ground.

    Args:
        name: name of its label.
        color: red, green and blue, in [0, 255].
        patches, grain: contrast of stains, and contrast between neighboring pixels.
        paving: side length of its paving stones in meters; 0 for none.
    """

    name: str
    color: tuple[float, float, float]
    patches: float
    grain: float
    paving: float


class Ground(NamedTuple):
    """The ground: strips side by side, a street that may cross them, and road markings.

    Args:
        edges: x of the boundaries between strips, in meters and ascending; one fewer than the strips.
        surfaces: the `Surface` of each strip.
        crossing: z at which a crossing street begins and ends, in meters; two equal numbers for none.
        lines: `(x, width, period, painted length)` of each line along the road, in meters; period 0 for a solid line.
        zebra: z at which a zebra crossing begins and ends, in meters; two equal numbers for none.
        rails: x of each rail, in meters.
        paint: color of the road markings.
    """

    edges: tuple[float, ...]
    surfaces: tuple[Surface, ...]
    crossing: tuple[float, float]
    lines: tuple[tuple[float, float, float, float], ...]
    zebra: tuple[float, float]
    rails: tuple[float, ...]
    paint: tuple[float, float, float]


def sky(camera: Camera, light: Light, shift: float) -> np.ndarray:
    """Draws the sky above the horizon.

    Args:
        camera, light: the camera and the weather.
        shift: offset of the clouds, in cells of noise.

    Returns:
        uint8 `(rows, width, 3)`.
    """
    rows = np.arange(_first_row(camera), dtype=np.float32)[:, None]
    columns = np.arange(camera.width, dtype=np.float32)[None, :]
    rise = np.maximum(camera.horizon - rows, 0) / camera.focal
    nearness = 1 / (rise + 0.12)
    noise = fractal((columns - camera.column) / camera.focal * nearness * 9 + shift, nearness * 13 + shift)
    cover = 0.85 * np.clip((noise - 1 + light.clouds) * 3.5, 0, 1) * np.clip(rise * 9, 0, 1)
    shade = 1 - 0.22 * np.clip(noise - 0.6, 0, 1)
    brightness = min(1.0, sum(light.ambient) / 3 + 0.2)
    pixels = np.empty((*noise.shape, 3), np.uint8)
    for i in range(3):
        clear = light.haze[i] + (light.zenith[i] - light.haze[i]) * (1 - np.exp(-6 * rise))
        white = (0.35 * light.haze[i] + 0.65 * CLOUD[i] * brightness) * shade
        pixels[..., i] = np.clip(clear + (white - clear) * cover, 0, 255)
    return pixels


def ground(
    camera: Camera,
    light: Light,
    layout: Ground,
    shadows: Sequence[np.ndarray],
    generator: np.random.Generator,
    shift: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws the ground below the horizon.

    Args:
        camera, light, layout: the camera, the weather, and the parts of the ground.
        shadows: the two maps of `ShadowPlane.maps`.
        generator: a NumPy generator, for the grain.
        shift: offset of the stains, in cells of noise.

    Returns:
        Colors, uint8 `(rows, width, 3)`, and the index of the strip at each pixel, int32 `(rows, width)`.
    """
    first = _first_row(camera)
    rows = np.arange(first, camera.height, dtype=np.float32)[:, None]
    z = camera.focal * camera.eye / (rows + 0.5 - camera.horizon)
    x = (np.arange(camera.width, dtype=np.float32)[None, :] + 0.5 - camera.column) * (z / camera.focal)
    footprint = z / camera.focal, z * z / (camera.focal * camera.eye)
    strips = np.searchsorted(np.float32(layout.edges), x.ravel()).astype(np.int32).reshape(x.shape)
    names = [surface.name for surface in layout.surfaces]
    crossing = ((z >= layout.crossing[0]) & (z < layout.crossing[1]))[:, 0]
    strips[crossing] = names.index("road")
    on_road = np.float32([name == "road" for name in names]).take(strips)

    noise = _stains(x, z, footprint[0], shift)
    tone = _tone(x, z, footprint, layout, strips, noise, generator)
    tone -= _wheel_tracks(x) * on_road
    painted = np.minimum(_painted(x, z, footprint, layout) * on_road * (0.72 + 0.4 * noise), 0.92)
    for rail in layout.rails:
        tone[~crossing] *= 1 - 0.55 * band(x, rail - 0.06, rail + 0.06, footprint[0])[~crossing]
    sun, contact = (shadow[first:] for shadow in shadows)
    dimmed = 1 - 0.55 * contact
    sunny = (1 - sun) * dimmed * light.direction[1]
    pixels = np.empty((*x.shape, 3), np.uint8)
    for i in range(3):
        color = np.float32([surface.color[i] for surface in layout.surfaces]).take(strips) * tone
        color += (layout.paint[i] - color) * painted
        color *= light.ambient[i] * dimmed + light.sun[i] * sunny
        pixels[..., i] = np.clip(color, 0, 255, out=color)
    return pixels, strips


def _first_row(camera):
    return max(1, int(np.ceil(camera.horizon)))


def _stains(x, z, across, shift):
    """Returns large and small stains, in [0, 1]; small stains fade with distance."""
    near = np.clip(1.5 - across * 18, 0.15, 1)
    return 0.6 * fractal(x * 5 + shift, z * 1.6) + 0.4 * near * fractal(x * 33, z * 21 + shift) + 0.2 * (1 - near)


def _tone(x, z, footprint, layout, strips, noise, generator):
    """Returns the brightness of each pixel relative to its strip: stains, grain, and joints between paving stones."""
    across, along = footprint
    patches, grain, paving = (np.float32([surface[i] for surface in layout.surfaces]).take(strips) for i in (2, 3, 4))
    grain *= np.clip(1.5 - across * 18, 0.15, 1)
    tone = 1 + patches * (noise - 0.5)
    tone += grain * speckle(generator, x.shape)
    paved = np.flatnonzero(paving.ravel() > 0)
    if paved.size:
        stone = paving.ravel().take(paved)
        place, wide, deep = (np.broadcast_to(a, x.shape).ravel().take(paved) for a in (z, across, along))
        joints = np.maximum(stripes(x.ravel().take(paved), stone, 0, 0.06, wide), stripes(place, stone, 0, 0.06, deep))
        tone.reshape(-1)[paved] -= 0.22 * joints
    return tone


def _wheel_tracks(x):
    return 0.07 * np.exp(-(((np.abs(x) - 0.75) / 0.28) ** 2))


def _painted(x, z, footprint, layout):
    """Returns the fraction of each pixel that road markings cover."""
    across, along = footprint
    painted = np.zeros(x.shape, np.float32)
    start, stop = layout.crossing
    free = 1 - band(z, start - 1.0, stop + 1.0, along)
    for middle, width, period, part in layout.lines:
        line = band(x, middle - width / 2, middle + width / 2, across) * free
        painted += line * stripes(z, period, 0, part / period, along) if period else line
    if layout.zebra[1] > layout.zebra[0]:
        zebra = band(z, *layout.zebra, along)
        rows = np.flatnonzero(zebra)
        painted[rows] = np.maximum(painted[rows], stripes(x[rows], 1.0, 0, 0.5, across[rows]) * zebra[rows])
    return painted

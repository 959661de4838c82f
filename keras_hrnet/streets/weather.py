"""Chooses the weather and the time of day of a picture."""

import math
from random import Random

from keras_hrnet.streets.canvas import Light

# Name: (relative frequency, ambient, sun, range of the sun's elevation in degrees, haze, zenith, range of clouds,
# visibility in meters); see `Light`.
WEATHERS = {
    "clear": (4, (0.66, 0.69, 0.76), (0.66, 0.62, 0.53), (28, 60), (206, 220, 232), (92, 142, 206), (0.1, 0.5), 420),
    "fair": (3, (0.74, 0.76, 0.80), (0.48, 0.48, 0.43), (25, 55), (220, 226, 230), (130, 164, 206), (0.4, 0.8), 320),
    "overcast": (4, (0.98, 1.0, 1.02), (0.04, 0.04, 0.04), (40, 60), (218, 221, 224), (178, 186, 196), (0.6, 1.0), 240),
    "golden": (2, (0.64, 0.62, 0.66), (0.74, 0.58, 0.34), (14, 24), (246, 218, 178), (128, 150, 192), (0.2, 0.6), 300),
    "hazy": (1, (0.95, 0.95, 0.95), (0.06, 0.06, 0.05), (40, 60), (214, 215, 214), (196, 200, 204), (0.0, 0.3), 110),
    "dusk": (1, (0.50, 0.53, 0.62), (0.03, 0.03, 0.03), (12, 20), (176, 160, 164), (84, 98, 136), (0.3, 0.8), 260),
}


def choose_light(random: Random) -> Light:
    """Chooses the light of a picture at random."""
    names = list(WEATHERS)
    name = random.choices(names, [WEATHERS[name][0] for name in names])[0]
    _, ambient, sun, elevations, haze, zenith, clouds, visibility = WEATHERS[name]
    gain, warmth = random.uniform(0.9, 1.1), random.uniform(-0.04, 0.04)
    tint = (gain * (1 + warmth), gain, gain * (1 - warmth))
    elevation = math.radians(random.uniform(*elevations))
    # The sun is mostly behind the camera, so that it lights most of the visible surfaces.
    azimuth = random.choice((-1, 1)) * math.radians(random.uniform(25, 165))
    level = math.cos(elevation)
    direction = (level * math.sin(azimuth), math.sin(elevation), -level * math.cos(azimuth))
    return Light(
        ambient=tuple(a * t for a, t in zip(ambient, tint, strict=True)),
        sun=tuple(s * t for s, t in zip(sun, tint, strict=True)),
        direction=direction,
        haze=tuple(min(252.0, h * t) for h, t in zip(haze, tint, strict=True)),
        visibility=visibility * random.uniform(0.8, 1.3),
        zenith=tuple(min(250.0, z * t) for z, t in zip(zenith, tint, strict=True)),
        clouds=random.uniform(*clouds),
        evening=name == "dusk",
    )

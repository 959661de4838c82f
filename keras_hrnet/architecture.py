"""Numbers of the papers that both layers and rows of networks need, in a file that imports no Keras."""

MIN_SIZE = 17
"""The smallest height and width, in pixels, that can be halved five times (rounded up) with each map smaller than the
one before: 17, 9, 5, 3, 2, 1."""

EXPANSION = 4
"""How many times as many channels the middle of a feed-forward network has as its map."""

LITE_BLOCKS = ("weighting", "shuffle")
"""The blocks of Lite-HRNet: conditional channel weighting, and the shuffle block of its naive form."""

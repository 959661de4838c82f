"""Numbers of the papers that both layers and rows of networks need, in a file that does not import Keras."""

MIN_SIZE = 17
"""The smallest height and width, in pixels, that can be halved five times (rounded up) with each map smaller than the
one before: 17, 9, 5, 3, 2, 1."""

EXPANSION = 4
"""Ratio of the channels in the middle of a feed-forward network to those of its map."""

LITE_BLOCKS = ("weighting", "shuffle")
"""The blocks of Lite-HRNet: conditional channel weighting, and the shuffle block of its naive form."""

"""The published weight files: a row for each, with the facts that its publishers state."""

from keras_hrnet.checkpoints.published.lookup import check_exists, find, identify, published_weights
from keras_hrnet.checkpoints.published.row import PublishedWeights

__all__ = ["PublishedWeights", "check_exists", "find", "identify", "published_weights"]

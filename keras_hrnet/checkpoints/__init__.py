"""Foreign weight files, read safely and accounted for key by key."""

from keras_hrnet.checkpoints.loading import CheckpointReport, load_checkpoint

__all__ = ["CheckpointReport", "load_checkpoint"]

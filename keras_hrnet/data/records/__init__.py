"""A data set in few large files: packs it, and reads any sample of it back."""

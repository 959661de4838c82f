"""Packs a data set into a few large files, and reads any sample back."""

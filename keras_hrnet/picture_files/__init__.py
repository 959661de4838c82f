"""Finds and reads picture files, in the same way for training, evaluation, prediction and export."""

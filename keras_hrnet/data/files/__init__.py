"""Finds and checks the files of data sets."""

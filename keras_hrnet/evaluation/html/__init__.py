"""A report as one HTML file that can be opened without a server or an internet connection."""

from keras_hrnet.evaluation.html.page import write_html

__all__ = ["write_html"]

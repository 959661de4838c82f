"""A report as one HTML file that is opened without a server or a network."""

from keras_hrnet.evaluation.html.page import write_html

__all__ = ["write_html"]

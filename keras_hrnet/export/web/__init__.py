"""Exports a network as a web page: writes the folder of the page, and finds the runtime for it."""

from keras_hrnet.export.web.export import export_web, write_web_page

__all__ = ["export_web", "write_web_page"]

"""Exports a network as a web page: writes the folder, finds the runtime for it, and serves it for trials."""

from keras_hrnet.export.web.export import export_web, write_web_page

__all__ = ["export_web", "write_web_page"]

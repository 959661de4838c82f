"""A network as a web page: the folder that is written, what runs the network in it, and a server to try it with."""

from keras_hrnet.export.web.export import export_web, write_web_page

__all__ = ["export_web", "write_web_page"]

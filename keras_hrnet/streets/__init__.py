"""Draws pictures of streets in perspective, together with their labels."""

from keras_hrnet.streets.picture import Painting, Picture, draw_street, paint_street

__all__ = ["Painting", "Picture", "draw_street", "paint_street"]

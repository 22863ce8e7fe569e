"""Charts of a reply as PNG pictures, readable on a phone."""

from bots.charts.picture import png

__all__ = ["png"]

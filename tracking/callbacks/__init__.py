"""Callbacks that record what a training framework reports: `Tracker.callback` makes them."""

from tracking.callbacks.frameworks import make_callback

__all__ = ["make_callback"]

"""The version, read by the build and by users; nothing else lives here."""

__version__ = "0.1.0"

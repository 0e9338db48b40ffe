"""Experiments to push."""

from tests.merging.conftest import die, files, record

__all__ = ["die", "files", "record"]

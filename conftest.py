"""Settings of this repository's own tests."""

from __future__ import annotations

import gc
import os

from hypothesis import settings

pytest_plugins = ["pytester"]

# The default run is for every change; `tox -e faults` takes its time.
settings.register_profile("default", max_examples=40, deadline=None)
settings.register_profile("full", max_examples=400, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# What thousands of tests are made of is never garbage: to look through it would take the collector
# a quarter of a second, every time.
gc.disable()


def pytest_collection_finish() -> None:
    """Have the collector pass over what was collected."""
    gc.freeze()
    gc.enable()

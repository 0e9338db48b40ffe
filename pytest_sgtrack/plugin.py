"""Entry point: options, markers and fixtures always; everything else only under --sg-track."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sgtrack.fixtures import sg_seed, sg_summary_writer, sg_tracker, tracker
from pytest_sgtrack.options import add_options, settings_of

if TYPE_CHECKING:
    import pytest

__all__ = [
    "pytest_addoption",
    "pytest_configure",
    "sg_seed",
    "sg_summary_writer",
    "sg_tracker",
    "tracker",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options and ini keys."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare our marker; when tracking is on, register the plugin that does the work."""
    config.addinivalue_line(
        "markers",
        "sg_track(*metrics, direction=None, rel=None, abs=None, statistics=None, floor=None,"
        " key=None, graph=None):"
        " how --sg-track compares these metrics (all of the test's, if none is named) with the"
        " baseline. direction: lower, higher or both, by the metric's name if not given. rel, abs:"
        " a change within the larger of the two passes, 5 % if not given. statistics: some of mean,"
        " tail, min, max, std and last, mean and tail if not given. floor: smallest change that"
        " counts where samples are compared, as a fraction. key: names the test in the baseline"
        " file. graph: structure, full, report or off, how computation graphs are compared.",
    )
    settings = settings_of(config)
    if settings is not None:
        from pytest_sgtrack.collection import Collection
        from pytest_sgtrack.deaths import DeathWatch
        from pytest_sgtrack.session import SessionPlugin

        deaths = DeathWatch(config, settings)
        collection = Collection(config, settings)
        config.pluginmanager.register(deaths, "sgtrack-deaths")
        config.pluginmanager.register(collection, "sgtrack-collection")
        session = SessionPlugin(config, settings, collection, deaths)
        config.pluginmanager.register(session, "sgtrack-session")
        if settings.is_pruning:
            config.option.collectonly = True

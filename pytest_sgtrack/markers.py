"""@pytest.mark.sg_track: what it may say, and what it comes to for a metric."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tracking import InvalidArgumentError
from tracking.regression import (
    DEFAULT_SETTINGS,
    GRAPH_MODES,
    SETTING_NAMES,
    MetricSettings,
    Patterns,
    checked_settings,
    said_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "sg_track"

_OF_TEST = ("key", "graph")  # the others are of metrics
_ARGUMENTS = (*SETTING_NAMES, *_OF_TEST)


@dataclass(frozen=True)
class MarkerSettings:
    """What the markers of one test say.

    Attributes:
        settings: gives how a metric is compared, by its name.
        key: the name of the test in the baseline file, None for the usual one.
        graph: how its computation graphs are compared, None for the usual way.
    """

    settings: Callable[[str], MetricSettings]
    key: str | None
    graph: str | None


def read_markers(item: pytest.Item, patterns: Patterns = ()) -> MarkerSettings:
    """Read the markers of a test, those of its class and its module.

    For each setting of a metric, a marker that names the metric goes before one that names none,
    a nearer one before one farther away, and all of them before the patterns of pyproject.toml.

    Raises:
        pytest.UsageError: a marker says something unknown or impossible.
    """
    markers = [_checked(item, marker) for marker in item.iter_markers(NAME)]
    if not (markers or patterns):
        return MarkerSettings(lambda _: DEFAULT_SETTINGS, None, None)
    known: dict[str, MetricSettings] = {}

    def settings(metric_name: str) -> MetricSettings:
        if metric_name not in known:
            naming = [values for metrics, values in markers if metric_name in metrics]
            general = [values for metrics, values in markers if not metrics]
            merged = said_of(metric_name, patterns)
            for values in reversed([*naming, *general]):
                merged.update(values)
            for name in _OF_TEST:
                merged.pop(name, None)
            known[metric_name] = replace(DEFAULT_SETTINGS, **merged)
        return known[metric_name]

    said = {name: values[name] for _, values in reversed(markers) for name in values}
    return MarkerSettings(settings, said.get("key"), said.get("graph"))


def _checked(item: pytest.Item, marker: pytest.Mark) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the metrics that a marker names and its settings, ready for `MetricSettings`."""
    for metric_name in marker.args:
        if not isinstance(metric_name, str) or not metric_name:
            raise _usage_error(item, f"{metric_name!r} is not the name of a metric")
    values = dict(marker.kwargs)
    for name in values:
        if name not in _ARGUMENTS:
            known = ", ".join(_ARGUMENTS)
            raise _usage_error(item, f"unknown argument {name!r}; there are {known}")
    if "key" in values and (not isinstance(values["key"], str) or not values["key"]):
        raise _usage_error(item, f"key={values['key']!r} is not a name")
    if "graph" in values and values["graph"] not in GRAPH_MODES:
        known = ", ".join(GRAPH_MODES)
        raise _usage_error(item, f"graph={values['graph']!r} is unknown; there are {known}")
    of_test = {name: values.pop(name) for name in _OF_TEST if name in values}
    try:
        return marker.args, checked_settings(values) | of_test
    except InvalidArgumentError as error:
        raise _usage_error(item, str(error)) from None


def _usage_error(item: pytest.Item, problem: str) -> pytest.UsageError:
    return pytest.UsageError(f"{item.nodeid}: @pytest.mark.{NAME}: {problem}")

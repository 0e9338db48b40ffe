"""How metrics are compared: what a marker, pyproject.toml or nobody says of each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidArgumentError, SettingsError
from tracking.model import STATISTICS, Direction
from tracking.regression.direction import infer_direction
from tracking.regression.sampling import FLOOR_ABS, FLOOR_REL

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class MetricSettings:
    """How one metric is compared.

    Attributes:
        direction: which way the metric gets better, or None to infer it from its name.
        rel: tolerance as a fraction of the size of the baseline's value.
        abs: tolerance in the unit of the metric. The larger of the two counts, its bound included.
        statistics: names of the statistics that are compared, one or more of
            `tracking.model.STATISTICS`.
        floor: smallest change that the statistical rule counts, as a fraction of the size of the
            baseline's centre; `abs` holds there too, `rel` does not.

    Raises:
        InvalidArgumentError: a field is none of this.
    """

    direction: Direction | None
    rel: float
    abs: float
    statistics: tuple[str, ...]
    floor: float = FLOOR_REL

    def __post_init__(self) -> None:
        if self.direction is not None and not isinstance(self.direction, Direction):
            raise InvalidArgumentError("direction", f"{self.direction!r} is not a Direction")
        for name in ("rel", "abs", "floor"):
            value = getattr(self, name)
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not 0 <= value <= sys.float_info.max:
                raise InvalidArgumentError(name, f"a finite number >= 0 is needed, not {value!r}")
        names = self.statistics
        are_known = isinstance(names, tuple) and all(name in STATISTICS for name in names)
        if not names or not are_known:
            wanted = f"one or more of {', '.join(STATISTICS)} in a tuple"
            raise InvalidArgumentError("statistics", f"{wanted} are needed, not {names!r}")

    def allowance(self, baseline: float) -> float:
        """Return the size of the largest change from `baseline` that passes, as pytest.approx."""
        return max(self.abs, self.rel * abs(baseline))

    def direction_of(self, metric: str, statistic: str) -> Direction:
        """Return which way a statistic of `metric` gets better.

        A direction that was chosen holds for every statistic. An inferred one says nothing about
        `std`: a larger spread of an accuracy is no improvement.
        """
        if self.direction is not None:
            return self.direction
        return Direction.BOTH if statistic == "std" else infer_direction(metric)


DEFAULT_SETTINGS = MetricSettings(None, rel=0.05, abs=FLOOR_ABS, statistics=("tail", "mean"))
"""How a metric is compared that nobody said anything about."""

SETTING_NAMES = ("direction", "rel", "abs", "statistics", "floor")
"""What a marker or a pattern can say of a metric."""


def checked_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a marker or a pattern says, as `MetricSettings` takes it.

    Args:
        values: some of `SETTING_NAMES`; a direction as text and statistics as a list are fine.

    Raises:
        InvalidArgumentError: a name is unknown, or a value impossible.
    """
    checked = dict(values)
    for name in checked:
        if name not in SETTING_NAMES:
            raise InvalidArgumentError(name, f"is unknown; there are {', '.join(SETTING_NAMES)}")
    if "direction" in checked:
        try:
            checked["direction"] = Direction(checked["direction"])
        except ValueError:
            shown = f"{checked['direction']!r} is unknown; there are {', '.join(Direction)}"
            raise InvalidArgumentError("direction", shown) from None
    if isinstance(checked.get("statistics"), list):
        checked["statistics"] = tuple(checked["statistics"])
    replace(DEFAULT_SETTINGS, **checked)
    return checked


Patterns = tuple[tuple[str, Mapping[str, Any]], ...]
"""Patterns of metric names with what they say, in the order of the file."""


def read_patterns(pyproject: Path) -> Patterns:
    """Read `[tool.sgtrack.metrics]` of a pyproject.toml.

        [tool.sgtrack.metrics]
        "*loss*" = {direction = "lower", rel = 0.02}

    Returns:
        The patterns; none where there is no such file or table.

    Raises:
        SettingsError: the file cannot be read, or says something unknown or impossible.
    """
    import tomllib  # only sessions that have such a file pay for it

    try:
        content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{pyproject} cannot be read: {error}; mend it") from error
    table = _table(content.get("tool", {}), pyproject, "tool").get("sgtrack", {})
    ours = _table(table, pyproject, "tool.sgtrack")
    if unknown := [name for name in ours if name != "metrics"]:
        place = f"{pyproject}: [tool.sgtrack]"
        raise SettingsError(f"{place}: {unknown[0]!r} is unknown; there is metrics")
    metrics = _table(ours.get("metrics", {}), pyproject, "tool.sgtrack.metrics")
    return tuple((name, _checked_pattern(pyproject, name, said)) for name, said in metrics.items())


def _table(value: object, pyproject: Path, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{pyproject}: [{name}] has to be a table, not {value!r}")
    return value


def _checked_pattern(pyproject: Path, name: str, said: object) -> dict[str, Any]:
    place = f"tool.sgtrack.metrics.{name!r}"
    try:
        return checked_settings(_table(said, pyproject, place))
    except InvalidArgumentError as error:
        raise SettingsError(f"{pyproject}: [{place}]: {error}") from None


def said_of(metric: str, patterns: Patterns) -> dict[str, Any]:
    """Return what patterns say of a metric; of several that match, a later one goes before.

    >>> said_of("val_loss", (("*loss*", {"rel": 0.1, "abs": 0.5}), ("val_*", {"rel": 0.2})))
    {'rel': 0.2, 'abs': 0.5}
    """
    merged: dict[str, Any] = {}
    for pattern, values in patterns:
        if fnmatchcase(metric, pattern):
            merged |= values
    return merged

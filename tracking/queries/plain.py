"""Runs and their summaries as JSON has them, the same in every command. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracking.model import encode_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracking.model import RunInfo, Summary
    from tracking.queries.expressions import Metric

_OF_A_RUN = (
    *("run_id", "uuid", "name", "started_at", "duration_s", "status", "outcome", "phase"),
    *("ended_by", "verdict", "session", "attempt", "parent"),
)


def plain_run(run: RunInfo) -> dict[str, Any]:
    """Return how a run is called and how it ended."""
    return {name: getattr(run, name) for name in _OF_A_RUN}


def plain_summaries(summaries: Mapping[str, Summary]) -> dict[str, dict[str, Any]]:
    """Return the summaries of a run's metrics, non-finite numbers by their names."""
    return {
        name: {field: encode_number(value) for field, value in summary.as_dict().items()}
        for name, summary in summaries.items()
    }


def plain_values(
    metrics: tuple[Metric, ...] | list[Metric], summaries: Mapping[str, Summary]
) -> dict[str, Any]:
    """Return what metrics came to in a run, by `<metric>.<statistic>`."""
    return {str(metric): encode_number(metric.of(summaries)) for metric in metrics}

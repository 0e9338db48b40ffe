"""What `sgtrack drift` found, in words: lines, cells of tables and Markdown. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracking.change_points.findings import Effect, Kind
from tracking.cli.table import numbers_text
from tracking.queries.histories import commit_text
from tracking.report.curve import sparkline
from tracking.report.escaping import code, escaped, row
from tracking.report.words import count_of, direction_text, percent_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracking.change_points.findings import Change, Drift
    from tracking.model import RunInfo
    from tracking.queries.drift import Series

HEADERS = ("what", "change", "from", "to", "last before", "first after", "started", "runs", "p")
"""What the cells of a change are called."""

NUMBERS = ("change", "from", "to", "runs", "p")
"""Those of them that are aligned to the right."""

_WIDTH = 60  # of a sparkline
_WORDS = {Kind.NON_FINITE: "not finite", Kind.FINITE_AGAIN: "finite again"}


def line(series: Series) -> str:
    """Return a series as a line of block characters; a run without a finite value is a dot."""
    return sparkline([point.value for point in series.points], _WIDTH).replace(" ", "·")


def about(series: Series) -> str:
    """Return what a series is of: which way it gets better, and how many runs it has."""
    findings = series.findings
    parts = [direction_text(series.direction), count_of(findings.n, "run")]
    if findings.n_non_finite:
        parts.append(f"{findings.n_non_finite} not finite")
    if findings.is_too_short:
        parts.append("too short a history")
    return ", ".join(parts)


def cells(series: Series, change: Change) -> tuple[str, ...]:
    """Return a change as cells, one for each of `HEADERS`."""
    before, after = change.before, change.after
    numbers = numbers_text(before and before.value, after and after.value)
    n_runs = f"{before.n}, {after.n}" if before and after else ""
    first_after = series.run(change.first_after)
    return (
        _WORDS.get(change.kind, str(change.effect)),
        _percent(change.relative),
        *numbers,
        _run_text(series.run(change.last_before)),
        _run_text(first_after),
        first_after.created_at,
        n_runs,
        "" if before is None else p_text(change.significance),
    )


def p_text(significance: float) -> str:
    """Return how significant a change is.

    >>> p_text(0.0), p_text(0.002)
    ('exact', '0.002')
    """
    return f"{significance:.2g}" if significance else "exact"


def drift_text(series: Series, drift: Drift) -> str:
    """Return what small steps add up to."""
    before, after = numbers_text(drift.before.value, drift.after.value)
    steps = f"{drift.n_steps} small steps since {_run_text(series.run(drift.before.end))}"
    return f"drift: {drift.effect} {_percent(drift.relative)}, from {before} to {after}, in {steps}"


def _percent(relative: float | None) -> str:
    return "" if relative is None else percent_text(relative)


def _run_text(run: RunInfo) -> str:
    commit = commit_text(run.environment or {})
    return f"run {run.run_id} ({commit})" if commit else f"run {run.run_id}"


def shown_changes(series: Series, *, with_small: bool) -> list[Change]:
    """Return the changes of a series that are worth a line."""
    return [one for one in series.findings.changes if with_small or one.effect is not Effect.SMALL]


def is_worth_a_look(series: Series) -> bool:
    """Tell whether a metric moved by more than a little."""
    return bool(shown_changes(series, with_small=False) or series.findings.drift)


def is_worse(series: Series) -> bool:
    """Tell whether a metric got worse, at once or by small steps."""
    drift = series.findings.drift
    effects = [change.effect for change in series.findings.changes]
    return Effect.WORSE in [*effects, *([drift.effect] if drift else [])]


def counts_text(found: Sequence[Series]) -> str:
    """Return how many metrics moved, in one line."""
    moved = [series for series in found if is_worth_a_look(series)]
    n_tests = len({series.test for series in found})
    n_small = sum(
        change.effect is Effect.SMALL for series in found for change in series.findings.changes
    )
    n_short = sum(series.findings.is_too_short for series in found)
    parts = [
        f"{len(moved)} of {count_of(len(found), 'metric')} moved, of {count_of(n_tests, 'test')}",
        f"{sum(map(is_worse, moved))} got worse" if moved else "",
        count_of(n_small, "small change") if n_small else "",
        f"{n_short} too short" if n_short else "",
    ]
    return "; ".join(filter(None, parts))


def markdown(found: Sequence[Series], *, with_small: bool) -> str:
    """Return what was found as Markdown: counts, and a table of what is worth a look."""
    rows = [row(one) for series in found for one in _markdown_rows(series, with_small=with_small)]
    head = [row(("test", "metric", *HEADERS)), row(["---"] * (2 + len(HEADERS)))]
    notes = [
        f"- {code(series.test)} {code(str(series.metric))}: "
        + escaped(drift_text(series, series.findings.drift))
        for series in found
        if series.findings.drift
    ]
    blocks = [f"## sgtrack drift - {counts_text(found)}"]
    blocks += ["\n".join([*head, *rows])] if rows else []
    blocks += ["\n".join(notes)] if notes else []
    return "\n\n".join(blocks) + "\n"


def _markdown_rows(series: Series, *, with_small: bool) -> Iterator[list[str]]:
    for change in shown_changes(series, with_small=with_small):
        named = [code(series.test), code(str(series.metric))]
        yield [*named, *map(escaped, cells(series, change))]

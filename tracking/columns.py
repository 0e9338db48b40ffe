"""Long series as arrays: reading them, joining their parts, bringing them into order."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tracking import records

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

_ROW = np.dtype([("step", np.int64), ("value", np.float64), ("wall_time", np.float64)])
_LARGEST = 2**63 - 1
_AT_ONCE = 250_000  # records; 6 MB


class Columns(NamedTuple):
    """Records of a series, in the order of recording unless something else is said.

    Attributes:
        steps: int64, (n,).
        values: float64, (n,).
        wall_times: float64, (n,), Unix seconds.
    """

    steps: Any
    values: Any
    wall_times: Any

    @classmethod
    def of_rows(cls, rows: Any) -> Columns:
        """Return columns of an array of rows, or of frames of a segment."""
        return cls(rows["step"], rows["value"], rows["wall_time"])

    def sorted(self) -> Columns:
        """Return them by step, those of one step as they are."""
        if len(self.steps) < 2 or bool((self.steps[1:] >= self.steps[:-1]).all()):
            return self
        order = np.argsort(self.steps, kind="stable")
        return Columns(*(column.take(order) for column in self))

    def between(self, start: int | None, end: int | None) -> Columns:
        """Return those of steps from `start` to `end`, both included; None is no bound."""
        low = -_LARGEST - 1 if start is None else start
        high = _LARGEST if end is None else end
        is_inside = (self.steps >= low) & (self.steps <= high)
        return self if is_inside.all() else Columns(*(column[is_inside] for column in self))


def joined(parts: Iterable[Columns]) -> Columns:
    """Return the records of several parts, one part after the other, by step."""
    listed = list(parts)
    if len(listed) == 1:
        return listed[0].sorted()
    columns = zip(*listed, strict=True) if listed else _NONE
    return Columns(*(np.concatenate(column) for column in columns)).sorted()


_NONE = ([np.empty(0, np.int64)], [np.empty(0)], [np.empty(0)])


def read_columns(connection: sqlite3.Connection, run_id: int, metric_name: str) -> Columns:
    """Read the records of one metric of one run, by step; an unknown metric has none.

    As `records.read_series` does, in less than the time of fetching the rows.
    """
    key = (run_id, metric_name)
    row = connection.execute(
        "SELECT s.n, EXISTS (SELECT 1 FROM non_finite_records AS o"
        "   WHERE o.run_id = s.run_id AND o.metric_id = s.metric_id)"
        " FROM series AS s JOIN metrics AS m ON m.id = s.metric_id"
        " WHERE s.run_id = ? AND m.name = ?",
        key,
    ).fetchone()
    n, has_non_finite = row or (0, False)
    if not has_non_finite:
        rows = np.fromiter(connection.execute(_PLAIN_ROWS, key), _ROW)
        if len(rows) == n:
            return Columns.of_rows(rows).sorted()
    listed = records.read_series(connection, *key).rows
    triples = ((one.step, one.value, one.log_time) for one in listed)
    return Columns.of_rows(np.fromiter(triples, _ROW, len(listed)))


def iter_columns(
    connection: sqlite3.Connection, run_id: int, metric_name: str, n: int
) -> Iterator[Columns]:
    """Read what `read_columns` does a part at a time, so that memory has a bound.

    Args:
        connection: for reading.
        run_id: number of the run.
        metric_name: of the series.
        n: how many records it has, about.
    """
    rows = None if n <= _AT_ONCE else records.sorted_rows(connection, run_id, metric_name)
    if rows is None:
        yield read_columns(connection, run_id, metric_name)
        return
    while len(part := np.fromiter(islice(rows, _AT_ONCE), _ROW)):
        yield Columns.of_rows(part)


# What numpy would take for a number without being asked is left to `read_series`.
_PLAIN_ROWS = (
    "SELECT r.step, r.value, r.wall_time FROM metrics AS m"
    " JOIN record_ranges AS g ON g.metric_id = m.id AND g.run_id = ?"
    " CROSS JOIN records AS r ON r.id BETWEEN g.first_id AND g.last_id"
    "   AND r.run_id = g.run_id AND r.metric_id = m.id"
    "   AND typeof(r.step) = 'integer' AND typeof(r.value) = 'real'"
    "   AND typeof(r.wall_time) = 'real'"
    " WHERE m.name = ? ORDER BY g.first_id"
)

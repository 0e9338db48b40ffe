"""Records in the database: writing batches of them, reading series, keeping summaries.

`records` has no index beside its primary key, which counts in the order of recording. Batches are
written series by series, so that the rows of one lie together, and `record_ranges` notes from where
to where: readers visit those ranges only. A range may hold rows of other series too.
"""

from __future__ import annotations

import json
import math
import operator
import struct
from itertools import groupby, islice, starmap
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.model import RecordInfo, Summary, decode_number, encode_number
from tracking.summary import summarize

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_ROWS_A_STATEMENT = 100  # more gain nothing, measured from 50 to 250
_ROWS_A_FETCH = 1_000  # from 100 to 5,000 are equally fast, all at once a fifth slower
_JOIN_GAP = 1_000  # ids between two ranges of a series that are cheaper read over than kept apart


class Batch(NamedTuple):
    """Records of one series, in the order of recording.

    Attributes:
        run_uuid: the run.
        metric_name: checked.
        steps: of each record; at least one.
        values: of each record.
        wall_times: of each record.
    """

    run_uuid: str
    metric_name: str
    steps: Sequence[int]
    values: Sequence[float]
    wall_times: Sequence[float]


def insert_batches(
    connection: sqlite3.Connection,
    batches: Iterable[Batch],
    run_id_of: Callable[[str], int | None],
) -> None:
    """Append batches within the caller's transaction.

    Args:
        connection: in a transaction.
        batches: the records.
        run_id_of: gives the id of a run by its uuid; None for one whose records are to be dropped.
    """
    last_finite, last_other = connection.execute(
        "SELECT (SELECT MAX(id) FROM records), (SELECT MAX(id) FROM non_finite_records)"
    ).fetchone()
    ids = _Ids(last_finite or 0, max(last_finite or 0, last_other or 0))
    metric_ids: dict[str, int] = {}
    for batch in batches:
        run_id = run_id_of(batch.run_uuid)
        if run_id is None:
            continue
        name = batch.metric_name
        if name not in metric_ids:
            metric_ids[name] = _metric_id(connection, name)
        key = (run_id, metric_ids[name])
        is_new = _count(connection, key, len(batch.values))
        rows = _Rows(batch.steps, batch.values, batch.wall_times)
        if all(map(math.isfinite, batch.values)):
            _insert_finite(connection, key, rows, ids, is_new=is_new)
        else:
            start = 0
            for is_finite, together in groupby(map(math.isfinite, batch.values)):
                end = start + len(list(together))
                if is_finite:
                    _insert_finite(connection, key, rows.between(start, end), ids)
                else:
                    _insert_non_finite(connection, key, rows.between(start, end), ids)
                start = end


def _count(connection: sqlite3.Connection, key: tuple[int, int], n: int) -> bool:
    """Count records of a series; tell whether they are its first."""
    statement = "INSERT OR IGNORE INTO series (run_id, metric_id, n) VALUES (?, ?, ?)"
    is_new = connection.execute(statement, (*key, n)).rowcount == 1
    if not is_new:
        statement = "UPDATE series SET n = n + ? WHERE run_id = ? AND metric_id = ?"
        connection.execute(statement, (n, *key))
    return is_new


class _Rows(NamedTuple):
    steps: Sequence[int]
    values: Sequence[float]
    wall_times: Sequence[float]

    def between(self, start: int, end: int) -> _Rows:
        return _Rows(self.steps[start:end], self.values[start:end], self.wall_times[start:end])

    def in_one(self) -> list[Any]:
        """Return step, value and time of the first row, then those of the second, and so on."""
        flat: list[Any] = [None] * (3 * len(self.values))
        flat[0::3], flat[1::3], flat[2::3] = self
        return flat


class _Ids:
    """The ids records get: SQLite's next one by itself, and the one after all records."""

    def __init__(self, last_finite: int, last: int) -> None:
        self.last_finite = last_finite
        self.last = last


def _metric_id(connection: sqlite3.Connection, metric_name: str) -> int:
    query = "SELECT id FROM metrics WHERE name = ?"
    row = connection.execute(query, (metric_name,)).fetchone()
    if row is None:
        cursor = connection.execute("INSERT INTO metrics (name) VALUES (?)", (metric_name,))
        return int(cursor.lastrowid or 0)
    return int(row[0])


def _insert_finite(
    connection: sqlite3.Connection,
    key: tuple[int, int],
    rows: _Rows,
    ids: _Ids,
    *,
    is_new: bool = False,
) -> None:
    first_id = ids.last + 1
    numbers = rows.in_one()
    start = 0
    if ids.last_finite != ids.last:
        # SQLite counts on from the last row of `records`; past a non-finite one it has to be told.
        connection.execute(
            "INSERT INTO records (id, run_id, metric_id, step, value, wall_time)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (first_id, *key, *numbers[:3]),
        )
        start = 3
    for at in range(start, len(numbers), 3 * _ROWS_A_STATEMENT):
        chunk = numbers[at : at + 3 * _ROWS_A_STATEMENT]
        connection.execute(_insert_statement(len(chunk) // 3), (*key, *chunk))
    ids.last += len(rows.values)
    ids.last_finite = ids.last
    if is_new or not _extend_range(connection, key, first_id, ids.last):
        connection.execute(
            "INSERT INTO record_ranges (run_id, metric_id, first_id, last_id) VALUES (?, ?, ?, ?)",
            (*key, first_id, ids.last),
        )


_insert_statements: dict[int, str] = {}


def _insert_statement(n_rows: int) -> str:
    """Return the INSERT of many rows of one series: a third of the time of one row a call."""
    if n_rows not in _insert_statements:
        rows = ", ".join(["(?, ?, ?)"] * n_rows)
        _insert_statements[n_rows] = (
            "INSERT INTO records (run_id, metric_id, step, value, wall_time)"  # noqa: S608
            f" SELECT ?, ?, column1, column2, column3 FROM (VALUES {rows})"  # rows of placeholders
        )
    return _insert_statements[n_rows]


def _insert_non_finite(
    connection: sqlite3.Connection,
    key: tuple[int, int],
    rows: _Rows,
    ids: _Ids,
) -> None:
    connection.executemany(
        "INSERT INTO non_finite_records (id, run_id, metric_id, step, value, wall_time)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (record_id, *key, step, encode_number(value), wall_time)
            for record_id, (step, value, wall_time) in enumerate(
                zip(*rows, strict=True), ids.last + 1
            )
        ],
    )
    ids.last += len(rows.values)


def _extend_range(
    connection: sqlite3.Connection, key: tuple[int, int], first_id: int, last_id: int
) -> bool:
    """Extend the last range of a series, unless too much of others lies between."""
    cursor = connection.execute(
        "UPDATE record_ranges SET last_id = ? WHERE run_id = ? AND metric_id = ? AND first_id ="
        " (SELECT MAX(first_id) FROM record_ranges WHERE run_id = ? AND metric_id = ?)"
        " AND last_id >= ?",
        (last_id, *key, *key, first_id - _JOIN_GAP),
    )
    return cursor.rowcount == 1


class Series(NamedTuple):
    """What is stored of one metric of one run.

    Attributes:
        rows: the records, sorted by step, then by the order of recording.
        n_decoded: values or steps that lay there as bytes and were decoded.
        n_unreadable: records whose step or value is no number at all, left out of `rows`.
    """

    rows: list[RecordInfo]
    n_decoded: int
    n_unreadable: int


def read_series(connection: sqlite3.Connection, run_id: int, metric_name: str) -> Series:
    """Read the records of one metric of one run; an unknown metric has none."""
    non_finite = connection.execute(
        "SELECT r.id, r.step, r.value, r.wall_time FROM non_finite_records AS r"
        " JOIN metrics AS m ON m.id = r.metric_id WHERE r.run_id = ? AND m.name = ?",
        (run_id, metric_name),
    ).fetchall()
    if not non_finite:
        cursor = connection.execute(
            f"SELECT r.step, r.value, r.wall_time {_FROM_SERIES}", (run_id, metric_name)
        )
        rows = _plain_rows(cursor)
        if rows is not None:
            return Series(rows, 0, 0)
    stored = connection.execute(
        f"SELECT r.id, r.step, r.value, r.wall_time {_FROM_SERIES}", (run_id, metric_name)
    ).fetchall()
    decoded = list(_decoded_rows(stored))
    readable = {row[0] for row in decoded}
    n_decoded = sum(
        record_id in readable and (type(step) is bytes or type(value) is bytes)
        for record_id, step, value, _ in stored
    )
    named = list(
        _decoded_rows((i, step, _number(value), time) for i, step, value, time in non_finite)
    )
    n_unreadable = len(stored) - len(decoded) + len(non_finite) - len(named)
    decoded += named
    decoded.sort(key=lambda row: (row[1], row[0]))
    return Series([RecordInfo(*row[1:]) for row in decoded], n_decoded, n_unreadable)


_FROM_SERIES = (
    "FROM metrics AS m"
    " JOIN record_ranges AS g ON g.metric_id = m.id AND g.run_id = ?"
    " CROSS JOIN records AS r ON r.id BETWEEN g.first_id AND g.last_id"
    "   AND r.run_id = g.run_id AND r.metric_id = m.id"
    " WHERE m.name = ? ORDER BY g.first_id"
)


def _plain_rows(cursor: sqlite3.Cursor) -> list[RecordInfo] | None:
    """Return rows that are numbers sorted by step, as nearly always; None where any is not.

    They may be many: a few at a time stay in the processor's cache.
    """
    records: list[RecordInfo] = []
    last_step = -math.inf
    while rows := cursor.fetchmany(_ROWS_A_FETCH):
        steps, values, times = zip(*rows, strict=True)
        if set(map(type, steps)) != {int} or {*map(type, values), *map(type, times)} != {float}:
            return None
        if last_step > steps[0] or not all(map(operator.le, steps, islice(steps, 1, None))):
            return None
        last_step = steps[-1]
        records += starmap(RecordInfo, rows)
    return records


def stream_series(
    connection: sqlite3.Connection, run_id: int, metric_name: str
) -> Iterator[list[RecordInfo]] | None:
    """Read the records of one metric of one run a few at a time, sorted as `read_series` does.

    Returns:
        None where one of them is no plain number: `read_series` decodes these.
    """
    rows = sorted_rows(connection, run_id, metric_name)
    return None if rows is None else _parts(rows)


def sorted_rows(
    connection: sqlite3.Connection, run_id: int, metric_name: str
) -> sqlite3.Cursor | None:
    """Return step, value and time of each record of a series, as `stream_series` reads them.

    A value may be the text of one that is not finite.
    """
    query = "SELECT id FROM metrics WHERE name = ?"
    row = connection.execute(query, (metric_name,)).fetchone()
    places = (run_id, row[0], run_id, row[0]) if row else (None,) * 4
    odd = connection.execute(
        f"SELECT 1 FROM ({_SERIES}) WHERE typeof(step) <> 'integer'"  # noqa: S608  # SQL of ours
        " OR typeof(wall_time) <> 'real' OR value IS NULL OR typeof(value) = 'blob'"
        " OR (typeof(value) = 'text' AND value NOT IN ('NaN', 'Infinity', '-Infinity')) LIMIT 1",
        places,
    )
    if odd.fetchone() is not None:
        return None
    return connection.execute(
        f"SELECT step, value, wall_time FROM ({_SERIES}) ORDER BY step, id",  # noqa: S608
        places,
    )


_SERIES = """
    SELECT r.id, r.step, r.value, r.wall_time FROM record_ranges AS g
      CROSS JOIN records AS r ON r.id BETWEEN g.first_id AND g.last_id
        AND r.run_id = g.run_id AND r.metric_id = g.metric_id
      WHERE g.run_id = ? AND g.metric_id = ?
    UNION ALL SELECT id, step, value, wall_time FROM non_finite_records
      WHERE run_id = ? AND metric_id = ?
"""


def _parts(cursor: sqlite3.Cursor) -> Iterator[list[RecordInfo]]:
    while rows := cursor.fetchmany(_ROWS_A_FETCH):
        yield [
            RecordInfo(step, value if type(value) is float else float(value), time)
            for step, value, time in rows
        ]


def _decoded_rows(
    rows: Iterable[tuple[int, Any, Any, Any]],
) -> Iterator[tuple[int, int, float, float]]:
    for record_id, step, value, wall_time in rows:
        decoded_step = decode_step(step)
        decoded_value = decode_value(value)
        decoded_time = decode_value(wall_time)
        if decoded_step is None or decoded_value is None or decoded_time is None:
            continue
        yield record_id, decoded_step, decoded_value, decoded_time


def _number(stored: Any) -> float | None:
    try:
        return decode_number(stored)
    except ValueError:
        return None


def decode_step(stored: object) -> int | None:
    """Return the step that lies in a database of the original, None where it is no number.

    The original stores what SQLite is handed: integer scalars of numpy become little-endian bytes.

    >>> decode_step(7), decode_step((7).to_bytes(8, "little")), decode_step("seven")
    (7, 7, None)
    """
    if isinstance(stored, int):
        return stored
    if isinstance(stored, float) and stored.is_integer():
        return int(stored)
    if isinstance(stored, bytes) and len(stored) in (1, 2, 4, 8):
        return int.from_bytes(stored, "little", signed=True)
    return None


def decode_value(stored: object) -> float | None:
    """Return the value that lies in a database of the original, None where it is no number.

    Four bytes are read as float32 and eight as float64 where that is 0 or of a size between 1e-30
    and 1e30, else as an integer.

    >>> import struct
    >>> decode_value(struct.pack("<f", 0.5)), decode_value((3).to_bytes(8, "little"))
    (0.5, 3.0)
    """
    if isinstance(stored, int | float):
        return float(stored)
    if isinstance(stored, bytes) and len(stored) in (4, 8):
        (number,) = struct.unpack("<f" if len(stored) == 4 else "<d", stored)
        if number == 0 or 1e-30 <= abs(number) <= 1e30:
            return float(number)
        return float(int.from_bytes(stored, "little", signed=True))
    if isinstance(stored, bytes) and len(stored) in (1, 2):
        return float(int.from_bytes(stored, "little", signed=True))
    return None


class Summaries(NamedTuple):
    """Summaries of a run.

    Attributes:
        by_metric: the summary of each metric that has a readable record.
        computed: those that were not stored, or didn't cover all records since late ones came.
        unreadable: for metrics that had to be read for that, how many records are no numbers.
    """

    by_metric: dict[str, Summary]
    computed: dict[str, Summary]
    unreadable: dict[str, int]


_SUMMARY_COLUMNS = (
    "m.name, s.n = s.summarized_n, s.n - s.n_unreadable, s.n_nan, s.n_inf, s.min, s.max, s.mean,"
    " s.std, s.tail, s.last, s.first_step, s.last_step"
)


def read_summaries(connection: sqlite3.Connection, run_id: int) -> Summaries:
    """Return the summary of each metric of a run, computing what is not stored."""
    rows = connection.execute(
        f"SELECT {_SUMMARY_COLUMNS}"  # noqa: S608  # columns of ours
        " FROM series AS s JOIN metrics AS m ON m.id = s.metric_id"
        " WHERE s.run_id = ? ORDER BY s.metric_id",
        (run_id,),
    ).fetchall()
    summaries = Summaries({}, {}, {})
    for name, is_covered, *numbers in rows:
        stored = _stored_summary(numbers) if is_covered else None
        if stored is not None:
            summaries.by_metric[name] = stored
            continue
        series = read_series(connection, run_id, name)
        summaries.unreadable[name] = series.n_unreadable
        if series.rows:
            steps, values = zip(*((row.step, row.value) for row in series.rows), strict=True)
            summary = summarize(steps, values)
            summaries.by_metric[name] = summaries.computed[name] = summary
    return summaries


def read_stored_summaries(
    connection: sqlite3.Connection, run_ids: Sequence[int] | None = None
) -> dict[int, dict[str, Summary] | None]:
    """Return the stored summaries of each run that has records, None where one has to be computed.

    Metrics of a run are in the order of `read_summaries`.

    Args:
        connection: for reading.
        run_ids: numbers of the runs that are asked for; all by default.
    """
    where = "" if run_ids is None else "WHERE s.run_id IN (SELECT value FROM json_each(?))"
    rows = connection.execute(
        f"SELECT s.run_id, {_SUMMARY_COLUMNS}"  # noqa: S608  # columns of ours
        f" FROM series AS s JOIN metrics AS m ON m.id = s.metric_id {where}"
        " ORDER BY s.run_id, s.metric_id",
        () if run_ids is None else (json.dumps(list(run_ids)),),
    )
    stored: dict[int, dict[str, Summary] | None] = {}
    for run_id, name, is_covered, *numbers in rows:
        of_run = stored.setdefault(run_id, {})
        summary = _stored_summary(numbers) if is_covered else None
        if of_run is None or summary is None:
            stored[run_id] = None
        else:
            of_run[name] = summary
    return stored


def _stored_summary(numbers: Sequence[Any]) -> Summary | None:
    """Return a summary by its fields as stored, None where damage made something else of them."""
    n, n_nan, n_inf, smallest, largest, mean, std, tail, last, first_step, last_step = numbers
    statistics = (smallest, largest, mean, std, tail)
    last = _number(last)
    if {*map(type, (n, n_nan, n_inf, first_step, last_step))} != {int}:
        return None
    if last is None or not {*map(type, statistics)} <= {float, type(None)}:
        return None
    return Summary(n, n_nan, n_inf, *statistics, last, first_step, last_step)


def note_unreadable(connection: sqlite3.Connection, run_id: int, counts: Mapping[str, int]) -> None:
    """Keep how many records of a run's metrics are no numbers, in the caller's transaction."""
    for metric_name, n_unreadable in counts.items():
        connection.execute(
            "UPDATE series SET n_unreadable = ?"
            " WHERE run_id = ? AND metric_id = (SELECT id FROM metrics WHERE name = ?)",
            (n_unreadable, run_id, metric_name),
        )


def store_summaries(
    connection: sqlite3.Connection, run_id: int, summaries: Mapping[str, Summary]
) -> None:
    """Keep summaries within the caller's transaction; they hold until more records come."""
    for metric_name, summary in summaries.items():
        connection.execute(
            "UPDATE series SET summarized_n = ? + n_unreadable, n_nan = ?, n_inf = ?, min = ?,"
            " max = ?, mean = ?, std = ?, tail = ?, last = ?, first_step = ?, last_step = ?"
            " WHERE run_id = ? AND metric_id = (SELECT id FROM metrics WHERE name = ?)",
            (
                summary.n,
                summary.n_nan,
                summary.n_inf,
                summary.min,
                summary.max,
                summary.mean,
                summary.std,
                summary.tail,
                encode_number(summary.last),
                summary.first_step,
                summary.last_step,
                run_id,
                metric_name,
            ),
        )


def delete_records(connection: sqlite3.Connection, run_id: int) -> None:
    """Delete a run's records, within the caller's transaction."""
    ranges = connection.execute(
        "SELECT DISTINCT first_id, last_id FROM record_ranges WHERE run_id = ?", (run_id,)
    ).fetchall()
    connection.executemany(
        "DELETE FROM records WHERE id BETWEEN ? AND ? AND run_id = ?",
        [(first_id, last_id, run_id) for first_id, last_id in ranges],
    )
    for table in ("non_finite_records", "record_ranges", "series"):
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608

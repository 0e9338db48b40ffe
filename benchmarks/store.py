"""Our store filled with n records, and plain tables of the same, written as fast as SQLite can."""

from __future__ import annotations

import importlib
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterable

PLAIN = (
    "CREATE TABLE records (run_id INTEGER, metric_id INTEGER, step INTEGER, value REAL,"
    " wall_time REAL)"
)
CLUSTERED = (
    "CREATE TABLE records (run_id INTEGER, metric_id INTEGER, seq INTEGER, step INTEGER,"
    " value REAL, wall_time REAL, PRIMARY KEY (run_id, metric_id, seq)) WITHOUT ROWID"
)
_METRICS = tuple(f"metric_{number}" for number in range(10))


def load_numpy() -> None:
    """Import numpy, as any training process has done before it records anything."""
    importlib.import_module("numpy")


def new_tracker(folder: Path) -> Tracker:
    """Open an experiment of ours in a new folder."""
    tracker = Tracker(folder)
    tracker.set_experiment("benchmark")
    return tracker


def path_of(tracker: Tracker) -> Path:
    """Return the database of a tracker's experiment."""
    return Path(tracker.all_exp_dir) / "benchmark.db"


def record_ten_metrics(tracker: Tracker, n: int) -> None:
    """Record n values, of ten metrics in turn, into the active run."""
    for number in range(n):
        tracker.record(_METRICS[number % 10], 1.0 / (1 + number), number // 10)


def list_ten_metrics(n: int) -> list[tuple[int, int, int, float, float]]:
    """Append what `record_ten_metrics` records to a list: rows of a plain table."""
    rows = []
    for number in range(n):
        rows.append((1, number % 10, number // 10, 1.0 / (1 + number), time.time()))  # noqa: PERF401  # as a training loop would
    return rows


def connect(path: Path) -> sqlite3.Connection:
    """Open a database as ours is opened, committing each statement by itself."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=60)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def write_table(path: Path, schema: str, rows: Iterable[tuple[float, ...]]) -> None:
    """Create a database with one table and its rows, in one transaction."""
    with closing(connect(path)) as connection:
        connection.execute(schema)
        n_columns = len(connection.execute("PRAGMA table_info(records)").fetchall())
        connection.execute("BEGIN")
        places = ", ".join("?" * n_columns)
        connection.executemany(f"INSERT INTO records VALUES ({places})", rows)
        connection.execute("COMMIT")


def write_plain_table(path: Path, n: int) -> None:
    """Write what `record_ten_metrics` records the way nothing raw is faster."""
    write_table(path, PLAIN, list_ten_metrics(n))


def write_clustered_table(path: Path, n: int) -> None:
    """Write the same into a table that keeps each series together and in order."""
    rows = [(run, metric, at, *row) for at, (run, metric, *row) in enumerate(list_ten_metrics(n))]
    write_table(path, CLUSTERED, sorted(rows))


def check_count(n_found: int, n: int) -> None:
    """Refuse to call something fast that has lost records.

    Raises:
        RuntimeError: there are not as many as were written.
    """
    if n_found != n:
        raise RuntimeError(f"{n_found} of {n} records came back")

"""Merging shards of a million records, over bare SQL that copies the same rows and nothing else."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import store
from benchmarks.measure import Lab, Row, interleaved, median, ratio, wall_s
from tracking.merging import merge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_BOUND = 2.0
_N_SHARDS = 4
_TABLE = (
    "CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL,"
    " metric_id INTEGER NOT NULL, step INTEGER NOT NULL, value REAL NOT NULL,"
    " wall_time REAL NOT NULL)"
)
_LAST = "SELECT COALESCE(MAX(id), 0), COALESCE(MAX(run_id), 0) FROM records"
_COPY = (
    "INSERT INTO records (id, run_id, metric_id, step, value, wall_time)"
    " SELECT {new_id}, run_id + {run}, metric_id, step, value, wall_time FROM shard_{n}.records"
)


def rows(lab: Lab) -> list[Row]:
    """Measure shards that make a new experiment, and those that go into one that is there."""
    n = lab.amount(1_000_000, 5_000)
    shards = [_shard(lab.new_folder(), n // _N_SHARDS) for _ in range(_N_SHARDS)]
    merges: dict[str, Callable[[Sequence[Path], Path], object]] = {
        "ours": merge,
        "bare": partial(_copy, new_id="id + {record}"),
        "numbered anew": partial(_copy, new_id="NULL"),
    }
    anew, added = (
        interleaved(
            {
                side: partial(_cost_s, lab, action, shards, n_there, n)
                for side, action in merges.items()
            },
            lab.amount(9, 1),
        )
        for n_there in (0, 1)
    )
    what = f"merge {_N_SHARDS} shards of {n:,} records in all"
    return [
        _row(f"{what}, over ATTACH and INSERT ... SELECT of the records", anew, "bare", _BOUND),
        _row(f"{what}, over the same with new ids for the records", anew, "numbered anew"),
        _row(f"merge {_N_SHARDS - 1} of them into the other, over the same", added, "bare"),
    ]


def _row(
    what: str, costs: Mapping[str, tuple[float, ...]], over: str, bound: float | None = None
) -> Row:
    figures = " against ".join(f"{1e3 * median(costs[side]):.0f}" for side in ("ours", over))
    what_else = "by the clock, fsync included"
    return Row(what, ratio(costs["ours"], costs[over]), f"{figures} ms, {what_else}", bound)


def _shard(folder: Path, n: int) -> Path:
    tracker = store.new_tracker(folder)
    tracker.start_run()
    store.record_ten_metrics(tracker, n)
    tracker.end_run()
    tracker.close()
    return store.path_of(tracker)


def _cost_s(
    lab: Lab,
    action: Callable[[Sequence[Path], Path], object],
    shards: Sequence[Path],
    n_there: int,
    n: int,
) -> float:
    """Return what it takes to bring shards together, where some of them may be there."""
    out = lab.new_folder() / "merged.db"
    for shard in shards[:n_there]:
        shutil.copy(shard, out)
    cost = wall_s(partial(action, shards[n_there:], out))
    with closing(sqlite3.connect(out)) as connection:
        store.check_count(*connection.execute("SELECT COUNT(*) FROM records").fetchone(), n)
    shutil.rmtree(out.parent)
    return cost


def _copy(shards: Sequence[Path], out: Path, new_id: str) -> None:
    """Copy the records of shards in one transaction, the way nothing in SQL is faster."""
    with closing(sqlite3.connect(out.as_uri(), uri=True, isolation_level=None)) as connection:
        connection.execute(_TABLE)
        for number, shard in enumerate(shards):
            uri = f"{shard.as_uri()}?mode=ro&immutable=1"
            connection.execute(f"ATTACH ? AS shard_{number}", (uri,))
        connection.execute("BEGIN")
        for number in range(len(shards)):
            record, run = connection.execute(_LAST).fetchone()
            connection.execute(_COPY.format(new_id=new_id.format(record=record), run=run, n=number))
        connection.execute("COMMIT")

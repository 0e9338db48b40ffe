"""Bringing runs into a store in PostgreSQL, over the fastest way to write the same rows there.

The server is our own, on this machine, with `fsync` off for all sides: disks differ more than what
is compared here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, TypeVar

import psycopg

from benchmarks import store
from benchmarks.measure import ROOT, Estimate, Lab, Row, interleaved, median, ratio, wall_s
from tests.postgres.server import Server
from tracking.postgres.address import Address
from tracking.postgres.chunks import COPY_HEADER, COPY_TRAILER
from tracking.postgres.writing import StoreWriter
from tracking.pushing import push

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_Cost = TypeVar("_Cost")

_BOUND = 0.2
_PEER_BOUND = 20.0
_AGAIN_BOUND = 0.1
_MEMORY_BOUND_MIB = 150.0
_METRICS = tuple(f"metric_{number}" for number in range(5))
_PIECE_BYTES = 1 << 18
_BARE = (
    "CREATE TABLE bare (run_id bigint, metric_id integer, step bigint, value double precision,"
    " wall_time double precision)"
)


def rows(lab: Lab) -> list[Row]:
    """Measure a push of many records, of many runs, of what is there, and of one long run."""
    store.load_numpy()
    server = Server()
    try:
        return [
            _over_copy(lab, server),
            _many_runs(lab, server),
            _memory(lab, server),
            *_over_mlflow(lab, server),
        ]
    finally:
        server.stop()


def _over_copy(lab: Lab, server: Server) -> Row:
    n_runs, n = lab.amount(200, 2), lab.amount(1_000_000, 5_000)
    path = _recorded(lab.new_folder(), n_runs, n // n_runs)
    whole = _rows_of(n, n_runs)
    costs = interleaved(
        {
            "bare": lambda: _in_a_database(server, lambda url: _copy_s(url, whole, n)),
            "push": lambda: _in_a_database(server, lambda url: _push_s(url, path, n_runs)),
        },
        lab.amount(9, 1),
    )
    return Row(
        f"records/s pushed, {n:,} of {n_runs} runs, over a bare binary COPY of the same rows",
        ratio(costs["bare"], costs["push"]),
        f"{n / median(costs['push']):,.0f} against {n / median(costs['bare']):,.0f} records/s, by"
        " the clock",
        _BOUND,
        is_floor=True,
    )


def _many_runs(lab: Lab, server: Server) -> Row:
    n = lab.amount(10_000, 20)
    path = _recorded(lab.new_folder(), n, 60)

    def both(url: str) -> tuple[float, float]:
        return _push_s(url, path, n), _push_s(url, path, 0)

    found = [_in_a_database(server, both) for _ in range(lab.amount(5, 1))]
    first, again = ([cost[number] for cost in found] for number in (0, 1))
    return Row(
        f"pushing {n:,} runs that are there already, over pushing them",
        ratio(again, first),
        f"{1e3 * median(again):.0f} ms against {median(first):.2f} s, 60 records of five metrics in"
        " each run, by the clock",
        _AGAIN_BOUND,
    )


def _memory(lab: Lab, server: Server) -> Row:
    n = lab.amount(10_000_000, 20_000)
    path = _recorded(lab.new_folder(), 1, n, _METRICS[:1])
    # The largest that getrusage knows of is what the parent had, where it forked that way.
    script = (
        "import pathlib, re, sys; from tracking.pushing import push;"
        " push([pathlib.Path(sys.argv[1])], sys.argv[2]);"
        " print(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])"
    )

    def memory_mib(url: str) -> float:
        return int(_output(sys.executable, "-c", script, str(path), url)) / 1024

    return Row(
        f"memory of a process that pushes a run of {n:,} records of one metric",
        Estimate.of([_in_a_database(server, memory_mib)]),
        "at its largest, Python and numpy included",
        _MEMORY_BOUND_MIB,
        unit="MiB",
    )


def _over_mlflow(lab: Lab, server: Server) -> list[Row]:
    n = lab.amount(100_000, 1_000)
    whats = [
        f"records/s {done}, {n:,} of one run, over MLflow's log_batch into the same server"
        for done in ("pushed", "recorded and pushed")
    ]
    if not _has_mlflow(lab):
        missing = "mlflow-skinny, sqlalchemy, alembic, psycopg are not there: run with --peers"
        return [
            Row(what, None, missing, bound)
            for what, bound in zip(whats, (_PEER_BOUND, None), strict=True)
        ]
    path = _recorded(lab.new_folder(), 1, n)

    def record_and_push(url: str) -> None:
        push([_recorded(lab.new_folder(), 1, n)], url)

    costs = interleaved(
        {
            "pushed": lambda: _in_a_database(server, lambda url: _push_s(url, path, 1)),
            "all": lambda: _in_a_database(server, lambda url: wall_s(lambda: record_and_push(url))),
            "mlflow": lambda: _in_a_database(server, lambda url: _mlflow_s(lab, url, n)),
        },
        lab.amount(5, 1),
    )
    theirs = f"{n / median(costs['mlflow']):,.0f} records/s, by the clock"
    return [
        Row(
            what,
            ratio(costs["mlflow"], costs[side]),
            f"{n / median(costs[side]):,.0f} against {theirs}",
            bound,
            is_floor=True,
        )
        for what, side, bound in zip(whats, ("pushed", "all"), (_PEER_BOUND, None), strict=True)
    ]


def _recorded(folder: Path, n_runs: int, n: int, metrics: Sequence[str] = _METRICS) -> Path:
    """Record runs of n records each."""
    tracker = store.new_tracker(folder)
    for number in range(n_runs):
        with tracker.run(f"test_{number % 50}", {"lr": 0.1}):
            for at in range(n):
                tracker.record(metrics[at % len(metrics)], 1 / (1 + at), at // len(metrics))
    tracker.close()
    return store.path_of(tracker)


def _in_a_database(server: Server, measure: Callable[[str], _Cost]) -> _Cost:
    """Measure something in a database of its own, where there is a store that is empty."""
    url = server.database()
    StoreWriter(Address(url), "benchmark").close()
    try:
        return measure(url)
    finally:
        server.sql(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)", "postgres")


def _push_s(url: str, path: Path, n_expected: int) -> float:
    found: list[int] = []
    cost_s = wall_s(lambda: found.append(push([path], url).n_pushed))
    store.check_count(found[0], n_expected)
    return cost_s


def _rows_of(n: int, n_runs: int) -> bytes:
    """Return n records as rows of a plain table, as COPY takes them in binary form."""
    import numpy as np

    fields = {"run_id": ">i8", "metric_id": ">i4", "step": ">i8", "value": ">f8", "at": ">f8"}
    sizes = [(f"{name}_size", ">i4") for name in fields]
    kinds = [part for pair in zip(sizes, fields.items(), strict=True) for part in pair]
    rows = np.zeros(n, [("n_fields", ">i2"), *kinds])
    rows["n_fields"] = len(fields)
    for name, kind in fields.items():
        rows[f"{name}_size"] = int(kind[-1])
    place = np.arange(n)
    rows["run_id"] = place // max(n // n_runs, 1)
    rows["metric_id"], rows["step"] = place % len(_METRICS), place // len(_METRICS)
    rows["value"], rows["at"] = 1 / (1 + place), 1.8e9 + place / 1e4
    return rows.tobytes()


def _copy_s(url: str, rows: bytes, n: int) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_BARE)

        def copy() -> None:
            with connection.cursor().copy("COPY bare FROM STDIN BINARY") as sent:
                sent.write(COPY_HEADER)
                for at in range(0, len(rows), _PIECE_BYTES):
                    sent.write(rows[at : at + _PIECE_BYTES])
                sent.write(COPY_TRAILER)

        cost_s = wall_s(copy)
        found = connection.execute("SELECT count(*) FROM bare").fetchone()
        store.check_count(found[0] if found else 0, n)
    return cost_s


def _has_mlflow(lab: Lab) -> bool:
    if lab.peer_python is None:
        return False
    command = [lab.peer_python, "-c", "import alembic, mlflow, psycopg, sqlalchemy"]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def _mlflow_s(lab: Lab, url: str, n: int) -> float:
    module = "benchmarks.peers.mlflow_in_postgres"
    found = json.loads(_output(str(lab.peer_python), "-m", module, str(n), url).splitlines()[-1])
    store.check_count(found["n"], n)
    return float(found["s"])


def _output(*command: str) -> str:
    """Run a process and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{command[:3]} exited with {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout

"""What the shared store costs as it grows: writing, reading, disk.

    python -m benchmarks.store_scale [--records N ...] [--store URL] [--write docs/scaling.md]

It starts a PostgreSQL server of its own in the folder for temporary files, with the settings of one
that keeps what it was given, and removes it again; 100 million records take 4 GB there. A URL may
name an empty database elsewhere: then nothing is restarted, and what was written stays.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.store_questions import QUESTIONS, Asker, Subjects, plans_of
from benchmarks.store_runs import EXPERIMENT, NAMES, RECORDS_A_RUN, runs_at
from benchmarks.table import machine, markdown
from tests.postgres.server import Server
from tracking.postgres.address import Address
from tracking.postgres.writing import StoreWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.store_questions import Question

_SIZES = (10**6, 10**7, 10**8)
_QUICK_SIZES = (10**5, 2 * 10**5)
_RUNS_A_PUSH = 500
_ROUNDS = 50
_HEADING = "## Figures"
_QUICK = "A quick run, to see that everything works: its figures mean nothing."
_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "log_statement": "none",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
}


class _Answered(NamedTuple):
    """What a question took at one size of the store."""

    warm_s: float  # median
    first_s: float | None  # after a restart
    n_pages: int


class _Measured(NamedTuple):
    """What a store costs at one size."""

    n_records: int
    n_runs: int
    records_a_s: float
    answers: list[_Answered]
    bytes_by_kind: dict[str, int]


def main() -> int:
    """Fill a store step by step, measure it at each size, print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.store_scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--records", type=int, nargs="+", metavar="N", help="sizes to measure at")
    parser.add_argument("--store", metavar="URL", help="an empty database instead of our own")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument("--plans", type=Path, metavar="FILE", help="write the plans of all queries")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help=f"replace what follows `{_HEADING}` in it"
    )
    arguments = parser.parse_args()
    sizes = sorted(arguments.records or (_QUICK_SIZES if arguments.quick else _SIZES))
    conditions = machine(Path(tempfile.gettempdir()))
    if arguments.store:
        measured, version, plans = _measured(arguments.store, sizes, None)
    else:
        server = Server(**_SETTINGS)
        try:
            measured, version, plans = _measured(server.database(), sizes, server.restart)
        finally:
            server.stop()
    text = "\n\n".join(
        [
            *([_QUICK] * arguments.quick),
            f"{conditions}\n- PostgreSQL: {version}",
            *_tables(measured),
        ]
    )
    print(text)
    if arguments.plans:
        arguments.plans.write_text(plans, encoding="utf-8")
    if arguments.write:
        before = arguments.write.read_text(encoding="utf-8").partition(_HEADING)[0]
        arguments.write.write_text(f"{before}{_HEADING}\n\n{text}\n", encoding="utf-8")
    return 0


def _measured(
    url: str, sizes: Sequence[int], restart: Callable[[], None] | None
) -> tuple[list[_Measured], str, str]:
    address = Address(url)
    measured = []
    n_commits = 0
    plans = ""
    for size in sizes:
        _say(f"{size:,} records")
        n_before, n_commits = n_commits, max(1, size // RECORDS_A_RUN // len(NAMES))
        took_s = _fill(address, range(n_before, n_commits))
        _settle(address)
        answers, plans = _answers(url, restart)
        n_new = (n_commits - n_before) * len(NAMES) * RECORDS_A_RUN
        measured.append(
            _Measured(
                *(n_commits * len(NAMES) * RECORDS_A_RUN, n_commits * len(NAMES)),
                *(n_new / took_s, answers, _bytes_by_kind(address)),
            )
        )
    with closing(address.connect()) as connection:
        version = connection.info.parameter_status("server_version") or "unknown"
    return measured, version, plans


def _fill(address: Address, commits: range) -> float:
    """Push the runs at these commits; returns what that took, without making them up."""
    runs = runs_at(commits)
    took_s = 0.0
    with closing(StoreWriter(address, EXPERIMENT)) as writer:
        while batch := list(islice(runs, _RUNS_A_PUSH)):
            start = time.perf_counter()
            writer.take(batch)
            took_s += time.perf_counter() - start
    return took_s


def _settle(address: Address) -> None:
    """Do what autovacuum does sooner or later."""
    with closing(address.connect()) as connection:
        connection.execute("VACUUM ANALYZE")


def _answers(url: str, restart: Callable[[], None] | None) -> tuple[list[_Answered], str]:
    subjects = Subjects.of(Address(url))
    answers = []
    texts = []
    for question in QUESTIONS:
        warm_s = statistics.median(_asked(question, url, subjects, _ROUNDS))
        first_s = None
        if restart is not None:
            restart()
            (first_s,) = _asked(question, url, subjects, 1)
        plans = plans_of(question, url, subjects)
        answers.append(_Answered(warm_s, first_s, plans.n_pages))
        texts.append(f"# {question.what}\n\n{plans.text()}")
    return answers, "\n\n".join(texts)


def _asked(question: Question, url: str, subjects: Subjects, n: int) -> list[float]:
    """Ask about one run or test after the other; returns how long each answer took."""
    took_s = []
    with closing(Asker(Address(url), subjects)) as asker:
        for number in range(n):
            start = time.perf_counter()
            n_found = question.ask(asker, number)
            took_s.append(time.perf_counter() - start)
            if n_found < 1:
                raise RuntimeError(f"{question.what}: nothing was found")
    return took_s


_KINDS = {
    "records": "c.relname LIKE 'chunks%%' AND c.relkind = 'r'",
    "index of records": "c.relname LIKE 'chunks%%' AND c.relkind = 'i'",
    "summaries": "c.relname LIKE 'series%%' AND c.relkind = 'r'",
    "index of summaries": "c.relname LIKE 'series%%' AND c.relkind = 'i'",
    "runs": "c.relname = 'runs'",
    "indexes of runs": "c.relname LIKE 'runs\\_%%' AND c.relkind = 'i'",
    "TOAST": "c.relkind = 't'",
}


def _bytes_by_kind(address: Address) -> dict[str, int]:
    found = {}
    with closing(address.connect()) as connection:
        for kind, condition in _KINDS.items():
            row = connection.execute(
                "SELECT COALESCE(sum(pg_relation_size(c.oid)), 0)::bigint FROM pg_class AS c"
                f" LEFT JOIN pg_class AS o ON o.reltoastrelid = c.oid WHERE ({condition})"
                " AND 'sgtrack'::regnamespace IN (c.relnamespace, o.relnamespace)",
                (),
            ).fetchone()
            found[kind] = int(row[0]) if row else 0
    return found


def _tables(measured: Sequence[_Measured]) -> list[str]:
    return [_writing_table(measured), _reading_table(measured), _disk_table(measured)]


def _writing_table(measured: Sequence[_Measured]) -> str:
    cells = [
        (
            f"{one.n_records:,}",
            f"{one.n_runs:,}",
            f"{one.records_a_s / 1e6:.2f} million",
            f"{one.records_a_s / RECORDS_A_RUN:,.0f}",
        )
        for one in measured
    ]
    return markdown(cells, ("records", "runs", "records a second", "runs a second"))


def _reading_table(measured: Sequence[_Measured]) -> str:
    cells = []
    for number, question in enumerate(QUESTIONS):
        answers = [one.answers[number] for one in measured]
        first_s = ", ".join(_ms(one.first_s) for one in answers)
        times_s = [one.warm_s for one in answers]
        cells.append(
            (
                question.what,
                *map(_ms, times_s),
                f"{times_s[-1] / times_s[0]:.2f}x",
                first_s,
                ", ".join(f"{one.n_pages:,}" for one in answers),
            )
        )
    sizes = (f"{one.n_records:,}" for one in measured)
    return markdown(cells, ("question", *sizes, "ratio", "first after a restart", "pages"))


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.3g} ms"


def _disk_table(measured: Sequence[_Measured]) -> str:
    cells = [
        (
            kind,
            *(f"{one.bytes_by_kind[kind] / 2**20:,.0f} MiB" for one in measured),
            f"{measured[-1].bytes_by_kind[kind] / measured[-1].n_records:.2f}",
            f"{measured[-1].bytes_by_kind[kind] / measured[-1].n_runs:,.0f}",
        )
        for kind in _KINDS
    ]
    totals = [sum(one.bytes_by_kind.values()) for one in measured]
    cells.append(
        (
            "together",
            *(f"{total / 2**20:,.0f} MiB" for total in totals),
            f"{totals[-1] / measured[-1].n_records:.2f}",
            f"{totals[-1] / measured[-1].n_runs:,.0f}",
        )
    )
    sizes = (f"{one.n_records:,}" for one in measured)
    return markdown(cells, ("disk", *sizes, "bytes a record", "bytes a run"))


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

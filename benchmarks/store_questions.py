"""What a store is asked by those who read it: runs, summaries, histories, curves."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.store_runs import BRANCH, EXPERIMENT, LONGEST, METRICS, NAMES
from tracking.postgres.address import Address
from tracking.postgres.experiments import StoredExperiments
from tracking.postgres.history import read_history
from tracking.postgres.identities import digest_of
from tracking.postgres.writing import StoreWriter
from tracking.queries import histories
from tracking.queries.expressions import Metric
from tracking.queries.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psycopg import Connection

_TEST = NAMES[LONGEST]
_METRIC = METRICS[0]
_N_SUBJECTS = 500


class Subjects(NamedTuple):
    """Runs that a store can be asked about, from all over the store.

    Attributes:
        ids: numbers of runs of one test.
        uuids: identities of runs of any.
    """

    ids: Sequence[int]
    uuids: Sequence[str]

    @classmethod
    def of(cls, address: Address) -> Subjects:
        """Choose some."""
        with closing(address.connect()) as connection:
            ids = connection.execute(
                "SELECT id FROM sgtrack.runs WHERE name_id ="
                " (SELECT id FROM sgtrack.run_names WHERE digest = %s) ORDER BY uuid LIMIT %s",
                (digest_of(_TEST), _N_SUBJECTS),
            ).fetchall()
            uuids = connection.execute(
                "SELECT uuid FROM sgtrack.runs ORDER BY uuid LIMIT %s", (_N_SUBJECTS,)
            ).fetchall()
        return cls([run_id for (run_id,) in ids], [uuid for (uuid,) in uuids])


class Asker:
    """Somebody who asks a store.

    Args:
        address: of the store.
        subjects: what to ask about.
    """

    def __init__(self, address: Address, subjects: Subjects) -> None:
        self.address = address
        self.subjects = subjects
        self._store = StoredExperiments(address, folder=Path())
        self.db = self._store.opened(EXPERIMENT)

    def close(self) -> None:
        """Let go of the connections."""
        self.db.close()
        self._store.close()

    def run_id(self, number: int) -> int:
        """Return the number of a run, another one for each number."""
        return self.subjects.ids[number % len(self.subjects.ids)]


class Question(NamedTuple):
    """What a store is asked.

    Attributes:
        what: in words.
        ask: asks it about one thing or another; returns how many rows came back.
    """

    what: str
    ask: Callable[[Asker, int], int]


def _list_newest(asker: Asker, _: int) -> int:
    return len(asker.db.select_runs(Selection(limit=50)).runs)


def _summarize(asker: Asker, number: int) -> int:
    return len(asker.db.read_summaries(asker.run_id(number)))


def _follow(asker: Asker, _: int) -> int:
    found = histories.read_history(asker.db, _TEST, Metric(_METRIC, "tail"), 50, None)
    return sum(map(len, found.points.values()))


def _draw(asker: Asker, number: int) -> int:
    return len(asker.db.series(asker.run_id(number), _METRIC).steps)


def _compare(asker: Asker, _: int) -> int:
    return len(read_history(asker.address, EXPERIMENT, BRANCH, NAMES, 10).entries)


def _offer(asker: Asker, _: int) -> int:
    with closing(StoreWriter(asker.address, EXPERIMENT)) as writer:
        return len(writer.held(asker.subjects.uuids))


QUESTIONS = (
    Question("the newest 50 runs", _list_newest),
    Question("the summary of a run", _summarize),
    Question("a metric of the newest 50 runs of a test", _follow),
    Question("a curve of 1,000 records", _draw),
    Question("the baselines of 50 tests, connecting included", _compare),
    Question("before a push: which of 500 runs are there, connecting included", _offer),
)


class Plans(Address):
    """An address whose connections tell how each query was carried out.

    Attributes:
        found: of each query its text and plan, as `auto_explain` gives them.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.found: list[dict[str, Any]] = []

    def connect(self) -> Connection[Any]:
        """Open a connection."""
        connection = super().connect()
        for statement in (
            "LOAD 'auto_explain'",
            *(
                f"SET auto_explain.{name} = {value}"
                for name, value in (
                    *(("log_min_duration", "0"), ("log_analyze", "on"), ("log_buffers", "on")),
                    *(("log_format", "json"), ("log_level", "notice")),
                )
            ),
        ):
            connection.execute(statement)
        connection.add_notice_handler(self._take)
        return connection

    def _take(self, notice: Any) -> None:
        _, separator, plan = (notice.message_primary or "").partition("plan:\n")
        if separator:
            self.found.append(json.loads(plan))

    @property
    def n_pages(self) -> int:
        """How many pages of 8 kB were looked at."""
        kinds = ("Shared Hit Blocks", "Shared Read Blocks")
        return sum(one["Plan"].get(kind, 0) for one in self.found for kind in kinds)

    def text(self) -> str:
        """Return all plans in short."""
        return "\n\n".join(
            "\n".join([" ".join(one["Query Text"].split()), *_lines(one["Plan"], 1)])
            for one in self.found
        )


def plans_of(question: Question, url: str, subjects: Subjects) -> Plans:
    """Return how a question is answered."""
    plans = Plans(url)
    with closing(Asker(plans, subjects)) as asker:
        question.ask(asker, 1)  # a new connection looks into the catalogue first
        plans.found.clear()
        question.ask(asker, 2)
    return plans


def _lines(node: dict[str, Any], depth: int) -> Iterator[str]:
    of = node.get("Index Name") or node.get("Relation Name") or ""
    n_pages = node.get("Shared Hit Blocks", 0) + node.get("Shared Read Blocks", 0)
    loops = node.get("Actual Loops", 1)
    yield (
        f"{'  ' * depth}{node['Node Type']} {of}: {node.get('Actual Rows')} rows x {loops},"
        f" {n_pages} pages, {node.get('Actual Total Time')} ms"
    )
    for inner in node.get("Plans", ()):
        yield from _lines(inner, depth + 1)

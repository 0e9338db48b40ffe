"""An experiment as it is now: what its database holds, and what still lies in its segments."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter, OrderedDict
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tracking.columns import Columns, joined
from tracking.connection import journal_folder
from tracking.errors import RunNotFoundError, StoreBusyError
from tracking.experiment_db import ExperimentDBManager
from tracking.journal import SUFFIX, as_array
from tracking.model import RecordInfo, RunInfo, Status
from tracking.queries.selection import Page, Selection, selected
from tracking.records import read_stored_summaries
from tracking.recovery import is_alive
from tracking.snapshot import Snapshot, TornReadError, is_settled, signature_of
from tracking.stored_runs import local_time
from tracking.summary import summarize
from tracking.tail import JournalTail, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tracking.events import NewRun, RunEnd
    from tracking.model import Summary
    from tracking.stored_graphs import StoredGraph
    from tracking.tail import SegmentTail

T = TypeVar("T")

_MOST_ATTEMPTS = 20
_MOST_REMEMBERED = 4_000
_UUID = re.compile(r"[0-9a-f]{32}")


class LiveExperiment:
    """One experiment, to be asked again and again while others record into it.

    Nothing is written and no writer waits. Threads may share it.

    Args:
        path: the database file, ours or the original's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal: JournalTail = JournalTail(journal_folder(path))
        self._memory = _Memory()

    @property
    def name(self) -> str:
        """Name of the database file."""
        return self.path.name

    def ask(self, question: Callable[[LiveDBManager], T]) -> T:
        """Return what a function reads of the experiment, all of it of one moment.

        Args:
            question: gets the experiment; asked again where it met several moments.

        Raises:
            NotAnExperimentError: the file is none.
            NewerSchemaError: a newer version of this library wrote it.
            StoreBusyError: it is changed all the time.
            StoreError: it cannot be read.
        """
        for _ in range(_MOST_ATTEMPTS):
            # Before the database: what is drained in between is noted there, and left out here.
            seen = self.journal.advance()
            db = LiveDBManager(self.path, seen, self._memory)
            try:
                with db.moment():
                    return question(db)
            except TornReadError:
                continue
            finally:
                db.close()
        raise StoreBusyError(f"{self.path} is changed all the time; try again")

    def version(self) -> str | None:
        """Return a text that differs whenever an answer may; None where nobody can tell.

        Nobody can for a moment after a write: the clock of file times may not have gone on.
        """
        ends = sorted((tail.writer, end) for tail, end in self.journal.advance())
        signature = signature_of(self.path)
        return f"{signature}{ends}" if is_settled(signature) else None


class _Memory:
    """What was read before and holds on: for as long as there is room."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known_runs: tuple[int | None, set[str]] = (None, set())
        self._found: OrderedDict[object, dict[str, Summary]] = OrderedDict()

    def known_runs(self, file: int | None) -> set[str]:
        """Return the runs that a database, by its inode, is known to have or to have deleted."""
        if self._known_runs[0] != file:  # another one has taken its place
            self._known_runs = (file, set())
        return self._known_runs[1]

    def get(self, key: object, compute: Callable[[], dict[str, Summary]]) -> dict[str, Summary]:
        with self._lock:
            found = self._found.get(key)
        if found is None:
            found = compute()
            with self._lock:
                self._found[key] = found
                if len(self._found) > _MOST_REMEMBERED:
                    self._found.popitem(last=False)
        return found


class _Stretch(NamedTuple):
    """What a segment holds that the database does not: the frames between two offsets."""

    tail: SegmentTail
    start: int
    end: int


class _Undrained(NamedTuple):
    """Records of a series that the database does not have.

    Attributes:
        metric: of the run.
        frames: gives them, as an array.
        n: how many.
        progress: what the whole series has come to; None where some of it is in the database.
    """

    metric: str
    frames: Callable[[], Any]
    n: int
    progress: Progress | None


class State(NamedTuple):
    """What of a run may change."""

    run_id: int
    status: str
    verdict: str | None


class LiveDBManager(ExperimentDBManager):
    """Reads an experiment at one moment, what lies in its segments included.

    Runs that the database does not know yet have negative numbers, the same whenever they are
    asked for.

    Args:
        db_path: the database file, ours or the original's.
        seen: its segments, and how far each was seen.
        memory: of what was computed before.
    """

    def __init__(
        self, db_path: Path, seen: Sequence[tuple[SegmentTail, int]], memory: _Memory
    ) -> None:
        super().__init__(db_path, is_read_only=True)
        self._snapshot = Snapshot(db_path)
        self._db = self._snapshot
        self._seen = seen
        self._memory = memory
        self._stretches: list[_Stretch] = []
        self._frames: dict[str, Any] = {}
        self._starting: dict[int, NewRun] = {}
        self._ended: dict[str, RunEnd] = {}

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Have everything that is read inside be of one moment.

        Raises:
            TornReadError: it may be of several.
            StoreError: the experiment cannot be read.
        """
        with self._snapshot.moment() as connection:
            drained_to = dict(connection.execute("SELECT writer, drained_to FROM segments"))
            for tail, end in self._seen:
                if tail.writer not in drained_to and not tail.path.exists():
                    # Drained and removed: nobody can tell whether that was before our moment.
                    raise TornReadError(f"{tail.path} was drained while it was read")
                start = drained_to.get(tail.writer, 0)
                self._stretches.append(_Stretch(tail, start, max(start, end)))
                self._ended.update(dict(tail.ended))
            known = self._memory.known_runs(self._inode())
            self._starting = _starting(connection, self._seen, known)
            yield

    # Runs

    def find_run(self, reference: str) -> RunInfo | None:
        """Return the run of a number, or of a uuid, as a text; None where there is none."""
        is_uuid = _UUID.fullmatch(reference) is not None
        return super().find_run(reference) or (
            self.get_run(_provisional(reference)) if is_uuid else None
        )

    def get_run(self, run_id: int) -> RunInfo | None:
        """Get run metadata; None when there is no such run."""
        started = self._starting.get(run_id)
        run = super().get_run(run_id) if started is None else _info_of(run_id, started)
        return None if run is None else self._as_now(run)

    def select_runs(self, asked: Selection) -> Page:
        """Return the runs that are asked for; see the base class."""
        if not (self._starting or self._ended):
            page = super().select_runs(asked)
            return page._replace(runs=[self._as_now(run) for run in page.runs])
        # What else is asked of a run may be what the database does not know yet.
        lasting = {name: asked.wanted[name] for name in ("name", "session") if name in asked.wanted}
        stored = Selection(wanted=lasting, uuid=asked.uuid, before=asked.before)
        every = [_info_of(number, run) for number, run in self._starting.items()]
        every += super().select_runs(stored).runs
        every.sort(key=lambda run: run.started_at, reverse=True)
        return selected(map(self._as_now, every), asked, self.summaries_of)

    def _started_inside(self, uuids: Sequence[str]) -> list[RunInfo]:
        starting = [
            _info_of(number, run) for number, run in self._starting.items() if run.parent in uuids
        ]
        return [self._as_now(run) for run in (*starting, *super()._started_inside(uuids))]

    def _as_now(self, run: RunInfo) -> RunInfo:
        """Add to a run what the database does not know yet."""
        if run.uuid is None:
            return run
        end = self._ended.get(run.uuid) if run.status == Status.RUNNING else None
        if end is not None:
            changes = {name: getattr(end, name) for name in _OF_AN_END}
            run = replace(run, **changes)
        undrained = self._undrained(run.uuid)
        if undrained:
            counts = Counter(dict(zip(run.metrics or (), run.num_records or (), strict=True)))
            for one in undrained:
                counts[one.metric] += one.n
            run = replace(run, metrics=list(counts), num_records=list(counts.values()))
        return run

    def states(self, after: int = -1, also: Iterable[int] = ()) -> dict[str | int, State]:
        """Return the states of runs, by uuid, or by number where there is none.

        Args:
            after: a number; only runs with a higher one, and those without one yet, are meant.
            also: numbers of others that are meant.
        """
        with self._db.reading() as connection:
            rows = connection.execute(
                "SELECT id, uuid, status, verdict FROM runs"
                " WHERE id > ? OR id IN (SELECT value FROM json_each(?))",
                (after, json.dumps([number for number in also if number >= 0])),
            ).fetchall()
        rows += [(n, run.uuid, Status.RUNNING, None) for n, run in self._starting.items()]
        states: dict[str | int, State] = {}
        for number, uuid, status, verdict in rows:
            end = self._ended.get(uuid) if status == Status.RUNNING else None
            state = State(number, *((end.status, end.verdict) if end else (status, verdict)))
            states[uuid or number] = state
        return states

    def n_runs(self) -> int:
        """Return how many runs there are."""
        with self._db.reading() as connection:
            (n,) = connection.execute("SELECT COUNT(*) FROM runs").fetchone()
        return int(n) + len(self._starting)

    def abandoned(self) -> set[int]:
        """Return the numbers of runs that never ended and whose process is gone."""
        folder = journal_folder(self.db_path)
        found = self.abandoned_runs(lambda writer: is_alive(folder / f"{writer}{SUFFIX}"))
        return {run.run_id for run in found}

    def get_comparison(self, run_id: int) -> str | None:
        """Return what comparing a run with its baseline found; see the base class."""
        return None if run_id in self._starting else super().get_comparison(run_id)

    def _media(self, table: str, columns: Sequence[str], run_id: int) -> list[tuple[Any, ...]]:
        # Pictures and texts go straight into the database, which then knows the run.
        return [] if run_id in self._starting else super()._media(table, columns, run_id)

    def get_graphs(self, run_id: int) -> list[StoredGraph]:
        """Get all computation graphs of a run; see the base class."""
        return [] if run_id in self._starting else super().get_graphs(run_id)

    # Records

    def get_metrics(self, run_id: int) -> list[str]:
        """Get list of metric names for a run; see the base class."""
        return list(self._existing(run_id).metrics or ())

    def get_records(self, run_id: int, metric_name: str) -> list[RecordInfo]:
        """Get metric records for a run; see the base class."""
        columns = self.series(run_id, metric_name)
        return list(map(RecordInfo, *(column.tolist() for column in columns)))

    def iter_records(self, run_id: int) -> Iterator[tuple[str, list[RecordInfo]]]:
        """Yield the records of a run, metric after metric."""
        for name in self.get_metrics(run_id):
            yield name, self.get_records(run_id, name)

    def series(self, run_id: int, metric_name: str) -> Columns:
        """Return the records of a metric of a run as arrays; see the base class."""
        run = self._existing(run_id)
        parts = [] if run_id in self._starting else [super().series(run_id, metric_name)]
        parts += [
            Columns.of_rows(one.frames())
            for one in self._undrained(run.uuid)
            if one.metric == metric_name
        ]
        return joined(parts)

    def read_summaries(self, run_id: int) -> dict[str, Summary]:
        """Return summaries over all records of a run; those not stored are computed once."""
        run = self._existing(run_id)
        if self._undrained(run.uuid):
            return self._summarized(run)
        counts = (*(run.metrics or ()), *(run.num_records or ()))
        key = (self._inode(), run.uuid or run.run_id, counts)
        return self._memory.get(key, lambda: self._summarized(run))

    def _summarized(self, run: RunInfo) -> dict[str, Summary]:
        stored = {} if run.run_id in self._starting else super().read_summaries(run.run_id)
        undrained = {one.metric for one in self._undrained(run.uuid)}
        found = {}
        for metric in run.metrics or ():
            if metric in undrained:
                steps, values, _ = self.series(run.run_id, metric)
                found[metric] = summarize(steps, values)
            elif metric in stored:  # else none of its records is readable
                found[metric] = stored[metric]
        return found

    def summaries_of(self, runs: Sequence[RunInfo]) -> dict[int, dict[str, Summary]]:
        """Return the summaries of runs by their numbers, without a query for each.

        Of a metric that is being recorded they know what needs no second look at its records:
        mean, std and tail are None until the run has ended.
        """
        with self._db.reading() as connection:
            stored = read_stored_summaries(connection, [run.run_id for run in runs])
        return {run.run_id: self._summaries_of(run, stored.get(run.run_id, {})) for run in runs}

    def _summaries_of(self, run: RunInfo, stored: dict[str, Summary] | None) -> dict[str, Summary]:
        undrained = self._undrained(run.uuid)
        if stored is not None and not undrained:
            return stored
        going_on = {one.metric: one.progress for one in undrained if one.progress is not None}
        is_whole = len(going_on) == len(undrained) and run.status == Status.RUNNING
        if stored is None or not is_whole or going_on.keys() & stored.keys():
            return self.read_summaries(run.run_id)
        return stored | {metric: progress.summary() for metric, progress in going_on.items()}

    def _inode(self) -> int | None:
        file = signature_of(self.db_path)[0]
        return None if file is None else file[0]

    def _existing(self, run_id: int) -> RunInfo:
        run = self.get_run(run_id)
        if run is None:
            raise RunNotFoundError(run_id, self.db_path)
        return run

    def _undrained(self, uuid: str | None) -> list[_Undrained]:
        """Return what the database does not have of a run, channel by channel."""
        found = []
        for stretch in self._stretches:
            for number, metric in stretch.tail.channels_of(uuid):
                progress = stretch.tail.progress.get(number)
                if progress is None or stretch.tail.ends_at[number] <= stretch.start:
                    continue
                is_whole = stretch.tail.defined_at[number] >= stretch.start
                frames = self._frames_of(stretch, number)
                n = progress.n if is_whole else len(frames())
                if n:
                    found.append(_Undrained(metric, frames, n, progress if is_whole else None))
        return found

    def _frames_of(self, stretch: _Stretch, number: int) -> Callable[[], Any]:
        def frames() -> Any:
            writer = stretch.tail.writer
            if writer not in self._frames:
                self._frames[writer] = as_array(stretch.tail.frames(stretch.start, stretch.end))
            every = self._frames[writer]
            return every[every["channel"] == number]

        return frames


_OF_AN_END = ("status", "outcome", "phase", "ended_by", "verdict", "duration_s")


def _starting(
    connection: Any, seen: Sequence[tuple[SegmentTail, int]], known: set[str]
) -> dict[int, NewRun]:
    """Return the runs that the database has not been told of, by provisional numbers.

    Args:
        connection: for reading.
        seen: the segments.
        known: runs that it has been told of; what is found is added.
    """
    started = {
        uuid: run
        for tail, _ in seen
        for uuid, run in list(tail.started.items())
        if uuid not in known and _UUID.fullmatch(uuid)
    }
    listed = json.dumps(list(started))
    found = connection.execute(
        "SELECT uuid FROM runs WHERE uuid IN (SELECT value FROM json_each(?)) UNION ALL"
        " SELECT uuid FROM deleted_runs WHERE uuid IN (SELECT value FROM json_each(?))",
        (listed, listed),
    ).fetchall()
    known.update(uuid for (uuid,) in found)
    return {_provisional(uuid): run for uuid, run in started.items() if uuid not in known}


def _provisional(uuid: str) -> int:
    """Return the number of a run that the database has not numbered: the same everywhere."""
    return -1 - int(uuid[:12], 16)


def _info_of(number: int, run: NewRun) -> RunInfo:
    return RunInfo(
        run_id=number,
        name=run.name,
        created_at=local_time(run.created_at),
        status=Status.RUNNING,
        config=run.config,
        num_records=[],
        metrics=[],
        uuid=run.uuid,
        parent=run.parent,
        environment=json.loads(run.environment) if run.environment else None,
        session=run.session,
        started_at=run.created_at,
    )

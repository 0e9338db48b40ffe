"""What has happened to one experiment since somebody last looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracking.board.curves import places_shown
from tracking.board.databases import Event
from tracking.board.listing import SHOWN, listed
from tracking.columns import Columns
from tracking.errors import JournalError, TrackingError
from tracking.journal import HEADER_SIZE, as_array
from tracking.model import Status, encode_number
from tracking.snapshot import is_settled, signature_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracking.live import LiveDBManager, LiveExperiment, State
    from tracking.model import RunInfo
    from tracking.snapshot import Signature
    from tracking.tail import SegmentTail

_MOST_POINTS = 200  # of a metric at once: they come a few times a second
_MOST_RUNS = 100  # at once; more of them are loaded anew
_ABANDONED_EVERY = 10  # looks


class Watch:
    """Tells what has happened to an experiment between two looks; the first tells nothing.

    For one thread at a time.

    Args:
        experiment: the experiment.
    """

    def __init__(self, experiment: LiveExperiment) -> None:
        self._experiment = experiment
        self._seen: dict[SegmentTail, int] | None = None
        self._signature: Signature | None = None
        self._n_events = -1
        self._known: dict[str | int, State] = {}
        self._has_looked = False
        self._gone: frozenset[int] = frozenset()
        self._problem: str | None = None
        self._turn = 0

    def look(self) -> list[Event]:
        """Return what has happened since the last look."""
        self._turn += 1
        events = list(self._records())
        try:
            events += self._runs()
        except TrackingError as error:
            kind = type(error).__name__
            if kind != self._problem:
                self._problem = kind
                events.append(Event("problem", {"database": self._experiment.name}))
        else:
            self._problem = None
        return events

    def _records(self) -> Iterator[Event]:
        seen = dict(self._experiment.journal.advance())
        before, self._seen = self._seen, seen
        if before is None:
            return
        for tail in before.keys() - seen.keys():  # drained and removed; its last records are ours
            try:
                tail.advance()
            except JournalError:
                continue
            yield from self._records_of(tail, before[tail], tail.end)
        for tail, end in seen.items():
            yield from self._records_of(tail, before.get(tail, HEADER_SIZE), end)

    def _records_of(self, tail: SegmentTail, start: int, end: int) -> Iterator[Event]:
        if start >= end:
            return
        try:
            found = tail.records(start, end)
        except JournalError:
            return
        by_run: dict[str, dict[str, Any]] = {}
        for number, frames in found.items():
            channel = tail.channels.get(number)
            if channel is not None:
                series = _as_points(Columns.of_rows(as_array(frames)))
                series["n"] = tail.progress[number].n
                by_run.setdefault(channel.run_uuid, {})[channel.metric_name] = series
        name = self._experiment.name
        for run, metrics in by_run.items():
            yield Event("records", {"database": name, "run": run, "metrics": metrics}, run)

    def _runs(self) -> list[Event]:
        signature = signature_of(self._experiment.path)
        n_events = sum(len(tail.started) + len(tail.ended) for tail in self._seen or ())
        is_due = self._turn % _ABANDONED_EVERY == 0 and self._may_be_abandoned()
        is_same = signature == self._signature and n_events == self._n_events
        if is_same and self._has_looked and not is_due:
            return []
        events = self._experiment.ask(self._changes)
        # What was written within the tick of a clock may be written again unseen: look once more.
        self._signature = signature if is_settled(signature) else None
        self._n_events = n_events
        return events

    def _may_be_abandoned(self) -> bool:
        return any(state.status == Status.RUNNING for state in self._known.values())

    def _changes(self, db: LiveDBManager) -> list[Event]:
        before, is_first = self._known, not self._has_looked
        self._has_looked = True
        newest = max((state.run_id for state in before.values()), default=0)
        may_change = [one.run_id for one in before.values() if one.status == Status.RUNNING]
        now = {**before, **db.states(newest, may_change)}
        n_all = db.n_runs()
        if len(now) != n_all:  # some are gone
            now = db.states()
        abandoned = frozenset(db.abandoned())
        changed = [key for key, state in now.items() if before.get(key) != state]
        changed += [
            key
            for key, state in now.items()
            if state.run_id in abandoned - self._gone and key not in changed
        ]
        removed = [key for key in before if key not in now]
        self._known, self._gone = now, abandoned
        if is_first or not (changed or removed):
            return []
        is_whole = len(changed) + len(removed) <= _MOST_RUNS
        data = {
            "database": self._experiment.name,
            "n_all": n_all,
            "is_whole": is_whole,
            "changed": listed(db, _found(db, changed), (), SHOWN) if is_whole else [],
            "removed": removed if is_whole else [],
        }
        return [Event("runs", data)]


def _found(db: LiveDBManager, keys: Iterable[str | int]) -> list[RunInfo]:
    return [run for key in keys if (run := db.find_run(str(key))) is not None]


def _as_points(columns: Columns) -> dict[str, Any]:
    """Return what has come of a series, in the order of recording; of very much the outline."""
    steps, values, times = columns
    shown = places_shown(values, _MOST_POINTS)
    return {
        "n_new": len(values),
        "steps": steps[shown].tolist(),
        "values": [encode_number(value) for value in values[shown].tolist()],
        "times": [round(time, 3) for time in times[shown].tolist()],
    }

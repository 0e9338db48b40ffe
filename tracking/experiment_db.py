"""ExperimentDBManager: the database of one experiment, call by call."""

from __future__ import annotations

import gc
import json
import math
import time
import warnings
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking import arguments, records, schema, stored_graphs, stored_runs
from tracking.connection import Connection, making_sense
from tracking.errors import (
    InvalidArgumentError,
    RunNotFoundError,
    RunStateError,
    StoreError,
    TrackingWarning,
)
from tracking.events import EndedRun, NewRun, RunEnd
from tracking.graph import check_graph_data
from tracking.model import RunInfo, Status
from tracking.queries.selection import Page, Selection, selected
from tracking.reading import ExperimentReader

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import SupportsFloat, SupportsIndex

    from tracking.columns import Columns
    from tracking.graph.model import Graph
    from tracking.model import RecordInfo, Summary
    from tracking.stored_graphs import StoredGraph


_STREAMED_FROM = 50_000
"""Longer series are not read at once where that can be helped: a record takes some 150 bytes."""


class Drained(NamedTuple):
    """What is on its way from a segment into the tables.

    Attributes:
        writer: uuid of the segment.
        end: offset in it behind the last of the records.
        batches: gives the records that lie behind an offset of the segment and before `end`. The
            database says which offset: what a drain stored that was interrupted before it could
            say so must not be stored again.
        started: runs that have started; those the database knows already are passed over.
        ended: runs that have ended; the first end of a run stays.
        makes_up_runs: whether records of a run that was never here get one: the database it was in
            is gone, and records are worth more than its name.
    """

    writer: str
    end: int
    batches: Callable[[int], Iterable[records.Batch]]
    started: Sequence[NewRun] = ()
    ended: Sequence[EndedRun] = ()
    makes_up_runs: bool = False


class Original(NamedTuple):
    """What a database of the original holds, as it lies there.

    Attributes:
        problems: what SQLite finds wrong with the file. Records of runs that were deleted are a
            habit of the original and none.
        running: numbers and names of runs that have not ended, as far as the original tells.
    """

    problems: list[str]
    running: list[tuple[int, str]]


class ExperimentDBManager(ExperimentReader):
    """SQLite-based storage for training runs and metrics: one experiment, one file.

    Every writing call is one transaction. That is right for few records; `Tracker.record` is the
    fast way for many. Threads may share a manager; a forked child gets a connection of its own.

    Args:
        db_path: the database file. It is created by the first writing call; one of the original's
            is brought to our schema then.
        is_read_only: never change anything.

    Examples:
        >>> from tracking import ExperimentDBManager
        >>> db = ExperimentDBManager("experiments/mnist.db")
        >>> run_id = db.create_run("baseline", {"lr": 0.01})
        >>> db.record(run_id, "loss", step=0, value=0.5)
        >>> db.update_run_status(run_id, "completed")
        >>> db.get_run(run_id).status, db.get_metric_summary(run_id)["loss"]["last"]
        ('completed', 0.5)
        >>> db.close()

        The methods' examples go on with such a manager.
    """

    def __init__(self, db_path: str | os.PathLike[str], *, is_read_only: bool = False) -> None:
        self.db_path: Path = Path(db_path)
        self._db = Connection(self.db_path.absolute(), is_read_only=is_read_only)

    @property
    def experiment(self) -> str:
        """Name of the experiment.

        Examples:
            >>> db.experiment
            'mnist'
        """
        return self.db_path.stem

    @property
    def where(self) -> str:
        """What messages call it: its database.

        Examples:
            >>> db.where
            'experiments/mnist.db'
        """
        return str(self.db_path)

    @property
    def folder(self) -> Path:
        """Where its database lies.

        Examples:
            >>> db.folder.as_posix()
            'experiments'
        """
        return self.db_path.parent

    def check_connection(self) -> bool:
        """Check if the database exists and is accessible.

        Examples:
            >>> db.check_connection(), ExperimentDBManager("nothing.db").check_connection()
            (True, False)
        """
        try:
            with self._db.reading() as connection:
                connection.execute("SELECT 1 FROM runs LIMIT 1")
        except StoreError:
            return False
        return True

    def init_exp_db(self) -> None:
        """Initialize database schema; one that is there already is kept or migrated.

        Raises:
            NotAnExperimentError: the file belongs to another program; it is left untouched.
            NewerSchemaError: a newer version of this library wrote it; it is left untouched.
            StoreError: it can be neither opened nor created.

        Examples:
            >>> other = ExperimentDBManager("experiments/cifar10.db")
            >>> other.init_exp_db()
            >>> other.get_all_runs()
            []
        """
        self._db.open()

    def is_usable(self) -> bool:
        """Tell whether the database is still the one that was opened, and sound; or none was.

        Examples:
            >>> run_id = db.create_run()
            >>> db.is_usable()
            True
            >>> db.db_path.unlink()
            >>> db.is_usable()
            False
        """
        return self._db.is_usable()

    def can_write(self) -> bool:
        """Tell whether this manager and the file system allow writing.

        Examples:
            >>> db.can_write(), ExperimentDBManager(db.db_path, is_read_only=True).can_write()
            (True, False)
        """
        return self._db.can_write()

    def close(self) -> None:
        """Leave everything in the one database file and let go of it; later calls open it again.

        Examples:
            >>> run_id = db.create_run("baseline")
            >>> db.close()
            >>> db.get_run(run_id).name
            'baseline'
        """
        self._db.close()

    # Runs

    def create_run(self, name: str | None = None, config: Mapping[str, Any] | None = None) -> int:
        """Create a new training run. Returns run_id.

        Args:
            name: shown name, at most 1,000 characters; `run_<unix seconds>` by default.
            config: hyper-parameters, as `Tracker.start_run` takes them.

        Returns:
            The run's number in the experiment, from 1.

        Raises:
            InvalidArgumentError: `name` or `config` cannot be stored.
            StoreError: the database cannot be written.

        Examples:
            >>> run_id = db.create_run("baseline", {"lr": 0.01})
            >>> db.get_run(run_id).config
            {'lr': 0.01}
        """
        return self.insert_run(stored_runs.new_run(name, config))

    def insert_run(self, run: NewRun) -> int:
        """Create a run from checked values. Returns run_id.

        Args:
            run: what it starts with; see `new_run`.

        Raises:
            StoreError: the database cannot be written.
        """
        with self._db.writing() as connection:
            stored_runs.store_environments(connection, [run])
            return stored_runs.insert_run(connection, run)

    def run_id_of(self, uuid: str) -> int:
        """Return the number of a run.

        Args:
            uuid: its identity across databases, `RunInfo.uuid`.

        Raises:
            RunNotFoundError: it is not here, or was deleted.
            StoreError: the database cannot be read.

        Examples:
            >>> run_id = db.create_run()
            >>> db.run_id_of(db.get_run(run_id).uuid) == run_id
            True
        """
        with self._db.reading() as connection:
            run_id = stored_runs.run_id_of(connection, uuid)
        if run_id is None:
            raise RunNotFoundError(uuid, self.db_path)
        return run_id

    def update_config(self, run_id: int, hparams: Mapping[str, Any]) -> dict[str, Any]:
        """Add hyper-parameters to a run's config; those of the same name are replaced.

        Args:
            run_id: number of the run.
            hparams: by name, values as `Tracker.start_run` takes them.

        Returns:
            The config as it is now.

        Raises:
            InvalidArgumentError: `run_id` is no int, or a value cannot be stored.
            RunNotFoundError: no such run.
            StoreError: the database cannot be written, or the config in it is damaged.

        Examples:
            >>> run_id = db.create_run(config={"lr": 0.01})
            >>> db.update_config(run_id, {"batch_size": 32})
            {'lr': 0.01, 'batch_size': 32}
        """
        added = arguments.checked_mapping("hparams", hparams)
        with self._db.writing() as connection:
            run_id, stored = self._run_row(connection, run_id, "config")
            with self._making_sense(f"the config of run {run_id}"):
                config = {**json.loads(stored or "{}"), **added}
            text = arguments.as_json(config)
            connection.execute("UPDATE runs SET config = ? WHERE id = ?", (text, run_id))
        return config

    def update_run_status(self, run_id: int, status: str) -> None:
        """Update run status. Only a running run changes, once, to completed or failed.

        Args:
            run_id: number of the run.
            status: completed or failed; running, and the status it has, change nothing.

        Raises:
            InvalidArgumentError: unknown status, or `run_id` is no int.
            RunNotFoundError: no such run.
            RunStateError: the run has ended already with another status.
            StoreError: the database cannot be written.

        Examples:
            >>> run_id = db.create_run()
            >>> db.update_run_status(run_id, "failed")
            >>> db.update_run_status(run_id, "completed")
            Traceback (most recent call last):
                ...
            tracking.errors.RunStateError: run 1 ended as failed; how a run ended does not change
            (to completed)
        """
        new = arguments.checked_status(status)
        with self._db.writing() as connection:
            run_id, old = self._run_row(connection, run_id, "status")
            if old == new:
                return
            if old != Status.RUNNING:
                raise RunStateError(
                    f"run {run_id} ended as {old}; how a run ended does not change (to {new})"
                )
            stored_runs.end_run(connection, run_id, RunEnd(new))

    def get_run(self, run_id: int) -> RunInfo | None:
        """Get run metadata; None when there is no such run.

        Args:
            run_id: number of the run.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            StoreError: the database cannot be read, or the run in it is damaged.

        Examples:
            >>> run_id = db.create_run("baseline", {"lr": 0.01})
            >>> db.record(run_id, "loss", step=0, value=0.5)
            >>> run = db.get_run(run_id)
            >>> run.name, run.status, run.metrics, run.num_records
            ('baseline', 'running', ['loss'], [1])
        """
        number = arguments.checked_id("run_id", run_id)
        with self._db.reading() as connection:
            row = connection.execute(f"{stored_runs.SELECT} WHERE r.id = ?", (number,)).fetchone()
        return self._run_info(row) if row else None

    def get_all_runs(self) -> list[RunInfo]:
        """List all runs, newest first.

        Raises:
            StoreError: the database cannot be read.

        Examples:
            >>> first, second = db.create_run("first"), db.create_run("second")
            >>> [run.name for run in db.get_all_runs()]
            ['second', 'first']
        """
        return self.find_runs()

    def select_runs(self, asked: Selection) -> Page:
        """Return the runs that are asked for, the newest of them first unless told otherwise.

        Args:
            asked: which of them, in which order, how many.

        Raises:
            StoreError: the database cannot be read.

        Examples:
            >>> from tracking.queries.selection import Selection
            >>> runs = [db.create_run(f"lr={lr}") for lr in (0.1, 0.2, 0.3)]
            >>> page = db.select_runs(Selection(limit=2, is_counted=True))
            >>> [run.name for run in page.runs], page.n
            (['lr=0.3', 'lr=0.2'], 3)
        """
        where, values = stored_runs.where(asked)
        is_cut = stored_runs.is_answered_by_sql(asked)
        limit, offset = (asked.limit, asked.offset) if is_cut else (None, 0)
        with self._db.reading() as connection:
            rows = connection.execute(
                f"{stored_runs.SELECT} {where}"
                " ORDER BY r.created_at DESC, r.id DESC LIMIT ? OFFSET ?",
                (*values, -1 if limit is None else limit, offset),
            ).fetchall()
            n = offset + len(rows)
            if is_cut and asked.is_counted:
                counted = connection.execute(f"SELECT COUNT(*) FROM runs AS r {where}", values)  # noqa: S608
                (n,) = counted.fetchone()
        runs = [self._run_info(row) for row in rows]
        return Page(runs, n) if is_cut else selected(runs, asked, self.summaries_of)

    def _started_inside(self, uuids: Sequence[str]) -> list[RunInfo]:
        with self._db.reading() as connection:
            rows = connection.execute(
                f"{stored_runs.SELECT} WHERE r.parent IN (SELECT value FROM json_each(?))",  # noqa: S608
                (json.dumps(list(uuids)),),
            ).fetchall()
        return [self._run_info(row) for row in rows]

    def run_names(self, containing: str = "") -> list[str]:
        """Return the names of runs in which a text stands, sorted.

        Args:
            containing: the text; by default all names are returned.

        Raises:
            StoreError: the database cannot be read.

        Examples:
            >>> runs = [db.create_run(name) for name in ("sgd", "adam", "adamw", "adam")]
            >>> db.run_names("adam")
            ['adam', 'adamw']
        """
        with self._db.reading() as connection:
            rows = connection.execute("SELECT DISTINCT name FROM runs ORDER BY name").fetchall()
        return [name for (name,) in rows if containing in name]

    def metric_names(self) -> list[str]:
        """Return the names of the metrics that runs have, sorted.

        Raises:
            StoreError: the database cannot be read.

        Examples:
            >>> run_id = db.create_run()
            >>> db.record(run_id, "val_acc", step=0, value=0.9)
            >>> db.record(run_id, "loss", step=0, value=0.5)
            >>> db.metric_names()
            ['loss', 'val_acc']
        """
        with self._db.reading() as connection:
            rows = connection.execute(
                "SELECT name FROM metrics WHERE id IN (SELECT metric_id FROM series) ORDER BY name"
            ).fetchall()
        return [name for (name,) in rows]

    def sessions(self, beginning: str = "") -> list[str]:
        """Return the sessions whose identity begins with a text, the newest first.

        Args:
            beginning: the text; by default all sessions are returned.

        Raises:
            StoreError: the database cannot be read.

        Examples:
            >>> for session in ("a1", "b2"):
            ...     with tracker.run("test_x.py::test_y", session=session):
            ...         tracker.record("loss", 0.5, step=0)
            >>> db.sessions()
            ['b2', 'a1']
        """
        with self._db.reading() as connection:
            rows = connection.execute(
                "SELECT session FROM runs WHERE session IS NOT NULL GROUP BY session"
                " ORDER BY MAX(created_at) DESC, MAX(id) DESC"
            ).fetchall()
        return [session for (session,) in rows if session.startswith(beginning)]

    def last_session(self) -> str | None:
        """Return the session of the newest run that belongs to one; None where no run does.

        Raises:
            StoreError: the database cannot be read.

        Examples:
            >>> with tracker.run("test_x.py::test_y", session="a1"):
            ...     tracker.record("loss", 0.5, step=0)
            >>> db.last_session()
            'a1'
        """
        with self._db.reading() as connection:
            row = connection.execute(
                "SELECT session FROM runs WHERE session IS NOT NULL"
                " ORDER BY created_at DESC, id DESC LIMIT 1"
            ).fetchone()
        return row[0] if row else None

    def _run_info(self, row: tuple[Any, ...]) -> RunInfo:
        *of_run, counts = row
        with self._making_sense(f"run {row[0]}"):
            return stored_runs.run_info(of_run, dict(json.loads(counts)))

    def _making_sense(self, what: str) -> AbstractContextManager[None]:
        return making_sense(self.db_path, what)

    def delete_run(self, run_id: int) -> None:
        """Delete a run and all its data.

        Args:
            run_id: number of the run.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be written.

        Examples:
            >>> run_id = db.create_run()
            >>> db.delete_run(run_id)
            >>> db.get_run(run_id) is None
            True
        """
        with self._db.writing() as connection:
            (run_id,) = self._run_row(connection, run_id)
            connection.execute(
                "INSERT INTO deleted_runs (uuid) SELECT uuid FROM runs WHERE id = ?", (run_id,)
            )
            stored_runs.remove_run(connection, run_id)

    def compact(self) -> None:
        """Give back to the file system what deleted runs have left free.

        Every table of ours numbers its rows itself, so that nothing changes its number.

        Raises:
            StoreBusyError: others held the lock for too long.
            StoreError: the database cannot be written, or the disk has no room for a second copy of
                what is in use; it is as it was.

        Examples:
            >>> run_id = db.create_run()
            >>> db.save_text(run_id, "log", 0, "." * 1_000_000)
            >>> db.close()
            >>> size = db.db_path.stat().st_size
            >>> db.delete_run(run_id)
            >>> db.compact()
            >>> db.close()
            >>> db.db_path.stat().st_size < size / 2
            True
        """
        self._db.compact()

    # Records

    def record(
        self, run_id: int, metric_name: str, step: SupportsIndex, value: SupportsFloat
    ) -> None:
        """Log a single metric record; committed when the call returns.

        Args:
            run_id: number of the run, whatever its status.
            metric_name: non-empty text without NUL, at most 1,000 characters.
            step: a signed 64-bit int.
            value: a real number, stored as float64; NaN and infinities are values too.

        Raises:
            InvalidArgumentError: one of the arguments cannot be stored.
            RunNotFoundError: no such run.
            StoreError: the database cannot be written.

        Examples:
            >>> run_id = db.create_run()
            >>> db.record(run_id, "loss", step=0, value=0.5)
            >>> [record.value for record in db.get_records(run_id, "loss")]
            [0.5]
        """
        name = arguments.checked_name("metric_name", metric_name)
        row = ([arguments.checked_step(step)], [arguments.checked_value(value)], [time.time()])
        with self._db.writing() as connection:
            run_id, uuid = self._run_row(connection, run_id, "uuid")
            records.insert_batches(connection, [records.Batch(uuid, name, *row)], lambda _: run_id)

    def append(self, drained: Drained, *, is_durable: bool = False) -> None:
        """Store what was drained from a segment, and how far it is, in one transaction.

        Args:
            drained: what there is to store.
            is_durable: flush it to the disk, so that it survives a loss of power.

        Raises:
            StoreError: the database cannot be written.
        """
        with self._db.writing(is_durable=is_durable) as connection:
            stored_runs.store_environments(connection, drained.started)
            for run in drained.started:
                stored_runs.learn_of_run(connection, run)
            run_id_of = cache(partial(stored_runs.run_id_of, connection))
            run_id_for_records = run_id_of
            if drained.makes_up_runs:
                run_id_for_records = cache(partial(stored_runs.run_id_or_made_up, connection))
            query = "SELECT drained_to FROM segments WHERE writer = ?"
            row = connection.execute(query, (drained.writer,)).fetchone()
            records.insert_batches(
                connection, drained.batches(row[0] if row else 0), run_id_for_records
            )
            connection.execute(
                "INSERT INTO segments (writer, drained_to) VALUES (?, ?)"
                " ON CONFLICT (writer) DO UPDATE SET drained_to = excluded.drained_to",
                (drained.writer, drained.end),
            )
            for uuid, end, summaries in drained.ended:
                run_id = run_id_of(uuid)
                if run_id is not None:
                    records.store_summaries(connection, run_id, summaries)
                    stored_runs.end_run(connection, run_id, end)

    def abandoned_runs(self, is_alive: Callable[[str], bool]) -> list[stored_runs.AbandonedRun]:
        """List running runs whose process is dead; `end_abandoned_runs` ends them.

        Args:
            is_alive: tells of the uuid of a segment whether its writer lives.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._db.reading() as connection:
            return stored_runs.abandoned(connection, is_alive, lambda _: ("", None))

    def integrity_problems(self) -> list[str]:
        """Return what SQLite finds wrong with the database file; nothing when it is sound.

        Raises:
            StoreError: the database cannot be read.

        Examples:
            >>> db.integrity_problems()
            []
        """
        with self._db.reading() as connection:
            found = [row[0] for row in connection.execute("PRAGMA quick_check")]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        problems = [text for text in found if text != "ok"]
        return problems + [
            f"{table}: row {row} has lost its {parent}" for table, row, parent, _ in orphans
        ]

    def look_at_original(self) -> Original | None:
        """Look at a database of the original without bringing it to our schema; None at ours.

        Raises:
            StoreError: the database cannot be read.

        Examples:
            >>> db.look_at_original() is None
            True
        """
        with self._db.as_it_lies() as connection:
            if schema.origin_of(connection) is not schema.Origin.THE_ORIGINAL:
                return None
            found = [row[0] for row in connection.execute("PRAGMA quick_check")]
            query = "SELECT id, name FROM runs WHERE status = 'running' ORDER BY id"
            running = connection.execute(query).fetchall()
        return Original([text for text in found if text != "ok"], running)

    def end_abandoned_runs(
        self,
        is_alive: Callable[[str], bool],
        last_words: Callable[[str], tuple[str, str | None]],
    ) -> list[stored_runs.AbandonedRun]:
        """End running runs, as failed, whose process is dead.

        Runs of the original name no writer; nobody can tell, so they are left alone.

        Args:
            is_alive: tells of the uuid of a segment whether its writer lives. Asked under the
                store's lock, so that no run can start between question and answer.
            last_words: gives for a dead one why, and in which phase of a test, it died.

        Returns:
            The runs that were ended.

        Raises:
            StoreError: the database cannot be written.
        """
        with self._db.reading() as connection:
            query = "SELECT 1 FROM runs WHERE status = 'running' AND writer IS NOT NULL LIMIT 1"
            if connection.execute(query).fetchone() is None:
                return []
        with self._db.writing() as connection:
            abandoned = stored_runs.abandoned(connection, is_alive, last_words)
            for run in abandoned:
                end = RunEnd(Status.FAILED, phase=run.phase, ended_by=run.ended_by)
                stored_runs.end_run(connection, run.run_id, end)
        return abandoned

    def forget_segment(self, writer: str) -> None:
        """Forget how far a segment was drained, once its file is gone.

        Args:
            writer: uuid of the segment.

        Raises:
            StoreError: the database cannot be written.
        """
        with self._db.writing() as connection:
            connection.execute("DELETE FROM segments WHERE writer = ?", (writer,))

    def get_records(self, run_id: int, metric_name: str) -> list[RecordInfo]:
        """Get metric records for a run, by step, those of one step in the order of recording.

        A metric without records gives an empty list. What numpy scalars left as bytes in a database
        of the original is decoded, and a `TrackingWarning` says so.

        Args:
            run_id: number of the run.
            metric_name: name of the metric.

        Raises:
            InvalidArgumentError: `run_id` is no int, or `metric_name` no text.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read.

        Examples:
            >>> run_id = db.create_run()
            >>> for step, loss in ((1, 0.5), (0, 1.0)):
            ...     db.record(run_id, "loss", step, loss)
            >>> [(record.step, record.value) for record in db.get_records(run_id, "loss")]
            [(0, 1.0), (1, 0.5)]
        """
        name = arguments.checked_text("metric_name", metric_name)
        with _collector_paused(), self._db.reading() as connection:
            (run_id,) = self._run_row(connection, run_id)
            series = records.read_series(connection, run_id, name)
        if series.n_decoded or series.n_unreadable:
            warnings.warn(
                f"{self.db_path}, run {run_id}, metric {metric_name!r}: {series.n_decoded} records"
                f" lay there as bytes and were decoded, {series.n_unreadable} are unreadable and"
                " were left out",
                TrackingWarning,
                stacklevel=2,
            )
        return series.rows

    def series(self, run_id: int, metric_name: str) -> Columns:
        """Return the records of a metric of a run as arrays, by step; those of one step in order.

        Args:
            run_id: number of the run.
            metric_name: name of the metric.

        Returns:
            `steps`, int64 of shape (n,), `values`, float64 of shape (n,), and `wall_times`, float64
            of shape (n,) in Unix seconds.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read.

        Examples:
            >>> run_id = db.create_run()
            >>> for step, loss in enumerate((1.0, 0.5)):
            ...     db.record(run_id, "loss", step, loss)
            >>> series = db.series(run_id, "loss")
            >>> series.steps, series.values
            (array([0, 1]), array([1. , 0.5]))
        """
        from tracking.columns import read_columns  # and with it numpy

        with self._db.reading() as connection:
            (run_id,) = self._run_row(connection, run_id)
            return read_columns(connection, run_id, metric_name)

    def iter_records(self, run_id: int) -> Iterator[tuple[str, list[RecordInfo]]]:
        """Yield the records of a run in parts, metric after metric.

        The order is that of `get_metrics`, then of `get_records`. Memory does not grow with the
        number of records: long series are read by a connection of their own, which is open until
        the iterator has gone on or is closed, and is in nobody's way.

        Args:
            run_id: number of the run.

        Yields:
            The metric's name and some of its records.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read.

        Examples:
            >>> run_id = db.create_run()
            >>> for step, loss in enumerate((1.0, 0.5)):
            ...     db.record(run_id, "loss", step, loss)
            >>> [(name, len(part)) for name, part in db.iter_records(run_id)]
            [('loss', 2)]
        """
        run = self.get_run(run_id)
        if run is None:
            raise RunNotFoundError(run_id, self.db_path)
        for name, n in zip(run.metrics or (), run.num_records or (), strict=True):
            if n <= _STREAMED_FROM:
                yield name, self.get_records(run_id, name)
                continue
            with self._db.as_it_lies() as connection:
                parts = records.stream_series(connection, run.run_id, name)
                for part in parts or ():
                    yield name, part
            if parts is None:
                yield name, self.get_records(run_id, name)

    def get_metrics(self, run_id: int) -> list[str]:
        """Get list of metric names for a run, in the order they first appeared in the experiment.

        Args:
            run_id: number of the run.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read.

        Examples:
            >>> run_id = db.create_run()
            >>> db.record(run_id, "loss", step=0, value=0.5)
            >>> db.get_metrics(run_id)
            ['loss']
        """
        with self._db.reading() as connection:
            (run_id,) = self._run_row(connection, run_id)
            rows = connection.execute(
                "SELECT m.name FROM series AS s JOIN metrics AS m ON m.id = s.metric_id"
                " WHERE s.run_id = ? ORDER BY m.id",
                (run_id,),
            ).fetchall()
        return [name for (name,) in rows]

    def get_metric_summary(self, run_id: int) -> dict[str, dict[str, Any]]:
        """Summary statistics of each metric of a run; see `Summary` for their names.

        They are stored when a run ends, so that reading them doesn't visit the records.

        Args:
            run_id: number of the run.

        Returns:
            Metric name -> {n, n_nan, n_inf, min, max, mean, std, tail, last, first_step,
            last_step}.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read.

        Examples:
            >>> run_id = db.create_run()
            >>> for step, loss in enumerate((1.0, 0.5)):
            ...     db.record(run_id, "loss", step, loss)
            >>> loss = db.get_metric_summary(run_id)["loss"]
            >>> loss["n"], loss["mean"], loss["std"], loss["last_step"]
            (2, 0.75, 0.25, 1)
        """
        return {name: summary.as_dict() for name, summary in self.read_summaries(run_id).items()}

    def read_summaries(self, run_id: int) -> dict[str, Summary]:
        """Return what `get_metric_summary` does, as `Summary` values.

        Args:
            run_id: number of the run.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read.

        Examples:
            >>> run_id = db.create_run()
            >>> db.record(run_id, "loss", step=0, value=0.5)
            >>> db.read_summaries(run_id)["loss"].last
            0.5
        """
        with self._db.reading() as connection:
            run_id, status = self._run_row(connection, run_id, "status")
            summaries = records.read_summaries(connection, run_id)
        if summaries.computed and status != Status.RUNNING and self._db.can_write():
            with self._db.writing() as connection:
                records.note_unreadable(connection, run_id, summaries.unreadable)
                records.store_summaries(connection, run_id, summaries.computed)
        return summaries.by_metric

    def summaries_of(self, runs: Sequence[RunInfo]) -> dict[int, dict[str, Summary]]:
        """Return what `read_summaries` does of runs, by their numbers.

        One query reads what is stored; runs whose summaries don't cover all records are left to
        `read_summaries`.

        Args:
            runs: runs of this experiment.

        Returns:
            Number of the run -> metric name -> summary.

        Raises:
            RunNotFoundError: one of them was deleted meanwhile.
            StoreError: the database cannot be read.

        Examples:
            >>> for lr in (0.1, 0.2):
            ...     db.record(db.create_run(f"lr={lr}"), "loss", step=0, value=1 - lr)
            >>> runs = db.get_all_runs()
            >>> summaries = db.summaries_of(runs)
            >>> [(run.name, summaries[run.run_id]["loss"].last) for run in runs]
            [('lr=0.2', 0.8), ('lr=0.1', 0.9)]
        """
        with self._db.reading() as connection:
            stored = records.read_stored_summaries(connection, [run.run_id for run in runs])
        found = {run.run_id: stored.get(run.run_id, {}) for run in runs}
        return {
            run_id: self.read_summaries(run_id) if summaries is None else summaries
            for run_id, summaries in found.items()
        }

    def get_comparison(self, run_id: int) -> str | None:
        """Return what comparing a run with its baseline found, as `end_run` was given it.

        Args:
            run_id: number of the run.

        Returns:
            JSON, for `tracking.regression.parse_comparison`; None of a run that was not compared.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read.

        Examples:
            >>> db.get_comparison(db.create_run()) is None
            True
        """
        with self._db.reading() as connection:
            if schema.version_of(connection) < schema.HAS_COMPARISONS:
                return None
            _, text = self._run_row(connection, run_id, "comparison")
        found: str | None = text
        return found

    def comparisons_of(self, runs: Sequence[RunInfo]) -> dict[int, str]:
        """Return what `get_comparison` does of those runs that were compared, by their numbers.

        Args:
            runs: runs of this experiment.

        Raises:
            StoreError: the database cannot be read.

        Examples:
            >>> run_id = db.create_run()
            >>> db.comparisons_of(db.get_all_runs())
            {}
        """
        with self._db.reading() as connection:
            if schema.version_of(connection) < schema.HAS_COMPARISONS:
                return {}
            rows = connection.execute(
                "SELECT id, comparison FROM runs WHERE comparison IS NOT NULL"
                " AND id IN (SELECT value FROM json_each(?))",
                (json.dumps([run.run_id for run in runs]),),
            ).fetchall()
        return dict(rows)

    # Graphs, histograms, images, texts

    def save_comp_graph(
        self, run_id: int, graph_data: dict[str, Any], *, name: str = "graph"
    ) -> int:
        """Save computation graph as JSON, beside those the run has. Returns its id.

        Args:
            run_id: the run.
            graph_data: a dict with lists `nodes` and `edges`; stored whole.
            name: what to call it, where a run has several.

        Raises:
            InvalidArgumentError: `graph_data` has no nodes and edges, or is not strict JSON.
            RunNotFoundError: no such run.
            StoreError: the database cannot be written.

        Examples:
            >>> run_id = db.create_run()
            >>> graph_id = db.save_comp_graph(run_id, {"nodes": [], "edges": []})
            >>> db.get_comp_graph(graph_id)
            {'nodes': [], 'edges': []}
        """
        content = stored_graphs.content_of_text(check_graph_data(graph_data))
        return self._insert_graph(run_id, arguments.checked_name("name", name), content)

    def save_graph(self, run_id: int, graph: Graph, name: str = "graph") -> int:
        """Save a captured graph, beside those the run has. Returns its id.

        An equal graph that any run has is not stored again. A graph of more nodes than
        `tracking.stored_graphs.WHOLE_UP_TO` is packed; the JSON of it that other programs find in
        the database is an overview.

        Args:
            run_id: the run.
            graph: what `tracking.graph.capture.capture` returns.
            name: what to call it, where a run has several.

        Raises:
            InvalidArgumentError: `name` cannot be stored, or `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be written.

        Examples:
            >>> from types import SimpleNamespace
            >>> from tracking.graph.capture import capture
            >>> flags = {"comp_grad": True, "is_leaf": True, "oper": None, "prev": ()}
            >>> weight = SimpleNamespace(label="w", shape=(), **flags)
            >>> run_id = db.create_run()
            >>> graph_id = db.save_graph(run_id, capture(weight))
            >>> [graph.n_nodes for graph in db.get_graphs(run_id)]
            [1]
        """
        checked = arguments.checked_name("name", name)
        content = stored_graphs.content_of_graph(graph)
        self._db.open()
        with self._db.reading() as connection:
            self._run_row(connection, run_id)
            is_new = not stored_graphs.has_content(connection, content)
        if is_new:
            content.columns()  # now, not while other processes wait for the lock
        return self._insert_graph(run_id, checked, content)

    def _insert_graph(self, run_id: int, name: str, content: stored_graphs.Content) -> int:
        with self._db.writing() as connection:
            (run_id,) = self._run_row(connection, run_id)
            return stored_graphs.insert_graph(connection, run_id, name, content, time.time())

    def get_comp_graph(self, graph_id: int) -> dict[str, Any] | None:
        """Get a single computation graph by its ID; None when there is none.

        Args:
            graph_id: what saving it has returned.

        Raises:
            InvalidArgumentError: `graph_id` is no int.
            StoreError: the database cannot be read, or the graph in it is damaged.

        Examples:
            >>> graph_id = db.save_comp_graph(db.create_run(), {"nodes": [], "edges": []})
            >>> db.get_comp_graph(graph_id)
            {'nodes': [], 'edges': []}
        """
        number = arguments.checked_id("graph_id", graph_id)
        with self._db.reading() as connection:
            found = stored_graphs.read_graph(connection, self.db_path, number)
        whole: dict[str, Any] | None = found.whole() if found else None
        return whole

    def get_graphs(self, run_id: int) -> list[StoredGraph]:
        """Get all computation graphs of a run, oldest first, each unpacked as far as it is used.

        Args:
            run_id: number of the run.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read.

        Examples:
            >>> run_id = db.create_run()
            >>> graph_id = db.save_comp_graph(run_id, {"nodes": [], "edges": []}, name="encoder")
            >>> [(graph.name, graph.n_nodes) for graph in db.get_graphs(run_id)]
            [('encoder', 0)]
        """
        with self._db.reading() as connection:
            (run_id,) = self._run_row(connection, run_id)
            return stored_graphs.read_graphs(connection, self.db_path, run_id)

    def save_histogram(
        self,
        run_id: int,
        name: str,
        step: SupportsIndex,
        bucket_edges: Sequence[float],
        bucket_counts: Sequence[int],
        n_non_finite: int = 0,
    ) -> None:
        """Save a histogram: n + 1 edges, n counts, and how many values lay in no bucket.

        Args:
            run_id: number of the run.
            name: non-empty text without NUL, at most 1,000 characters.
            step: a signed 64-bit int.
            bucket_edges: n + 1 finite numbers, in the unit of the values.
            bucket_counts: n >= 1 numbers.
            n_non_finite: how many values were NaN or infinite.

        Raises:
            InvalidArgumentError: one of the arguments cannot be stored.
            RunNotFoundError: no such run.
            StoreError: the database cannot be written.

        Examples:
            >>> run_id = db.create_run()
            >>> db.save_histogram(run_id, "weights", 0, [0.0, 0.5, 1.0], [2, 3])
            >>> [stored["bucket_counts"] for stored in db.get_histograms(run_id)["weights"]]
            [[2, 3]]
        """
        edges = _checked_numbers("bucket_edges", bucket_edges)
        counts = _checked_numbers("bucket_counts", bucket_counts)
        if len(edges) != len(counts) + 1 or not counts:
            raise InvalidArgumentError(
                "bucket_edges",
                f"{len(counts)} counts need {len(counts) + 1} edges, got {len(edges)}",
            )
        values = (
            arguments.checked_name("name", name),
            arguments.checked_step(step),
            arguments.as_json(edges),
            arguments.as_json(counts),
            time.time(),
            arguments.checked_id("n_non_finite", n_non_finite),
        )
        self._insert(
            "INSERT INTO histograms"
            " (run_id, name, step, bucket_edges, bucket_counts, wall_time, n_non_finite)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            run_id,
            values,
        )

    def save_image(
        self,
        run_id: int,
        name: str,
        step: SupportsIndex,
        width: int,
        height: int,
        channels: int,
        image_data: bytes,
    ) -> None:
        """Save raw image data: uint8, height x width x channels.

        Args:
            run_id: number of the run.
            name: non-empty text without NUL, at most 1,000 characters.
            step: a signed 64-bit int.
            width: pixels of a row.
            height: rows.
            channels: bytes of a pixel: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
            image_data: height * width * channels bytes, row by row, pixel by pixel.

        Raises:
            InvalidArgumentError: one of the arguments cannot be stored, or sizes disagree.
            RunNotFoundError: no such run.
            StoreError: the database cannot be written.

        Examples:
            >>> run_id = db.create_run()
            >>> db.save_image(run_id, "black", 0, 2, 1, channels=3, image_data=bytes(6))
            >>> [stored["data_b64"] for stored in db.get_images(run_id)["black"]]
            ['AAAAAAAA']
        """
        sizes = (
            arguments.checked_id("width", width),
            arguments.checked_id("height", height),
            arguments.checked_id("channels", channels),
        )
        if not isinstance(image_data, bytes | bytearray | memoryview):
            raise InvalidArgumentError(
                "image_data", f"expected bytes, got {type(image_data).__name__}"
            )
        pixels = bytes(image_data)
        if min(sizes) < 1 or len(pixels) != math.prod(sizes):
            raise InvalidArgumentError(
                "image_data",
                f"has {len(pixels)} bytes; {height} x {width} x {channels} need {math.prod(sizes)}",
            )
        values = (
            arguments.checked_name("name", name),
            arguments.checked_step(step),
            *sizes,
            pixels,
            time.time(),
        )
        self._insert(
            "INSERT INTO images"
            " (run_id, name, step, width, height, channels, image_data, wall_time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            run_id,
            values,
        )

    def save_text(self, run_id: int, name: str, step: SupportsIndex, content: str) -> None:
        """Save a text entry for a run: sampled output, a prediction, a note.

        Args:
            run_id: number of the run.
            name: non-empty text without NUL, at most 1,000 characters.
            step: a signed 64-bit int.
            content: the text, of any length.

        Raises:
            InvalidArgumentError: one of the arguments cannot be stored.
            RunNotFoundError: no such run.
            StoreError: the database cannot be written.

        Examples:
            >>> run_id = db.create_run()
            >>> db.save_text(run_id, "samples", 0, "To be, or not to bee")
            >>> [stored["content"] for stored in db.get_texts(run_id)["samples"]]
            ['To be, or not to bee']
        """
        values = (
            arguments.checked_name("name", name),
            arguments.checked_step(step),
            arguments.checked_text("content", content),
            time.time(),
        )
        self._insert(
            "INSERT INTO texts (run_id, name, step, content, wall_time) VALUES (?, ?, ?, ?, ?)",
            run_id,
            values,
        )

    def _insert(self, statement: str, run_id: int, values: tuple[object, ...]) -> int:
        with self._db.writing() as connection:
            (run_id,) = self._run_row(connection, run_id)
            return int(connection.execute(statement, (run_id, *values)).lastrowid or 0)

    def _media(self, table: str, columns: Sequence[str], run_id: int) -> list[tuple[Any, ...]]:
        query = f"SELECT {', '.join(columns)} FROM {table} WHERE run_id = ? ORDER BY step, id"  # noqa: S608
        with self._db.reading() as connection:
            (run_id,) = self._run_row(connection, run_id)
            return connection.execute(query, (run_id,)).fetchall()

    def _run_row(
        self, connection: sqlite3.Connection, run_id: int, *columns: str
    ) -> tuple[Any, ...]:
        """Return the run's id, as a plain int whatever the caller gave, and some of its columns."""
        query = f"SELECT {', '.join(('id', *columns))} FROM runs WHERE id = ?"  # noqa: S608  # columns of ours
        values = (arguments.checked_id("run_id", run_id),)
        row: tuple[Any, ...] | None = connection.execute(query, values).fetchone()
        if row is None:
            raise RunNotFoundError(run_id, self.db_path)
        return row


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep Python's garbage collector from going through what is just being made.

    Of a long series every object stays, and looking at them again and again takes as long as
    reading them, measured.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _checked_numbers(argument: str, numbers: Iterable[float]) -> list[float]:
    try:
        listed = list(numbers)
    except TypeError:
        kind = type(numbers).__name__
        raise InvalidArgumentError(argument, f"expected a list of numbers, got {kind}") from None
    plain: list[float] = arguments.checked_mapping(argument, {"numbers": listed})["numbers"]
    for number in plain:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise InvalidArgumentError(argument, f"expected finite numbers, got {number!r}")
    return plain

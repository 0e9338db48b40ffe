"""Bringing runs out of the experiments they were recorded in into the shared store.

A push can be given again at any time, by anybody, after any failure: what the store has in the same
or a more complete form stays, each batch of runs is there as a whole or not at all, and the
experiments are only read.
"""

from __future__ import annotations

import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tracking.arguments import checked_experiment_name
from tracking.errors import StoreError, TrackingError
from tracking.filesystem import working_folder
from tracking.merging.content import ContentDBManager
from tracking.merging.plan import in_order
from tracking.merging.shards import databases_in, prepared
from tracking.postgres.address import Address
from tracking.postgres.writing import StoreWriter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tracking.merging.plan import HeldRun
    from tracking.merging.shards import Source

_RECORDS_A_BATCH = 500_000  # more are no faster, measured; a batch is what a failure undoes
_RUNS_A_BATCH = 1_000
_RUNS_A_QUESTION = 5_000
_MOST_ATTEMPTS = 5  # at an experiment that is written while it is read
_GRACE_S = 2.0  # between losing its connection and the end of a push


class PushedShard(NamedTuple):
    """What became of the runs of an experiment.

    Attributes:
        path: its database.
        n_runs: how many it has.
        n_added: how many of them the store did not have.
        n_completed: how many it had in a less complete form.
        n_kept_away: how many were deleted from the store, and stay away.
        n_recording: how many are being recorded, which the next push brings.
        remarks: what was left out, and why.
    """

    path: Path
    n_runs: int = 0
    n_added: int = 0
    n_completed: int = 0
    n_kept_away: int = 0
    n_recording: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def n_known(self) -> int:
        """How many the store had already."""
        n_others = self.n_added + self.n_completed + self.n_kept_away + self.n_recording
        return self.n_runs - n_others


class Pushed(NamedTuple):
    """What a push came to.

    Attributes:
        store: where the runs went, as people may see it.
        shards: what became of those of each experiment.
        unread: for each experiment that could not be read, why.
    """

    store: str
    shards: list[PushedShard]
    unread: list[str]

    @property
    def n_pushed(self) -> int:
        """How many runs the store has got, or would get, from all of them."""
        return sum(shard.n_added + shard.n_completed for shard in self.shards)


def push(
    shards: Sequence[Path],
    store: str | Address,
    *,
    is_dry_run: bool = False,
    limit_s: float | None = None,
) -> Pushed:
    """Bring the runs of experiments into the shared store, in their most complete form.

    Runs that are still being recorded are left for the next push; one experiment that cannot be
    read is no hindrance for the others. Memory does not grow with the number of records: a run of
    10 million takes some 100 MB.

    Args:
        shards: databases of experiments, or folders of them; only read.
        store: URL of the PostgreSQL database, `postgresql://user@host/database`. The store in it is
            created by the first push.
        is_dry_run: only tell what would be pushed.
        limit_s: seconds it may take; then what is not there yet is left for the next push.

    Returns:
        What became of the runs of each experiment.

    Raises:
        InvalidArgumentError: `store` is no such URL.
        MissingDependencyError: psycopg is not installed.
        NewerSchemaError: a newer version of this library wrote the store; it is untouched.
        StoreUnreachableError: nobody answers at the URL, or we are not let in.
        StoreError: there is no experiment, the store cannot be written, or time is over. What was
            pushed until then is there.

    Examples:
        Where no server listens nothing is lost; push again when there is one:

        >>> from pathlib import Path
        >>> from tracking import StoreUnreachableError, push
        >>> with tracker.run():
        ...     tracker.record("loss", 0.5, step=0)
        >>> try:
        ...     push([Path("experiments")], "postgresql://ci@localhost:1/metrics")
        ... except StoreUnreachableError as error:
        ...     print(error)
        postgresql://ci@localhost:1/metrics cannot be reached: ...
    """
    address = Address(store) if isinstance(store, str) else store
    one = _Push(_databases(shards), address, is_dry_run=is_dry_run)
    return one.run() if limit_s is None else _limited(one, limit_s)


def _databases(shards: Sequence[Path]) -> list[Path]:
    paths = []
    for shard in shards:
        found = databases_in(shard) if shard.is_dir() else [shard]
        if not found:
            raise StoreError(f"there is no experiment in {shard}; name a folder of *.db files")
        paths += found
    return list(dict.fromkeys(paths))


def _limited(one: _Push, limit_s: float) -> Pushed:
    """Have a push done by a thread, so that neither a time limit nor Ctrl-C waits for a server."""
    outcome: list[Pushed | BaseException] = []
    is_done = threading.Event()  # Ctrl-C in Thread.join may take a thread for ended that is not

    def work() -> None:
        try:
            outcome.append(one.run())
        except BaseException as error:  # noqa: BLE001  # raised where it is waited for
            outcome.append(error)
        is_done.set()

    threading.Thread(target=work, name="sgtrack-push", daemon=True).start()
    try:
        is_done.wait(limit_s)
    finally:
        is_late = not is_done.is_set()
        if is_late:
            one.break_off()
            is_done.wait(_GRACE_S)
    found = outcome[0] if outcome else None
    if isinstance(found, Pushed):
        return found
    if is_late or found is None:
        raise StoreError(
            f"{one.address} took longer than {limit_s:g} s; {one.n_pushed} runs are there, push"
            " again for the others"
        ) from found
    raise found


class _Push:
    """A push, which another thread may break off.

    Attributes:
        address: of the store.
        n_pushed: how many runs it has brought there so far.
    """

    def __init__(self, paths: Sequence[Path], address: Address, *, is_dry_run: bool) -> None:
        self.address = address
        self.n_pushed = 0
        self._paths = paths
        self._is_dry_run = is_dry_run
        self._shards: list[PushedShard] = []
        self._unread: list[str] = []
        self._writer: StoreWriter | None = None
        self._is_over = False

    def break_off(self) -> None:
        """End it now, from another thread; in its own it raises `StoreError`."""
        self._is_over = True
        if self._writer is not None:
            self._writer.break_off()

    def run(self) -> Pushed:
        """Do it."""
        place = Path(tempfile.gettempdir())
        try:
            with working_folder(place, "sgtrack-push") as work:
                for number, path in enumerate(self._paths):
                    self._push_experiment(path, work / str(number))
        except TrackingError:
            raise
        except OSError as error:
            raise StoreError(f"{place} cannot be used: {error}") from error
        return Pushed(str(self.address), self._shards, self._unread)

    def _push_experiment(self, path: Path, work: Path) -> None:
        """Push an experiment; begin anew where it was changed meanwhile."""
        gone = _Gone(set(), set(), set())
        for attempt in range(1, _MOST_ATTEMPTS + 1):
            try:
                checked_experiment_name(path.stem)
                source = prepared(path, work / str(attempt), looks_at_pages=False)
            except TrackingError as error:
                self._unread.append(str(error))
                return
            try:
                n_recording = self._push_source(source, gone)
            except StoreError:
                if attempt == _MOST_ATTEMPTS or not source.has_changed():
                    raise
            else:
                counts = (len(gone.added), len(gone.completed), len(gone.kept_away), n_recording)
                remarks = tuple(source.remarks)
                self._shards.append(PushedShard(path, len(source.runs), *counts, remarks))
                return

    def _push_source(self, source: Source, gone: _Gone) -> int:
        """Push what a source has; returns how many runs go on there."""
        with (
            closing(ContentDBManager(source.path, is_read_only=True)) as db,
            self._writing(source.shard.stem) as writer,
        ):
            recording = db.recording()
            settled = in_order([run for run in source.runs if run.uuid not in recording])
            for start in range(0, len(settled), _RUNS_A_QUESTION):
                runs = settled[start : start + _RUNS_A_QUESTION]
                held = writer.held([run.uuid for run in runs])
                wanted = [r for r in runs if r.uuid not in held or r.form > held[r.uuid]]
                away = writer.deleted([run.uuid for run in wanted])
                gone.kept_away.update(away)
                for batch in _batches([run for run in wanted if run.uuid not in away]):
                    self._check_time()
                    for uuid in self._taken(writer, db, batch, source):
                        (gone.completed if uuid in held else gone.added).add(uuid)
        return len(recording)

    def _taken(
        self, writer: StoreWriter, db: ContentDBManager, runs: Sequence[HeldRun], source: Source
    ) -> Collection[str]:
        if self._is_dry_run:
            return [run.uuid for run in runs]
        contents = [db.content_of(run) for run in runs]
        taken = writer.take(contents, before_commit=source.check_unchanged)
        self.n_pushed += len(taken)
        return taken

    @contextmanager
    def _writing(self, experiment: str) -> Iterator[StoreWriter]:
        self._check_time()
        writer = StoreWriter(self.address, experiment, is_read_only=self._is_dry_run)
        with closing(writer):
            self._writer = writer
            try:
                self._check_time()  # broken off before there was a writer
                yield writer
            finally:
                self._writer = None

    def _check_time(self) -> None:
        if self._is_over:
            raise StoreError(f"the push to {self.address} was broken off")


class _Gone(NamedTuple):
    """Runs that the store did not have, had less complete, and keeps away, by uuid."""

    added: set[str]
    completed: set[str]
    kept_away: set[str]


def _batches(runs: Sequence[HeldRun]) -> Iterator[list[HeldRun]]:
    batch: list[HeldRun] = []
    n_records = 0
    for run in runs:
        batch.append(run)
        n_records += run.form.n_records
        if n_records >= _RECORDS_A_BATCH or len(batch) == _RUNS_A_BATCH:
            yield batch
            batch = []
            n_records = 0
    if batch:
        yield batch

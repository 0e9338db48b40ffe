"""Bringing experiments together that were recorded apart: shards of CI on many machines.

Runs are recognised by their uuids. Shards are only read; the database they go into is as it was or
holds everything.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tracking.arguments import checked_experiment_name
from tracking.errors import InvalidArgumentError, StoreError, TrackingError
from tracking.filesystem import working_folder
from tracking.merging.pending import Stock, merged
from tracking.merging.plan import in_order, most_complete
from tracking.merging.shards import check_is_ours, databases_in, is_there, prepared
from tracking.merging.store import MergingDBManager, being_recorded
from tracking.recovery import recover
from tracking.regression import load_pending, pending_path, save_pending

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracking.merging.plan import HeldRun
    from tracking.merging.shards import Source

__all__ = ["Merged", "MergedShard", "merge"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(?=/)")  # a Path keeps one slash of two


class MergedShard(NamedTuple):
    """What became of the runs of a shard.

    Attributes:
        path: its database.
        n_runs: how many it has.
        n_added: how many of them were not there.
        n_completed: how many were there in a less complete form.
        n_kept_away: how many were deleted there, or are just being recorded there.
    """

    path: Path
    n_runs: int
    n_added: int
    n_completed: int
    n_kept_away: int

    @property
    def n_known(self) -> int:
        """How many were there already, or came with another shard."""
        return self.n_runs - self.n_added - self.n_completed - self.n_kept_away


class Merged(NamedTuple):
    """What became of an experiment that shards were merged into.

    Attributes:
        path: its database.
        shards: what became of each of them.
        n_pending: how many tests are pending there now.
        remarks: what was left out, and why.
    """

    path: Path
    shards: list[MergedShard]
    n_pending: int
    remarks: list[str]


def merge(
    shards: Sequence[Path], out: Path, *, root: Path | None = None, is_dry_run: bool = False
) -> list[Merged]:
    """Bring the runs of shards, and what is pending of their tests, into one place.

    What is there already stays; of a run that several have the most complete form is kept. To merge
    again changes nothing, and completes what was interrupted.

    Args:
        shards: databases of experiments, or folders of them; only read.
        out: a database, or a folder where one of the shards is a folder or `out` is one: then each
            experiment goes into the database of its name. Made if need be.
        root: pytest's rootdir, where the shards do not agree on where baselines lie from them.
        is_dry_run: only tell what would be done.

    Raises:
        InvalidArgumentError: a path can be no such thing, or `out` is one of the shards.
        BaselineError: a pending file cannot be read or written.
        StoreError: a shard or `out` cannot be used. Every shard is read before anything is written;
            of several experiments those before the one that failed are merged.
    """
    _check_paths(shards, out, root)
    groups = _groups(shards, out)
    with _working_folder(None if is_dry_run else next(iter(groups)).parent) as work:
        merges = [
            _Merge(path, of_path, root, work / str(number), is_dry_run=is_dry_run)
            for number, (path, of_path) in enumerate(groups.items())
        ]
        for one in () if is_dry_run else merges:
            one.write()
        return [one.tell() for one in merges]


def _check_paths(shards: Sequence[Path], out: Path, root: Path | None) -> None:
    if not shards:
        raise InvalidArgumentError("shards", "there are none; name databases, or folders of them")
    for argument, path in (*(("shards", shard) for shard in shards), ("out", out)):
        scheme = _SCHEME.match(str(path))
        if scheme and not path.exists():  # the rest may have a password in it
            problem = f"{scheme[0]}//... is an address; bring the database here as a file first"
            raise InvalidArgumentError(argument, problem)
    if root is not None and not root.is_dir():
        raise InvalidArgumentError("root", f"{root} is no folder; name the one of the project")


def _groups(shards: Sequence[Path], out: Path) -> dict[Path, list[Path]]:
    """Return which databases go into which."""
    folders = [path for path in (out, *shards) if path.is_dir()]
    if folders and out not in folders and (out.exists() or out.suffix == ".db"):
        raise InvalidArgumentError(
            "out",
            f"{out} is one database, and the folder {folders[0]} goes into a folder; name one, or"
            " the databases in it",
        )
    if not folders and out.suffix != ".db":
        raise InvalidArgumentError("out", f"{out} is no folder, and databases are called *.db")
    groups: dict[Path, list[Path]] = {}
    for shard in shards:
        found = databases_in(shard) if shard.is_dir() else [shard]
        if not found:
            raise StoreError(f"there is no experiment in {shard}; name a folder of *.db files")
        for path in found:
            name = checked_experiment_name(path.stem if folders else out.stem)
            target = (out if folders else out.parent) / f"{name}.db"
            if path.resolve() == target.resolve():
                problem = f"{path} is what the others go into, and keeps what it has; leave it out"
                raise InvalidArgumentError("shards", problem)
            groups.setdefault(target, []).append(path)
    return groups


@contextmanager
def _working_folder(beside: Path | None) -> Iterator[Path]:
    if beside is None:
        with tempfile.TemporaryDirectory(prefix="sgtrack-") as name:
            yield Path(name)
        return
    try:
        with working_folder(beside, "sgtrack-merge") as work:
            yield work
    except TrackingError:
        raise
    except OSError as error:
        raise StoreError(f"{beside} cannot be used: {error}") from error


class _Merge:
    """One database and what goes into it, all of it read."""

    def __init__(
        self, out: Path, shards: Sequence[Path], root: Path | None, work: Path, *, is_dry_run: bool
    ) -> None:
        self._out = out
        self._work = work
        self._sources = [
            prepared(shard, work / f"shard-{number}") for number, shard in enumerate(shards)
        ]
        held, away = self._held(is_dry_run=is_dry_run)
        self._forms = {run.uuid: run.form for run in held}
        wanted = [[run for run in source.runs if run.uuid not in away] for source in self._sources]
        self._plan = most_complete(self._forms, wanted)
        self._n_kept_away = [
            len(source.runs) - len(runs) for source, runs in zip(self._sources, wanted, strict=True)
        ]
        own = _stock(out, held)
        self._pending_before = own.pending
        self._pending = merged(
            own,
            [_stock(source.shard, source.runs) for source in self._sources],
            None if root is None else Path(os.path.relpath(root, out.parent)).as_posix(),
        )

    def _held(self, *, is_dry_run: bool) -> tuple[list[HeldRun], frozenset[str]]:
        """Return which runs are there, and which must not come: deleted, or being recorded there.

        What dead processes have left there is brought home first.
        """
        if not is_there(self._out):
            return [], frozenset()
        check_is_ours(self._out)
        path = self._out
        if is_dry_run:
            path = prepared(self._out, self._work / "out").path
        with closing(MergingDBManager(path, is_read_only=is_dry_run)) as db:
            if not is_dry_run:
                recover(db)
            away = db.deleted() | being_recorded(path)
            return db.held_runs(), away

    def write(self) -> None:
        """Do it: all or nothing.

        What is pending comes first: were its tests here before it, nobody would look for it again.
        """
        try:
            self._write_runs()
        except BaseException:
            if self._pending != self._pending_before and not self._is_written():
                save_pending(_pending_file(self._out), self._pending_before)
            raise

    def _is_written(self) -> bool:
        """Tell whether all was committed before something failed."""
        if not self._out.exists():
            return False
        with closing(MergingDBManager(self._out, is_read_only=True)) as db:
            forms = {run.uuid: run.form for run in db.held_runs()}
        return all(
            run.uuid in forms and run.form <= forms[run.uuid] for runs in self._plan for run in runs
        )

    def _write_runs(self) -> None:
        parts = [part for part in zip(self._sources, self._plan, strict=True) if part[1]]
        with closing(MergingDBManager(self._out)) as db:
            if not is_there(self._out):
                made = self._made(parts)
                self._before_commit(parts)
                if not db.put_in_place(made):
                    self._take_made(db, made)
            elif len(parts) == 1:
                ((source, runs),) = parts
                db.take(source.path, runs, before_commit=lambda: self._before_commit(parts))
            elif parts:
                self._take_made(db, self._made(parts))
            else:
                self._before_commit(parts)

    def _take_made(self, db: MergingDBManager, made: Path) -> None:
        with closing(MergingDBManager(made, is_read_only=True)) as whole:
            runs = whole.held_runs()
        db.take(made, runs, before_commit=lambda: self._before_commit(()))

    def _made(self, parts: Sequence[tuple[Source, Sequence[HeldRun]]]) -> Path:
        """Return a database that holds what shards give together."""
        path = self._work / "made" / self._out.name
        listed = in_order([run for _, runs in parts for run in runs])
        numbers = {run.uuid: number for number, run in enumerate(listed, 1)}
        with closing(MergingDBManager(path)) as db:
            db.init_exp_db()
            db.write_once()
            for source, runs in sorted(parts, key=lambda part: numbers[in_order(part[1])[0].uuid]):
                db.take(source.path, runs, numbers=numbers)
                source.check_unchanged()
        with closing(MergingDBManager(path)) as db:
            db.init_exp_db()  # in the journal mode that it is used in
        return path

    def _before_commit(self, parts: Sequence[tuple[Source, Sequence[HeldRun]]]) -> None:
        for source, _ in parts:
            source.check_unchanged()
        if self._pending != self._pending_before:
            save_pending(_pending_file(self._out), self._pending)

    def tell(self) -> Merged:
        """Return what was done, or would be."""
        found = zip(self._sources, self._plan, self._n_kept_away, strict=True)
        told = []
        for source, runs, n_kept_away in found:
            n_completed = sum(run.uuid in self._forms for run in runs)
            counts = (len(source.runs), len(runs) - n_completed, n_completed, n_kept_away)
            told.append(MergedShard(source.shard, *counts))
        remarks = [remark for source in self._sources for remark in source.remarks]
        return Merged(self._out, told, len(self._pending.tests), remarks)


def _stock(database: Path, runs: Sequence[HeldRun]) -> Stock:
    path = _pending_file(database)
    newest: dict[str, float] = {}
    for run in runs:
        newest[run.name] = max(run.created_at, newest.get(run.name, run.created_at))
    return Stock(str(path), load_pending(path), newest)


def _pending_file(database: Path) -> Path:
    return pending_path(database.parent, database.stem)

"""`sgtrack check` and `sgtrack recover`: experiments whose processes may have died."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from tracking import ExperimentDBManager, TrackingError, recover
from tracking.cli.options import add_command, add_dir, add_json
from tracking.cli.output import FOUND, OK, TROUBLE, complain, say, say_json
from tracking.journal import SUFFIX
from tracking.recovery import SET_ASIDE_SUFFIX, dead_segments, is_alive, newer_format_of
from tracking.report.words import count_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tracking.cli.options import Commands


def add_to(commands: Commands) -> None:
    """Add the commands of this file."""
    for name, command in (("check", check), ("recover", recover_all)):
        parser = add_command(commands, name, command)
        add_dir(parser)
        if command is check:
            add_json(parser)


def check(options: argparse.Namespace) -> int:
    """Tell whether every session ended as it should; changes nothing.

    Reports processes that died without a word, records that wait in a segment, runs that never
    ended, and damage. Exits with 1 if there is something to look at. Runs in a database of the
    original name no process; one that has not ended is shown, and nothing to look at.
    """
    looked_at: list[dict[str, Any]] = []
    code = _of_each(options.dir, partial(_check, looked_at, is_said=not options.json))
    if options.json:
        say_json("check", experiments=looked_at)
    elif code == OK:
        experiments = count_of(len(list(_experiments(options.dir))), "experiment")
        say(f"{options.dir}: {experiments}, nothing to report")
    return code


def _check(looked_at: list[dict[str, Any]], path: Path, *, is_said: bool) -> int:
    problems = list(_problems(path))
    remarks = list(_remarks(path))
    looked_at.append({"path": str(path), "problems": problems, "remarks": remarks})
    for line in (*problems, *remarks) if is_said else ():
        say(line)
    return FOUND if problems else OK


def recover_all(options: argparse.Namespace) -> int:
    """Drain the segments of dead processes into their databases and end their runs."""
    return _of_each(options.dir, _recover)


def _recover(path: Path) -> int:
    with closing(ExperimentDBManager(path)) as db:
        found = recover(db)
    lines = [f"{path}: {found.n_records} records drained, {len(found.runs)} runs ended"]
    lines += [f"  run {run.run_id} {run.name}: {run.ended_by}" for run in found.runs]
    problems = [*found.damaged, *found.newer]
    lines += [f"  {problem}" for problem in problems]
    for line in lines:
        say(line)
    return FOUND if problems else OK


def _of_each(folder: Path, command: Callable[[Path], int]) -> int:
    """Run a command for each experiment, also after one that can't be used; the worst decides."""
    worst = OK
    for path in _experiments(folder):
        try:
            code = command(path)
        except TrackingError as error:
            complain(str(error))
            code = TROUBLE
        worst = max(worst, code)
    return worst


def _experiments(folder: Path) -> Iterator[Path]:
    """Yield the databases of a folder; also those that have left nothing but a journal."""
    if not folder.is_dir():
        raise TrackingError(f"there is no folder {folder}; --dir names another one")
    names = {path.stem for suffix in (".db", ".journal") for path in folder.glob(f"*{suffix}")}
    return (folder / f"{name}.db" for name in sorted(names))


def _problems(path: Path) -> Iterator[str]:
    folder = path.with_suffix(".journal")
    for segment in dead_segments(path):
        yield newer_format_of(segment) or (
            f"{segment}: its process died before it had put its records into the database;"
            f" `sgtrack recover --dir {path.parent}` does"
        )
    for aside in sorted(folder.glob(f"*{SET_ASIDE_SUFFIX}")):
        yield f"{aside}: a damaged segment that was set aside; remove it when you have seen it"
    if not path.exists():
        return

    def is_left_alone(writer: str) -> bool:
        segment = folder / f"{writer}{SUFFIX}"
        return is_alive(segment) or newer_format_of(segment) is not None

    with closing(ExperimentDBManager(path, is_read_only=True)) as db:
        original = db.look_at_original()
        problems = db.integrity_problems() if original is None else original.problems
        for problem in problems:
            yield f"{path}: {problem}"
        for run in db.abandoned_runs(is_left_alone) if original is None else ():
            yield (
                f"{path}: run {run.run_id} {run.name} never ended, and its process is"
                f" gone; `sgtrack recover --dir {path.parent}` ends it"
            )


def _remarks(path: Path) -> Iterator[str]:
    """Yield what is as it should be and may still surprise."""
    if not path.exists():
        return
    with closing(ExperimentDBManager(path, is_read_only=True)) as db:
        original = db.look_at_original()
    for run_id, name in original.running if original else ():
        yield (
            f"{path}: run {run_id} {name} has not ended, and the original does not say whose it is;"
            " left alone"
        )

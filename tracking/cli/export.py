"""`sgtrack export`: the records of runs as a file for other programs."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tracking.cli.formats import TEXTS, Exported, check_parquet, write_parquet
from tracking.cli.options import RUN_HELP, add_command, add_store
from tracking.cli.output import OK, USAGE, complain, progress, write
from tracking.cli.references import resolve_run
from tracking.cli.store import reading
from tracking.errors import TrackingError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tracking import ExperimentDBManager
    from tracking.cli.options import Commands
    from tracking.model import RecordInfo, RunInfo

_PARQUET = "parquet"
_FORMATS = (*TEXTS, _PARQUET)


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "export", export)
    add_store(parser)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"{RUN_HELP} (default: all runs)")
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        help="default: what the suffix of FILE names, else csv; parquet needs pyarrow",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write there, replacing it whole (default: print)",
    )


def export(options: argparse.Namespace) -> int:
    """Write the records of runs, all or some, as csv, json, jsonl or parquet.

    csv, jsonl and parquet have run_id, run, metric, step, value and wall_time of each record; json
    has configs, environments and summaries as well.
    """
    kind = options.format or _format_of(options.output)
    if kind == _PARQUET:
        if options.output is None:
            complain("parquet is no text; -o names the file to write")
            return USAGE
        check_parquet()
    with reading(options) as db:
        known = db.find_runs()
        chosen = [resolve_run(one, known) for one in options.runs] if options.runs else known
        runs = sorted({run.run_id: run for run in chosen}.values(), key=lambda run: run.run_id)
        n_records = sum(sum(run.num_records or ()) for run in runs)
        with progress(n_records, "records") as advance:
            exported = _exported(db, runs, advance)
            if kind == _PARQUET:
                with _replacing(options.output) as path:
                    write_parquet(path, exported)
            else:
                _write_texts(TEXTS[kind](db.db_path.stem, exported), options.output)
    return OK


def _format_of(output: Path | None) -> str:
    suffix = output.suffix.lower().removeprefix(".") if output else ""
    return suffix if suffix in _FORMATS else _FORMATS[0]


def _exported(
    db: ExperimentDBManager, runs: Sequence[RunInfo], advance: Callable[[int], object]
) -> Iterator[Exported]:
    def counted(run: RunInfo) -> Iterator[tuple[str, list[RecordInfo]]]:
        for metric, records in db.iter_records(run.run_id):
            yield metric, records
            advance(len(records))

    for run in runs:
        yield Exported(run, partial(db.read_summaries, run.run_id), counted(run))


def _write_texts(texts: Iterable[str], output: Path | None) -> None:
    if output is None:
        for text in texts:
            write(text)
        return
    with _replacing(output) as path, path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(texts)


@contextmanager
def _replacing(output: Path) -> Iterator[Path]:
    """Give a file to write that takes the place of `output` once it is whole.

    Raises:
        TrackingError: the operating system refused; an old file is as it was.
    """
    target = Path(os.path.realpath(output))
    is_replaced = target.is_file() or not target.exists()  # a pipe or a device is written to
    name = f".{target.name}.{os.urandom(4).hex()}.tmp"
    path = target.with_name(name) if is_replaced else target
    try:
        yield path
        if is_replaced:
            path.replace(target)
    except BrokenPipeError:
        raise
    except OSError as error:
        if isinstance(error, TrackingError):
            raise
        raise TrackingError(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        if is_replaced:
            path.unlink(missing_ok=True)

"""`sgtrack export`: the records of runs as a file for other programs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tracking.cli.files import replacing, write_texts
from tracking.cli.formats import TEXTS, Exported, check_parquet, write_parquet
from tracking.cli.options import RUN_HELP, add_command, add_store
from tracking.cli.output import OK, USAGE, complain, progress
from tracking.cli.references import resolve_run
from tracking.cli.store import reading

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

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
        chosen = [resolve_run(one, db) for one in options.runs] or db.find_runs()
        runs = sorted({run.run_id: run for run in chosen}.values(), key=lambda run: run.run_id)
        n_records = sum(sum(run.num_records or ()) for run in runs)
        with progress(n_records, "records") as advance:
            exported = _exported(db, runs, advance)
            if kind == _PARQUET:
                with replacing(options.output) as path:
                    write_parquet(path, exported)
            else:
                write_texts(TEXTS[kind](db.db_path.stem, exported), options.output)
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

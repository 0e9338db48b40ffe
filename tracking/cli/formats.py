"""The formats of `sgtrack export`: records of runs as text, piece by piece. Pure but for parquet.

csv and jsonl have one record a line; json is one document:

    {"format": "sgtrack-export", "version": 1, "experiment": "pytest", "runs": [
    {"run_id": 1, ..., "config": {}, "environment": {}, "summaries": {"loss": {"n": 2, ...}},
    "records": {"loss": [[0, 0.5, 1700000000.0], [1, 0.25, 1700000000.1]]}}]}

whose records are step, value and time. Non-finite numbers are the texts NaN, Infinity, -Infinity;
parquet has them as numbers. Times are Unix seconds.
"""

from __future__ import annotations

import math
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.arguments import as_json
from tracking.errors import MissingDependencyError
from tracking.model import encode_number
from tracking.queries.plain import plain_run, plain_summaries
from tracking.queries.spreadsheet import csv_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from tracking.model import RecordInfo, RunInfo, Summary

FORMAT_VERSION = 1
"""Version of the keys of json and jsonl, and of the columns of csv and parquet."""

COLUMNS = ("run_id", "run", "metric", "step", "value", "wall_time")
"""Columns of csv and parquet, keys of jsonl."""

_ROWS_A_GROUP = 100_000  # of parquet: smaller ones compress worse


class Exported(NamedTuple):
    """A run on its way out.

    Attributes:
        run: the run.
        summaries: gives those of its metrics.
        records: names of metrics and some of their records, metric after metric.
    """

    run: RunInfo
    summaries: Callable[[], Mapping[str, Summary]]
    records: Iterator[tuple[str, list[RecordInfo]]]


def csv_text(_experiment: str, runs: Iterable[Exported]) -> Iterator[str]:
    """Yield a table of records; texts that a spreadsheet would calculate begin with a '."""
    yield f"{','.join(COLUMNS)}\n"
    for exported in runs:
        for metric, records in exported.records:
            yield csv_lines((exported.run.run_id, exported.run.name, metric), records)


def jsonl_text(_experiment: str, runs: Iterable[Exported]) -> Iterator[str]:
    """Yield a line of JSON for each record."""
    for exported in runs:
        for metric, records in exported.records:
            of_series = (exported.run.run_id, exported.run.name, metric)
            # Encoded once: to encode an object for each line takes twice as long.
            head = as_json(dict(zip(COLUMNS, of_series, strict=False)))[:-1]
            yield "".join(
                f'{head},"step":{one.step},"value":{_number(one.value)},'
                f'"wall_time":{_number(one.log_time)}}}\n'
                for one in records
            )


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else as_json(encode_number(value))


def json_text(experiment: str, runs: Iterable[Exported]) -> Iterator[str]:
    """Yield a document of runs with all that belongs to them."""
    head = {"format": "sgtrack-export", "version": FORMAT_VERSION, "experiment": experiment}
    yield as_json(head)[:-1] + ',"runs":['
    separator = "\n"
    for exported in runs:
        run = exported.run
        plain = {
            **plain_run(run),
            "config": run.config,
            "environment": run.environment or {},
            "summaries": plain_summaries(exported.summaries()),
        }
        yield separator + as_json(plain)[:-1] + ',"records":{'
        separator = ",\n"
        yield from _json_records(exported.records)
        yield "}}"
    yield "\n]}\n"


def _json_records(records: Iterator[tuple[str, list[RecordInfo]]]) -> Iterator[str]:
    before_metric = ""
    for metric, pieces in groupby(records, key=itemgetter(0)):
        yield f"{before_metric}{as_json(metric)}:["
        before_metric, before_piece = ",", ""
        for _, piece in pieces:
            rows = [[one.step, encode_number(one.value), one.log_time] for one in piece]
            yield before_piece + as_json(rows)[1:-1]
            before_piece = ","
        yield "]"


def write_parquet(path: Path, runs: Iterable[Exported]) -> None:
    """Write a table of records.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        OSError: the file cannot be written.
    """
    pa, parquet = _pyarrow()
    kinds = zip(COLUMNS, ("int64", "string", "string", "int64", "float64", "float64"), strict=True)
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in kinds])
    with parquet.ParquetWriter(str(path), schema) as writer:
        for columns in _columns(runs):
            writer.write_table(pa.table(columns, schema=schema))


def check_parquet() -> None:
    """Check that parquet can be written.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    _pyarrow()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingDependencyError(
            "parquet needs pyarrow, which is not installed: pip install pyarrow"
        ) from error
    return pa, parquet


def _columns(runs: Iterable[Exported]) -> Iterator[dict[str, list[Any]]]:
    """Yield groups of rows as columns."""
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for exported in runs:
        for metric, records in exported.records:
            n = len(records)
            columns["run_id"] += [exported.run.run_id] * n
            columns["run"] += [exported.run.name] * n
            columns["metric"] += [metric] * n
            columns["step"] += [one.step for one in records]
            columns["value"] += [one.value for one in records]
            columns["wall_time"] += [one.log_time for one in records]
            if len(columns["step"]) >= _ROWS_A_GROUP:
                yield columns
                columns = {name: [] for name in COLUMNS}
    if columns["step"]:
        yield columns


TEXTS: dict[str, Callable[[str, Iterable[Exported]], Iterator[str]]] = {
    "csv": csv_text,
    "json": json_text,
    "jsonl": jsonl_text,
}
"""What gives each of the text formats."""

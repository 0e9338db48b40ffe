"""A run's data as files, sent piece by piece: no piece is larger than a series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response, StreamingResponse

from tracking.board.answers import as_json
from tracking.board.api import found_run, plain_run
from tracking.queries.plain import plain_summaries
from tracking.queries.spreadsheet import csv_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from tracking.board.databases import Experiment
    from tracking.model import RecordInfo, RunInfo
    from tracking.reading import LiveReader

_COLUMNS = "metric,step,value,wall_time\n"


def records_csv(experiment: Experiment, request: Request) -> Response:
    """Return the records of a run, of one metric or all, as a table."""
    run = experiment.ask(lambda db: found_run(db, request.path_params["run"]))
    metric = request.query_params.get("metric")
    names = [metric] if metric else run.metrics or []

    def pieces() -> Iterator[str]:
        yield _COLUMNS
        for name in names:
            yield csv_lines((name,), _records(experiment, run, name))

    return _file(pieces(), "text/csv", f"run_{request.path_params['run']}.csv")


def export_json(experiment: Experiment, request: Request) -> Response:
    """Return all that there is of a run but its images."""
    run, others = experiment.ask(lambda db: _all_but_records(db, request.path_params["run"]))

    def pieces() -> Iterator[bytes]:
        yield b'{"run":' + as_json(plain_run(run)) + b',"metrics":{'
        for number, name in enumerate(run.metrics or ()):
            rows = [
                {"step": one.step, "value": one.value, "log_time": one.log_time}
                for one in _records(experiment, run, name)
            ]
            yield b"," * bool(number) + as_json(name) + b":" + as_json(rows)
        yield b"}," + as_json(others)[1:]

    return _file(pieces(), "application/json", f"run_{request.path_params['run']}.json")


def _records(experiment: Experiment, run: RunInfo, name: str) -> list[RecordInfo]:
    def read(db: LiveReader) -> list[RecordInfo]:
        now = found_run(db, run.uuid or str(run.run_id))  # it may have got its number meanwhile
        return db.get_records(now.run_id, name)

    return experiment.ask(read)  # each by itself: slow readers must not keep writers waiting


def _all_but_records(db: LiveReader, reference: str) -> tuple[RunInfo, dict[str, Any]]:
    run = found_run(db, reference)
    return run, {
        "summary": plain_summaries(db.read_summaries(run.run_id)),
        "histograms": db.get_histograms(run.run_id),
        "texts": db.get_texts(run.run_id),
        "graphs": db.get_comp_graphs(run.run_id),
    }


def _file(pieces: Iterator[str] | Iterator[bytes], kind: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pieces, media_type=kind, headers=headers)


FILES = {
    "/api/runs/{run}/records.csv": records_csv,
    "/api/runs/{run}/export.json": export_json,
}
"""What is sent as a file where."""

"""What the dashboard answers about experiments: functions of one moment of one of them.

The first part answers the requests of the original's page, in its shapes; the second is ours.
Numbers that are not finite are "NaN", "Infinity" and "-Infinity"; only in records, with which that
page calculates, they are null.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from tracking.board import parameters
from tracking.board.answers import AskedWrongError
from tracking.board.curves import FEWEST_POINTS, MOST_POINTS, curve, items, places_shown
from tracking.board.listing import SHOWN, listed, number_of, row_of
from tracking.columns import Columns
from tracking.errors import BaselineError, SettingsError, TrackingError
from tracking.queries.differences import difference, graph_marks, plain_difference, side_of
from tracking.queries.drift import Criteria, plain_findings, series_of_history
from tracking.queries.expressions import STATISTICS, parse_metric, parse_order
from tracking.queries.histories import STATISTIC, plain_history, read_history
from tracking.queries.plain import plain_summaries
from tracking.queries.selection import PROPERTIES, Selection
from tracking.regression import read_patterns
from tracking.report import json_report
from tracking.reporting import stored_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from tracking.model import RunInfo
    from tracking.reading import LiveReader

    Question = Callable[[LiveReader, Request], Any]

_MOST_RUNS = 1_000  # of a page of the list, and of a history
_MOST_COMPARED = 100
_LARGEST_OFFSET = 10**9


def found_run(db: LiveReader, reference: str) -> RunInfo:
    """Return the run of a number or a uuid.

    Raises:
        AskedWrongError: there is none.
    """
    run = db.find_run(reference)
    if run is None:
        raise AskedWrongError(404, f"{db.experiment} has no run {reference[:40]}")
    return run


def _run(db: LiveReader, request: Request) -> RunInfo:
    return found_run(db, request.path_params["run"])


def plain_run(run: RunInfo) -> dict[str, Any]:
    """Return a run with all it has, under the names of `RunInfo`."""
    return asdict(run) | {"run_id": number_of(run)}


# The original's


def runs(db: LiveReader, _request: Request) -> Any:
    """List the runs that have a number, newest first: all, or as many as a list has."""
    return [plain_run(run) for run in _numbered(db)]


def _numbered(db: LiveReader) -> list[RunInfo]:
    runs = db.select_runs(Selection(limit=db.most_listed)).runs
    return [run for run in runs if run.run_id >= 0]


def run_of(db: LiveReader, request: Request) -> Any:
    """Return a run."""
    return plain_run(_run(db, request))


def records(db: LiveReader, request: Request) -> Any:
    """Return the records of a run, of one metric or all."""
    run = _run(db, request)
    asked = request.query_params
    name = asked.get("metric_name")
    weight = parameters.smoothing(asked)
    series = {
        metric: _part(db.series(run.run_id, metric), request)
        for metric in ([name] if name else run.metrics or ())
    }
    return {
        "run_id": number_of(run),
        "metrics": {metric: _items(columns, request) for metric, columns in series.items()},
        "smoothing": weight,
        "n": {metric: len(columns.steps) for metric, columns in series.items()},
    }


def _part(columns: Columns, request: Request) -> Columns:
    asked = request.query_params
    return columns.between(parameters.integer(asked, "start"), parameters.integer(asked, "end"))


def _items(columns: Columns, request: Request) -> list[dict[str, Any]]:
    asked = request.query_params
    weight = parameters.smoothing(asked)
    if not asked.get("points"):
        return items(columns, weight)
    shown = places_shown(columns.values, _n_points(request))
    if weight <= 0:
        return items(Columns(*(column[shown] for column in columns)), 0)
    every = items(columns, weight)
    return [every[place] for place in shown]


def _n_points(request: Request) -> int:
    return parameters.bounded(
        request.query_params, "points", MOST_POINTS // 2, FEWEST_POINTS, MOST_POINTS
    )


def metrics(db: LiveReader, request: Request) -> Any:
    """Return the names of a run's metrics."""
    run = _run(db, request)
    return {"run_id": number_of(run), "metrics": run.metrics}


def graphs(db: LiveReader, request: Request) -> Any:
    """Return a run's computation graphs; of those that nobody could draw an overview."""
    run = _run(db, request)
    found = [
        {
            "id": one.graph_id,
            "graph": one.overview(),
            "created_at": one.created_at,
            "name": one.name,
        }
        for one in db.get_graphs(run.run_id)
    ]
    return {"run_id": number_of(run), "graphs": found}


def histograms(db: LiveReader, request: Request) -> Any:
    """Return a run's histograms by name."""
    run = _run(db, request)
    return {"run_id": number_of(run), "histograms": db.get_histograms(run.run_id)}


def images(db: LiveReader, request: Request) -> Any:
    """Return a run's images by name."""
    run = _run(db, request)
    return {"run_id": number_of(run), "images": db.get_images(run.run_id)}


def texts(db: LiveReader, request: Request) -> Any:
    """Return a run's texts by name."""
    run = _run(db, request)
    return {"run_id": number_of(run), "texts": db.get_texts(run.run_id)}


def summary(db: LiveReader, request: Request) -> Any:
    """Return the statistics of a run's metrics."""
    run = _run(db, request)
    found = plain_summaries(db.read_summaries(run.run_id))
    return {"run_id": number_of(run), "metrics": found}


def compare(db: LiveReader, request: Request) -> Any:
    """Return the records of a metric of several runs; those that are not there are left out."""
    metric, compared = _compared(db, request, "ids")
    return {
        "metric": metric,
        "smoothing": parameters.smoothing(request.query_params),
        "runs": {
            key: {
                "name": run.name,
                "records": _items(_part(db.series(run.run_id, metric), request), request),
            }
            for key, run in compared.items()
        },
    }


def _compared(db: LiveReader, request: Request, name: str) -> tuple[str, dict[str, RunInfo]]:
    metric = request.query_params.get("metric")
    if not metric:
        raise AskedWrongError(400, "metric: a name is needed")
    references = list(dict.fromkeys(request.query_params.get(name, "").split(",")))
    if len(references) > _MOST_COMPARED:
        raise AskedWrongError(400, f"{name}: at most {_MOST_COMPARED} runs")
    listed = {one.strip(): db.find_run(one.strip()) for one in references}
    return metric, {one: run for one, run in listed.items() if run is not None}


def hparams(db: LiveReader, _request: Request) -> Any:
    """Return the hyper-parameters and statistics of all runs, as a table."""
    known = _numbered(db)
    summaries = db.summaries_of(known)
    table: list[dict[str, Any]] = [
        {
            "run_id": run.run_id,
            "name": run.name,
            "status": run.status,
            "created_at": run.created_at,
            "hparams": run.config if isinstance(run.config, dict) else {},
            "metrics": plain_summaries(summaries[run.run_id]),
        }
        for run in known
    ]
    return {
        "hparam_keys": sorted({key for one in table for key in one["hparams"]}),
        "metric_keys": sorted({key for one in table for key in one["metrics"]}),
        "runs": table,
    }


# Ours


def list_of(db: LiveReader, request: Request) -> Any:
    """List a page of the runs that are asked for, or the groups they fall into."""
    asked = request.query_params
    wanted = {name: asked.getlist(name) for name in PROPERTIES if name in asked}
    selection = Selection(
        wanted=wanted,
        search=asked.get("q", ""),
        order=parse_order(asked.get("sort") or "-created"),
        offset=parameters.bounded(asked, "offset", 0, 0, _LARGEST_OFFSET),
        limit=parameters.bounded(asked, "limit", 100, 0, _MOST_RUNS),
        is_counted=True,
    )
    kind = parameters.one_of(asked, "group", PROPERTIES) if asked.get("group") else None
    page = db.select_runs(selection._replace(limit=0) if kind else selection)
    n = page.n if db.most_listed is None else min(page.n, db.most_listed)
    found = {"n_all": db.n_runs(), "n": n, "is_more": page.is_more or page.n > n}
    if kind:
        return found | {"groups": [one._asdict() for one in db.groups_of(selection, kind)]}
    offset = min(selection.offset, n)
    return found | {"offset": offset, "runs": _rows(db, page.runs[: n - offset], request)}


def _rows(db: LiveReader, page: Sequence[RunInfo], request: Request) -> list[dict[str, Any]]:
    """Return runs as the list shows them, with the statistics that are asked for."""
    asked = request.query_params
    names = set(asked.getlist("metric"))
    statistics = asked.getlist("statistic") or list(SHOWN)
    if not set(statistics) <= set(STATISTICS):
        raise AskedWrongError(400, f"statistic: there are {', '.join(STATISTICS)}")
    return listed(db, page, names, statistics)


def curves(db: LiveReader, request: Request) -> Any:
    """Return the metrics of a run, one or all, as curves of few points."""
    run = _run(db, request)
    names = request.query_params.getlist("metric") or run.metrics or ()
    return {
        "run_id": number_of(run),
        "uuid": run.uuid,
        "metrics": {name: _curve(db, run, name, request) for name in names},
    }


def compared_curves(db: LiveReader, request: Request) -> Any:
    """Return a metric of several runs as curves of few points."""
    metric, compared = _compared(db, request, "runs")
    return {
        "metric": metric,
        "runs": {
            key: {"name": run.name, "curve": _curve(db, run, metric, request)}
            for key, run in compared.items()
        },
    }


def _curve(db: LiveReader, run: RunInfo, metric: str, request: Request) -> dict[str, Any]:
    part = _part(db.series(run.run_id, metric), request)
    return curve(part, _n_points(request), parameters.smoothing(request.query_params))


def details(db: LiveReader, request: Request) -> Any:
    """Return a run as the HTML report has a test: a report of one."""
    run = _run(db, request)
    report = stored_run(db, run, started_in=db.folder.parent)
    if report.problems:  # they name files
        told = "a baseline file, or what is pending, cannot be read; `sgtrack report` says why"
        report = replace(report, problems=[told])
    return {
        "run": row_of(db, run),
        "report": json.loads(json_report.dump(report)),
    }


def differences(db: LiveReader, request: Request) -> Any:
    """Return what differs between two runs."""
    asked = request.query_params
    a, b = (found_run(db, asked.get(side, "")) for side in ("a", "b"))
    sides = side_of(db, a), side_of(db, b)
    found = difference(*sides)
    return {
        "a": row_of(db, a),
        "b": row_of(db, b),
        **plain_difference(found, with_equal=parameters.flag(asked, "all")),
        "graph_nodes": graph_marks(*(side.graphs for side in sides)),
    }


def history(db: LiveReader, request: Request) -> Any:
    """Return what metrics of a test came to in its runs, the oldest first, and where they moved."""
    asked = request.query_params
    test = asked.get("test")
    if not test:
        raise AskedWrongError(400, "test: the name of its runs is needed")
    metric = parse_metric(asked["metric"], STATISTIC) if asked.get("metric") else None
    limit = parameters.bounded(asked, "limit", 30, 1, _MOST_RUNS)
    problems = []
    root = db.folder.parent
    try:
        try:
            found = read_history(db, test, metric, limit, root)
        except BaselineError:
            problems.append("the baseline cannot be read; `sgtrack history` says why")
            found = read_history(db, test, metric, limit, None)
    except TrackingError as error:
        if type(error) is not TrackingError:
            raise
        raise AskedWrongError(404, str(error)) from error
    try:
        patterns = read_patterns(root / "pyproject.toml")
    except SettingsError:
        problems.append("pyproject.toml cannot be read; `sgtrack drift` says why")
        patterns = ()
    plain = plain_history(found)
    all_series = series_of_history(db, found, Criteria(patterns=patterns))
    metrics = [
        metric | plain_findings(series)
        for metric, series in zip(plain["metrics"], all_series, strict=True)
    ]
    return {**plain, "metrics": metrics, "problems": problems}


THE_ORIGINALS: dict[str, Question] = {
    "/api/runs": runs,
    "/api/runs/compare": compare,
    "/api/runs/{run}": run_of,
    "/api/runs/{run}/records": records,
    "/api/runs/{run}/metrics": metrics,
    "/api/runs/{run}/graphs": graphs,
    "/api/runs/{run}/histograms": histograms,
    "/api/runs/{run}/images": images,
    "/api/runs/{run}/texts": texts,
    "/api/runs/{run}/summary": summary,
    "/api/hparams": hparams,
}
"""What is answered where; of addresses that several fit, the first counts."""

OURS: dict[str, Question] = {
    "/api/list": list_of,
    "/api/runs/{run}/curves": curves,
    "/api/curves": compared_curves,
    "/api/runs/{run}/details": details,
    "/api/diff": differences,
    "/api/history": history,
}
"""The same, of objects that say too which database they are about."""

UNVERSIONED = frozenset({"/api/runs/{run}/details", "/api/history"})
"""Where the answer depends on files beside the database."""

"""The dashboard in a real browser, in front of a server made up in the test."""

from __future__ import annotations

import base64
import json
import math
import re
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np
import pytest

from tracking.report.data import ReportData
from tracking.report.json_report import dump
from tracking.summary import summarize

ROOT = Path(__file__).parents[3]
DIST = ROOT / "tracking" / "report" / "page" / "dist"
SRC = DIST.parent / "src"
ORIGIN = "http://board.test"
TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'"
)

NOT_COMPARED = {"report": {"tests": [{"checks": [], "run": {"metrics": []}}]}}

# Stands in for the browser's EventSource: what the test says is heard, and nothing else.
LIVE = """
window.sources = [];
window.EventSource = class extends EventTarget {
  constructor(address) {
    super();
    this.address = address;
    this.readyState = 0;
    window.sources.push(this);
    setTimeout(() => this.come());
  }
  come() { this.readyState = 1; this.onopen?.(); }
  go() { this.readyState = 2; this.onerror?.(); }
  close() { this.readyState = 2; this.isClosed = true; }
  say(kind, data) { this.dispatchEvent(new MessageEvent(kind, {data: JSON.stringify(data)})); }
};
"""


def encoded(value):
    return (
        value
        if math.isfinite(value)
        else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    )


class Board:
    """What the made up server has: experiments by name, and who asked for what."""

    def __init__(self):
        self.experiments = {"pytest.db": {}}
        self.config = {"exp_dir": "experiments", "is_read_only": False}
        self.details = {}
        self.asked = []
        self.failing = {}
        self.most_listed = None
        self.said = {}
        self.page = None

    def add(self, name="train", db="pytest.db", *, curves=None, n=50, **changes):
        """Add a run with its curves, by metric; those left out are noisy and fall."""
        runs = self.experiments[db]
        number = len(runs) + 1
        if curves is None:
            random = np.random.default_rng(number)
            steps = np.arange(n)
            fall = (1 + number % 5) * np.exp(-steps / n * 4) + 0.2
            curves = {
                "train/loss": fall + random.normal(0, 0.04, n),
                "train/accuracy": 1 - fall / 8 + random.normal(0, 0.01, n),
                "val/loss": fall * 1.1 + random.normal(0, 0.02, n),
            }
        started = changes.pop("started_at", 1.76e9 + 60 * number)
        series = {
            metric: {
                "n": len(values),
                "steps": list(range(len(values))),
                "values": [encoded(float(value)) for value in values],
                "times": [started + 0.5 * k for k in range(len(values))],
            }
            for metric, values in curves.items()
        }
        run = {
            "run_id": number,
            "uuid": f"{number:032x}",
            "name": name,
            "started_at": started,
            "duration_s": 0.5 * n,
            "status": "completed",
            "outcome": "passed",
            "phase": "call",
            "ended_by": "finished",
            "verdict": "within",
            "session": "5" * 32,
            "attempt": 1,
            "parent": None,
            "config": {"lr": 0.1 / number, "optimizer": {"name": "adam"}},
            "commit": f"{number:040x}",
            "is_dirty": False,
            "is_abandoned": False,
            "confirms": None,
            "metrics": list(series),
            "num_records": [one["n"] for one in series.values()],
            "summaries": {
                metric: {"tail": one["values"][-1], "last": one["values"][-1]}
                for metric, one in series.items()
            },
            **changes,
        }
        runs[run["uuid"]] = (run, series)
        return run

    def run(self, db, ref):
        runs = self.experiments[db]
        return next(
            (one for one in runs.values() if ref in (one[0]["uuid"], str(one[0]["run_id"]))), None
        )

    def say(self, kind, **data):
        """Have the server say something of its own accord."""
        data = {"database": "pytest.db", **data}
        self.page.evaluate("([kind, data]) => sources.at(-1).say(kind, data)", [kind, data])

    def answer(self, route):
        address = urlsplit(route.request.url)
        if not address.path.startswith("/api/"):
            name = address.path.strip("/") or "board.html"
            route.fulfill(
                body=(DIST / name).read_bytes(),
                content_type=TYPES[name.rpartition(".")[2]],
                headers={"content-security-policy": POLICY},
            )
            return
        asked = parse_qs(address.query)
        self.asked.append((route.request.method, address.path, asked))
        status, value = self.reply(route.request, address.path, asked)
        route.fulfill(status=status, body=json.dumps(value), content_type="application/json")

    def reply(self, request, path, asked):
        for part, said in self.failing.items():
            if part in path:
                return said
        if path in self.said:
            said = self.said[path]
            return 200, said(asked) if callable(said) else said
        if path == "/api/config":
            return 200, self.config
        if path == "/api/databases":
            names = list(self.experiments)
            return 200, {
                "available_databases": names,
                "current_database": names[0] if names else None,
            }
        (db,) = asked["db"]
        if path == "/api/list":
            runs = [run for run, _ in self.experiments[db].values()]
            runs.sort(key=lambda run: -run["started_at"])
            fitting = [run for run in runs if asked.get("q", [""])[0] in run["name"]]
            listed = fitting[: self.most_listed]
            offset, limit = int(asked.get("offset", [0])[0]), int(asked["limit"][0])
            return 200, {
                "database": db,
                "n_all": len(runs),
                "n": len(listed),
                "is_more": len(fitting) > len(listed),
                "offset": offset,
                "runs": listed[offset : offset + limit],
            }
        if path == "/api/find":
            found = self.run(db, asked["run"][0])
            return (200, {"run": found[0]}) if found else (404, {"error": "there is no such run"})
        if path == "/api/curves":
            return 200, self.curves(db, asked)
        (ref, part) = re.fullmatch(r"/api/runs/([^/]+)(?:/(.*))?", path).groups()
        found = self.run(db, ref)
        if request.method == "DELETE":
            if request.headers.get("x-sgtrack") != "1":
                return 403, {"error": "the header X-SGTrack: 1 is missing"}
            if request.post_data_json != {"confirm": found[0]["uuid"]}:
                return 400, {"error": "confirm: the uuid of the run is needed"}
            del self.experiments[db][found[0]["uuid"]]
            return 200, {"message": "deleted"}
        if part == "details":
            return 200, self.details.get(found[0]["name"], NOT_COMPARED)
        return 200, found[0]

    def curves(self, db, asked):
        (metric,) = asked["metric"]
        start, end = (int(asked.get(name, [k])[0]) for name, k in (("start", -1e18), ("end", 1e18)))
        found = {}
        for ref in asked["runs"][0].split(","):
            run, series = self.run(db, ref)
            if metric not in series:
                curve = {"n": 0, "steps": [], "values": [], "times": []}
            else:
                one = series[metric]
                rows = [
                    row
                    for row in zip(one["steps"], one["values"], one["times"], strict=True)
                    if start <= row[0] <= end
                ]
                n = int(asked["points"][0])
                rows = rows[:: max(1, len(rows) // n)]
                columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
                curve = {
                    "n": one["n"],
                    **dict(zip(("steps", "values", "times"), columns, strict=True)),
                }
            found[ref] = {"name": run["name"], "curve": curve}
        return {"database": db, "metric": metric, "runs": found}

    def questions(self, path):
        """What was asked at an address."""
        return [asked for method, own, asked in self.asked if own == path and method == "GET"]


@pytest.fixture
def board():
    """A made up server with one experiment that has no runs."""
    return Board()


@pytest.fixture
def open_board(make_window, board):
    """Opens the dashboard; whatever the page complains of is an error."""
    windows = []

    def open_board(fragment="", *, width=1440, height=900, is_quiet=True, **options):
        window = make_window(**options)
        windows.append((window, is_quiet))
        page = window.page
        page.add_init_script(LIVE)
        page.route("**/*", board.answer)
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{ORIGIN}/" + (f"#{fragment}" if fragment else ""))
        board.page = page
        return page

    yield open_board
    troubles = [
        trouble
        for window, is_quiet in windows
        for trouble in window.troubles
        if is_quiet and not trouble.startswith(ORIGIN)
    ]
    for window, _ in windows:
        window.context.close()
    assert troubles == []


@pytest.fixture
def until():
    """Waits until a condition holds: what is drawn comes a frame after what was asked."""

    def until(page, condition):
        for _ in range(150):
            if condition():
                return
            page.wait_for_timeout(20)
        pytest.fail("it did not come to that")

    return until


@pytest.fixture
def address_of():
    """Returns the fragment of a state."""
    return lambda **state: "&".join(f"{key}={quote(value)}" for key, value in state.items())


# What the views of one run, two runs, hyper-parameters, media, graphs and history are told


def as_summary(values):
    return {
        field: encoded(value) if isinstance(value, float) else value
        for field, value in summarize(range(len(values)), list(map(float, values)))
        .as_dict()
        .items()
    }


def hparams_of(board, db="pytest.db"):
    """What /api/hparams says of the runs there are."""
    table = [
        {
            "run_id": run["run_id"],
            "name": run["name"],
            "status": run["status"],
            "created_at": "2026-01-31 09:05:00",
            "hparams": run["config"],
            "metrics": {
                metric: as_summary([float(value) for value in one["values"]])
                for metric, one in series.items()
            },
        }
        for run, series in board.experiments[db].values()
    ]
    return {"hparam_keys": [], "metric_keys": [], "runs": table}


def details_of(run, test):
    """What /api/runs/N/details says of a run that is a test's."""
    report = ReportData(created_at=0, experiment="e", database="e.db", tests=[test])
    return {"database": "pytest.db", "run": run, "report": json.loads(dump(report))}


def diff_of(a, b, **parts):
    """What /api/diff says of two runs."""
    metrics = [
        {"metric": metric, "statistic": statistic, "a": x, "b": y, "relative_change": None}
        for metric, statistic, x, y in parts.pop("metrics", ())
    ]
    nothing = {part: [] for part in ("config", "environment", "graph", "graph_changes")}
    return {
        "database": "pytest.db",
        "a": a,
        "b": b,
        "metrics": metrics,
        "graph_nodes": [],
        **nothing,
        **parts,
    }


def change_of(before, after, **changes):
    """What is said of a change between the runs of two numbers."""
    change = {
        "kind": "level",
        "effect": "worse",
        "before": 1.0,
        "after": 1.25,
        "relative_change": 0.25,
        "n_before": before,
        "n_after": 2,
        "significance": 0.002,
        "last_before": {"run_id": before, "commit": f"{before:040x}", "is_dirty": False},
        "first_after": {"run_id": after, "commit": f"{after:040x}", "is_dirty": True},
    }
    return change | changes


def history_of(test, runs, metrics=("loss",), n_left_out=0, problems=(), **found):
    """What /api/history says: `runs` say what their points do, `found` what each metric does."""
    unmoved = {
        "direction": "lower",
        "n": len(runs),
        "n_non_finite": 0,
        "is_too_short": False,
        "levels": [],
        "changes": [],
        "drift": None,
    }
    points = [
        {
            "run_id": k + 1,
            "uuid": f"{k:032x}",
            "started_at": 1.7e9 + 86_400 * k,
            "commit": f"{k:040x}",
            "is_dirty": False,
            "value": 1 + k / 10,
            "relative_change": 0.1,
            "outcome": "passed",
            "verdict": "within",
            "is_accepted": False,
            **run,
        }
        for k, run in enumerate(runs)
    ]
    return {
        "database": "pytest.db",
        "test": test,
        "metrics": [
            {"metric": one, "statistic": "tail", "runs": points, **unmoved, **found}
            for one in metrics
        ],
        "n_left_out": n_left_out,
        "problems": list(problems),
    }


def media_of(number, name="layer0"):
    """What is said of a run's histograms, images and texts, by the end of its address."""
    random = np.random.default_rng(number)
    histograms = []
    for step in range(0, 100, 10):
        counts, edges = np.histogram(random.normal(step / 50, 1, 500), bins=20)
        one = {"step": step, "bucket_edges": edges.tolist(), "bucket_counts": counts.tolist()}
        histograms.append({**one, "log_time": 0, "n_non_finite": step // 50})
    pixels = base64.b64encode(bytes([255, 0, 0, 0, 255, 0])).decode()
    size = {"width": 2, "height": 1, "channels": 3}
    images = [{"step": step, **size, "data_b64": pixels, "log_time": 0} for step in (0, 50)]
    texts = [
        {"step": step, "content": f"same\nat {step}\nend", "log_time": 0} for step in (0, 50, 90)
    ]
    return {
        part: {"run_id": number, part: {name: items}}
        for part, items in (("histograms", histograms), ("images", images), ("texts", texts))
    }


@pytest.fixture
def answers():
    """Makes what the server says beside lists and curves."""
    return SimpleNamespace(
        change=change_of,
        details=details_of,
        diff=diff_of,
        history=history_of,
        hparams=hparams_of,
        media=media_of,
    )


@pytest.fixture
def full_board(board, answers, session_report, make_graph):
    """A server with something to say to every view."""
    red = session_report.tests[0]
    runs = [board.add(red.nodeid, verdict="regressed" if k == 3 else "within") for k in range(4)]
    board.details[red.nodeid] = answers.details(runs[3], red)
    board.said["/api/hparams"] = answers.hparams(board)
    pairs = [("train/loss", "tail", 0.3, 0.4), ("train/loss", "n", 50, 50), ("lr", "tail", 1, 1)]
    board.said["/api/diff"] = answers.diff(
        runs[2],
        runs[3],
        metrics=pairs,
        config=[{"name": "lr", "a": 0.1, "b": 0.2}, {"name": "batch", "a": 32, "b": 32}],
        environment=[{"name": "numpy", "a": "2.0.1"}],
        graph=[{"name": "relu", "a": 1, "b": 2}],
        graph_changes=["graph 1: added: relu"],
        graph_nodes=[
            {
                "name": "net",
                "number": 1,
                "a": {"changed": [], "added": ["t1"], "removed": []},
                "b": {"changed": ["t2"], "added": ["t3"], "removed": ["relu"]},
            }
        ],
    )
    points = [{"is_accepted": True}, {"value": None, "verdict": None}, {"verdict": "regressed"}, {}]
    board.said["/api/history"] = answers.history(red.nodeid, points)
    for run in runs:
        for part, said in answers.media(run["run_id"]).items():
            board.said[f"/api/runs/{run['run_id']}/{part}"] = said
        graph = make_graph(run["run_id"])
        graphs = [{"id": 1, "name": "net", "graph": graph, "created_at": 0}]
        board.said[f"/api/runs/{run['run_id']}/graphs"] = {"run_id": 1, "graphs": graphs}
    return board


@pytest.fixture(scope="session")
def pure(browser):
    """Calls what modules of the page's sources export: `pure(module, expression, *arguments)`.

    In the expression `m` is the module, `args` what is given.
    """
    context = browser.new_context()
    page = context.new_page()

    def answer(route):
        name = urlsplit(route.request.url).path.rpartition("/")[2]
        text = (SRC / name).read_text(encoding="utf-8") if name else "<!doctype html>"
        route.fulfill(body=text, content_type=TYPES["js" if name else "html"])

    page.route("**/*", answer)
    page.goto(f"{ORIGIN}/")

    def pure(module, expression, *arguments):
        code = f"async (args) => {{ const m = await import('/{module}.js'); return {expression}; }}"
        return page.evaluate(code, list(arguments))

    yield pure
    context.close()

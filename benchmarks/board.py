"""The dashboard: a long curve, a long list, how soon a record is seen, and what watching costs."""

from __future__ import annotations

import asyncio
import http.client
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks import store
from benchmarks.measure import ROOT, Estimate, Lab, Row, interleaved, median, ratio, wall_s
from tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterator

_CURVE_BOUND = 1.5
_CURVE_KB_BOUND = 100.0
_LIST_BOUND = 3.0
_SEEN_BOUND_S = 1.0
_SLOWER_BOUND = 1.1
_METRICS = 20
_PROCESSES = 4
_CLIENTS = 50
_POLL_S = 1.0
_RECORDS_A_STEP = 20
_WORK_A_STEP = 30_000  # some 2 ms

_SERIES = "SELECT step, value, wall_time FROM records WHERE run_id = 1 AND metric_id = 1"
_LIST = (
    "SELECT r.*, e.content, m.name, s.* FROM runs AS r"
    " LEFT JOIN environments AS e ON e.id = r.environment_id"
    " LEFT JOIN series AS s ON s.run_id = r.id LEFT JOIN metrics AS m ON m.id = s.metric_id"
    " ORDER BY r.created_at DESC, r.id DESC"
)


def rows(lab: Lab) -> list[Row]:
    """Measure all of it."""
    return [*_curve(lab), _list(lab), _seen(lab), *_watched(lab)]


def _curve(lab: Lab) -> list[Row]:
    n = lab.amount(1_000_000, 10_000)
    tracker = store.new_tracker(lab.new_folder())
    with tracker.run("long"):
        for step in range(n):
            tracker.record("loss", 1.0 / (1 + step % 977), step)
    tracker.close()
    path = store.path_of(tracker)
    app = _App(path.parent)
    address = "/api/runs/1/curves?metric=loss&points=2000"
    with closing(store.connect(path)) as connection:
        costs = interleaved(
            {
                "rows": lambda: wall_s(lambda: connection.execute(_SERIES).fetchall()),
                "curve": lambda: wall_s(lambda: app.get(address)),
            },
            lab.amount(11, 1),
        )
    found = app.get(address)
    store.check_count(json.loads(found)["metrics"]["loss"]["n"], n)
    kilobytes = len(found) / 1000
    return [
        Row(
            f"dashboard: a curve of {n:,} records in 2,000 points, over fetching its rows",
            ratio(costs["curve"], costs["rows"]),
            f"{1e3 * median(costs['curve']):.0f} against {1e3 * median(costs['rows']):.0f} ms, by"
            " the clock",
            _CURVE_BOUND,
        ),
        Row(
            f"dashboard: size of the answer with a curve of {n:,} records",
            Estimate.of([kilobytes]),
            "step, value and time of each point",
            _CURVE_KB_BOUND,
            unit="kB",
        ),
    ]


def _list(lab: Lab) -> Row:
    n = lab.amount(1_000, 20)
    tracker = store.new_tracker(lab.new_folder())
    environment = {"python": "3.11.7", "machine": "x86_64", "git_commit": "06de16d"}
    for number in range(n):
        tracker.start_run(f"run {number}", {"lr": 0.1, "number": number}, environment=environment)
        for metric in range(_METRICS):
            for step in range(3):
                tracker.record(f"metric {metric}", 1 / (1 + step + number), step)
        tracker.end_run(is_durable=False)
    tracker.close()
    path = store.path_of(tracker)
    app = _App(path.parent)
    with closing(store.connect(path)) as connection:
        costs = interleaved(
            {
                "rows": lambda: wall_s(lambda: connection.execute(_LIST).fetchall()),
                "list": lambda: wall_s(lambda: app.get("/api/list?limit=1000")),
            },
            lab.amount(15, 1),
        )
    store.check_count(len(json.loads(app.get("/api/list?limit=1000"))["runs"]), n)
    return Row(
        f"dashboard: a list of {n:,} runs with summaries of {_METRICS} metrics, over the bare"
        " query",
        ratio(costs["list"], costs["rows"]),
        f"{1e3 * median(costs['list']):.0f} against {1e3 * median(costs['rows']):.0f} ms, by the"
        " clock",
        _LIST_BOUND,
    )


class _App:
    """The dashboard in this process, without a network."""

    def __init__(self, folder: Path) -> None:
        from tracking.board.app import Board
        from tracking.board.folder import Folder
        from tracking.board.guard import Policy

        self._app = Board(Folder(folder), Policy(frozenset({"localhost"}))).app

    def get(self, address: str) -> bytes:
        """Return the body of an answer.

        Raises:
            RuntimeError: it is a refusal, or an error.
        """
        status, body = asyncio.run(self._get(address))
        if status != 200:
            raise RuntimeError(f"{address}: {status}, {body!r}")
        return body

    async def _get(self, address: str) -> tuple[int, bytes]:
        parts = urlsplit(address)
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [(b"host", b"localhost")],
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)  # type: ignore[arg-type]
        return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:])


# A dashboard in a process of its own


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve a folder; gives host and port."""
    command = [sys.executable, "-m", "tracking", "board", "--dir", str(folder)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--no-browser"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        addresses = (line.strip() for line in process.stdout)
        yield urlsplit(next(one for one in addresses if one.startswith("http://"))).netloc
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _seen(lab: Lab) -> Row:
    tracker = store.new_tracker(lab.new_folder())
    tracker.start_run("live")
    delays = []
    with _served(Path(tracker.all_exp_dir)) as address:
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("GET", "/api/live")
        answer = connection.getresponse()
        _wait_for(answer, "hello")
        for step in range(lab.amount(100, 3)):
            time.sleep(0.037 * (step % 7))  # at any moment between two looks
            recorded_at = time.monotonic()
            tracker.record("loss", 0.5, step)
            _wait_for(answer, "records")
            delays.append(time.monotonic() - recorded_at)
        connection.close()
    tracker.close()
    return Row(
        f"dashboard: longest of {len(delays)} times from record() until a reader is told",
        Estimate.of([max(delays)]),
        f"median {median(delays):.2f} s, by the clock",
        _SEEN_BOUND_S,
        unit="s",
    )


def _wait_for(answer: http.client.HTTPResponse, kind: str) -> None:
    while answer.readline().strip() != f"event: {kind}".encode():
        pass


def _watched(lab: Lab) -> list[Row]:
    seconds = lab.amount(30, 1)
    costs: dict[str, list[tuple[float, float]]] = {"alone": [], "watched": []}
    n_answers = 0
    for number in range(lab.amount(3, 1)):
        for side in list(costs)[:: 1 if number % 2 == 0 else -1]:
            cost, n = _recorded(lab.new_folder(), seconds, is_watched=side == "watched")
            costs[side].append(cost)
            n_answers += n
    readers = f"with {_CLIENTS} clients polling for {seconds} s"
    found = []
    for place, what in enumerate(("steps of training", "record() in them, processor time")):
        watched, alone = ([one[place] for one in costs[side]] for side in ("watched", "alone"))
        found.append(
            Row(
                f"dashboard: {what}, {_PROCESSES} processes, {readers}, over without",
                ratio(watched, alone),
                f"{1e6 * median(watched):.1f} against {1e6 * median(alone):.1f} us;"
                f" {_RECORDS_A_STEP} records a step; {n_answers:,} answers, 0 errors",
                None if place else _SLOWER_BOUND,
            )
        )
    return found


def _recorded(folder: Path, seconds: float, *, is_watched: bool) -> tuple[tuple[float, float], int]:
    """Return what a step took and a record in it, and how much was answered."""
    tracker = Tracker(folder)
    tracker.set_experiment("benchmark")
    tracker.close()
    context = multiprocessing.get_context("spawn")
    results, answers = context.Queue(), context.Queue()
    processes = [
        context.Process(target=_train, args=(folder, number, seconds, results))
        for number in range(_PROCESSES)
    ]
    n_answers = 0
    with _served_or_not(folder, is_watched) as address:
        if address is not None:
            processes.append(context.Process(target=_poll_all, args=(address, seconds, answers)))
        for process in processes:
            process.start()
        costs = [results.get() for _ in range(_PROCESSES)]
        if address is not None:
            n_answers, problem = answers.get()
            if problem:
                raise RuntimeError(f"a request failed: {problem}")
        for process in processes:
            process.join()
    return (median(one[0] for one in costs), median(one[1] for one in costs)), n_answers


@contextmanager
def _served_or_not(folder: Path, is_watched: bool) -> Iterator[str | None]:
    if not is_watched:
        yield None
        return
    with _served(folder) as address:
        yield address


def _train(folder: Path, number: int, seconds: float, results: Any) -> None:
    tracker = Tracker(folder)
    tracker.set_experiment("benchmark")
    recording_s = 0.0
    step = 0
    with tracker.run(f"training {number}"):
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            loss = sum(1.0 / (1 + step + one) for one in range(_WORK_A_STEP))
            used = time.process_time()
            for metric in range(_RECORDS_A_STEP):
                tracker.record(f"metric {metric}", loss, step)
            recording_s += time.process_time() - used
            step += 1
        taken_s = time.monotonic() - started
    tracker.close()
    results.put((taken_s / step, recording_s / step / _RECORDS_A_STEP))


def _poll_all(address: str, seconds: float, answers: Any) -> None:
    os.nice(19)  # clients are on other machines
    polls = [_Poll(address, number, seconds) for number in range(_CLIENTS)]
    for poll in polls:
        poll.start()
    for poll in polls:
        poll.join()
    problems = [poll.problem for poll in polls if poll.problem]
    answers.put((sum(poll.n_answers for poll in polls), problems[0] if problems else ""))


class _Poll(threading.Thread):
    """Asks for the list of runs and for a curve, again and again."""

    def __init__(self, address: str, number: int, seconds: float) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection(address, timeout=60)
        self._curve = f"/api/runs/{1 + number % _PROCESSES}/curves?metric=metric+{number % 20}"
        self._starts_in_s = _POLL_S * number / _CLIENTS
        self._over_at = time.monotonic() + seconds
        self.n_answers = 0
        self.problem = ""

    def run(self) -> None:
        time.sleep(self._starts_in_s)
        with closing(self._connection):
            while time.monotonic() < self._over_at and not self.problem:
                for path in ("/api/list?limit=20", self._curve):
                    self._ask(path)
                time.sleep(_POLL_S)

    def _ask(self, path: str) -> None:
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            answer.read()
        except OSError as error:
            self.problem = f"{path}: {error}"
            return
        if answer.status not in (200, 404):  # a run may not have started yet
            self.problem = f"{path}: {answer.status}"
        self.n_answers += 1

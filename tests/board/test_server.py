"""A dashboard in a process of its own: live, under load, killed, stopped."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from tests.board.conftest import serving, strict
from tracking import ExperimentDBManager, Tracker, recover
from tracking.board.folder import Folder
from tracking.board.server import Server, Settings


class Stream:
    """Reads server-sent events in a thread."""

    def __init__(self, served, **params):
        self.events = []
        address = urlsplit(served.address)
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        self._connection.request("GET", f"/api/live?{urlencode(params)}", headers=served.headers)
        self._is_told = threading.Condition()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self):
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        assert self._answer.headers["content-type"].startswith("text/event-stream")
        self._thread.start()
        self.wait("hello")
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):  # the server may have gone first
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._connection.close()
        assert not self._thread.is_alive()

    def _read(self):
        kind = None
        with contextlib.suppress(OSError, http.client.HTTPException):
            while line := self._answer.readline().decode():
                if line.startswith("event: "):
                    kind = line[7:].strip()
                elif line.startswith("data: "):
                    with self._is_told:
                        self.events.append((kind, strict(line[6:])))
                        self._is_told.notify_all()

    def wait(self, kind, fits=lambda data: True):
        """Wait for an event."""
        with self._is_told:
            assert self._is_told.wait_for(
                lambda: any(one == kind and fits(data) for one, data in self.events), 20
            ), [one for one, _ in self.events]
            return next(data for one, data in self.events if one == kind and fits(data))


@pytest.fixture
def served(serve, experiments):
    with serve(experiments) as served:
        yield served


@pytest.fixture(scope="module")
def idle(forks, tmp_path_factory):
    """A dashboard of an empty folder, for all who only knock."""
    with serving(forks, tmp_path_factory.mktemp("idle")) as served:
        yield served


def test_records_arrive_while_a_test_runs(served, tracker):
    tracker.start_run("before")
    with Stream(served, db="pytest") as stream:
        uuid = tracker.get_run(tracker.start_run("live")).uuid
        row = stream.wait("runs")["changed"][0]
        assert (row["name"], row["uuid"]) == ("live", uuid)
        for step in range(3):
            tracker.record("loss", step / 2, step)
            data = stream.wait("records", lambda one, n=step + 1: one["metrics"]["loss"]["n"] == n)
            assert data["run"] == uuid
            read = served.get(f"/api/runs/{uuid}/records").json()["metrics"]["loss"]
            assert [one["step"] for one in read] == list(range(step + 1))
        tracker.end_run()
        ended = stream.wait("runs", lambda one: one["changed"][0]["status"] == "completed")
        assert ended["changed"][0]["summaries"]["loss"]["n"] == 3


def test_a_session_of_pytest_is_seen_as_it_goes(forks, served, experiments):
    project = experiments.parent
    (project / "test_live.py").write_text(
        "import time\n"
        "def test_slow(tracker):\n"
        "    for step in range(30):\n"
        "        tracker.record('loss', 1 / (1 + step), step)\n"
        "        time.sleep(0.05)\n",
        encoding="utf-8",
    )
    Tracker(experiments).set_experiment("pytest")
    with Stream(served, db="pytest") as stream:
        command = ["-m", "pytest", "-p", "sgtrack", "--sg-track", "-q", "-p", "no:cacheprovider"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CI", "PYTEST_"))}
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        process = forks.start(command, cwd=project, env=environment, stdout=subprocess.DEVNULL)
        seen = stream.wait("records")
        assert process.poll() is None  # the test is under way
        run = served.get(f"/api/runs/{seen['run']}").json()
        assert (run["name"], run["status"]) == ("test_live.py::test_slow", "running")
        assert process.wait() == 0
        row = stream.wait("runs", lambda one: one["changed"][0]["outcome"] == "passed")["changed"]
        assert row[0]["verdict"] == "no_baseline"
    assert served.get(f"/api/runs/{seen['run']}").json()["num_records"] == [30]


def test_a_reader_who_does_not_read_is_told_to_load_anew(experiments, tracker):
    tracker.start_run("live")
    server = Server(Settings(Folder(experiments), port=0))
    # Both ends would hold megabytes before anybody noticed.
    server._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    thread = threading.Thread(target=server.serve)
    thread.start()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", server.port))
        host = f"Host: localhost:{server.port}"
        connection.sendall(f"GET /api/live HTTP/1.1\r\n{host}\r\n\r\n".encode())
        while b"event: hello" not in connection.recv(1 << 16):
            pass
        (reader,) = server._board.hub._readers
        step = 0
        while not reader._is_behind:
            for number in range(100):
                for value in range(200):
                    tracker.record(f"metric {number}", value / 3, 200 * step + value)
            step += 1
            time.sleep(0.1)
            assert step < 200
            assert reader._n_bytes <= 1 << 20
        text = b""
        while b"event: reload" not in text:
            text = text[-100:] + connection.recv(1 << 20)
    server.stop()
    thread.join(20)
    assert not thread.is_alive()


def test_a_reader_who_goes_is_forgotten(served, tracker):
    tracker.start_run("live")
    n_files = len(list(_files_of(served.process.pid)))
    for _ in range(5):
        with Stream(served):
            pass
    deadline = time.monotonic() + 20
    while len(list(_files_of(served.process.pid))) > n_files + 3 and time.monotonic() < deadline:
        tracker.record("loss", 0.5, 0)  # to be told to those who are still there
        time.sleep(0.05)
    assert len(list(_files_of(served.process.pid))) <= n_files + 3


def _files_of(pid):
    with contextlib.suppress(FileNotFoundError):
        yield from Path(f"/proc/{pid}/fd").iterdir()


def test_a_dashboard_that_is_killed_leaves_the_experiment_as_it_was(serve, experiments, tracker):
    with serve(experiments) as served:
        run_id = tracker.start_run("live")
        for step in range(100):
            tracker.record("loss", 0.5, step)
        tracker.get_records(run_id, "loss")
        threads = [threading.Thread(target=_ask_until_gone, args=(served,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for step in range(100, 200):
            tracker.record("loss", 0.5, step)
            tracker.get_records(run_id, "loss")
            if step == 150:
                served.process.send_signal(signal.SIGKILL)
        for thread in threads:
            thread.join()
    tracker.end_run()
    tracker.close()
    with closing(ExperimentDBManager(experiments / "pytest.db")) as db:
        assert db.integrity_problems() == []
        assert len(db.get_records(run_id, "loss")) == 200
        assert recover(db).runs == []


def _ask_until_gone(served):
    with contextlib.suppress(httpx.HTTPError):
        while True:
            served.get("/api/list")
            served.get("/api/runs/1/records")


def test_a_stop_ends_the_streams_and_says_nothing_of_it(serve, experiments, tracker):
    with serve(experiments) as served, Stream(served, db="pytest"):
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(20) in (0, 130)
    assert served.process.stderr.closed


LOAD = """
import sys, time
from tracking import Tracker
folder, seconds = sys.argv[1], float(sys.argv[2])
tracker = Tracker(folder)
tracker.set_experiment("pytest")
over_at = time.monotonic() + seconds
number = 0
while time.monotonic() < over_at:
    with tracker.run(f"run {number}"):
        for step in range(50):
            for metric in range(10):
                tracker.record(f"metric {metric}", step / 2, step)
            time.sleep(0.002)
    number += 1
tracker.close()
"""


@pytest.mark.parametrize(
    ("seconds", "n_clients"),
    [(2.0, 10), pytest.param(30.0, 50, marks=pytest.mark.slow)],
    ids=["short", "long"],
)
def test_many_clients_are_answered_while_many_processes_record(
    forks, served, experiments, tracker, seconds, n_clients
):
    tracker.close()
    processes = [forks.start(["-c", LOAD, experiments, seconds]) for _ in range(4)]
    problems = []
    n_answers = []
    paths = ("/api/list?limit=20", "/api/runs/1/records", "/api/runs", "/api/runs/1/curves")

    def poll():
        with httpx.Client(base_url=served.address, timeout=60) as client:
            n = 0
            while any(process.poll() is None for process in processes):
                answer = client.get(paths[n % len(paths)])
                n += 1
                if answer.status_code not in (200, 404):  # before the first run there is none
                    problems.append((answer.status_code, answer.text))
                time.sleep(0.1)
            n_answers.append(n)

    threads = [threading.Thread(target=poll) for _ in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait() for process in processes] == [0] * 4
    assert problems == []
    assert len(n_answers) == n_clients
    assert min(n_answers) >= 1
    with closing(ExperimentDBManager(experiments / "pytest.db")) as db:
        assert db.integrity_problems() == []
        runs = db.find_runs()
    assert {run.status for run in runs} == {"completed"}
    assert {n for run in runs for n in run.num_records} == {50}
    listed = served.get("/api/list", limit=1000).json()
    assert listed["n"] == len(runs)


# Who may reach it


def test_the_token_opens_the_door_and_is_printed_by_the_command_alone(serve, experiments, tracker):
    tracker.start_run("live")
    with serve(experiments, "--public", "--host", "127.0.0.1") as served:
        address, token = served.address.split("/?token=")
        served.address = address
        assert len(token) >= 32
        assert served.get("/api/config").status_code == 401
        with httpx.Client(base_url=address) as client:
            first = client.get(f"/?token={token}")
            assert (first.status_code, str(first.headers["location"])) == (303, "/")
            assert client.get("/api/config").status_code == 200
        served.headers = {"authorization": f"Bearer {token}"}
        with Stream(served, db="pytest") as stream:
            tracker.record("loss", 0.5, 0)
            stream.wait("records")
    # `serve` has read what it said: nothing of that is left.
    assert served.process.returncode in (0, 130)


def test_a_page_of_another_name_is_not_answered(idle):
    for host in ("evil.example", "localhost", "127.0.0.1:1"):
        answer = httpx.get(f"{idle.address}/api/runs", headers={"host": host})
        assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (403, False)
    port = idle.address.rpartition(":")[2]
    answer = httpx.get(f"{idle.address}/api/config", headers={"host": f"localhost:{port}"})
    assert answer.status_code == 200
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "lines",
    [
        b"GET /api/config HTTP/1.1\r\n\r\n",
        b"GET /api/config HTTP/1.0\r\n\r\n",
        b"GET /api/config HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example/api/config HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /api/config HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_a_request_that_is_none_is_not_answered(idle, lines):
    port = int(idle.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(lines)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    assert re.match(rb"HTTP/1\.[01] 40[03] ", answer)
    assert b"exp_dir" not in answer


def test_a_database_that_grows_while_it_is_read_answers_json(served, experiments):
    path = experiments / "original.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT, created_at REAL, status TEXT,"
            " config TEXT); CREATE TABLE metrics (id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE records (id INTEGER PRIMARY KEY, run_id INTEGER, metric_id INTEGER,"
            " step INTEGER, value REAL, wall_time REAL);"
        )
        for number in range(30):
            connection.execute(
                "INSERT INTO runs (name, created_at, status, config) VALUES (?, 1e9, ?, ?)",
                (f"{number}", "running", json.dumps({"n": number})),
            )
            connection.commit()
            assert len(served.get("/api/runs", db="original").json()) == number + 1

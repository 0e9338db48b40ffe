"""Dashboards to ask: in this process, and in one of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import warnings
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import record_run
from tracking import Tracker

pytest.importorskip("starlette", reason="the extra board is not installed")
pytest.importorskip("uvicorn", reason="the extra board is not installed")
httpx = pytest.importorskip("httpx", reason="the extra test is not installed")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would rather have a successor of httpx
    from starlette.testclient import TestClient

from tracking.board.app import Board  # noqa: E402
from tracking.board.folder import Folder  # noqa: E402
from tracking.board.guard import Policy  # noqa: E402

ASSETS = Path(__file__).parent.parent / "assets"
HOST = "localhost:8000"
TEST = "tests/test_a.py::test_x"


@pytest.fixture
def experiments(tmp_path):
    """The folder of the experiments that `record` writes to and `client` looks at."""
    folder = tmp_path / "project" / "experiments"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def record(experiments):
    """Records a run of series by metric; returns its number."""

    def record(name=TEST, series=None, **more):
        return record_run(experiments, name, series, **more)

    return record


@pytest.fixture
def tracker(experiments):
    """A tracker that records while the dashboard looks."""
    tracker = Tracker(experiments)
    tracker.set_experiment("pytest")
    yield tracker
    tracker.close()


class Client:
    """Asks a dashboard in this process; answers have to be strict JSON."""

    def __init__(self, folder, **policy):
        self.board = Board(Folder(folder), Policy(frozenset({HOST}), **policy))
        self.http = TestClient(
            self.board.app, base_url=f"http://{HOST}", raise_server_exceptions=False
        )

    def get(self, path, /, **params):
        return self.http.get(path, params=params or None)

    def json(self, path, wanted=200, /, **params):
        answer = self.get(path, **params)
        assert answer.status_code == wanted, answer.text
        return strict(answer.text)

    def post(self, path, body, **headers):
        return self.http.post(path, json=body, headers=same_origin(headers))

    def delete(self, path, body, **headers):
        headers = same_origin({"x-sgtrack": "1", **headers})
        return self.http.request("DELETE", path, json=body, headers=headers)


def same_origin(headers):
    return {"origin": f"http://{HOST}", **{k.replace("_", "-"): v for k, v in headers.items()}}


def strict(text):
    def refuse(token):
        raise AssertionError(f"{token} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def client(experiments):
    return Client(experiments)


@pytest.fixture
def new_client(experiments):
    def make(folder=experiments, **policy):
        return Client(folder, **policy)

    return make


@pytest.fixture
def asset(experiments):
    """Copies a database among the experiments."""

    def copy(name, to=None):
        return Path(shutil.copy(ASSETS / name, experiments / (to or name)))

    return copy


class Served:
    """A dashboard in a process of its own."""

    def __init__(self, process, address, http):
        self.process = process
        self.address = address
        self.headers = {}
        self._http = http

    def get(self, path, /, **params):
        return self._http.get(f"{self.address}{path}", params=params or None)


@contextmanager
def serving(forks, folder, *options):
    command = ["-m", "tracking", "board", "--dir", folder, "--port", "0", "--no-browser", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = forks.start(command, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}, **pipes)
    try:
        lines = [process.stdout.readline()]
        while "http://" not in lines[-1] and lines[-1]:
            lines.append(process.stdout.readline())
        assert "http://" in lines[-1], process.stderr.read()
        with httpx.Client(timeout=30) as http:
            yield Served(process, lines[-1].strip().rstrip("/"), http)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert "Traceback" not in errors, errors


@pytest.fixture
def serve(forks):
    return partial(serving, forks)

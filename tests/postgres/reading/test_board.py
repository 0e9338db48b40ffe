"""The dashboard answers of a store what it answers of the experiment its runs came from."""

from __future__ import annotations

import shutil
import time
from contextlib import closing, contextmanager
from urllib.parse import quote

import psycopg
import pytest

from tests.board.conftest import HOST, serving, strict
from tests.postgres.filling import bring
from tests.postgres.reading.conftest import OTHER, TEST
from tests.postgres.server import PASSWORD, Server
from tracking import Tracker

pytest.importorskip("starlette", reason="the extra board is not installed")
from starlette.testclient import TestClient

from tracking.board import store as board_store
from tracking.board.app import Board
from tracking.board.folder import Folder
from tracking.board.guard import Policy
from tracking.board.store import Store
from tracking.postgres.address import Address
from tracking.postgres.writing import StoreWriter


@contextmanager
def client(databases):
    """A dashboard of databases, to be asked."""
    board = Board(databases, Policy(frozenset({HOST}), is_read_only=databases.is_read_only))
    with closing(databases):
        yield TestClient(board.app, base_url=f"http://{HOST}", raise_server_exceptions=False)


@pytest.fixture(scope="module")
def both(world):
    """The dashboards of the folder and of the store."""
    folder = world.root / "experiments"
    with client(Folder(folder)) as here, client(Store(Address(world.url), folder)) as stored:
        yield here, stored


RUNS = range(1, 12)
ASKED = [
    *("/api/runs", "/api/hparams", "/api/list", "/api/list?limit=2&offset=1&statistic=tail"),
    *(f"/api/runs/{run}" for run in RUNS),
    *(f"/api/runs/{run}/details" for run in RUNS),
    *(
        f"/api/runs/1/{part}"
        for part in ("metrics", "records", "graphs", "histograms", "images", "texts", "summary")
    ),
    *("/api/runs/2/records?metric_name=odd", "/api/runs/1/records?metric_name=loss&points=100"),
    "/api/runs/1/records?metric_name=loss&start=10&end=20&smoothing=0.5",
    *("/api/runs/1/curves?points=50", "/api/runs/2/curves?metric=odd&smoothing=0.9"),
    *("/api/runs/1/records.csv", "/api/runs/2/records.csv?metric=odd", "/api/runs/1/export.json"),
    "/api/runs/compare?ids=1,3,99&metric=loss",
    "/api/curves?runs=1,3,11&metric=loss",
    *("/api/diff?a=1&b=3&all=1", "/api/diff?a=1&b=11", "/api/diff?a=1&b=99", "/api/diff"),
    *(f"/api/history?test={quote(test)}" for test in (TEST, OTHER, "fold", "none")),
    f"/api/history?test={quote(TEST)}&metric=loss.min&limit=2",
    *(f"/api/list?q={quote(q)}" for q in ("test_x", "regressed", "TESTÜ adam", "abc*", "abcd")),
    *(
        "/api/list?verdict=&status=completed",
        "/api/list?commit=0123456789abcdef",
        "/api/list?q=%00",
    ),
    *(f"/api/list?sort={sort}" for sort in ("-id", "name", "loss.min", "-odd", "-duration")),
    *(f"/api/list?group={kind}" for kind in ("name", "session", "verdict", "commit")),
    *("/api/list?group=none", "/api/list?sort=loss.", "/api/list?statistic=none"),
    *("/api/runs/99", "/api/runs/x", "/api/runs/99/details", f"/api/runs/{'f' * 32}"),
    *("/api/find?run=3&db=pytest", f"/api/find?run={'f' * 32}"),
]


@pytest.mark.parametrize("address", ASKED)
def test_an_answer_is_the_same_of_a_store(both, address):
    here, stored = (one.get(address) for one in both)
    assert stored.status_code == here.status_code
    assert stored.headers["content-type"] == here.headers["content-type"]
    assert as_of(stored) == as_of(here)
    assert len(here.content) > 10


def as_of(answer):
    """What an answer says, whatever the database is called."""
    if answer.headers["content-type"] != "application/json":
        return answer.text
    said = strict(answer.text.replace("pytest.db", "pytest"))
    if isinstance(said, dict):  # numbers of graphs are those of either
        for graph in said.get("graphs", ()):
            graph.pop("id", None)
    return said


def test_a_run_is_found_by_its_uuid(both):
    here, stored = both
    uuid = here.get("/api/runs/3").json()["uuid"]
    assert stored.get(f"/api/runs/{uuid}").json()["uuid"] == uuid
    assert stored.get(f"/api/find?run={uuid}").json()["run"]["run_id"] == 3


def test_experiments_are_its_databases_and_nothing_is_deleted(both, world):
    _, stored = both
    said = stored.get("/api/databases").json()
    assert said == {"available_databases": ["pytest"], "current_database": "pytest"}
    config = stored.get("/api/config").json()
    assert config["is_read_only"]
    assert config["exp_dir"].startswith("postgresql://owner@127.0.0.1:")
    assert PASSWORD not in str(config)
    uuid = stored.get("/api/runs/3").json()["uuid"]
    headers = {"origin": f"http://{HOST}", "x-sgtrack": "1"}
    answer = stored.request("DELETE", "/api/runs/3", json={"confirm": uuid}, headers=headers)
    assert answer.status_code == 403
    assert stored.get("/api/runs/3").status_code == 200
    assert stored.get("/api/list", params={"db": "nosuch"}).status_code == 404


def test_of_very_many_runs_the_newest_are_listed(both, monkeypatch):
    _, stored = both
    monkeypatch.setattr("tracking.postgres.runs.StoredRuns.most_listed", 4)
    page = stored.get("/api/list?limit=3").json()
    assert (page["n_all"], page["n"], page["is_more"]) == (11, 4, True)
    assert [run["run_id"] for run in page["runs"]] == [11, 10, 9]
    page = stored.get("/api/list?limit=3&offset=3").json()
    assert [run["run_id"] for run in page["runs"]] == [8]
    page = stored.get("/api/list?q=test_y").json()  # asks for all there are
    assert ([run["run_id"] for run in page["runs"]], page["is_more"]) == ([2], False)
    assert (
        len(stored.get("/api/runs").json()) == len(stored.get("/api/hparams").json()["runs"]) == 4
    )


# What changes, and what goes away


@pytest.fixture(scope="module")
def mortal():
    """A server that may be killed."""
    server = Server(synchronous_commit="on")  # or what was stored last is lost
    yield server
    server.stop()


@pytest.fixture
def own(mortal, world, tmp_path):
    """A store on such a server, and the folder that its runs came from."""
    folder = shutil.copytree(world.root / "experiments", tmp_path / "experiments")
    url = mortal.database()
    bring(folder / "pytest.db", url)
    return mortal, url, folder


@pytest.fixture
def dashboard(own):
    _, url, folder = own
    with client(Store(Address(url), folder)) as found:
        yield found


def more(folder, url):
    tracker = Tracker(folder)
    tracker.set_experiment("pytest")
    with tracker.run("later"):
        tracker.record("loss", 1.0, 0)
    tracker.close()
    bring(folder / "pytest.db", url)


def test_an_answer_holds_until_runs_come_or_go(own, dashboard):
    _, url, folder = own
    first = dashboard.get("/api/list")
    tag = {"if-none-match": first.headers["etag"]}
    assert dashboard.get("/api/list", headers=tag).status_code == 304
    bring(folder / "pytest.db", url)  # which brings nothing new
    assert dashboard.get("/api/list", headers=tag).status_code == 304
    more(folder, url)
    second = dashboard.get("/api/list", headers=tag)
    assert second.json()["n"] == first.json()["n"] + 1
    with closing(StoreWriter(Address(url), "pytest")) as writer:
        assert writer.delete([second.json()["runs"][0]["uuid"]]) == 1
    third = dashboard.get("/api/list", headers={"if-none-match": second.headers["etag"]})
    assert [run["uuid"] for run in third.json()["runs"]] == [
        run["uuid"] for run in first.json()["runs"]
    ]


def test_who_watches_is_told_that_runs_came_and_that_the_server_is_away(own, monkeypatch):
    server, url, folder = own
    monkeypatch.setattr(board_store, "POLL_S", 0.0)
    store = Store(Address(url), folder)
    watch = store.watch("pytest")
    assert watch.look() == watch.look() == []
    more(folder, url)
    (event,) = watch.look()
    assert event.kind == "runs"
    assert event.data == {
        "database": "pytest",
        "n_all": 12,
        "is_whole": False,
        "changed": [],
        "removed": [],
    }
    assert watch.look() == []
    server.kill()
    assert [event.kind for event in watch.look()] == ["problem"]
    assert watch.look() == []
    server.start()
    assert [event.kind for event in watch.look()] == ["reload"]
    assert watch.look() == []
    store.close()


def test_it_goes_on_when_the_server_is_there_again(own, dashboard, monkeypatch):
    server, _, _ = own
    monkeypatch.setattr(board_store, "_NAMES_HOLD_S", 0.0)
    before = dashboard.get("/api/runs/1/details").json()
    server.kill()
    for address in ("/api/databases", "/api/list", "/api/runs/1", "/api/runs/1/records.csv"):
        answer = dashboard.get(address)
        assert answer.status_code == 503
        assert "does not answer" in answer.json()["error"]
        assert PASSWORD not in answer.text
    server.start()
    assert dashboard.get("/api/runs/1/details").json() == before


def test_a_server_that_is_frozen_is_given_up(own, monkeypatch):
    server, url, folder = own
    monkeypatch.setattr(board_store, "_DEADLINE_S", 0.5)
    monkeypatch.setattr("tracking.postgres.address._CONNECT_TIMEOUT_S", 2)  # the least there is
    with client(Store(Address(url), folder)) as dashboard:
        assert dashboard.get("/api/list").status_code == 200
        with server.hanging():
            assert dashboard.get("/api/list").status_code == 503
        deadline = time.monotonic() + 20
        while dashboard.get("/api/list").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_a_query_that_takes_too_long_is_given_up(own, monkeypatch):
    _, url, folder = own
    monkeypatch.setattr(board_store, "_TIMEOUT_S", 0.3)
    with client(Store(Address(url), folder)) as dashboard:
        assert dashboard.get("/api/list").status_code == 200
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE sgtrack.series")
            assert dashboard.get("/api/list?limit=1").status_code == 503
        assert dashboard.get("/api/list?limit=1").status_code == 200


def test_no_transaction_is_left_open_and_connections_are_few(own, dashboard):
    server, url, _ = own
    database = url.rpartition("/")[2]
    for address in ("/api/list", "/api/runs/1/details", "/api/runs/99", "/api/diff?a=1&b=3"):
        dashboard.get(address)
    states = server.sql(
        f"SELECT state FROM pg_stat_activity WHERE datname = '{database}'"
        " AND application_name = 'pytest-sgtrack'",
        "postgres",
    )
    assert 1 <= len(states) <= 8
    assert {state for (state,) in states} == {"idle"}


def test_the_command_serves_a_store(forks, world):
    with serving(forks, world.root / "experiments", "--store", world.url) as served:
        assert served.get("/api/list").json()["n"] == 11
        with psycopg.connect(world.url) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
            assert connection.execute(query, ("pytest-sgtrack",)).fetchone()[0] >= 1


def test_the_command_says_that_the_store_is_away_and_waits(forks, tmp_path):
    away = f"postgresql://u:{quote(PASSWORD)}@127.0.0.1:1/none"
    with serving(forks, tmp_path, "--store", away) as served:
        answer = served.get("/api/databases")
        assert (answer.status_code, PASSWORD in answer.text) == (503, False)
    with pytest.raises(AssertionError, match="no URL"), serving(forks, tmp_path, "--store", "none"):
        pass

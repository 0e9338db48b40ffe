"""At the end of a session its runs go into the shared store, or wait; no test is the worse."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import psycopg
import pytest

from tests.contents import of_postgres, of_sqlite

TESTS = """
    def test_one(tracker):
        tracker.record("loss", 1.0, 0)

    def test_two(tracker):
        tracker.record("loss", 2.0, 0)
        tracker.text("said", "hello", 0)

    def test_untracked():
        pass
"""
AWAY = "postgresql://owner@127.0.0.1:1/store"


def shown(url):
    return re.sub(r"(//\w+):[^@]*@", r"\1@", url)


def names(store, experiment="pytest"):
    return sorted(run["name"] for run in of_postgres(store, experiment).values())


@pytest.fixture
def tested(project):
    return project.write(TESTS)


def test_what_was_recorded_is_in_the_store_afterwards(tested, store, way):
    result = tested.track(f"--sg-track-store={store}", way=way)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            f"sg-track: on (--sg-track), recording *, pushing to {shown(store)}, *",
            f"2 runs pushed to {shown(store)}",
        ]
    )
    assert of_postgres(store) == of_sqlite(tested.path / "experiments/pytest.db")
    assert names(store) == ["test_it.py::test_one", "test_it.py::test_two"]


def test_every_session_brings_its_own(tested, store):
    for n in (1, 2):
        tested.track(SGTRACK_STORE=store)
        assert len(of_postgres(store)) == 2 * n


@pytest.mark.parametrize("winner", ["flag", "ini", "variable"])
def test_the_flag_wins_over_the_ini_file_and_that_over_the_variable(tested, server, winner):
    places = {name: server.database() for name in ("flag", "ini", "variable")}
    tested.ini("sg_track = true", *[f"sg_track_store = {places['ini']}"] * (winner != "variable"))
    flags = [f"--sg-track-store={places['flag']}"] * (winner == "flag")
    tested.pytest(*flags, SGTRACK_STORE=places["variable"])
    assert len(of_postgres(places.pop(winner))) == 2
    for url in places.values():
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT to_regclass('sgtrack.runs')").fetchone() == (None,)


def test_the_experiment_of_the_session_is_that_of_the_store(tested, store):
    tested.track("--sg-track-experiment=mine", SGTRACK_STORE=store)
    assert (len(names(store, "mine")), names(store)) == (2, [])


@pytest.mark.parametrize("arguments", [("--collect-only",), ("-k", "test_untracked")])
def test_a_session_that_recorded_nothing_says_nothing(tested, arguments):
    result = tested.track(*arguments, SGTRACK_STORE=AWAY)
    assert result.ret == 0
    assert "runs wait" not in result.stdout.str()


# Stores that take nothing


def newer(store):
    with psycopg.connect(store) as connection:
        connection.execute("CREATE SCHEMA sgtrack")
        for table, column in (
            ("migrations", "version integer"),
            ("runs", "uuid text"),
            ("chunks", "wall_times double precision[]"),
        ):
            connection.execute(f"CREATE TABLE sgtrack.{table} ({column})")
        connection.execute("INSERT INTO sgtrack.migrations VALUES (1), (999)")
    return store


def foreign(store):
    with psycopg.connect(store) as connection:
        connection.execute("CREATE SCHEMA sgtrack")
        connection.execute("CREATE TABLE sgtrack.runs (distance double precision)")
    return store


def another_password(store):
    return store.replace("correct", "incorrect")


def no_rights(store):
    with psycopg.connect(store, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody")
        connection.execute("CREATE ROLE nobody LOGIN PASSWORD 'no secret'")
    return re.sub("owner:[^@]*@", "nobody:no%20secret@", store)


BAD = {
    "away": (lambda _: AWAY, "cannot be reached: *refused"),
    "another password": (another_password, "cannot be reached: *password authentication failed"),
    "no such database": (lambda url: f"{url}_x", "cannot be reached: *does not exist"),
    "no rights": (no_rights, "docs/store.md: permission denied for database"),
    "newer": (newer, "has schema version 999; this version * upgrade it"),
    "foreign": (foreign, "has a schema sgtrack that is none of pytest-sgtrack's"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_store_that_takes_nothing_is_said_once_and_fails_no_session(tested, store, name):
    make, cause = BAD[name]
    url = make(store)
    result = tested.track(SGTRACK_STORE=url)
    assert result.ret == 0
    result.assert_outcomes(passed=3)
    said = [line for line in result.stdout.lines if "runs wait" in line]
    assert len(said) == 1
    pattern = (
        f"runs wait in experiments/pytest.db: {shown(url)} *{cause}*; the next session brings"
        f" them, or `sgtrack push experiments/pytest.db --store {shown(url)}`"
    )
    result.stdout.fnmatch_lines(pattern)
    for text in (result.stdout.str(), result.stderr.str()):
        assert "correct" not in text
    assert len(tested.stored()) == 2


@pytest.mark.parametrize("way", ["no-xdist", "n2"], indirect=True)
def test_what_waited_comes_with_the_next_session(tested, store, way):
    tested.track(SGTRACK_STORE=AWAY, way=way)
    result = tested.track("-k", "test_one", SGTRACK_STORE=store, way=way)
    result.stdout.fnmatch_lines(f"3 runs pushed to {shown(store)}")
    assert of_postgres(store) == of_sqlite(tested.path / "experiments/pytest.db")


def test_what_waited_is_brought_by_the_command_that_was_named(tested, store, monkeypatch):
    result = tested.track(SGTRACK_STORE=AWAY)
    (command,) = re.findall(r"`sgtrack (.*) --store", result.stdout.str())
    monkeypatch.setenv("SGTRACK_STORE", store)
    code, said = tested.sgtrack(*command.split())
    assert (code, said[-1]) == (0, f"{shown(store)}: 2 runs pushed, 0 were there already")


def test_strict_sessions_fail_where_runs_could_not_be_brought(tested, store):
    result = tested.track("--sg-track-strict", SGTRACK_STORE=AWAY)
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert tested.track("--sg-track-strict", SGTRACK_STORE=store).ret == 0


@pytest.mark.parametrize("way", ["no-xdist", "n2"], indirect=True)
def test_what_a_test_that_crashed_recorded_is_brought_too(project, store, way):
    project.write(
        """
        import os, signal

        def test_one(tracker):
            tracker.record("loss", 1.0, 0)

        def test_two(tracker):
            tracker.record("loss", 2.0, 0)
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    project.track(SGTRACK_STORE=store, way=way)
    if way == "no-xdist":  # nobody was left to push
        project.track("-k", "test_one", SGTRACK_STORE=store)
    ends = {run["name"]: run["ended_by"] for run in of_postgres(store).values()}
    assert ends == {"test_it.py::test_one": "finished", "test_it.py::test_two": "crashed"}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://me:secret@host/db", "expected a URL as postgresql://user@host/database"),
        ("postgresql://me:se@cret@host/db", "is no URL that libpq understands"),
    ],
)
@pytest.mark.parametrize("where", ["flag", "variable", "ini"])
def test_a_bad_url_is_a_usage_error_that_does_not_quote_it(tested, url, said, where):
    tested.ini(*[f"sg_track_store = {url}"] * (where == "ini"))
    flags = [f"--sg-track-store={url}"] * (where == "flag")
    more = {"SGTRACK_STORE": url} if where == "variable" else {}
    result = tested.track(*flags, **more)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.stderr.lines if said in line]
    assert line.startswith("ERROR: --sg-track-store: ")
    assert "cret" not in result.stderr.str() + result.stdout.str()


def test_without_psycopg_it_is_a_usage_error_that_says_how_to_get_it(tested):
    tested.write("import sys; sys.modules['psycopg'] = None", "conftest.py")
    result = tested.track(SGTRACK_STORE=AWAY)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "pip install 'pytest-sgtrack[postgres]'" in result.stderr.str()


def test_a_flag_without_tracking_is_a_usage_error(tested, store):
    result = tested.pytest(f"--sg-track-store={store}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--sg-track-store needs --sg-track, which is off" in result.stderr.str()
    assert tested.pytest(SGTRACK_STORE=store).ret == 0  # it is for sessions that track


# Servers that hang


def start(project, store, *more):
    command = (sys.executable, "-m", "pytest", "-p", "sgtrack", "--sg-track", *more)
    environment = {**os.environ, "SGTRACK_STORE": store, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.Popen(
        command,
        cwd=project.path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_ctrl_c_ends_a_push_that_hangs_and_nothing_else(tested, server, store):
    with server.hanging():
        session = start(tested, store)
        while not (tested.path / "experiments/pytest.db").exists():
            time.sleep(0.05)
        time.sleep(1)
        session.send_signal(signal.SIGINT)
        said, _ = session.communicate(timeout=20)
    assert session.returncode == 0
    assert f"the push to {shown(store)} was interrupted; the next session brings them" in said
    assert "3 passed" in said
    assert "Traceback" not in said

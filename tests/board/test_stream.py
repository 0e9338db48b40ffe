"""What happens is told once, to everybody who watches, and to nobody who has gone."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import subprocess
from contextlib import closing

import pytest

from tests.board.conftest import strict
from tracking import ExperimentDBManager, Tracker, recover
from tracking.board import stream
from tracking.board.databases import Event
from tracking.board.folder import Folder
from tracking.board.stream import Hub, Reader, Wire, as_event
from tracking.board.watch import Watch
from tracking.live import LiveExperiment


@pytest.fixture
def watch(experiments, tracker):
    tracker.start_run("before")
    tracker.record("loss", 9.0, 0)
    watch = Watch(LiveExperiment(experiments / "pytest.db"))
    assert watch.look() == []  # what was there before is nobody's news
    return watch


def told(watch):
    """What a look tells, by kind; it must be strict JSON."""
    found = {}
    for event in watch.look():
        text = as_event(event.kind, event.data).decode().splitlines()[1]
        found.setdefault(event.kind, []).append(strict(text.removeprefix("data: ")))
    return found


def test_records_are_told_once(watch, tracker):
    uuid = tracker.get_run(tracker.start_run("live")).uuid
    told(watch)
    assert told(watch) == {}
    tracker.record("loss", 0.5, 0)
    tracker.record("loss", math.nan, 1)
    tracker.record("accuracy", 0.25, 1)
    (event,) = told(watch)["records"]
    assert (event["database"], event["run"]) == ("pytest.db", uuid)
    assert {name: (one["steps"], one["values"]) for name, one in event["metrics"].items()} == {
        "loss": ([0, 1], [0.5, "NaN"]),
        "accuracy": ([1], [0.25]),
    }
    assert told(watch) == {}
    tracker.record("loss", 0.25, 2)
    loss = told(watch)["records"][0]["metrics"]["loss"]
    assert (loss["n"], loss["n_new"], loss["steps"]) == (3, 1, [2])
    assert abs(loss["times"][0] - tracker.get_run(1).started_at) < 100


def test_records_are_told_though_their_segment_was_drained_and_removed(watch, tracker):
    tracker.record("loss", 0.5, 1)
    tracker.end_run()
    tracker.close()
    events = told(watch)
    assert events["records"][0]["metrics"]["loss"]["steps"] == [1]
    assert [row["status"] for row in events["runs"][0]["changed"]] == ["completed"]
    assert told(watch) == {}


def test_very_many_records_are_told_as_their_outline(watch, tracker):
    for step in range(20_000):
        tracker.record("loss", math.sin(step), step)
    (event,) = watch.look()
    loss = event.data["metrics"]["loss"]
    assert (loss["n_new"], len(loss["steps"]) <= 200) == (20_000, True)
    assert len(as_event("records", event.data)) < 20_000


def test_runs_are_told_when_they_start_and_when_they_end(watch, tracker):
    run_id = tracker.start_run("next", {"lr": 0.1})
    (event,) = told(watch)["runs"]
    (row,) = event["changed"]
    assert (row["run_id"], row["name"], row["status"], event["n_all"]) == (
        run_id,
        "next",
        "running",
        2,
    )
    tracker.record("loss", 0.5, 0)
    tracker.end_run("failed", outcome="failed", verdict="regressed")
    (event,) = told(watch)["runs"]
    (row,) = event["changed"]
    assert (row["status"], row["verdict"], row["summaries"]["loss"]["tail"]) == (
        "failed",
        "regressed",
        0.5,
    )
    assert "runs" not in told(watch)


def test_a_run_is_told_before_the_database_knows_of_it_and_again_with_its_number(
    watch, experiments
):
    from tracking.recorder import recorder_of
    from tracking.stored_runs import new_run

    recorder = recorder_of(experiments / "pytest.db")
    run = recorder.start_run(new_run("deferred", {}), is_deferred=True)
    recorder.append(run, [("loss", 0.5)], 0)
    (row,) = told(watch)["runs"][0]["changed"]
    assert (row["uuid"], row["run_id"], row["metrics"]) == (run.uuid, None, ["loss"])
    number = run.run_id
    (row,) = told(watch)["runs"][0]["changed"]
    assert (row["uuid"], row["run_id"]) == (run.uuid, number)


def test_a_deleted_run_is_told(watch, tracker, experiments):
    run_id = tracker.start_run("gone")
    uuid = tracker.get_run(run_id).uuid
    tracker.end_run()
    told(watch)
    with closing(ExperimentDBManager(experiments / "pytest.db")) as db:
        db.delete_run(run_id)
    (event,) = told(watch)["runs"]
    assert (event["removed"], event["changed"], event["n_all"]) == ([uuid], [], 1)


def test_very_many_new_runs_are_to_be_loaded_anew(watch, experiments):
    with closing(ExperimentDBManager(experiments / "pytest.db")) as db:
        for number in range(120):
            db.create_run(f"{number}")
    (event,) = told(watch)["runs"]
    assert (event["is_whole"], event["changed"], event["n_all"]) == (False, [], 121)
    assert told(watch) == {}


def test_a_run_whose_process_is_gone_is_told(forks, watch, experiments, monkeypatch):
    monkeypatch.setattr("tracking.board.watch._ABANDONED_EVERY", 1)
    script = (
        "import os, signal, sys; from tracking import Tracker; t = Tracker(sys.argv[1]);"
        "t.set_experiment('pytest'); t.start_run('killed'); t.record('loss', 0.5, 0);"
        "print('ready', flush=True); sys.stdin.readline()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = forks.start(["-c", script, experiments], **pipes)
    process.stdout.readline()
    (row,) = told(watch)["runs"][0]["changed"]
    assert (row["status"], row["is_abandoned"]) == ("running", False)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (row,) = told(watch)["runs"][0]["changed"]
    assert (row["name"], row["is_abandoned"]) == ("killed", True)
    assert told(watch) == {}
    with closing(ExperimentDBManager(experiments / "pytest.db")) as db:
        recover(db)
    changed = told(watch)["runs"][0]["changed"]
    assert [(row["name"], row["ended_by"]) for row in changed] == [("killed", "crashed")]


def test_a_database_that_cannot_be_read_is_told_once(watch, experiments, tracker):
    tracker.end_run()
    tracker.close()
    path = experiments / "pytest.db"
    good = path.read_bytes()
    path.write_bytes(b"nothing" * 1000)
    assert "problem" in told(watch)
    assert told(watch) == {}
    path.write_bytes(good)
    told(watch)
    assert told(watch) == {}


def test_looking_writes_nothing_and_reads_no_database_that_is_as_it_was(
    watch, tracker, experiments, monkeypatch
):
    import time

    time.sleep(0.05)  # until the clock of file times has gone on
    watch.look()
    watch.look()
    before = {path: path.stat().st_mtime_ns for path in experiments.rglob("*")}

    def fail(*_):
        raise AssertionError("the database was read")

    monkeypatch.setattr(LiveExperiment, "ask", fail)
    for _ in range(5):
        assert watch.look() == []
    tracker.record("loss", 0.5, 1)
    assert [event.kind for event in watch.look()] == ["records"]
    assert {path: path.stat().st_mtime_ns for path in experiments.rglob("*")} == before


def test_a_database_of_the_original_is_watched_too(asset):
    import sqlite3

    path = asset("original_board.db")
    watch = Watch(LiveExperiment(path))
    watch.look()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO runs VALUES (9, 'new', 1e9, 'running', '{}')")
        connection.commit()
    (row,) = told(watch)["runs"][0]["changed"]
    assert (row["run_id"], row["uuid"], row["name"]) == (9, None, "new")


# Readers


def wires(*texts, run=None):
    return [Wire(run, text.encode()) for text in texts]


def test_a_reader_fetches_what_waits_in_order():
    async def main():
        reader = Reader("a.db")
        for wire in wires("a", "b"):
            reader.put(wire)
        assert await reader.fetch() == b"ab"
        reader.put(*wires("c"))
        assert await reader.fetch() == b"c"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.fetch(), 0.01)
        reader.end()
        assert await reader.fetch() is None

    asyncio.run(main())


@pytest.mark.parametrize(
    ("n", "size"), [(300, 1), (2, 600_000), (10_000, 1_000)], ids=["many", "large", "both"]
)
def test_a_slow_reader_is_told_to_load_anew_instead_of_growing(n, size):
    async def main():
        reader = Reader("a.db")
        for _ in range(n):
            reader.put(Wire(None, b"x" * size))
            assert reader._n_bytes <= 1 << 20
            assert len(reader._waiting) <= 256
        text = await reader.fetch()
        assert text.startswith(b"event: reload\n")
        assert len(text) < 200
        reader.put(*wires("and on"))
        assert await reader.fetch() == b"and on"

    asyncio.run(main())


def test_a_reader_gets_the_records_of_the_runs_it_asked_for():
    async def main():
        reader = Reader("a.db", ["one"])
        for wire in (*wires("1", run="one"), *wires("2", run="two"), *wires("3")):
            reader.put(wire)
        assert await reader.fetch() == b"13"

    asyncio.run(main())


def test_no_text_can_begin_an_event_of_its_own():
    event = as_event("records", {"name": "a\n\nevent: evil\ndata: 1\r\u2028"}).decode()
    assert event.count("\n") == 3
    assert event.isascii()


def test_who_only_asks_for_the_head_of_the_stream_gets_it(client, record):
    record()
    answer = client.http.head("/api/live")
    assert (answer.status_code, answer.content) == (200, b"")


# The hub


async def first(events, n):
    found = []
    async for text in events:
        found += [one for one in text.decode().split("\n\n") if one]
        if len(found) >= n:
            break
    return [(kind.partition(": ")[2], json.loads(data[6:])) for kind, data in map(_lines, found)]


def _lines(text):
    kind, data = text.split("\n")
    return kind, data


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(stream, "POLL_S", 0.01)


def test_all_readers_of_a_database_share_one_watch(experiments, tracker, monkeypatch):
    tracker.start_run("live")
    watches = []
    original = Watch.__init__

    def counted(self, experiment):
        watches.append(experiment.path.name)
        original(self, experiment)

    monkeypatch.setattr(Watch, "__init__", counted)

    async def main():
        hub = Hub(Folder(experiments))
        readers = [asyncio.create_task(first(hub.events("pytest.db", ()), 2)) for _ in range(5)]
        await asyncio.sleep(0.2)
        tracker.record("loss", 0.5, 0)
        for found in await asyncio.wait_for(asyncio.gather(*readers), 10):
            assert [kind for kind, _ in found] == ["hello", "records"]
            assert found[0][1]["database"] == "pytest.db"

    asyncio.run(main())
    assert watches == ["pytest.db"]


def test_nothing_falls_between_the_greeting_and_what_is_read_after_it(experiments, tracker):
    """Whoever reads all there is after the greeting, and adds what is told, has all of it."""
    run_id = tracker.start_run("live")

    async def main():
        hub = Hub(Folder(experiments))
        for start in range(0, 200, 10):
            events = hub.events("pytest.db", ())
            recording = asyncio.create_task(record(start))
            assert (await anext(events)).startswith(b"event: hello")
            experiment = LiveExperiment(experiments / "pytest.db")
            steps = set(experiment.ask(lambda db: db.series(run_id, "loss")).steps.tolist())
            await recording
            while len(steps) < start + 10:
                text = await asyncio.wait_for(anext(events), 10)
                for event in text.decode().split("\n\n"):
                    if event.startswith("event: records"):
                        told = json.loads(event.split("\n")[1][6:])
                        steps |= set(told["metrics"]["loss"]["steps"])
            assert steps == set(range(start + 10))
            await events.aclose()

    async def record(start):
        for step in range(start, start + 10):
            tracker.record("loss", 0.5, step)
            await asyncio.sleep(0.002)

    asyncio.run(main())


def test_who_has_gone_is_forgotten_and_nobody_is_watched_for_nobody(experiments, tracker):
    async def main():
        hub = Hub(Folder(experiments))
        events = hub.events("pytest.db", ())
        assert (await anext(events)).startswith(b"event: hello")
        assert hub.n_readers == 1
        await events.aclose()
        assert hub.n_readers == 0
        await asyncio.wait_for(hub._task, 10)
        events = hub.events("pytest.db", ())  # and begins again for the next one
        await anext(events)
        assert not hub._task.done()
        await events.aclose()

    asyncio.run(main())


def test_new_databases_are_told_to_all(experiments, tracker):
    async def main():
        hub = Hub(Folder(experiments))
        readers = [
            asyncio.create_task(first(hub.events(name, ()), 2)) for name in ("pytest.db", None)
        ]
        await asyncio.sleep(0.2)
        other = Tracker(experiments)
        other.set_experiment("other")
        other.close()
        for found in await asyncio.wait_for(asyncio.gather(*readers), 10):
            kind, data = found[1]
            assert (kind, data["available_databases"]) == ("databases", ["other.db", "pytest.db"])

    asyncio.run(main())


def test_a_quiet_stream_is_kept_alive(experiments, tracker, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)

    async def main():
        events = Hub(Folder(experiments)).events("pytest.db", ())
        await anext(events)
        for _ in range(3):
            assert (await anext(events)).startswith(b":")
        await events.aclose()

    asyncio.run(main())


def test_a_database_that_goes_and_one_that_never_was_stop_nobody(experiments, tracker):
    async def main():
        hub = Hub(Folder(experiments))
        gone = asyncio.create_task(first(hub.events("gone.db", ()), 3))
        reader = asyncio.create_task(first(hub.events("pytest.db", ()), 3))
        await asyncio.sleep(0.1)
        tracker.start_run("live")
        await asyncio.sleep(0.1)
        tracker.record("loss", 0.5, 0)
        found = await asyncio.wait_for(reader, 10)
        assert [kind for kind, _ in found] == ["hello", "runs", "records"]
        gone.cancel()

    asyncio.run(main())


def test_a_stopping_server_ends_its_streams(experiments, tracker):
    async def main():
        hub = Hub(Folder(experiments))
        readers = [asyncio.create_task(first(hub.events("pytest.db", ()), 9)) for _ in range(3)]
        await asyncio.sleep(0.05)
        hub.close()
        await asyncio.wait_for(asyncio.gather(*readers), 10)
        assert [text async for text in hub.events("pytest.db", ())] == []

    asyncio.run(main())


def test_one_reader_that_is_slow_keeps_nobody_waiting(experiments):
    async def main():
        hub = Hub(Folder(experiments))
        slow, quick = Reader("a.db"), Reader("a.db")
        hub._readers = {slow, quick}
        for reader in hub._readers:
            reader.greet()
            assert (await reader.fetch()).startswith(b"event: hello")
        for number in range(1_000):
            hub._distribute("a.db", [Event("records", {"n": number})])
            assert await quick.fetch() == as_event("records", {"n": number})
        assert (await slow.fetch()).startswith(b"event: reload")

    asyncio.run(main())

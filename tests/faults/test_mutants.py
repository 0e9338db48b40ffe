"""Files that are damaged, hostile, or were being changed when their process died.

Mutants are made by changing bytes anywhere. None may crash us (anything but a TrackingError), take
longer than a second of processor time, or more than 256 MiB. None may be accepted in silence, which
means for

* segments: every frame that is read is one of the original's, in its order, and where no damage is
  reported nothing is missing but a part of the end. A segment has no length: one that was cut
  between two frames is what a shorter one looks like, and zeros are space not used yet.
* baselines: what is read says exactly what the text says. A text that is valid JSON and a baseline
  is one that somebody may have written; its changes are reviewed as such.
* databases: SQLite's pages carry no checksums, so a number that was changed within its cell is
  another number. But every value read has the type it should, and what SQLite's own check finds is
  refused, set aside, or reported by `integrity_problems`.

This file is also the script that examines mutants within limits: see `examine`.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import closing, suppress
from pathlib import Path
from zlib import adler32

import pytest

import tracking
from tracking import (
    ExperimentDBManager,
    Status,
    StoreError,
    Tracker,
    TrackingError,
    TrackingWarning,
    journal,
    recover,
    schema,
)
from tracking.events import EndedRun, NewRun, RunEnd, encode
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import Kind
from tracking.regression import (
    DEFAULT_SETTINGS,
    compare,
    dump_baseline,
    load_baseline,
    parse_baseline,
)
from tracking.stored_graphs import WHOLE_UP_TO

REPOSITORY = Path(tracking.__file__).parents[1]
ASSETS = REPOSITORY / "tests" / "assets"
PAGE_BYTES = 4096
SECONDS = 1.0
PEAK_BYTES = 256 << 20
NUMBERS = (int, float)


def dump(path):
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def quick_check(path):
    with closing(sqlite3.connect(path)) as connection:
        try:
            return connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
        except (sqlite3.Error, UnicodeDecodeError):
            return False


def frame(channel, step, value):
    payload = journal.pack_payload(step, value, 1.7e9, channel)
    return journal.pack_frame(payload, adler32(payload))


def write_segment(folder, n_records, events=()):
    """Leave the segment of a dead process: two metrics of a run that is in no database."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = journal.SegmentWriter(folder)
    for event in events:
        writer.append_event(event)
    channels = [writer.define_channel("ab" * 16, name) for name in ("loss", "größe" * 20)]
    for step in range(n_records):
        writer.append(frame(channels[step % 2], step, step / 7))
    writer.leave_note(journal.Note.CALL)
    writer.close()
    return writer.path


# Each byte of the first page


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """An experiment with a database of ours and a segment of three records beside it."""
    folder = tmp_path_factory.mktemp("template")
    with closing(ExperimentDBManager(folder / "e.db")) as db:
        db.record(db.create_run("known"), "loss", 0, 0.5)
    write_segment(folder / "e.journal", 3)
    return folder


@pytest.fixture
def folder():
    """A folder in memory, where there is one: these tests make thousands of databases."""
    memory = "/dev/shm"
    place = tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None)
    yield Path(place)
    shutil.rmtree(place)


def each_byte(request_all):
    """Offsets of the first page: all of SQLite's header, and of the rest all or some."""
    return [*range(100), *range(100, PAGE_BYTES, 1 if request_all else 97)]


every_byte = pytest.mark.parametrize(
    "offsets",
    [
        pytest.param(each_byte(False), id="some"),
        pytest.param(each_byte(True), id="all", marks=pytest.mark.slow),
    ],
)

# Bytes that make the file somebody else's or of a version to come: the first 16 of every SQLite
# file, `user_version` and `application_id`.
NOT_OURS = {*range(16), *range(68, 72)}
VERSION = range(60, 64)


def record_one(folder):
    """Record a run; if need be once more after the database turned out to be corrupt in use."""
    for is_last in (False, True):
        tracker = Tracker(folder)
        try:
            tracker.set_experiment("e")
            with tracker.run("new"):
                tracker.record("loss", 1.0, 1)
            found = {run.name.split()[0]: run.num_records for run in tracker.get_all_runs()}
        except StoreError as error:
            if is_last or "choose the experiment again" not in str(error):
                raise
        else:
            return found
        finally:
            with suppress(StoreError):
                tracker.close()
    raise AssertionError


@every_byte
@pytest.mark.parametrize("mask", [1, 255])
def test_a_flipped_byte_of_ours_never_stops_recording_nor_loses_the_segment(
    template, folder, offsets, mask
):
    original = (template / "e.db").read_bytes()
    for offset in offsets:
        case = shutil.copytree(template, folder / "case")
        mutant = bytearray(original)
        mutant[offset] ^= mask
        (case / "e.db").write_bytes(mutant)
        version = int.from_bytes(mutant[60:64], "big", signed=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if offset in NOT_OURS or version > schema.SCHEMA_VERSION:
                with pytest.raises(StoreError, match=r"e\.db"):
                    record_one(case)
                assert (case / "e.db").read_bytes() == mutant, offset
                assert not list(case.glob("*.corrupt-*")), offset
            else:
                found = record_one(case)
                assert found["new"] == [1], offset
                assert sum(found["recovered"]) == 3, offset
                is_aside = [path for path in case.glob("*.corrupt-*[0-9]") if path.is_file()]
                assert len(is_aside) == len(caught), (offset, caught)
                assert ("known" in found) != bool(is_aside), offset
        shutil.rmtree(case)


@every_byte
def test_a_flipped_byte_of_a_foreign_file_changes_no_byte_of_it(folder, offsets):
    path = folder / "e.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER PRIMARY KEY, text)")
        connection.execute("INSERT INTO theirs VALUES (1, 'dear')")
        connection.commit()
    original = path.read_bytes()
    for offset in offsets:
        mutant = bytearray(original)
        mutant[offset] ^= 255
        path.write_bytes(mutant)
        with pytest.raises(StoreError, match=r"e\.db"):
            ExperimentDBManager(path).create_run()
        assert path.read_bytes() == mutant, offset
        assert not list(folder.glob("*.corrupt-*"))


@every_byte
def test_a_flipped_byte_of_an_originals_database_adopts_all_of_it_or_nothing(folder, offsets):
    path = folder / "e.db"
    original = (ASSETS / "original.db").read_bytes()
    for offset in offsets:
        mutant = bytearray(original)
        mutant[offset] ^= 255
        path.write_bytes(mutant)
        expected = counts_of_living_runs(path)
        with closing(ExperimentDBManager(path)) as db:
            try:
                db.init_exp_db()
            except StoreError:
                expected = None
        if expected is None:  # SQLite notes in the header that it looked
            assert path.read_bytes()[100:] == mutant[100:], offset
        else:
            assert counts_of_living_runs(path) == expected, offset


def counts_of_living_runs(path):
    """Count the rows of each table of the original; a run that was deleted there left some."""
    living = "WHERE run_id IN (SELECT id FROM runs)"
    queries = [
        f"SELECT COUNT(*) FROM {table} NOT INDEXED {'' if table in ('runs', 'metrics') else living}"
        for table in schema._ORIGINAL_COLUMNS
    ]
    with closing(sqlite3.connect(path)) as connection, suppress(sqlite3.Error, UnicodeDecodeError):
        return [connection.execute(query).fetchone() for query in queries]
    return None


# Killed in a migration

MIGRATE_AND_DIE = """
import os, signal, sqlite3, sys
path, fatal = sys.argv[1], int(sys.argv[2])
connect, n_statements = sqlite3.connect, 0

class Fatal(sqlite3.Connection):
    def execute(self, *arguments):
        global n_statements
        n_statements += 1
        if n_statements == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(*arguments)

sqlite3.connect = lambda *arguments, **named: connect(*arguments, **named, factory=Fatal)
from tracking import ExperimentDBManager, schema

def add_and_rewrite(connection):
    connection.execute("CREATE TABLE later (id INTEGER PRIMARY KEY)")
    connection.execute("INSERT INTO later SELECT id FROM runs")
    connection.execute("ALTER TABLE runs ADD COLUMN later TEXT")
    connection.execute("UPDATE runs SET later = name")

if sys.argv[3] == "newer":
    schema.MIGRATIONS += (add_and_rewrite,)
    schema.SCHEMA_VERSION += 1
ExperimentDBManager(path).init_exp_db()
"""


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("asset", "kind"), [("original.db", "adopted"), ("schema_v1.db", "newer")])
def test_a_database_killed_in_its_migration_is_the_old_one_or_the_new(tmp_path, asset, kind, step):
    path = tmp_path / "e.db"
    old = dump(ASSETS / asset)
    states = []
    for fatal in range(1, 1000, step):
        shutil.copy(ASSETS / asset, path)
        done = subprocess.run(
            [sys.executable, "-c", MIGRATE_AND_DIE, str(path), str(fatal), kind],
            cwd=REPOSITORY,
            check=False,
        )
        now = dump(path)  # by SQLite alone, which first undoes what was not committed
        states.append(now == old)
        if now != old:
            with closing(sqlite3.connect(path)) as connection:
                version = schema.version_of(connection)
                assert version == schema.SCHEMA_VERSION + (kind == "newer")
                assert schema._columns_of_ours() <= schema._plain_columns(connection)
            assert quick_check(path)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    assert states == sorted(states, reverse=True)  # once new, it stays so
    assert states[0]
    assert not states[-1]


# Crafted files


def newer(path):
    shutil.copy(ASSETS / "schema_v2.db", path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")


def endless_view(path):
    shutil.copy(ASSETS / "schema_v2.db", path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE records RENAME TO hidden")
        connection.execute(
            "CREATE VIEW records AS WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1"
            " FROM n) SELECT id, 1 AS run_id, 1 AS metric_id, id AS step, 0.5 AS value,"
            " 0.0 AS wall_time FROM n"
        )


def endless_graphs(path):
    shutil.copy(ASSETS / "schema_v2.db", path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE graphs")
        connection.execute(
            "CREATE VIEW graphs AS WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1"
            " FROM n) SELECT id, 1 AS run_id, '{}' AS graph_json, 0.0 AS created_at FROM n"
        )


def huge_generated_column(path):
    shutil.copy(ASSETS / "schema_v2.db", path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE runs RENAME COLUMN config TO hidden")
        connection.execute(
            "ALTER TABLE runs ADD COLUMN config TEXT AS (hex(zeroblob(400000000))) VIRTUAL"
        )


@pytest.mark.parametrize(
    ("craft", "message"),
    [
        (newer, "upgrade"),
        (endless_view, "records"),
        (endless_graphs, "graphs has lost its column"),
        (huge_generated_column, "config"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(4 << 20)), r"e\.db"),
        (lambda path: path.mkdir(), r"e\.db"),
        (lambda path: path.symlink_to(path), r"e\.db"),
    ],
)
def test_a_crafted_database_is_refused_with_its_reason_and_soon(tmp_path, craft, message):
    path = tmp_path / "e.db"
    craft(path)
    started = time.process_time()
    with pytest.raises(StoreError, match=message):
        ExperimentDBManager(path, is_read_only=True).get_all_runs()
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        '{"a":' * 500_000,
        '{"version": 1, "tests": ' + "9" * 1_000_000 + "}",
        '{"version": 1, "tests": {"' + "x" * 4_000_000 + '": 1}}',
        '{"version": 1e400}',
        "\0" * 1_000_000,
        "\ufeff{}",
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_a_crafted_baseline_is_refused_with_its_reason_and_soon(tmp_path, text):
    path = tmp_path / "test_x.json"
    path.write_text(text)
    started = time.process_time()
    with pytest.raises(tracking.BaselineError, match=r"test_x\.json"):
        load_baseline(path)
    assert time.process_time() - started < SECONDS


def nested(depth):
    return '{"k":' * depth + "1" + "}" * depth


DEEP = (nested(200_000), "[" * 200_000 + "]" * 200_000)


@pytest.mark.parametrize(
    ("column", "read"),
    [
        ("runs.config", lambda db: db.get_all_runs()),
        ("runs.config", lambda db: db.update_config(1, {"lr": 0.2})),
        ("environments.content", lambda db: db.get_run(1)),
        ("graph_contents.graph_json", lambda db: db.get_comp_graph(1)),
        ("graph_contents.graph_json", lambda db: db.get_comp_graphs(1)),
        ("histograms.bucket_edges", lambda db: db.get_histograms(1)),
        ("histograms.bucket_counts", lambda db: db.get_histograms(1)),
    ],
)
def test_json_nested_too_deeply_in_a_database_is_refused_by_the_name_of_its_run(
    tmp_path, column, read
):
    path = tmp_path / "e.db"
    with closing(ExperimentDBManager(path)) as db:
        db.insert_run(NewRun("known", {}, "ab" * 16, 1.7e9, environment="{}"))
        db.save_comp_graph(1, {"nodes": [], "edges": []})
        db.save_histogram(1, "weights", 0, [0.0, 1.0], [3])
        for text in DEEP:
            overwrite(path, column, text)
            with pytest.raises(StoreError, match=r"(run|graph) 1.* is damaged: maximum recursion"):
                read(db)
        db.delete_run(1)
        assert db.get_all_runs() == []


def overwrite(path, column, text):
    table, _, name = column.partition(".")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE {table} SET {name} = ?", (text,))
        connection.commit()


def test_json_that_can_just_be_read_and_not_be_written_again_is_refused_likewise(tmp_path):
    path = tmp_path / "e.db"
    with closing(ExperimentDBManager(path)) as db:
        run_id = db.create_run()
        has_taken = []
        for depth in range(800, 1_000):  # the stack we are called from is part of it
            overwrite(path, "runs.config", nested(depth))
            try:
                db.update_config(run_id, {"lr": 0.1})
            except StoreError:
                has_taken.append(False)
            else:
                has_taken.append(True)
    assert has_taken[0]
    assert has_taken == sorted(has_taken, reverse=True)


GOOD_START = {
    "name": "good",
    "config": {},
    "uuid": "cd" * 16,
    "created_at": 1.7e9,
    "writer": "gone",
}


@pytest.mark.parametrize(
    "event",
    [
        *(
            {"started": GOOD_START | change}
            for change in (
                {"name": None},
                {"name": ""},
                {"name": "\ud800"},
                {"name": ["a list"]},
                {"config": "text"},
                {"uuid": None},
                {"uuid": {}},
                {"created_at": None},
                {"created_at": "text"},
                {"created_at": float("nan")},
                {"created_at": 10**400},
                {"environment": "no JSON"},
                {"environment": {}},
                {"parent": 7},
                {"session": ["text"]},
                {"another": "field"},
            )
        ),
        {"started": {}},
        {"started": None},
        {"ended": {"uuid": "ab" * 16, "status": "bogus"}},
        {"ended": {"uuid": "ab" * 16, "status": "running"}},
        {"ended": {"uuid": "ab" * 16, "status": "failed", "duration_s": "text"}},
        {"ended": {"uuid": "ab" * 16, "status": "failed", "verdict": ["text"]}},
        {"ended": {"uuid": None, "status": "failed"}},
        {"unheard of": {}},
        [],
        7,
        *(pytest.param(text, id=f"deep {text[0]}") for text in DEEP),
        *(
            pytest.param({"started": GOOD_START | {"environment": text}}, id=f"within {text[0]}")
            for text in DEEP
        ),
    ],
)
def test_a_crafted_event_in_a_segment_keeps_no_record_from_coming_home(tmp_path, event):
    good = {"started": GOOD_START | {"uuid": "ab" * 16}}
    texts = (one if isinstance(one, str) else json.dumps(one) for one in (event, good, event))
    events = [text.encode() for text in texts]
    write_segment(tmp_path / "e.journal", 4, [*events, b"\xff", b"[" * 10_000])
    tracker = Tracker(tmp_path)
    tracker.set_experiment("e")
    (run,) = tracker.get_all_runs()
    assert (run.name, run.status, sum(run.num_records)) == ("good", "failed", 4)
    tracker.close()


# Mutants


def mutated(original, rng):
    """Change bytes anywhere, up to three times; never by a whole number of frames."""
    data = bytearray(original)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        length = rng.choice((1, 3, 7, 15, 31, 33, 63, 127))
        match rng.randrange(8):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 2:
                data[at : at + length] = rng.randbytes(len(data[at : at + length]))
            case 3:
                data[at : at + length] = rng.choice((b"\0", b"\xff")) * len(data[at : at + length])
            case 4:
                del data[at:]
            case 5:
                del data[at : at + length]
            case 6:
                data[at:at] = rng.randbytes(length)
            case _:
                data += rng.randbytes(length)
    return bytes(data)


def test_mutations_differ_and_repeat():
    first = [mutated(bytes(1000), random.Random(seed)) for seed in range(100)]
    assert first == [mutated(bytes(1000), random.Random(seed)) for seed in range(100)]
    assert len(set(first)) > 95
    assert {len(mutant) > 1000 for mutant in first} == {True, False}


def rows_of(frames):
    return zip(*journal.columns_of(frames), strict=True)


def is_subsequence(part, whole):
    remaining = iter(whole)
    return all(item in remaining for item in part)


def original_segment(folder):
    start = NewRun("known", {"lr": 0.1}, "ab" * 16, 1.7e9, environment='{"python":"3"}')
    end = EndedRun("ab" * 16, RunEnd(Status.COMPLETED, ended_by="finished", duration_s=0.5))
    events = [encode(event) for event in (start, end)]
    return write_segment(folder, 40, events).read_bytes().rstrip(b"\0").ljust(128 + 90 * 32, b"\0")


def examine_segment(original, mutant, folder):
    """Read a mutated segment, and bring it home as that of a dead process."""
    path = folder / "e.journal" / ("ab" * 16 + journal.SUFFIX)
    path.parent.mkdir()
    path.write_bytes(original)
    expected = journal.read_segment(path)
    path.write_bytes(mutant)
    try:
        found = journal.read_segment(path)
    except TrackingError:
        is_damaged = True
    else:
        is_damaged = found[1].n_damaged > 0
        check_frames(expected, found)
        if not is_damaged:
            written = slice(journal.HEADER_SIZE, found[1].end)
            padded = (data.ljust(written.stop, b"\0")[written] for data in (mutant, original))
            assert len(set(padded)) == 1, "something is missing and nothing was said"
    with closing(ExperimentDBManager(folder / "e.db")) as db:
        brought = recover(db)
        db.init_exp_db()
        for run in db.get_all_runs():
            check_brought_home(expected[1], db, run.run_id)
    is_aside = bool(list(path.parent.glob("*.damaged")))
    assert bool(brought.damaged) == is_aside
    # One whose header now names a version to come is left as it is.
    assert (path.exists() and path.read_bytes() == mutant) == bool(brought.newer)
    assert is_damaged == bool(brought.damaged or brought.newer)


def check_frames(expected, found):
    (header, frames), (found_header, found_frames) = expected, found
    assert found_header == header
    assert found_frames.channels.items() <= frames.channels.items()
    for channel, of_channel in found_frames.records.items():
        known = rows_of(frames.records.get(channel, b""))
        assert is_subsequence(rows_of(of_channel), known), "it was never written"


def check_brought_home(frames, db, run_id):
    channels = {channel.metric_name: number for number, channel in frames.channels.items()}
    for name in db.get_metrics(run_id):
        known = [row[:2] for row in rows_of(frames.records[channels[name]])]
        rows = [(row.step, row.value) for row in db.get_records(run_id, name)]
        assert is_subsequence(rows, known), "it was never written"


def original_baseline(folder):
    return (ASSETS / "baseline_v1.json").read_bytes()


def examine_baseline(original, mutant, folder):
    """Read a mutated baseline, write it again, and compare a run with it."""
    path = folder / "test_x.json"
    path.write_bytes(mutant)
    try:
        entries = load_baseline(path)
    except tracking.BaselineError:
        return
    written = dump_baseline(entries)
    said, understood = (json.loads(text, parse_int=float) for text in (mutant, written))
    assert said == understood, "it says something else than what was read"
    assert parse_baseline(written) == entries
    current = parse_baseline(original.decode())
    for key, entry in entries.items():
        run = next(iter(current.values())) if key not in current else current[key]
        compare(entry.samples, run.samples[0].metrics, lambda _: DEFAULT_SETTINGS, None)


def chain(n):
    builder = GraphBuilder("test")
    for number in range(n):
        builder.add(Kind("step"), [number - 1] * (number > 0))
    return builder.build([n - 1])


def original_database(folder):
    with closing(ExperimentDBManager(folder / "original.db")) as db:
        for name in ("first", "second"):
            run_id = db.create_run(name, {"lr": 0.1, "layers": [1, 2], "name": name * 20})
            for step in range(5):
                db.record(run_id, "loss", step, 1 / (step + 1))
                db.record(run_id, "diverged", step, float("nan"))
            db.save_comp_graph(run_id, {"nodes": [{"id": "t0"}], "edges": []})
            db.save_graph(run_id, chain(WHOLE_UP_TO + 1), "packed")
            db.save_histogram(run_id, "weights", 0, [0.0, 0.5, 1.0], [3, 4])
            db.save_image(run_id, "sample", 0, 2, 2, 1, b"\0\1\2\3")
            db.save_text(run_id, "note", 0, "a text")
            db.update_run_status(run_id, "completed")
            db.get_metric_summary(run_id)
    return (folder / "original.db").read_bytes()


def examine_database(original, mutant, folder):
    """Read everything in a mutated database, then record into it."""
    path = folder / "e.db"
    path.write_bytes(mutant)
    is_sound = quick_check(path)
    reports = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TrackingWarning)
        with closing(ExperimentDBManager(path, is_read_only=True)) as reader:
            attempt(reports, lambda: read_everything(reader, reports))
            attempt(reports, lambda: reports.extend(reader.integrity_problems()))
        db = ExperimentDBManager(path)
        attempt(reports, lambda: record_into(db))
        attempt(reports, db.close)
    reports += [str(warning.message) for warning in caught]
    assert is_sound or reports, "damage that SQLite finds was accepted"


def attempt(reports, call):
    try:
        call()
    except TrackingError as error:
        reports.append(str(error))


def read_everything(db, reports):
    for run in db.get_all_runs():
        assert isinstance(run.run_id, int)
        assert isinstance(run.config, dict)
        number = run.run_id
        reads = (db.get_comp_graphs, db.get_histograms, db.get_images, db.get_texts)
        for read in reads:
            attempt(reports, lambda read=read, number=number: read(number))
        attempt(reports, lambda number=number: check_records(db, number))
        attempt(reports, lambda number=number: check_summaries(db, number))


def check_records(db, run_id):
    for name in db.get_metrics(run_id):
        for row in db.get_records(run_id, name):
            assert isinstance(row.step, int)
            assert isinstance(row.value, NUMBERS)
            assert isinstance(row.log_time, NUMBERS)


def check_summaries(db, run_id):
    for summary in db.get_metric_summary(run_id).values():
        assert isinstance(summary["last"], NUMBERS)
        for number in summary.values():
            assert number is None or isinstance(number, NUMBERS)


def record_into(db):
    run_id = db.create_run("new", {"lr": 1.0})
    db.update_config(run_id, {"epochs": 2})
    db.record(run_id, "loss", 7, 0.25)
    assert [(row.step, row.value) for row in db.get_records(run_id, "loss")] == [(7, 0.25)]
    db.update_run_status(run_id, "completed")


KINDS = {
    "segment": (original_segment, examine_segment),
    "baseline": (original_baseline, examine_baseline),
    "database": (original_database, examine_database),
}


@pytest.mark.parametrize(
    "n_mutants", [80, pytest.param(3_334, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
@pytest.mark.parametrize("kind", KINDS)
def test_no_mutant_crashes_hangs_swells_or_is_accepted_in_silence(folder, kind, n_mutants):
    done = subprocess.run(
        [sys.executable, __file__, kind, str(n_mutants), str(folder)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["failures"] == []
    assert found["slowest_s"] <= SECONDS
    assert found["peak_bytes"] <= PEAK_BYTES
    assert found["n_refused_or_kept"] == n_mutants


def examine(kind, n_mutants, folder):
    """Examine mutants within limits; returns what the test looks at."""
    make, look = KINDS[kind]
    original = make(folder)
    resource.setrlimit(resource.RLIMIT_AS, (4 * PEAK_BYTES, 4 * PEAK_BYTES))
    failures, slowest_s, n_done = [], 0.0, 0
    for number in range(n_mutants):
        case = folder / "case"
        case.mkdir()
        mutant = mutated(original, random.Random(f"{kind} {number}"))
        started = time.process_time()
        try:
            look(original, mutant, case)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is a crash
            failures.append(f"{kind} {number}: {error!r}")
        n_done += 1
        slowest_s = max(slowest_s, time.process_time() - started)
        shutil.rmtree(case)
    # Not ru_maxrss: that counts what the parent was as large as when it forked this process.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak_bytes = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024
    return {
        "failures": failures,
        "slowest_s": slowest_s,
        "peak_bytes": peak_bytes,
        "n_refused_or_kept": n_done,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(examine(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))

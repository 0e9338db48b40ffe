"""`sgtrack push`: what it says, what it exits with, and that it keeps passwords to itself."""

from __future__ import annotations

import builtins
import json
import re

import pytest

from tests.contents import of_postgres, of_sqlite
from tests.postgres.server import PASSWORD
from tracking import Tracker


@pytest.fixture(autouse=True)
def experiments(tmp_path, record, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SGTRACK_STORE", raising=False)
    record(tmp_path / "experiments", "x", "y")
    return tmp_path / "experiments"


def shown(store):
    return re.sub(r"(//\w+):[^@]*@", r"\1@", store)


def test_runs_that_were_pushed_are_counted(sgtrack, store, experiments):
    code, out, err = sgtrack("push", "--store", store)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "experiments/pytest.db: 2 runs: 2 added",
        f"{shown(store)}: 2 runs pushed, 0 were there already",
    ]
    assert of_postgres(store) == of_sqlite(experiments / "pytest.db")
    code, out, err = sgtrack("push", "experiments/pytest.db", "--store", store)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "experiments/pytest.db: 2 runs: 2 there already",
        f"{shown(store)}: 0 runs pushed, 2 were there already",
    ]


def test_the_environment_may_say_where(sgtrack, store, monkeypatch):
    monkeypatch.setenv("SGTRACK_STORE", store)
    assert sgtrack("push")[0] == 0
    assert len(of_postgres(store)) == 2
    code, out, _ = sgtrack("push", "--help")
    assert code == 0
    assert PASSWORD not in out
    assert "correct%20horse" not in out


def test_nothing_is_pushed_before_somebody_says_where(sgtrack, monkeypatch):
    for value in (None, ""):
        if value is not None:
            monkeypatch.setenv("SGTRACK_STORE", value)
        code, out, err = sgtrack("push")
        assert (code, out) == (2, "")
        assert "the following arguments are required: --store" in err


def test_another_folder_can_be_named(sgtrack, store, tmp_path, record):
    record(tmp_path / "more", "z", experiment="other")
    code, out, _ = sgtrack("push", "--dir", "more", "--store", store)
    assert (code, out.splitlines()[0]) == (0, "more/other.db: 1 runs: 1 added")
    assert (len(of_postgres(store, "other")), of_postgres(store)) == (1, {})


def test_a_dry_run_only_tells(sgtrack, store):
    code, out, _ = sgtrack("push", "--dry-run", "--store", store)
    assert (code, out.splitlines()[1]) == (
        0,
        f"{shown(store)}: 2 runs would be pushed, 0 were there already",
    )
    assert "2 runs pushed" in sgtrack("push", "--store", store)[1]


def test_as_json(sgtrack, store):
    code, out, _ = sgtrack("push", "--json", "--store", store)
    assert code == 0
    assert json.loads(out) == {
        "format": "sgtrack-push",
        "version": 1,
        "is_dry_run": False,
        "store": shown(store),
        "experiments": [
            {
                "path": "experiments/pytest.db",
                "n_runs": 2,
                "n_added": 2,
                "n_completed": 0,
                "n_known": 0,
                "n_kept_away": 0,
                "n_recording": 0,
                "remarks": [],
            }
        ],
        "unread": [],
    }


def test_runs_that_go_on_are_said_to_be_left(sgtrack, store, experiments):
    tracker = Tracker(experiments)
    tracker.set_experiment("pytest")
    tracker.start_run("live")
    tracker.record("loss", 1.0, 0)
    code, out, _ = sgtrack("push", "--store", store)
    assert (code, out.splitlines()) == (
        0,
        [
            "experiments/pytest.db: 3 runs: 2 added, 1 still being recorded",
            f"{shown(store)}: 2 runs pushed, 0 were there already, 1 left for the next time",
        ],
    )
    tracker.end_run()
    tracker.close()


def test_damaged_records_that_were_left_out_are_something_to_look_at(sgtrack, store, tmp_path, die):
    die(tmp_path / "dead")
    (segment,) = tmp_path.glob("dead/pytest.journal/*.segment")
    data = bytearray(segment.read_bytes())
    data[len(data.rstrip(b"\0")) - 20] ^= 0xFF
    segment.write_bytes(data)
    code, out, _ = sgtrack("push", "dead", "--store", store)
    assert code == 1
    assert "1 damaged records were left out" in out


def test_an_experiment_that_cannot_be_read_is_trouble_and_the_others_are_pushed(
    sgtrack, store, experiments
):
    (experiments / "bad.db").write_bytes(b"noise" * 1000)
    code, out, err = sgtrack("push", "--store", store)
    assert code == 3
    assert "2 runs pushed" in out
    assert err.startswith("sgtrack: experiments/bad.db")


def test_a_store_that_is_away_is_trouble(sgtrack, server):
    code, out, err = sgtrack("push", "--store", "postgresql://owner@127.0.0.1:1/store")
    assert (code, out) == (3, "")
    assert err.startswith("sgtrack: postgresql://owner@127.0.0.1:1/store cannot be reached: ")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://owner:secret@localhost/store",
        "owner:secret@localhost",
        "experiments/secret.db",
        "postgresql://owner:sec%ret@localhost/store",
        "postgresql://owner:x@secret@localhost/store",
        "postgresql://owner:x/secret@localhost/store",
        "postgresql://owner:secret/store",
        "postgresql://owner:x@localhost/store?pasword=secret",
        "postgresql://owner:x?secret@@localhost/store",
        "postgresql://owner:x#y@secret@localhost/store",
    ],
)
@pytest.mark.parametrize("is_variable", [False, True])
def test_what_is_no_url_is_a_usage_error_that_does_not_quote_it(
    sgtrack, monkeypatch, url, is_variable
):
    if is_variable:
        monkeypatch.setenv("SGTRACK_STORE", url)
    code, out, err = sgtrack("push", *([] if is_variable else ["--store", url]))
    assert (code, out) == (2, "")
    assert "argument --store: " in err
    assert "secret" not in err


def test_without_psycopg_the_message_says_how_to_get_it(sgtrack, store, monkeypatch):
    imported = builtins.__import__

    def without(name, *more):
        if name.partition(".")[0] == "psycopg":
            raise ImportError(name)
        return imported(name, *more)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", without)
        code, _, err = sgtrack("push", "--store", store)
    assert code == 2
    assert "pip install 'pytest-sgtrack[postgres]'" in err

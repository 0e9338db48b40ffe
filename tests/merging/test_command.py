"""`sgtrack merge`: what it says, and what it exits with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

ASSETS = Path(__file__).parents[1] / "assets"


@pytest.fixture(autouse=True)
def _shards(tmp_path, record, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "a", "x", "y")
    record(tmp_path / "b", "z")


def test_it_says_what_became_of_each_shard(sgtrack):
    first = (
        "a/pytest.db: 2 runs: 2 added\n"
        "out.db: 2 runs from 1 shards added, 0 completed, 0 were there already\n"
    )
    second = (
        "a/pytest.db: 2 runs: 2 there already\nb/pytest.db: 1 runs: 1 added\n"
        "out.db: 1 runs from 2 shards {}, 0 completed, 2 were there already\n"
    )
    assert sgtrack("merge", "a/pytest.db", "-o", "out.db") == (0, first, "")
    both = ("merge", "a/pytest.db", "b/pytest.db", "-o", "out.db")
    assert sgtrack(*both, "--dry-run") == (0, second.format("would be added"), "")
    assert sgtrack(*both) == (0, second.format("added"), "")


def test_it_says_it_as_json(sgtrack):
    code, out, _ = sgtrack("merge", "a", "b", "-o", "out", "--json")
    counts = {"n_completed": 0, "n_kept_away": 0, "n_known": 0}
    assert (code, json.loads(out)) == (
        0,
        {
            "format": "sgtrack-merge",
            "version": 1,
            "is_dry_run": False,
            "experiments": [
                {
                    "path": "out/pytest.db",
                    "shards": [
                        {"path": "a/pytest.db", "n_runs": 2, "n_added": 2, **counts},
                        {"path": "b/pytest.db", "n_runs": 1, "n_added": 1, **counts},
                    ],
                    "n_pending": 0,
                    "remarks": [],
                }
            ],
        },
    )


def test_it_exits_with_1_where_damaged_records_were_left_out(sgtrack, tmp_path, die):
    die(tmp_path / "dead")
    (segment,) = tmp_path.glob("dead/pytest.journal/*.segment")
    with segment.open("r+b") as file:
        file.seek(len(segment.read_bytes().rstrip(b"\0")) - 100)
        file.write(b"\xff")
    code, out, _ = sgtrack("merge", "dead", "-o", "out")
    assert code == 1
    assert "1 damaged records were left out" in out


def test_what_cannot_be_merged_is_trouble(sgtrack):
    shutil.copy(ASSETS / "original.db", "old.db")
    code, out, err = sgtrack("merge", "a/pytest.db", "old.db", "-o", "out.db")
    assert (code, out) == (3, "")
    assert err.startswith("sgtrack: old.db was recorded by the original tracker; `sgtrack import`")
    assert not Path("out.db").exists()


def test_a_merged_experiment_is_one_like_others(sgtrack):
    sgtrack("merge", "a", "b", "-o", "out")
    assert [
        sgtrack(command, *more, "--dir", "out")[0]
        for command, *more in (("check",), ("runs",), ("history", "x"), ("show", "z"))
    ] == [0, 0, 0, 0]

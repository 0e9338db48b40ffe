"""Shards of any partition, with overlaps and older copies, in any order and grouping: one whole."""

from __future__ import annotations

import functools
import itertools
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.merging.conftest import ending, is_sound, read_content
from tracking import ExperimentDBManager, Tracker
from tracking.merging import merge


@functools.cache
def atoms(folder):
    """Databases of one to three of six runs, some of them copied before their runs had ended."""
    tracker = Tracker(folder / "whole")
    tracker.set_experiment("pytest")
    whole = folder / "whole" / "pytest.db"
    made = []
    for number in range(6):
        run_id = tracker.start_run(f"r{number}", {"n": number}, environment={"cpu": number % 2})
        tracker.record(("loss", "acc")[number % 2], number / 7, 0)
        tracker.text("said", f"{number}", 0)
        tracker.get_metrics(run_id)
        made.append(extract(whole, folder / f"early-{number}" / "pytest.db", {run_id}))
        for step in range(1, number + 2):
            tracker.record("loss", float("inf") if step == 3 else step / 7, step)
        tracker.end_run(outcome="passed", verdict="within", comparison=f'{{"n": {number}}}')
    tracker.close()
    for number, chosen in enumerate([{1}, {2, 3}, {1, 4, 5}, {6}, {3, 6}]):
        made.append(extract(whole, folder / f"late-{number}" / "pytest.db", chosen))
    return made, read_content(whole)


def extract(whole, path, chosen):
    path.parent.mkdir()
    with closing(sqlite3.connect(whole)) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    with closing(ExperimentDBManager(path)) as db:
        for run in db.get_all_runs():
            if run.run_id not in chosen:
                db.delete_run(run.run_id)
    return path


GROUPS = st.recursive(
    st.integers(0, 10), lambda inner: st.lists(inner, min_size=1, max_size=4), max_leaves=12
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return tmp_path_factory.mktemp("atoms")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(groups=GROUPS, is_one_by_one=st.booleans())
def test_shards_in_any_order_and_grouping_come_to_the_whole(pool, groups, is_one_by_one):
    made, whole = atoms(pool)
    used = set()
    with tempfile.TemporaryDirectory() as name:
        numbers = itertools.count()

        def merged(group):
            if isinstance(group, int):
                used.add(group)
                return made[group]
            out = Path(name) / f"{next(numbers)}.db"
            shards = [merged(one) for one in group]
            for part in [[one] for one in shards] if is_one_by_one else [shards]:
                merge(part, out)
            return out

        out = merged([groups])
        found = read_content(out)
        assert is_sound(out)
        flat = Path(name) / "flat.db"
        merge([made[number] for number in sorted(used)], flat)
        assert read_content(flat) == found
    late = {uuid for number in used if number >= 6 for uuid in read_content(made[number])}
    early = {uuid for number in used if number < 6 for uuid in read_content(made[number])}
    assert found.keys() == late | early
    for uuid, run in found.items():
        if uuid in late:
            assert run == whole[uuid]
        else:
            assert ending(run) == ("failed", "lost")
            assert run["media"] == whole[uuid]["media"]

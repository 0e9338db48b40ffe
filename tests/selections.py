"""Runs of all kinds, and any selection of them: what an experiment answers, wherever it lies."""

from __future__ import annotations

import math
import operator
from contextlib import closing

from hypothesis import strategies as st

from tracking import ExperimentDBManager
from tracking.events import RunEnd
from tracking.model import encode_number
from tracking.queries.expressions import Condition, Metric, Order
from tracking.queries.selection import PROPERTIES, Selection, selected
from tracking.stored_runs import end_run, new_run

NAMES = ["tests/test_a.py::test_x", "tests/test_a.py::test_X[1]", "tests/b.py::test_ä", "run_1"]
SESSIONS = [None, "abcd" * 8, "abce" * 8, "1234" * 8]
COMMITS = [None, "abcd" * 10, "0123" * 10]
ENDS = [
    None,
    RunEnd("completed", "passed", "call", "finished", "within", 1.5),
    RunEnd("completed", "passed", None, "finished", None, 0.5),
    RunEnd("failed", "failed", "call", "exception", "regressed", None),
    RunEnd("failed", None, None, "crashed", None, None),
]
VALUES = [0.0, 1.0, -1.0, 2.5, math.nan, math.inf, -math.inf]
METRICS = ["loss", "acc", 'odd "name"']

RUNS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(NAMES),
            "session": st.sampled_from(SESSIONS),
            "commit": st.sampled_from(COMMITS),
            "end": st.sampled_from(ENDS),
            "created_at": st.sampled_from([100.0, 200.0, 300.5]),
            "uuid": st.text("ab", min_size=3, max_size=3),
            "series": st.dictionaries(
                st.sampled_from(METRICS[:2]),
                st.lists(st.sampled_from(VALUES), min_size=1, max_size=3),
            ),
        }
    ),
    max_size=8,
    unique_by=operator.itemgetter("uuid"),
)


def fill(path, runs, uuids_end="0" * 29):
    """Record runs into a new database; in a store uuids are to be there once, so they may end."""
    with closing(ExperimentDBManager(path)) as db:
        db.init_exp_db()
        for run in runs:
            new = new_run(
                run["name"],
                {},
                session=run["session"],
                environment=run["commit"] and {"git_commit": run["commit"]},
            )
            uuid = f"{run['uuid']}{uuids_end}"
            run_id = db.insert_run(new._replace(created_at=run["created_at"], uuid=uuid))
            for metric, values in run["series"].items():
                for step, value in enumerate(values):
                    db.record(run_id, metric, step, value)
            if run["end"] is not None:
                with db._db.writing() as connection:
                    end_run(connection, run_id, run["end"])


_VALUES_OF = {
    "name": NAMES,
    "status": ["running", "completed", "failed", "odd"],
    "outcome": ["passed", "failed", ""],
    "verdict": ["within", "regressed", ""],
    "ended_by": ["finished", "crashed", ""],
    "session": ["abcd" * 8, "1234" * 8, "", "none"],
    "commit": ["abcd" * 10, "", "none"],
}
assert _VALUES_OF.keys() == PROPERTIES.keys()

_METRIC = st.builds(
    Metric, st.sampled_from(METRICS), st.sampled_from(["last", "min", "tail", "n", "first_step"])
)
SELECTIONS = st.builds(
    Selection,
    wanted=st.fixed_dictionaries(
        {},
        optional={
            name: st.lists(st.sampled_from([*values, "a\0b", "\ud800"]), min_size=1, max_size=3)
            for name, values in _VALUES_OF.items()
        },
    ),
    uuid=st.sampled_from(["", "", "a", "ab", "b", "c"]),
    name=st.sampled_from(["", "", "test_x", "*test_[xX]*", "[1]", "TEST", "%", "\0"]),
    search=st.sampled_from(
        [
            *("", "", "", "test_x", "TEST_Ä", "regressed", "test_x with", "abcd", "abc", "0123"),
            *("*::test_?", "aab0", " ", "%", "_", "a\\", "call", "\0", "\ud800", "abcd\0"),
        ]
    ),
    before=st.sampled_from([None, None, (200.0, 2), (300.5, 10**6), (100.0, -(2**62))]),
    conditions=st.lists(
        st.builds(
            Condition,
            _METRIC,
            st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
            st.sampled_from(VALUES),
        ),
        max_size=2,
    ),
    order=st.builds(
        Order,
        st.sampled_from(["created", "created", "id", "name", "duration"]) | _METRIC,
        st.booleans(),
    ),
    offset=st.sampled_from([0, 0, 1, 100]),
    limit=st.sampled_from([None, None, 0, 1, 3]),
    is_counted=st.booleans(),
)


def answer(db, asked):
    """What an experiment answers; runs by their names, as numbers differ between databases."""
    page = db.select_runs(asked)
    return [run.uuid for run in page.runs], page.n if asked.is_counted else None


def expected(db, asked):
    """What it has to answer, of all it has."""
    page = selected(db.find_runs(), asked, db.summaries_of)
    return [run.uuid for run in page.runs], page.n if asked.is_counted else None


def as_shown(value):
    """Return something that is equal for equal numbers, NaN too."""
    return encode_number(value) if isinstance(value, float) else value

"""Sessions to report."""

from __future__ import annotations

import math

import pytest

from tracking.model import Direction, Verdict
from tracking.regression import Check
from tracking.report.data import (
    MISSING,
    Band,
    Change,
    Curve,
    Death,
    Histogram,
    Image,
    MetricDetails,
    PastValue,
    ReportData,
    RunDetails,
    TestReport,
    Text,
)
from tracking.summary import summarize

HOSTILE = "test_x.py::test_y[</script>-a::b|`c`-@all-#1-\n-\u200f-\x1b[31m-ü]"
"""A node id with all that some format reads as its own."""


def regressed(metric="loss", baseline=0.5, current=0.75):
    message = f"{metric}: tail went from {baseline} to {current} (+50 %); lower is better"
    values = (baseline, current, 0.025)
    return Check(metric, "tail", Verdict.REGRESSED, *values, message, 0.025, "", Direction.LOWER)


def failed_test(nodeid="test_it.py::test_train", **fields):
    fields = {"verdict": Verdict.REGRESSED, "action": "fail", "checks": (regressed(),)} | fields
    return TestReport(nodeid, **fields)


@pytest.fixture
def red():
    """A test that went red, by keyword arguments what is different about it."""
    return failed_test


@pytest.fixture
def hostile():
    return HOSTILE


@pytest.fixture
def session():
    """A session of these tests, with these fields."""

    def make(*tests, **fields):
        return ReportData(1_700_000_000.5, "pytest", "experiments/pytest.db", tests=tests, **fields)

    return make


@pytest.fixture
def everything():
    """A session that has something in every field."""
    loss = summarize([0, 1, 2], [1.0, 0.5, math.nan])
    accepted = summarize([0, 1, 2], [1.0, 0.5, 0.25])
    of_loss = MetricDetails(
        name="loss",
        direction=Direction.LOWER,
        summary=loss,
        baseline=((0, accepted), (None, accepted)),
        curve=Curve(3, (0, 1, 2), (1.0, 0.5, math.nan)),
        band=Band(2, (0, 2), (0.9, -math.inf), (1.1, math.inf)),
        history=(
            PastValue(1, 1_690_000_000.0, 0.375, "no_baseline", None, False),
            PastValue(2, 1_695_000_000.0, None, None, "0123abc", True),
            PastValue(3, 1_700_000_000.25, 0.75, "regressed", "4567def-dirty", False),
        ),
    )
    run = RunDetails(
        run_id=3,
        uuid="0123456789abcdef0123456789abcdef",
        created_at=1_700_000_000.25,
        status="completed",
        outcome="failed",
        phase="call",
        ended_by="finished",
        duration_s=0.125,
        config={"lr": 0.1, "opt": {"name": "</script>", "betas": [0.9, 0.999]}, "clip": None},
        environment={"python": "3.11.9", "git_commit": "4567def", "cpus": 2, "is_gpu": False},
        config_changes=(
            Change("lr", 0.05, 0.1),
            Change("clip", MISSING, None),
            Change("opt.momentum", 0.9, MISSING),
        ),
        environment_changes=(Change("python", "3.11.8", "3.11.9"),),
        metrics=(of_loss, MetricDetails("val/acc", Direction.HIGHER, None, ((1, accepted),))),
        histograms=(Histogram("weights", 2, (-1.0, 0.0, 1.0), (3, 4), 1),),
        images=(Image("sample", 2, 1, 1, b"\x89PNG\r\n\x1a\n\x00"),),
        texts=(Text("note", 1, "<b>two</b>\nlines \u200f"),),
        graphs=({"nodes": [{"id": "0", "shape": [2, 3]}], "edges": [{"source": "0"}]},),
        left_out=("2 images of 30 sample",),
    )
    non_finite = "loss: n_nan went from 0 to 1; more non-finite records than in the baseline"
    missing = "val/acc: not recorded by this run; the baseline has tail 0.375"
    red = TestReport(
        nodeid=HOSTILE,
        file="tests/test_x.py",
        line=12,
        verdict=Verdict.MISSING_METRIC,
        action="fail",
        checks=(
            regressed(),
            Check("loss", "n_nan", Verdict.NON_FINITE, 0, 1, 0, non_finite),
            Check("loss", "last", Verdict.NON_FINITE, math.inf, math.nan, None, "loss: last"),
            Check("val/acc", "tail", Verdict.MISSING_METRIC, 0.375, None, None, missing),
            Check("lr", "last", Verdict.WITHIN, 0.1, 0.1, 0.005, "", 0.005, "", Direction.BOTH),
            Check(
                *("graph", "nodes", Verdict.GRAPH_CHANGED, 4, 6, None, "graph: 2 nodes added"),
                at_most="show",
                details=("added: parameter 'g' [2]", "added: scale [4, 8]"),
            ),
        ),
        notes=("earlier attempts: regressed",),
        baseline="tests/__baselines__/test_x.json",
        key="test_y[...]",
        n_samples=2,
        accept_command="sgtrack accept 'tests/test_x.py::test_y[...]'",
        run=run,
    )
    bound = "loss: last has to be < 0.1, but it is 0.3"
    new = "loss: no baseline yet; this run gave tail 0.5"
    warning = "its samples are of 2 seeds only"
    return ReportData(
        created_at=1_700_000_000.5,
        experiment="pytest",
        database="experiments/pytest.db",
        session="fedcba9876543210fedcba9876543210",
        environment={"python": "3.11.9", "versions": {"numpy": "2.0"}},
        tests=(
            red,
            TestReport(
                "test_x.py::test_bound",
                Verdict.BOUND_FAILED,
                "fail",
                checks=(Check("loss", "last", Verdict.BOUND_FAILED, None, 0.3, None, bound),),
            ),
            TestReport(
                "test_x.py::test_new",
                Verdict.NO_BASELINE,
                "warn",
                checks=(Check("loss", "tail", Verdict.NO_BASELINE, None, 0.5, None, new),),
            ),
            TestReport(
                "test_x.py::test_green",
                Verdict.UNDERPOWERED,
                "show",
                checks=(
                    Check("loss", "tail", Verdict.UNDERPOWERED, 1.0, 1.0, 0.05, "", 0.05, warning),
                ),
            ),
            TestReport("test_x.py::test_samples", None, "pass"),
        ),
        deaths=(Death("test_x.py::test_dead", "killed", "loss 0.5 at step 7 (n 8)"),),
        notices=("an earlier session left runs without an end: test_x.py::test_y (killed)",),
        problems=("experiments/pytest.db: disk I/O error",),
        written={"tests/__baselines__/test_z.json": 1},
        unused={"tests/__baselines__/test_x.json": ("test_gone", "test_away[1]")},
        removed={"tests/__baselines__/test_w.json": ("test_old",)},
        suggestions=(("to accept what changed", "sgtrack accept tests/test_x.py"),),
    )

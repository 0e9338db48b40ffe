"""What an experiment holds of a run, as far as a report has room for it."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tracking import ExperimentDBManager, ReportError, RunNotFoundError, stored_report
from tracking import write_report as write_to
from tracking.details import Room, gather, with_prefixes
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import Kind
from tracking.graph.seed import json_of_graph
from tracking.model import RunInfo, Verdict
from tracking.regression import Check, Compared, Sample, dump_comparison, pending_path
from tracking.report.data import ReportData

ASSETS = Path(__file__).parent.parent / "assets"


def run_of(tracker, name="t", n=10, scale=1.0, metrics=("loss",), **more):
    with tracker.run(name, **more) as run_id:
        for step in range(n):
            tracker.log(dict.fromkeys(metrics, scale * step), step)
    return tracker.get_run(run_id)


def gathered(tracker, run, samples=(), checks=(), room=None, children=()):
    return gather(tracker.db_manager, run, children, samples, checks, room or Room())


def sample_of(tracker, run, config=None, environment=None):
    summaries = tracker.db_manager.read_summaries(run.run_id)
    return Sample(summaries, config or {}, environment or {}, None)


def check(metric, message=""):
    return Check(metric, "tail", Verdict.WITHIN, 1.0, 1.0, 0.1, message)


def test_metrics_with_something_to_say_come_first(tracker):
    run = run_of(tracker, metrics=("a", "b", "c"))
    checks = [check("b"), check("c", "worse"), check("gone", "missing")]
    details = gathered(tracker, run, checks=checks)
    assert [metric.name for metric in details.metrics] == ["c", "a", "b"]


def test_a_metric_that_only_the_baseline_has_is_there_without_a_curve(tracker):
    old = run_of(tracker, metrics=("loss", "acc"))
    run = run_of(tracker)
    acc, loss = gathered(tracker, run, [sample_of(tracker, old)]).metrics
    assert (acc.name, acc.summary, acc.curve) == ("acc", None, None)
    assert acc.baseline[0][1].n == 10
    assert loss.curve.n == 10


def test_the_band_is_of_accepted_runs_only(tracker):
    accepted = [run_of(tracker, scale=scale) for scale in (1.0, 2.0)]
    run_of(tracker, scale=50.0)
    run = run_of(tracker, scale=3.0)
    (loss,) = gathered(tracker, run, [sample_of(tracker, one) for one in accepted]).metrics
    assert loss.band.n_runs == 2
    assert (loss.band.low[-1], loss.band.high[-1]) == (9.0, 18.0)
    assert [past.is_accepted for past in loss.history] == [True, True, False, False]
    assert [past.run_id for past in loss.history] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "under_seed"),
    [("t.py::t", "t.py::t[sg_seed={}]"), ("t.py::t[a]", "t.py::t[a-sg_seed={}]")],
)
def test_the_band_has_runs_that_were_made_to_be_samples(tracker, name, under_seed):
    sampled = [run_of(tracker, under_seed.format(seed), scale=seed) for seed in (1, 2, 3)]
    samples = [
        replace(sample_of(tracker, run), seed=seed) for seed, run in enumerate(sampled[:2], start=1)
    ]
    run = run_of(tracker, name, scale=9.0)
    (loss,) = gathered(tracker, run, samples).metrics
    assert (loss.band.n_runs, loss.band.low[-1], loss.band.high[-1]) == (2, 9.0, 18.0)
    assert [past.run_id for past in loss.history] == [run.run_id]


def test_later_runs_are_no_history(tracker):
    run, later = run_of(tracker), run_of(tracker)
    (loss,) = gathered(tracker, run).metrics
    assert [past.run_id for past in loss.history] == [run.run_id]
    (loss,) = gathered(tracker, later).metrics
    assert len(loss.history) == 2


def test_environments_are_compared_in_what_samples_know(tracker):
    run = run_of(tracker, environment={"python": "3.12", "platform": "Linux-6.1", "git": "abc"})
    known = sample_of(tracker, run, environment={"python": "3.11", "platform": "Linux", "gpu": 1})
    (change,) = gathered(tracker, run, [known]).environment_changes
    assert (change.name, change.before, change.after) == ("python", "3.11", "3.12")


def test_the_seed_is_no_difference_in_config(tracker):
    run = run_of(tracker, config={"sg_seed": 3, "lr": 0.1})
    assert gathered(tracker, run, [sample_of(tracker, run, {"lr": 0.1})]).config_changes == []


def test_curves_get_fewer_points_where_there_are_many_and_are_then_left_out(tracker):
    metrics = [f"m{number:02}" for number in range(12)]
    run = run_of(tracker, n=200, metrics=metrics)
    room = Room(points=600)
    details = gathered(tracker, run, room=room)
    n_points = [len(metric.curve.steps) for metric in details.metrics if metric.curve]
    assert sum(n_points) <= 600 + 64
    assert n_points == sorted(n_points, reverse=True)
    assert 0 < len(n_points) < 12
    assert details.left_out == [
        f"{12 - len(n_points)} curves; `sgtrack show {run.run_id}` has them"
    ]
    assert all(metric.summary.n == 200 for metric in details.metrics)


def test_a_spent_room_has_no_history_either(tracker):
    run_of(tracker)
    (loss,) = gathered(tracker, run_of(tracker), room=Room(past_runs=0)).metrics
    assert len(loss.history) == 1


def test_media_are_taken_in_until_there_is_no_room(tracker):
    with tracker.run("t") as run_id:
        for step in range(60):
            tracker.text("said", "x" * 100, step)
        tracker.image("noise", [[step % 256 for step in range(64)]] * 64, 0)
        tracker.histogram("weights", [0.0, 1.0, math.nan], 0)
        nodes = [{"id": number} for number in range(5_001)]
        tracker.db_manager.save_comp_graph(run_id, {"nodes": nodes, "edges": []})
        tracker.db_manager.save_comp_graph(run_id, {"nodes": nodes[:2], "edges": []})
    run = tracker.get_run(run_id)
    details = gathered(tracker, run)
    assert [text.step for text in details.texts] == list(range(10, 60))
    assert (details.images[0].width, details.images[0].height) == (64, 64)
    assert details.histograms[0].n_non_finite == 1
    assert [len(graph["nodes"]) for graph in details.graphs] == [2]
    assert details.left_out == ["10 of 60 texts said", "graph 'graph' of 5001 nodes"]

    small = gathered(tracker, run, room=Room(media_bytes=150))
    assert small.images == []
    assert "image noise of step 0: no room" in small.left_out
    assert [len(text.content) for text in small.texts][:3] == [100, 50, 0]


def test_large_graphs_are_drawn_as_overviews_however_they_are_stored(tracker):
    builder = GraphBuilder("test")
    for number in range(6_000):
        builder.add(Kind("step", namespace=f"block{number // 100}"), [number - 1] * (number > 0))
    graph = builder.build([5_999])
    run = run_of(tracker)
    tracker.db_manager.save_graph(run.run_id, graph, "model")
    tracker.db_manager.save_comp_graph(run.run_id, json_of_graph(graph), name="by hand")
    tracker.db_manager.save_comp_graph(run.run_id, {"nodes": [], "edges": [], "name": "its own"})
    details = gathered(tracker, run)
    *overviews, small = details.graphs
    assert [one["name"] for one in overviews] == ["model", "by hand"]
    for one in overviews:
        assert (one["is_overview"], one["n_nodes"], len(one["nodes"])) == (True, 6_000, 2 * 60)
    assert small == {"nodes": [], "edges": [], "name": "its own"}
    assert details.left_out == []


def test_an_image_that_another_program_stored_wrong_is_named(tracker):
    run = run_of(tracker)
    tracker.db_manager.save_image(run.run_id, "digit", 0, 1, 1, 5, b"12345")
    details = gathered(tracker, run)
    assert details.images == []
    assert details.left_out[0].startswith("image digit of step 0: 5 bytes are no image")


def info(run_id, name="t", uuid=None, parent=None, session=None, verdict=None):
    return RunInfo(
        run_id, name, "", "completed", {}, uuid=uuid or str(run_id), parent=parent,
        session=session, verdict=verdict,
    )  # fmt: skip


def test_runs_inside_of_others_are_called_as_the_gate_does():
    runs = [
        info(2, "fold", parent="1"),
        info(3, "inner", parent="2"),
        info(4, "fold", parent="1"),
        info(5, "other", parent="9"),
        info(6, "inner", parent="4"),
    ]
    named = [(prefix, run.run_id) for prefix, run in with_prefixes(info(1), runs)]
    assert named == [("fold/", 2), ("fold/inner/", 3), ("fold#2/", 4), ("fold#2/inner/", 6)]


def test_without_a_session_there_is_nothing_to_report(tracker):
    run_of(tracker)
    with pytest.raises(RunNotFoundError, match="of a test"):
        stored_report(tracker.db_manager)
    with pytest.raises(RunNotFoundError, match="of session abc"):
        stored_report(tracker.db_manager, "abc")


def test_several_sessions_are_reported_as_one_by_the_newest_run_of_each_test(tracker):
    for name, session, verdict in (
        ("x", "a", "within"),
        ("y", "b", "identical"),
        ("x", "c", "improved"),
    ):
        tracker.start_run(name, session=session)
        tracker.end_run(outcome="passed", phase="call", verdict=verdict)

    def verdicts(*sessions):
        report = stored_report(tracker.db_manager, sessions)
        assert report.session == (sessions[0] if len(sessions) == 1 else None)
        return {test.nodeid: test.verdict for test in report.tests}

    assert verdicts("a", "b") == {"x": "within", "y": "identical"}
    assert verdicts("c", "a", "b") == verdicts("a", "b", "c") == {"x": "improved", "y": "identical"}
    assert verdicts("b") == {"y": "identical"}
    with pytest.raises(RunNotFoundError, match="of session d, e"):
        verdicts("d", "e")


def test_a_damaged_comparison_is_said_and_the_test_is_still_there(tracker):
    for session, comparison in (("a", "{}"), ("b", None)):
        tracker.start_run("x.py::t", session=session)
        tracker.end_run(outcome="passed", phase="call", verdict="within", comparison=comparison)
    report = stored_report(tracker.db_manager, "a")
    assert [(test.nodeid, test.verdict) for test in report.tests] == [("x.py::t", "within")]
    assert "no comparison" in report.problems[0]
    assert stored_report(tracker.db_manager).problems == []


def test_a_damaged_baseline_and_damaged_decisions_are_said_once_each(tracker, tmp_path):
    (tmp_path / "b.json").write_text("<<<<<<< ours\n")
    pending = pending_path(tmp_path, "e")
    pending.write_text("{")
    comparison = dump_comparison(Compared((), "pass", "b.json", "t"))
    for name in ("x.py::t", "x.py::u"):
        tracker.start_run(name, session="a")
        tracker.end_run(outcome="passed", phase="call", verdict="within", comparison=comparison)
    report = stored_report(tracker.db_manager, "a")
    assert [test.nodeid for test in report.tests] == ["x.py::t", "x.py::u"]
    assert [
        str(path) in said
        for path, said in zip((pending, tmp_path / "b.json"), report.problems, strict=True)
    ] == [True, True]


def test_what_another_version_recorded_has_no_comparison(tmp_path):
    shutil.copy(ASSETS / "schema_v1.db", tmp_path / "e.db")
    assert ExperimentDBManager(tmp_path / "e.db", is_read_only=True).get_comparison(1) is None


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    blocked = path / "x.json"
    with pytest.raises(ReportError, match=r"x\.json cannot be written"):
        write_to(ReportData(0.0, "e", "e.db"), blocked)
    assert path.read_text() == "old"

"""Reports of a session: files, JUnit properties, and what GitHub shows."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from contextlib import closing

import pytest

from tracking import ExperimentDBManager, stored_report
from tracking.regression import check_as_plain
from tracking.report.json_report import load

TRAINING = """
    import math, os
    import pytest

    SCALE = float(os.environ.get("SCALE", "1"))

    def test_plain(tracker):
        tracker.config(lr=0.1 * SCALE)
        for step in range(20):
            tracker.record("loss", SCALE / (step + 1), step)
        tracker.histogram("weights", [0.0, 1.0], 0)
        tracker.image("digit", [[0, 255]], 0)
        tracker.text("said", "<b>hello</b>", 0)
        tracker.db_manager.save_comp_graph(
            tracker.current_run_id, {"nodes": [{"id": "a"}], "edges": []}
        )

    def test_folds(tracker):
        for fold in range(2):
            with tracker.run("fold"):
                tracker.record("acc", 0.5, 0)

    @pytest.mark.sg_track("steps", direction="higher")
    def test_diverging(tracker):
        tracker.record("steps", 3.0, 0)
        tracker.record("loss", math.nan if SCALE > 1 else 1.0, 0)

    def test_failing(tracker):
        tracker.record("loss", 1.0, 0)
        assert SCALE == 1
"""


def written(project, name="report.json"):
    return load((project.path / name).read_text(encoding="utf-8"))


def by_name(data):
    return {test.nodeid.partition("::")[2]: test for test in data.tests}


@pytest.mark.parametrize("way", ["no-xdist", "n2"], indirect=True)
def test_a_report_has_what_was_found_and_what_the_experiment_holds(project, way):
    project.write(TRAINING).accept(way=way)
    result = project.track("--sg-track-report=report.json", way=way, SCALE="2")
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(["report: report.json"])
    data = written(project)
    assert (data.experiment, data.database) == ("pytest", "experiments/pytest.db")
    tests = by_name(data)
    assert {name: test.verdict for name, test in tests.items()} == {
        "test_plain": "regressed",
        "test_folds": "identical",
        "test_diverging": "non_finite",
    }  # what fails by itself is not compared
    plain = tests["test_plain"]
    assert (plain.action, plain.file, plain.line) == ("fail", "test_it.py", 7)
    assert (plain.baseline, plain.key) == ("__baselines__/test_it.json", "test_plain")
    assert plain.accept_command == "sgtrack accept test_it.py::test_plain"
    run = plain.run
    assert (run.status, run.outcome, run.phase) == ("failed", "failed", "call")
    assert [(c.name, c.before, c.after) for c in run.config_changes] == [("lr", 0.1, 0.2)]
    assert run.environment_changes == ()
    (loss,) = run.metrics
    assert loss.direction == "lower"
    assert list(loss.curve.values) == [2 / (step + 1) for step in range(20)]
    assert loss.summary.tail == 2 * loss.baseline[0][1].tail
    assert list(loss.band.high) == [1 / (step + 1) for step in range(20)]
    assert [(p.value, p.is_accepted) for p in loss.history] == [
        (loss.summary.tail / 2, True),
        (loss.summary.tail, False),
    ]
    assert (run.histograms[0].name, run.images[0].name, run.texts[0].content) == (
        "weights",
        "digit",
        "<b>hello</b>",
    )
    assert run.images[0].png.startswith(b"\x89PNG")
    assert run.graphs[0]["nodes"][0] == {"id": "a"}
    folds = tests["test_folds"].run.metrics
    assert [metric.name for metric in folds] == ["fold#2/acc", "fold/acc"]
    assert all(list(metric.curve.values) == [0.5] for metric in folds)
    assert all(metric.band is not None for metric in folds)
    steps = {metric.name: metric for metric in tests["test_diverging"].run.metrics}
    assert steps["steps"].direction == "higher"
    assert steps["loss"].summary.n_nan == 1


def test_a_stored_session_gives_the_same_report(project):
    project.write(TRAINING).accept()
    project.track("--sg-track-report=report.json", SCALE="2")
    data = by_name(written(project))
    with closing(ExperimentDBManager(project.path / "experiments/pytest.db")) as db:
        stored = by_name(stored_report(db, started_in=project.path))
    assert set(stored) == {*data, "test_failing"}
    for name, test in data.items():
        other = stored[name]
        assert [*map(check_as_plain, other.checks)] == [*map(check_as_plain, test.checks)]
        for field in ("verdict", "action", "notes", "baseline", "key", "n_samples", "file"):
            assert getattr(other, field) == getattr(test, field), field
        assert other.accept_command == test.accept_command
        assert [m.name for m in other.run.metrics] == [m.name for m in test.run.metrics]
        assert repr(other.run.metrics[0].summary) == repr(test.run.metrics[0].summary)
    assert (stored["test_failing"].verdict, stored["test_failing"].action) == (None, "fail")


def test_every_format_is_written_also_into_folders_that_are_not_there(project):
    project.write(TRAINING).accept()
    project.ini("sg_track_report =", "    out/a.json", "    out/b.md")
    result = project.track("--sg-track-report=out/c.html", "--sg-track-report=out/d.json")
    assert result.ret == 0
    assert sorted(path.name for path in (project.path / "out").iterdir()) == ["c.html", "d.json"]
    assert project.track().ret == 0
    assert "identical" in (project.path / "out/b.md").read_text(encoding="utf-8")
    assert written(project, "out/a.json").tests[0].run is not None


def test_a_report_of_a_format_nobody_knows_is_refused_before_a_test_runs(project):
    project.write("def test_it(): open('ran', 'w')")
    result = project.track("--sg-track-report=report.docx")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--sg-track-report: *report.docx names no format*.html*"])
    assert not (project.path / "ran").exists()


def test_a_report_without_tracking_is_refused(project):
    result = project.write("def test_it(): pass").pytest("--sg-track-report=report.md")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--sg-track-report needs --sg-track, which is off*"])


def test_a_report_that_cannot_be_written_is_said_and_not_green(project):
    project.write(TRAINING).accept()
    (project.path / "file").write_text("")
    result = project.track("--sg-track-report=file/report.json", "--sg-track-report=good.md")
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["*file/report.json cannot be written: *"])
    assert (project.path / "good.md").exists()


def test_a_session_without_a_tracked_test_has_an_empty_report(project):
    project.write("def test_it(): pass")
    assert project.track("--sg-track-report=report.json").ret == 0
    assert written(project).tests == ()


def test_a_crashed_test_is_in_the_report(project):
    pytest.importorskip("xdist")
    project.write(
        """
        import os

        def test_dying(tracker):
            tracker.record("loss", 0.5, 3)
            os.abort()
        """
    )
    project.track("--sg-track-report=report.json", way="n2")
    (death,) = written(project).deaths
    assert (death.nodeid, death.ended_by) == ("test_it.py::test_dying", "crashed")
    assert "loss 0.5 at step 3" in death.last_records


@pytest.mark.parametrize("way", ["no-xdist", "n2"], indirect=True)
def test_junit_files_have_the_numbers_as_properties(project, way):
    project.write(TRAINING).accept()
    project.track("--junitxml=junit.xml", way=way, SCALE="2")
    cases = ET.parse(project.path / "junit.xml").iter("testcase")
    properties = {
        case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")}
        for case in cases
    }
    assert properties["test_plain"]["sg_track.verdict"] == "regressed"
    assert "sg_track.loss.tail" in properties["test_plain"]
    assert properties["test_folds"]["sg_track.verdict"] == "identical"
    assert properties["test_failing"] == {}


def test_on_github_failures_are_annotated_and_the_summary_is_written(project):
    project.write(TRAINING).accept()
    summary = project.path / "summary.md"
    summary.write_text("before\n")
    github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    result = project.track(SCALE="2", **github)
    annotations = [line for line in result.outlines if line.startswith("::error ")]
    assert len(annotations) == 2
    assert any("file=test_it.py,line=7," in one for one in annotations)
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert "test_plain" in text
    assert not [line for line in project.track(SCALE="2").outlines if line.startswith("::")]


def test_on_github_files_are_named_from_the_workspace(project):
    project.write(TRAINING, "inner/test_it.py")
    (project.path / "inner" / "pytest.ini").write_text("[pytest]\n")
    project.track(folder="inner")
    project.track("--sg-track-update=all", folder="inner")
    github = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(project.path)}
    result = project.track(folder="inner", SCALE="2", **github)
    assert [line for line in result.outlines if line.startswith("::error file=inner/test_it.py,")]


def test_a_summary_that_cannot_be_written_is_said_and_nothing_else(project):
    project.write(TRAINING).accept()
    github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(project.path)}
    result = project.track(**github)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*GITHUB_STEP_SUMMARY*cannot be written*"])


def test_a_json_report_is_strict_json(project):
    project.write(TRAINING).accept()
    project.track("--sg-track-report=report.json", SCALE="2")
    text = (project.path / "report.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=pytest.fail)

"""Computation graphs in the gate: a test whose graph changed is red, and says which nodes did."""

from __future__ import annotations

import json

import pytest

MODULE = """
    import os
    import pytest

    class Tensor:
        def __init__(self, oper=None, prev=(), shape=(4, 8), label=None):
            self.oper, self.prev, self.shape, self.label = oper, prev, shape, label
            self.comp_grad, self.is_leaf = True, oper is None

    def net():
        says = os.environ.get("NET", "relu 8")
        op, size = says.split()
        hidden = Tensor("matmul", (Tensor(label="x"), Tensor(label="w")), (4, int(size)))
        return Tensor(op, (hidden,), (4, int(size)))

    def test_net(tracker):
        tracker.save_comp_graph(net(), name="encoder")
        tracker.record("loss", 0.5, 0)

    @pytest.mark.sg_track(graph="full")
    def test_full(tracker):
        tracker.save_comp_graph(net())

    @pytest.mark.sg_track(graph="report")
    def test_report(tracker):
        tracker.save_comp_graph(net())

    @pytest.mark.sg_track(graph="off")
    def test_off(tracker):
        tracker.save_comp_graph(net())
        tracker.record("loss", 0.5, 0)
"""


@pytest.fixture
def accepted(project):
    """Tests with a baseline each; NET says what they build now."""
    return project.write(MODULE).accepted("--sg-track-update=new")


def verdicts(project):
    return {name.partition("::")[2]: run.verdict for name, run in project.runs().items()}


def test_a_graph_that_did_not_change_is_identical(accepted, way):
    accepted.track(way=way).assert_outcomes(passed=4)
    assert set(verdicts(accepted).values()) == {"identical"}


def test_a_swapped_operation_is_red_with_the_node_and_the_command_that_accepts_it(accepted, way):
    result = accepted.track(way=way, NET="tanh 8")
    result.assert_outcomes(failed=2, passed=2)
    result.stdout.fnmatch_lines_random(
        [
            "graph encoder: 1 node changed: relu [[]4, 8[]]: op relu -> tanh",
            "to accept: sgtrack accept test_it.py::test_net",
            "*graph_changed test_it.py::test_report - graph: 1 node changed: *",
        ]
    )
    assert verdicts(accepted) == {
        "test_net": "graph_changed",
        "test_full": "graph_changed",
        "test_report": "graph_changed",
        "test_off": "identical",
    }


def test_other_shapes_are_red_in_full_only(accepted):
    accepted.track(NET="relu 9").assert_outcomes(failed=1, passed=3)
    assert verdicts(accepted) == {
        "test_net": "within",
        "test_full": "graph_changed",
        "test_report": "graph_changed",
        "test_off": "identical",
    }


@pytest.mark.parametrize(
    ("mode", "n_failed"), [("structure", 1), ("full", 2), ("report", 1), ("off", 1)]
)
@pytest.mark.parametrize("way", ["flag", "ini"])
def test_the_option_holds_where_no_marker_says_otherwise(accepted, mode, n_failed, way):
    """test_full has its own marker; test_net is what the option decides on."""
    accepted.ini(f"sg_track_graph = {mode}" if way == "ini" else "")
    arguments = [f"--sg-track-graph={mode}"] if way == "flag" else []
    result = accepted.track(*arguments, NET="relu 9")
    result.assert_outcomes(failed=n_failed, passed=4 - n_failed)


def test_what_happened_can_be_accepted_and_is_identical_then(accepted):
    accepted.track(NET="tanh 8")
    assert accepted.pending() == {
        f"test_it.py::test_{name}": {graph: "changed"}
        for name, graph in (("net", "graph encoder"), ("full", "graph"), ("report", "graph"))
    }
    _, said = accepted.sgtrack("pending")
    assert "changed  test_it.py::test_net     graph encoder  4           4" in said
    assert accepted.sgtrack("accept", "--kind=changed")[0] == 0
    accepted.track(NET="tanh 8").assert_outcomes(passed=4)
    assert set(verdicts(accepted).values()) == {"identical"}
    assert accepted.pending() == {}


def test_an_update_writes_graphs_and_off_takes_them_out(accepted):
    before = accepted.baselines()
    accepted.track("--sg-track-update=all", NET="relu 8").assert_outcomes(passed=4)
    assert accepted.baselines() == before
    accepted.track("--sg-track-update=all", "--sg-track-graph=off", "-ktest_net")
    tests = json.loads((accepted.path / "__baselines__/test_it.json").read_text())["tests"]
    ours, others = ([*one["samples"]] for one in (tests["test_net"], tests["test_full"]))
    assert ["graphs" in sample for sample in (*ours, *others)] == [False, True]


def test_a_graph_that_is_not_saved_any_more_is_missed(accepted):
    accepted.write(MODULE.replace("tracker.save_comp_graph(net(), name", "dict(name"))
    result = accepted.track("-ktest_net")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["graph encoder: not saved by this run; the baseline has a graph of 4 nodes"]
    )
    assert accepted.pending() == {"test_it.py::test_net": {"graph encoder": "removed"}}


def test_a_new_graph_is_shown_and_red_in_ci_like_a_new_metric(accepted):
    accepted.write(MODULE.replace('"encoder")', '"encoder"); tracker.save_comp_graph(net())'))
    accepted.track("-ktest_net").assert_outcomes(passed=1)
    assert verdicts(accepted)["test_net"] == "new_metric"
    accepted.track("-ktest_net", CI="true").assert_outcomes(failed=1)


def test_graphs_of_one_name_are_numbered_and_those_of_inner_runs_have_their_run(project):
    project.write("""
        from test_net import net
        def test_it(tracker):
            for _ in range(2):
                tracker.save_comp_graph(net(), name="a")
            with tracker.run("inner") as run_id:
                tracker.save_comp_graph(net())
            tracker.save_comp_graph(net(), run_id)
    """)
    project.write(MODULE, "test_net.py").accept("test_it.py")
    text = (project.path / "__baselines__/test_it.json").read_text()
    (sample,) = json.loads(text)["tests"]["test_it"]["samples"]
    assert list(sample["graphs"]) == ["graph a", "graph a#2", "inner/graph"]


def test_samples_of_many_seeds_share_their_graph(project):
    project.write(
        MODULE
        + """
    def test_seeded(tracker, sg_seed):
        tracker.save_comp_graph(net())
        tracker.record("loss", sg_seed + 1.0, 0)
    """
    )
    project.track("--sg-track-samples=3", "-kseeded").assert_outcomes(passed=3)
    (entry,) = json.loads((project.path / "__baselines__/test_it.json").read_text())[
        "tests"
    ].values()
    assert len(entry["samples"]) == 3
    assert len(entry["graphs"]) == 1


@pytest.mark.parametrize("mode", ["deep", "", None, 1])
def test_a_marker_with_an_unknown_mode_is_a_usage_error(project, mode):
    project.write(f"""
        import pytest
        @pytest.mark.sg_track(graph={mode!r})
        def test_it(tracker): pass
    """)
    result = project.track()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*graph=*is unknown; there are structure, full, report, off"])


def test_the_json_report_says_which_nodes_changed(accepted):
    accepted.track("-ktest_net", "--sg-track-report=report.json", NET="tanh 8")
    (test,) = json.loads((accepted.path / "report.json").read_text())["tests"]
    check = next(one for one in test["checks"] if one["statistic"] == "nodes")
    assert (check["metric"], check["verdict"]) == ("graph encoder", "graph_changed")
    assert (check["baseline"], check["current"]) == (4, 4)


def test_a_session_whose_store_is_broken_does_not_judge_the_graph(accepted):
    (accepted.path / "experiments").mkdir(exist_ok=True)
    (accepted.path / "experiments/pytest.db").mkdir()
    accepted.track("-ktest_net", NET="tanh 8").assert_outcomes(passed=1)


def test_the_report_marks_the_nodes_that_changed(accepted):
    accepted.track("-ktest_net", "--sg-track-report=report.json", NET="tanh 8")
    (test,) = json.loads((accepted.path / "report.json").read_text())["tests"]
    (graph,) = test["run"]["graphs"]
    (changed,) = graph["changed"]
    (maker,) = [edge["source"] for edge in graph["edges"] if edge["target"] == changed]
    labels = {node["id"]: node["label"] for node in graph["nodes"]}
    assert (graph["name"], labels[maker], graph["added"], graph["removed"]) == (
        *("encoder", "tanh"),
        *([], []),
    )
    accepted.track("-ktest_net", "--sg-track-report=report.json")
    (test,) = json.loads((accepted.path / "report.json").read_text())["tests"]
    assert "changed" not in test["run"]["graphs"][0]

"""When a computation graph has changed, and what a baseline keeps of one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import BaselineError
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import INPUT, PARAMETER, Kind
from tracking.graph.text import lines_of
from tracking.model import Verdict
from tracking.regression import (
    GRAPH_MODES,
    Entry,
    GraphSample,
    Sample,
    compare_graphs,
    dump_baseline,
    parse_baseline,
)


def net(*ops, shape=(4, 8), label="w", source="seed", version="1.0"):
    """Return a chain of operations, each with a parameter."""
    builder = GraphBuilder(source, version)
    last = builder.add(Kind(INPUT, shape))
    for op in ops:
        last = builder.add(Kind(op, shape), [last, builder.add(Kind(PARAMETER, label=label))])
    return builder.build([last])


BEFORE = net("matmul", "relu", "matmul")


def sample(graph, seed=None):
    return Sample({}, {}, {}, seed, {"graph": GraphSample.of(graph)})


def checks(samples, graph, mode="structure", seed=None):
    current = {} if graph is None else {"graph": GraphSample.of(graph)}
    return list(compare_graphs(samples, current, mode, seed))


SWAPPED = "graph: 1 node changed: relu [4, 8]: op relu -> tanh"
CASES = {
    "the same": (BEFORE, "structure", Verdict.IDENTICAL, "", ""),
    "numbered otherwise": (net("matmul", "relu", "matmul"), "full", Verdict.IDENTICAL, "", ""),
    "an operation swapped": (
        *(net("matmul", "tanh", "matmul"), "structure", Verdict.GRAPH_CHANGED, ""),
        SWAPPED,
    ),
    "an operation added": (
        *(net("matmul", "relu", "matmul", "norm"), "structure", Verdict.GRAPH_CHANGED, ""),
        "graph: 2 nodes added",
    ),
    "an operation removed": (
        *(net("matmul", "relu"), "structure", Verdict.GRAPH_CHANGED, ""),
        "graph: 2 nodes removed",
    ),
    "report only": (
        *(net("matmul", "tanh", "matmul"), "report", Verdict.GRAPH_CHANGED, "show"),
        SWAPPED,
    ),
    "other shapes, in full": (
        *(net("matmul", "relu", "matmul", shape=(4, 9)), "full", Verdict.GRAPH_CHANGED, ""),
        "graph: 4 nodes changed",
    ),
    "another framework": (
        *(net("matmul", "relu", "matmul", source="torch.fx"), "structure"),
        *(Verdict.GRAPH_CHANGED, "", "graph: captured from torch.fx, the baseline's from seed"),
    ),
    "another version, the same graph": (
        *(net("matmul", "relu", "matmul", version="2.0"), "full", Verdict.IDENTICAL, "", ""),
    ),
    "another build, another graph": (
        *(net("matmul", "tanh", "matmul", version="1.0+cu126"), "structure"),
        *(Verdict.GRAPH_CHANGED, "", SWAPPED),
    ),
    "another version, another graph": (
        *(net("matmul", "tanh", "matmul", version="2.0"), "structure", Verdict.GRAPH_CHANGED),
        "warn",
        SWAPPED
        + "; captured with seed 2.0, the baseline with 1.0, which may be all there is to it",
    ),
    "not saved": (
        *(None, "structure", Verdict.MISSING_METRIC, ""),
        "graph: not saved by this run; the baseline has a graph of 7 nodes",
    ),
    "not saved, report only": (
        *(None, "report", Verdict.MISSING_METRIC, "show"),
        "graph: not saved by this run; the baseline has a graph of 7 nodes",
    ),
}


@pytest.mark.parametrize(
    ("graph", "mode", "verdict", "at_most", "message"), CASES.values(), ids=CASES
)
def test_a_graph_is_compared_with_that_of_the_baseline(graph, mode, verdict, at_most, message):
    (check,) = checks([sample(BEFORE)], graph, mode)
    assert (check.metric, check.statistic, check.verdict) == ("graph", "nodes", verdict)
    assert (check.at_most, check.message) == (at_most, message)
    assert check.baseline == 7
    assert check.current == (None if graph is None else len(graph))


@pytest.mark.parametrize(("n_nodes", "n_lines"), [(1, 2), (9, 18), (30, 21)])
def test_each_node_that_changed_has_a_line_of_its_own_as_long_as_they_can_be_read(n_nodes, n_lines):
    (check,) = checks([sample(BEFORE)], net("matmul", "relu", "matmul", *["norm"] * n_nodes))
    assert len(check.details) == n_lines
    assert all(line.startswith(("added: ", "... and ")) for line in check.details)


def test_other_shapes_alone_leave_the_structure_and_are_said():
    (check,) = checks([sample(BEFORE)], net("matmul", "relu", "matmul", shape=(4, 9)))
    assert check.verdict is Verdict.WITHIN
    assert check.warning == "graph: the same structure, but 4 nodes changed"
    assert "changed: relu [4, 8]: shape [4, 8] -> [4, 9]" in check.details


def test_without_a_baseline_a_graph_is_new_like_a_metric():
    (first,) = checks([], BEFORE)
    (second,) = checks([Sample({}, {}, {}, None)], BEFORE)
    assert (first.verdict, second.verdict) == (Verdict.NO_BASELINE, Verdict.NEW_METRIC)
    assert first.message == "graph: no baseline yet; this run saved a graph of 7 nodes"


def test_a_graph_that_any_sample_has_is_identical_and_others_are_compared_with_their_seed():
    samples = [sample(net("a"), seed=0), sample(net("b"), seed=1)]
    assert [checks(samples, net(op))[0].verdict for op in "ab"] == [Verdict.IDENTICAL] * 2
    assert checks(samples, net("c"), seed=1)[0].message.endswith("op b -> c")
    assert checks(samples, net("c"), seed=0)[0].message.endswith("op a -> c")


def test_off_says_nothing():
    assert checks([sample(BEFORE)], None, "off") == []
    assert checks([], BEFORE, "off") == []


# What a baseline keeps


def again(entry):
    text = dump_baseline({"t": entry})
    back = parse_baseline(text)["t"]
    assert dump_baseline({"t": back}) == text
    return back


@given(st.lists(st.sampled_from("abc"), max_size=6), st.sampled_from(["1.0", "2.0", ""]))
def test_a_graph_comes_back_from_a_baseline_and_is_identical(ops, version):
    graph = net(*ops, version=version)
    entry = again(Entry((sample(graph), sample(net("d"))), None))
    (check,) = checks(entry.samples[:1], graph, "full")
    assert check.verdict is Verdict.IDENTICAL
    assert GraphSample.of(entry.samples[0].graphs["graph"].graph) == GraphSample.of(graph)


def test_samples_share_a_graph_and_the_origin_does_too():
    entry = again(Entry((sample(BEFORE, seed=0), sample(BEFORE, seed=1)), sample(BEFORE)))
    text = dump_baseline({"t": entry})
    assert text.count("relu(") == 1
    assert entry.origin.graphs == entry.samples[0].graphs == entry.samples[1].graphs


def test_graphs_of_one_digest_and_two_versions_stay_two():
    entry = again(Entry((sample(net("a")), sample(net("a", version="2.0"))), None))
    versions = [one.graphs["graph"].source_version for one in entry.samples]
    assert versions == ["1.0", "2.0"]


def test_a_large_graph_is_kept_packed_and_still_compared_node_by_node():
    large = net(*["relu"] * 600)
    entry = again(Entry((sample(large),), None))
    assert len(dump_baseline({"t": entry})) < 3_000
    (check,) = checks(entry.samples, net(*["relu"] * 599, "tanh"))
    assert check.message == SWAPPED


@pytest.mark.parametrize("graph", [BEFORE, net(*["relu"] * 600)], ids=["text", "packed"])
def test_a_text_that_was_damaged_is_no_baseline_to_compare_with(graph):
    lines = lines_of(graph)
    lines[1] = lines[1][:-20]
    kept = replace(GraphSample.of(graph), content=tuple(lines))
    for mode in GRAPH_MODES[:3]:
        (check,) = checks([Sample({}, {}, {}, None, {"graph": kept})], net("tanh"), mode)
        assert check.verdict is Verdict.UNREADABLE_BASELINE
        assert check.message.startswith(f"graph: the text of the graph {kept.full}: ")


def test_digests_of_another_version_are_computed_anew_from_the_text():
    kept = replace(GraphSample.of(BEFORE), fingerprint_version=0, full="old", structure="old")
    samples = [Sample({}, {}, {}, None, {"graph": kept})]
    assert checks(samples, BEFORE)[0].verdict is Verdict.IDENTICAL
    assert checks(samples, net("a"))[0].verdict is Verdict.GRAPH_CHANGED


TEXT = dump_baseline({"t": Entry((sample(BEFORE),), None)})


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"graph": "', '"graph": "x', "graphs > graph: the name of a graph of the test is needed"),
        ('"structure": "', '"more": 1, "structure": "', 'the key "more" is unknown'),
        ('"fingerprint_version": 1', '"fingerprint_version": "1"', "an integer is needed"),
        ('"graph 1 source', '"graph 9 source', "text: its lines are not those of a graph"),
        ('"graph 1 source', '7, "graph 1 source', "text: a list of lines is needed"),
    ],
)
def test_a_broken_graph_in_a_file_is_refused_with_its_place(old, new, problem):
    broken = TEXT.replace(old, new, 1)
    assert broken != TEXT
    with pytest.raises(BaselineError, match=r"tests > t > ") as caught:
        parse_baseline(broken)
    assert problem in str(caught.value)

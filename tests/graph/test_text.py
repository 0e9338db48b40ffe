"""Graphs as text and as bytes: both come back, and what is neither is refused by name."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import InvalidArgumentError
from tracking.graph.builder import GraphBuilder
from tracking.graph.fingerprint import fingerprint
from tracking.graph.model import INPUT, Kind
from tracking.graph.text import canonical_order, graph_of_text, pack, text_of, unpack

SAMPLE = json.loads((Path(__file__).parents[1] / "assets/graph_v1.json").read_text())
TEXT = "\n".join(SAMPLE["text"]) + "\n"

texts = st.text(max_size=5) | st.sampled_from(
    ["true", "NaN", "-1", "outputs", "a b", "x=1", "^1", "é\n", '"', "\ud800", "layers/0", "f(^1)"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
kinds = st.builds(
    Kind,
    texts,
    st.none() | st.lists(st.integers(0, 2**70) | texts, max_size=3).map(tuple),
    st.none() | texts,
    texts,
    texts,
    st.dictionaries(texts, scalars, max_size=3).map(lambda d: tuple(sorted(d.items()))),
    st.booleans(),
)


@st.composite
def graphs(draw):
    builder = GraphBuilder(draw(texts), draw(texts), draw(st.booleans()))
    n = draw(st.integers(0, 8))
    has_cycle = draw(st.booleans())
    for number in range(n):
        last = n - 1 if has_cycle else number - 1
        sources = st.lists(st.integers(0, last), max_size=4) if last >= 0 else st.just([])
        builder.add(draw(kinds), draw(sources))
    return builder.build(draw(st.lists(st.integers(0, n - 1), max_size=3)) if n else [])


def content(graph):
    columns = (graph.kind_of, graph.starts, graph.inputs, graph.outputs)
    about = (repr(tuple(graph.kinds)), graph.source, graph.source_version, graph.is_ordered)
    return [*map(list, columns), *about]


@given(graphs())
def test_text_brings_back_what_counts_and_is_the_same_text_again(graph):
    text = text_of(graph)
    again = graph_of_text(text)
    assert fingerprint(again) == fingerprint(graph)
    assert (again.source, again.source_version) == (graph.source, graph.source_version)
    assert text_of(again) == text
    assert len(text.splitlines()) == len(graph) + 2


@given(graphs())
def test_bytes_bring_back_every_column(graph):
    assert content(unpack(pack(graph))) == content(graph)


def test_the_sample_reads_back_as_it_was_reviewed():
    assert text_of(graph_of_text(TEXT)) == TEXT


@given(st.permutations(range(3)))
def test_the_text_does_not_depend_on_the_numbers_of_nodes(order):
    builder = GraphBuilder("test", is_ordered=False)
    for number in order:
        builder.add(Kind(INPUT, label="abc"[number]))
    add = builder.add(Kind("add"), range(3))
    mul = builder.add(Kind("mul"), [order.index(0), order.index(2)])
    text = text_of(builder.build([builder.add(Kind("sub"), [mul, add])]))
    other = GraphBuilder("test", is_ordered=False)
    leaves = [other.add(Kind(INPUT, label=label)) for label in "abc"]
    mul, add = other.add(Kind("mul"), leaves[::2]), other.add(Kind("add"), leaves)
    assert text == text_of(other.build([other.add(Kind("sub"), [add, mul])]))


def test_one_operation_more_is_one_line_more():
    def text(ops):
        builder = GraphBuilder("test")
        last = builder.add(Kind(INPUT))
        for op in ops:
            last = builder.add(Kind(op), [last])
        return text_of(builder.build([last])).splitlines()

    ops = ["f", "g"] * 20
    longer = text([*ops[:20], "dropout", *ops[20:]])
    longer.remove("dropout(^1)")
    assert longer == text(ops)


def test_nodes_that_no_output_needs_come_last():
    builder = GraphBuilder("test")
    unused, needed = builder.add(Kind("a")), builder.add(Kind("b"))
    assert canonical_order(builder.build([needed])) == [needed, unused]


def test_the_order_of_inputs_is_known_node_by_node():
    builder = GraphBuilder("test")
    x = builder.add(Kind(INPUT))
    f = builder.add(Kind("f", is_ordered=False), [x])
    graph = builder.build([builder.add(Kind("g"), [f, x])])
    head, *rest = text_of(graph).splitlines()
    assert head.endswith("is_ordered=true")
    assert rest == ["input", "f(^1) is_ordered=false", "g(^1,^2)", "outputs(^1)"]
    unordered = GraphBuilder("test", is_ordered=False)
    unordered.add(Kind("f"), [unordered.add(Kind(INPUT))])
    assert text_of(unordered.build([1])).splitlines()[1:] == ["input", "f(^1)", "outputs(^1)"]


HEAD = 'graph 1 source=test version="" is_ordered=true\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "line 1 ", id="empty"),
        pytest.param("\n", "line 1 ", id="blank"),
        pytest.param(HEAD.replace("1", "2") + "f\noutputs(^1)", "begins otherwise", id="newer"),
        pytest.param("graph 1\nf\noutputs(^1)", "line 1 ", id="no source"),
        pytest.param(HEAD, "line 1 ", id="only the head"),
        pytest.param(HEAD + "f\nf(^1)", "the outputs are missing", id="cut off"),
        pytest.param(HEAD + "f(^2)\noutputs(^1)", "line 2 ", id="no such input"),
        pytest.param(HEAD + "f(^0.5)\noutputs(^1)", "line 2 ", id="half a line"),
        pytest.param(HEAD + "f(^1\noutputs(^1)", "line 2 ", id="no bracket"),
        pytest.param(HEAD + "f\noutputs(^9)", "takes what is not there", id="no such output"),
        pytest.param(HEAD + "f shape=[2\noutputs(^1)", "line 2 ", id="half a shape"),
        pytest.param(HEAD + "f size=2\noutputs(^1)", "another field", id="unknown field"),
        pytest.param(HEAD + "f .a\noutputs(^1)", "'a' has no value", id="no value"),
        pytest.param(HEAD + "f, a\noutputs(^1)", "column 2 holds ','", id="comma"),
        pytest.param(HEAD + "3\noutputs(^1)", "line 2 ", id="a number for an operation"),
    ],
)
def test_text_that_is_no_graph_is_refused_with_its_line(text, problem):
    with pytest.raises(InvalidArgumentError) as caught:
        graph_of_text(text)
    assert caught.value.argument == "text"
    assert problem in str(caught.value)


PACKED = pack(graph_of_text(TEXT))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"SQLite format 3", id="something else"),
        pytest.param(PACKED[:4] + b"\x02" + PACKED[5:], id="newer"),
        pytest.param(PACKED[:-1], id="cut off"),
        pytest.param(PACKED[:9] + zlib.compress(b"{}"), id="no content"),
        pytest.param(
            PACKED[:9] + zlib.compress(zlib.decompress(PACKED[9:]) + b"\0"), id="too long"
        ),
        pytest.param(
            PACKED[:9] + zlib.compress(zlib.decompress(PACKED[9:])[:-52] + bytes([99] * 52)),
            id="inputs that are not there",
        ),
    ],
)
def test_bytes_that_are_no_graph_are_refused(data):
    with pytest.raises(InvalidArgumentError, match="is not a graph this version can read"):
        unpack(data)


@given(st.integers(9, len(PACKED) - 1), st.integers(1, 255))
def test_a_damaged_byte_never_goes_unnoticed(position, change):
    damaged = bytearray(PACKED)
    damaged[position] ^= change
    try:
        graph = unpack(bytes(damaged))
    except InvalidArgumentError:
        return
    assert content(graph) == content(unpack(PACKED))  # the header of zlib has a spare bit or two

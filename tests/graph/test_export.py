"""Graphs as other programs draw them: nothing is lost, nothing breaks out of its text."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import InvalidArgumentError
from tracking.graph.builder import GraphBuilder
from tracking.graph.export import (
    MERMAID_CHARACTERS,
    MERMAID_EDGES,
    to_dot,
    to_mermaid,
    to_model_explorer,
)
from tracking.graph.model import INPUT, PARAMETER, Kind


def build(*rows, outputs=(), is_ordered=True):
    """A graph of rows of kind and inputs; a text is an operation."""
    builder = GraphBuilder("test", is_ordered=is_ordered)
    for kind, *inputs in rows:
        builder.add(Kind(kind) if isinstance(kind, str) else kind, inputs)
    return builder.build(outputs)


SMALL = build(
    (Kind(INPUT, (2, "batch"), "float32", label="x"),),
    (Kind(PARAMETER, (3,), "float32", "net/a", "w"),),
    (Kind("mul", (2, 3), "float32", "net/a", "", (("axis", 1), ("mode", "same"))), 0, 1),
    (Kind("add", namespace="net"), 2, 2),
    outputs=[3],
)


def test_dot_has_a_cluster_per_namespace_and_an_edge_per_use():
    assert to_dot(SMALL).splitlines() == [
        "digraph {",
        'node [shape="box"];',
        '0 [label="input\\nx\\nfloat32[2, batch]", shape="ellipse"];',
        "subgraph cluster_0 {",
        'label="net";',
        '3 [label="add", peripheries=2];',
        "subgraph cluster_1 {",
        'label="a";',
        '1 [label="parameter\\nw\\nfloat32[3]", shape="ellipse"];',
        '2 [label="mul\\nfloat32[2, 3]\\naxis=1, mode=same"];',
        "}",
        "}",
        '0 -> 2 [label="0"];',
        '1 -> 2 [label="1"];',
        '2 -> 3 [label="0"];',
        '2 -> 3 [label="1"];',
        "}",
    ]


def test_dot_gives_no_positions_where_the_order_is_unknown():
    graph = build(("x",), ("y",), ("add", 0, 1), is_ordered=False)
    assert to_dot(graph).splitlines()[-3:-1] == ["0 -> 2;", "1 -> 2;"]


def test_mermaid_shows_a_small_graph_as_it_is():
    assert to_mermaid(SMALL).splitlines() == [
        "flowchart TD",
        'n0["input<br/>x<br/>float32#91;2, batch#93;"]',
        'n1["parameter<br/>w<br/>float32#91;3#93;"]',
        'n2["mul<br/>float32#91;2, 3#93;<br/>axis=1, mode=same"]',
        'n3["add"]',
        "n0 --> n2",
        "n1 --> n2",
        "n2 --> n3",
    ]


@pytest.mark.parametrize(
    ("max_nodes", "texts"),
    [
        (3, ["input", "net#47;a<br/>2 nodes", "add"]),
        (2, ["input", "net<br/>3 nodes"]),
        (1, ["input, parameter, mul<br/>4 nodes"]),
    ],
)
def test_mermaid_closes_no_more_namespaces_than_it_must(max_nodes, texts):
    found = re.findall(r'"(.*)"', to_mermaid(SMALL, max_nodes))
    assert [text.partition("<br/>x")[0] for text in found] == texts


@pytest.mark.parametrize("max_nodes", [0, -1])
def test_mermaid_draws_at_least_one_node(max_nodes):
    with pytest.raises(InvalidArgumentError, match=f"max_nodes: is {max_nodes}; let there be 1"):
        to_mermaid(SMALL, max_nodes)


def chain(n, namespace="", text="relu"):
    return build(("x",), *((Kind(text, namespace=namespace), i) for i in range(n)))


# Every node takes all before it.
DENSE = build(*(("add", *range(number)) for number in range(60)))


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(chain(3_000), id="no namespaces"),
        pytest.param(chain(3_000, "/".join("a" * 50)), id="one deep namespace"),
        pytest.param(chain(190, text="<" * 200), id="texts that grow"),
        pytest.param(DENSE, id="too many edges"),
    ],
)
def test_mermaid_stays_within_what_mermaid_draws(graph):
    text = to_mermaid(graph)
    nodes, edges = re.findall(r'^n\d+\["', text, re.MULTILINE), re.findall(" --> ", text)
    assert 1 <= len(nodes) <= 200
    assert len(edges) <= MERMAID_EDGES
    assert len(text) <= MERMAID_CHARACTERS


def test_model_explorer_gets_the_layout_it_documents():
    first, *_, mul, add = json.loads(to_model_explorer(SMALL, "net"))["graphs"][0]["nodes"]
    assert first == {
        "id": "0",
        "label": "input",
        "namespace": "",
        "attrs": [{"key": "label", "value": "x"}],
        "outputsMetadata": [
            {
                "id": "0",
                "attrs": [
                    {"key": "shape", "value": "[2, batch]"},
                    {"key": "dtype", "value": "float32"},
                ],
            }
        ],
        "incomingEdges": [],
    }
    assert (mul["namespace"], mul["attrs"]) == (
        "net/a",
        [{"key": "axis", "value": "1"}, {"key": "mode", "value": "same"}],
    )
    assert add["attrs"] == [{"key": "is_output", "value": "true"}]
    assert add["incomingEdges"] == [
        {"sourceNodeId": "2", "sourceNodeOutputId": "0", "targetNodeInputId": str(port)}
        for port in (0, 1)
    ]


def test_an_empty_graph_is_an_empty_drawing():
    empty = build()
    assert to_dot(empty) == 'digraph {\nnode [shape="box"];\n}\n'
    assert to_mermaid(empty) == "flowchart TD\n"
    assert json.loads(to_model_explorer(empty))["graphs"][0]["nodes"] == []


@pytest.mark.parametrize(
    ("text", "in_dot", "in_mermaid"),
    [
        ('a"b', 'a\\"b', "a#34;b"),
        ("a\\N", "a\\\\N", "a#92;N"),
        ("a\nb", "a b", "a#10;b"),
        ("</script>", "&lt;/script&gt;", "#60;#47;script#62;"),
        ("&amp;", "&amp;amp;", "#38;amp#59;"),
        ("x[0]", "x[0]", "x#91;0#93;"),
        ("%%{init}%%", "%%{init}%%", "#37;#37;#123;init#125;#37;#37;"),
        ("`md`", "`md`", "#96;md#96;"),
        ("é", "é", "é"),
        ("a\ud800", "a?", "a#63;"),
        ("\x00", " ", "#0;"),
        ("", " ", " "),
    ],
)
def test_texts_are_escaped(text, in_dot, in_mermaid):
    graph = build((text,))
    assert f'0 [label="{in_dot}"];' in to_dot(graph)
    assert f'n0["{in_mermaid}"]' in to_mermaid(graph)
    node = json.loads(to_model_explorer(graph))["graphs"][0]["nodes"][0]
    assert node["label"] == text


hostile = st.text(st.sampled_from('"\\<>/[]{}()|;#&%`\n\r\tNn a:-=.\x00é\u2028'), max_size=12)
kinds = st.builds(
    Kind,
    op=hostile,
    shape=st.none() | st.tuples(st.integers(0, 9) | hostile),
    dtype=st.none() | hostile,
    namespace=hostile,
    label=hostile,
    attributes=st.tuples(st.tuples(hostile, hostile)),
)


@given(st.lists(st.tuples(kinds, st.lists(st.integers(0, 99), max_size=3)), max_size=6))
def test_no_text_breaks_out_of_its_place(rows):
    graph = build(*((kind, *(i % n for i in row if n)) for n, (kind, row) in enumerate(rows)))
    dot, mermaid, explorer = to_dot(graph), to_mermaid(graph), to_model_explorer(graph)
    quoted = r'"(?:[^"\\\n]|\\.)*"'
    line = rf"digraph \{{|\}}|subgraph cluster_\d+ \{{|label={quoted};|\d+ -> \d+;|node .*|"
    line += rf'\d+ -> \d+ \[label="\d"\];|\d+ \[label={quoted}(, \w+="?\w+"?)*\];'
    assert all(re.fullmatch(line, found) for found in dot.split("\n")[:-1])
    safe = r"(?:[^\W_]|[ _.,\-+*=()]|#\d+;|<br/>)*"
    line = rf'flowchart TD|n\d+\["{safe}"\]|n\d+ --> n\d+'
    assert all(re.fullmatch(line, found) for found in mermaid.split("\n")[:-1])
    assert dot.count("{") - dot.count("}") == sum(
        text.count("{") - text.count("}") for text in re.findall(quoted, dot)
    )
    assert "<" not in explorer + dot
    nodes = json.loads(explorer)["graphs"][0]["nodes"]
    assert [(node["label"], node["namespace"]) for node in nodes] == [
        (kind.op, kind.namespace) for kind, _ in rows
    ]
    assert [[int(edge["sourceNodeId"]) for edge in node["incomingEdges"]] for node in nodes] == [
        list(node.inputs) for node in graph
    ]

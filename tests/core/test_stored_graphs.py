"""Graphs in a database: each reads back as it was saved, equal ones lie there once."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import ExperimentDBManager, InvalidArgumentError, StoreError, stored_graphs
from tracking.graph.builder import GraphBuilder
from tracking.graph.identity import identity
from tracking.graph.model import INPUT, PARAMETER, Kind
from tracking.graph.seed import json_of_graph
from tracking.graph.text import pack, text_of
from tracking.stored_graphs import WHOLE_UP_TO

JSON = {"nodes": [{"id": "t0"}], "edges": []}


def chain(n, op="relu"):
    """A graph of `n` nodes in blocks of fifty."""
    builder = GraphBuilder("test", "1.0")
    builder.add(Kind(INPUT, (2,), label="x"))
    for number in range(n - 1):
        builder.add(Kind(op, (2,), namespace=f"block{number // 50}"), [number])
    return builder.build([n - 1])


SMALL, LARGE = chain(WHOLE_UP_TO), chain(WHOLE_UP_TO + 1)


@pytest.fixture
def db(tmp_path):
    with closing(ExperimentDBManager(tmp_path / "e.db")) as db:
        db.init_exp_db()
        yield db


def query(db, statement, *values):
    """Ask the file itself, as another program would."""
    with closing(sqlite3.connect(db.db_path)) as connection:
        rows = connection.execute(statement, values).fetchall()
        connection.commit()
    return rows


def n_contents(db):
    return query(db, "SELECT COUNT(*) FROM graph_contents")[0][0]


@pytest.mark.parametrize("graph", [SMALL, LARGE], ids=["whole", "packed"])
def test_a_graph_reads_back_as_it_was_saved(db, graph):
    run_id = db.create_run()
    graph_id = db.save_graph(run_id, graph, "model")
    expected = json_of_graph(graph)
    assert db.get_comp_graph(graph_id) == expected
    (as_json,) = db.get_comp_graphs(run_id)
    assert (as_json["id"], as_json["name"], as_json["graph"]) == (graph_id, "model", expected)
    (stored,) = db.get_graphs(run_id)
    assert (stored.graph_id, stored.name, stored.created_at) == (
        graph_id,
        "model",
        as_json["created_at"],
    )
    assert (stored.n_nodes, stored.fingerprint) == (
        len(graph),
        identity(graph).fingerprint.full,
    )
    assert text_of(stored.graph()) == text_of(graph)
    assert stored.operations() == {"relu": len(graph) - 1}


def test_what_others_read_of_a_large_graph_is_small(db):
    run_id = db.create_run()
    db.save_graph(run_id, LARGE)
    ((text, packed),) = query(db, "SELECT graph_json, packed FROM graph_contents")
    drawn = json.loads(text)
    assert (drawn["is_overview"], drawn["n_nodes"]) == (True, len(LARGE))
    assert drawn["fingerprint"]["full"] == identity(LARGE).fingerprint.full
    assert len(text) < 20_000
    assert packed == pack(LARGE)
    assert db.get_graphs(run_id)[0].overview() == drawn


def test_an_equal_graph_costs_a_reference_whatever_run_saves_it_and_how_its_nodes_are_numbered(db):
    def graph(labels):
        builder = GraphBuilder("test")
        numbers = {label: builder.add(Kind(PARAMETER, label=label)) for label in labels}
        return builder.build([builder.add(Kind("add"), [numbers["a"], numbers["b"]])])

    runs = [db.create_run() for _ in range(2)]
    for run_id in runs:
        db.save_graph(run_id, graph("ab"), "first")
        db.save_graph(run_id, graph("ba"), "second")
    assert n_contents(db) == 1
    assert [one.name for run_id in runs for one in db.get_graphs(run_id)] == ["first", "second"] * 2

    db.close()
    before = db.db_path.stat().st_size
    for number in range(1_000):
        db.save_graph(runs[number % 2], graph("ab"), "first")
    db.close()
    assert db.db_path.stat().st_size - before < 60 * 1_000


def test_json_is_stored_whole_and_equal_texts_once(db):
    run_id = db.create_run()
    large = {"nodes": [{"id": str(number)} for number in range(5_000)], "edges": []}
    for name, data in (("graph", JSON), ("same", JSON), ("large", large)):
        db.save_comp_graph(run_id, data, name=name)
    assert n_contents(db) == 2
    assert [one["graph"] for one in db.get_comp_graphs(run_id)] == [JSON, JSON, large]
    *_, stored = db.get_graphs(run_id)
    assert (stored.n_nodes, stored.fingerprint, stored.overview()) == (5_000, None, large)
    with pytest.raises(InvalidArgumentError, match="graph_data"):
        stored.graph()


@pytest.mark.parametrize(
    ("text", "n_nodes"),
    [
        ('{"nodes": [1, 2, null], "edges": []}', 3),
        ('{"nodes": {"a": 1}, "fingerprint": 7}', 0),
        ('{"nodes": [{"type": "tensor"}, {"type": "operation", "label": 3}], "n_nodes": 99}', 1),
        ('{"fingerprint": {"full": ["x"]}}', 0),
        ("[1, 2]", 0),
        ("7", 0),
    ],
)
def test_json_that_others_stored_is_passed_on_and_counted(db, text, n_nodes):
    run_id = db.create_run()
    query(
        db, "INSERT INTO graphs (run_id, graph_json, created_at) VALUES (?, ?, 1.5)", run_id, text
    )
    ((as_json, stored),) = zip(db.get_comp_graphs(run_id), db.get_graphs(run_id), strict=True)
    assert as_json["graph"] == json.loads(text)
    assert (as_json["name"], as_json["created_at"]) == ("graph", 1.5)
    assert (stored.n_nodes, stored.fingerprint) == (n_nodes, None)
    assert stored.operations() == ({"3": 1} if n_nodes == 1 else {})
    assert isinstance(stored.overview(), dict)


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        ("packed = x'00'", "graph"),
        ("packed = substr(packed, 1, 100)", "whole"),
        ("packed = 'text'", "operations"),
        ("graph_json = '{'", "overview"),
        ("graph_json = x'ff'", "overview"),
        ("graph_json = '{', packed = NULL", "whole"),
    ],
)
def test_a_damaged_graph_is_named_and_the_others_are_readable(db, damage, read):
    run_id = db.create_run()
    ids = [
        db.save_graph(run_id, graph, name)
        for name, graph in (("a", chain(3)), ("b", LARGE), ("c", SMALL))
    ]
    query(db, f"UPDATE graph_contents SET {damage} WHERE packed IS NOT NULL")
    first, damaged, last = db.get_graphs(run_id)
    problem = r"e\.db: graph 2 'b' is damaged: .*delete_run\(\)"
    with pytest.raises(StoreError, match=problem):
        getattr(damaged, read)()
    if read != "overview":
        for call in (lambda: db.get_comp_graph(ids[1]), lambda: db.get_comp_graphs(run_id)):
            with pytest.raises(StoreError, match=problem):
                call()
    assert first.whole() == db.get_comp_graph(ids[0]) == json_of_graph(chain(3))
    assert last.whole() == db.get_comp_graph(ids[2])
    db.delete_run(run_id)
    assert n_contents(db) == 0


def test_a_graph_whose_content_is_gone_is_damaged(db):
    run_id = db.create_run()
    db.save_comp_graph(run_id, JSON)
    query(db, "DELETE FROM graph_contents")
    with pytest.raises(StoreError, match="graph 1 'graph' is damaged"):
        db.get_comp_graphs(run_id)
    assert db.integrity_problems() == ["run_graphs: row 1 has lost its graph_contents"]


def test_a_name_that_cannot_be_stored_is_refused(db):
    run_id = db.create_run()
    for save, graph in ((db.save_graph, SMALL), (db.save_comp_graph, JSON)):
        with pytest.raises(InvalidArgumentError, match="name: "):
            save(run_id, graph, name="")
    assert (db.get_graphs(run_id), n_contents(db)) == ([], 0)


def test_a_large_graph_is_packed_while_nobody_waits_and_an_equal_one_not_at_all(db, monkeypatch):
    found = []

    def overview(*_):
        with closing(ExperimentDBManager(db.db_path)) as other:
            found.append(other.create_run())
        return {"nodes": [], "edges": []}

    monkeypatch.setattr("tracking.connection.BUSY_TIMEOUT_S", 0.1)
    monkeypatch.setattr("tracking.graph.overview.overview", overview)
    run_id = db.create_run()
    for _ in range(2):
        db.save_graph(run_id, LARGE)
    assert found == [run_id + 1]


OPS = ("relu", "exp")
lengths = st.integers(1, 6)
kept = st.one_of(
    st.builds(chain, lengths, st.sampled_from(OPS)),
    st.integers(0, 3).map(lambda number: {**JSON, "number": number}),
)
names = st.text(min_size=1, max_size=3).filter(lambda name: name.isprintable())


@settings(deadline=None)
@given(
    saved=st.lists(st.tuples(st.integers(0, 3), names, kept), max_size=12),
    deleted=st.permutations(range(4)),
    n_deleted=st.integers(0, 4),
)
def test_any_graphs_of_any_runs_read_back_and_contents_are_those_referred_to(
    tmp_path_factory, saved, deleted, n_deleted
):
    with (
        pytest.MonkeyPatch.context() as patch,
        closing(ExperimentDBManager(tmp_path_factory.mktemp("graphs") / "e.db")) as db,
    ):
        patch.setattr(stored_graphs, "WHOLE_UP_TO", 3)  # so that some are packed
        runs = [db.create_run() for _ in range(4)]
        expected = {run_id: [] for run_id in runs}
        for run, name, graph in saved:
            if isinstance(graph, dict):
                db.save_comp_graph(runs[run], graph, name=name)
            else:
                db.save_graph(runs[run], graph, name)
                graph = json_of_graph(graph)
            expected[runs[run]].append((name, graph))
        for run in (None, *deleted[:n_deleted]):
            if run is not None:
                db.delete_run(runs[run])
                del expected[runs[run]]
            for run_id, graphs in expected.items():
                found = db.get_comp_graphs(run_id)
                assert [(one["name"], one["graph"]) for one in found] == graphs
            different = {json.dumps(graph) for graphs in expected.values() for _, graph in graphs}
            assert n_contents(db) == len(different)
            assert db.integrity_problems() == []

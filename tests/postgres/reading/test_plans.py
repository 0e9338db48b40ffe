"""What commands ask by default is answered from indexes: a store may hold very many runs."""

from __future__ import annotations

import json
import re
from contextlib import closing

import psycopg
import pytest

from tracking import cli
from tracking.postgres.address import Address
from tracking.postgres.moment import Moment
from tracking.postgres.writing import StoreWriter

N_RUNS = 4_000
_FILL = """
    SET search_path = sgtrack;
    INSERT INTO experiments (name) VALUES ('other'), ('pytest');
    INSERT INTO run_names (experiment_id, digest, name)
      SELECT e.id, decode(md5(e.name || n), 'hex'), 'tests/test_a.py::test_' || n
      FROM experiments AS e, generate_series(1, 40) AS n;
    INSERT INTO metrics (digest, name) VALUES ('\\x01', 'loss'), ('\\x02', 'acc');
    INSERT INTO runs (experiment_id, name_id, uuid, created_at, status, config, attempt, session,
        outcome, verdict, parent, certainty, n_records, n_media, digest)
      SELECT n.experiment_id, n.id, md5(k::text), 1.7e9 + k, CASE WHEN k %% 49 = 0 THEN 'failed'
             ELSE 'completed' END, '{}', 1, md5((k / 40)::text), 'passed',
             CASE WHEN k %% 7 > 0 THEN 'within' END, NULL, 1, 10, 0, '\\x00'
      FROM generate_series(1, %(n)s) AS k JOIN run_names AS n ON n.id = 1 + k %% 80;
    INSERT INTO series (run_id, metric_id, place, n, n_nan, n_inf, min, max, mean, std, tail, last,
        first_step, last_step)
      SELECT r.id, m.id, m.id, 3, 0, 0, 0, 1, 0.5, 0.5, 0.5, r.id %% 13, 0, 2
      FROM runs AS r, metrics AS m;
    INSERT INTO chunks (run_id, metric_id, first, steps, values, wall_times)
      SELECT r.id, m.id, 0, '{0,1,2}', '{0,1,0}', '{1,2,3}' FROM runs AS r, metrics AS m;
    INSERT INTO texts (run_id, place, name, step, content, wall_time)
      SELECT id, 0, 'said', 0, 'x', 0 FROM runs;
    INSERT INTO graph_contents (digest, graph_json) VALUES ('\\x01', '{"nodes": [], "edges": []}');
    INSERT INTO graphs (run_id, place, content_id, name, created_at)
      SELECT id, 0, 1, 'graph', 0 FROM runs
"""
LARGE = re.compile(r"(Parallel )?Seq Scan on (runs|series\w*|chunks\w*|texts|graphs)\b")


@pytest.fixture(scope="module")
def large(server):
    """A store of two experiments with a few thousand runs."""
    url = server.database()
    StoreWriter(Address(url), "pytest").close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = on")  # or VACUUM cannot tell who sees a row
        connection.execute(_FILL.replace("%(n)s", str(N_RUNS)).replace("%%", "%"))
        names = connection.execute("SELECT id, name FROM sgtrack.run_names").fetchall()
        with connection.cursor() as cursor:  # as the library digests them
            from tracking.postgres.identities import digest_of

            for table, rows in (
                ("run_names", names),
                ("metrics", connection.execute("SELECT id, name FROM sgtrack.metrics").fetchall()),
            ):
                cursor.executemany(
                    f"UPDATE sgtrack.{table} SET digest = %s WHERE id = %s",
                    [(digest_of(name), number) for number, name in rows],
                )
        connection.execute("VACUUM ANALYZE")  # as the server does by itself, only later
    return url


@pytest.fixture
def asked(monkeypatch):
    """What the store is asked, in the order in which it is."""
    queries = []
    rows = Moment.rows

    def noting(self, query, values=(), **more):
        queries.append((query, values))
        return rows(self, query, values, **more)

    monkeypatch.setattr(Moment, "rows", noting)
    return queries


def plans(url, queries):
    with closing(psycopg.connect(url)) as connection:
        for query, values in queries:
            rows = connection.execute(f"EXPLAIN {query}", values).fetchall()
            yield "\n".join(line for (line,) in rows)


TEST = "tests/test_a.py::test_7"
BY_DEFAULT = [
    ["runs"],
    ["runs", "--session=last"],
    ["runs", "--status=failed"],
    ["show", "3999"],
    ["show", "last"],
    ["show", "last-failed"],
    ["show", TEST],
    ["show", "c4ca"],
    ["show", "test_a.py::test_7"],
    ["diff", "3997", "3999"],
    ["history", TEST],
    ["history", "test_7", "loss.min"],
]


@pytest.mark.parametrize("command", BY_DEFAULT, ids=lambda command: " ".join(command))
def test_no_table_of_runs_or_records_is_read_whole(large, asked, monkeypatch, capsys, command):
    code = cli.main([*command, "--store", large])
    assert code in (cli.OK, cli.FOUND), capsys.readouterr().err
    assert asked
    for (query, _), plan in zip(asked, plans(large, asked), strict=True):
        assert not LARGE.search(plan), f"{query}\n{plan}"


def test_a_history_takes_as_many_queries_for_many_runs_as_for_few(large, asked, capsys):
    counts = []
    for limit in (2, 40):
        asked.clear()
        assert cli.main(["history", TEST, f"--limit={limit}", "--store", large]) == cli.OK
        counts.append(len(asked))
    assert counts[0] == counts[1] < 20


def test_what_is_left_out_is_counted_as_far_as_it_matters(large, capsys, monkeypatch):
    monkeypatch.setattr("tracking.postgres.runs._MOST_COUNTED", 100)
    assert cli.main(["runs", "--limit=3", "--store", large]) == cli.OK
    assert capsys.readouterr().out.splitlines()[-1] == "97 or more; --limit 0 shows all"
    assert cli.main(["runs", "--limit=3", "--store", large, "--json"]) == cli.OK
    assert json.loads(capsys.readouterr().out)["n_left_out"] == 97

"""What tests of adapters look at."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def columns(graph):
    """All of a graph as plain data."""
    return {
        "kinds": [list(map(_plain, kind)) for kind in graph.kinds],
        "kind_of": list(graph.kind_of),
        "starts": list(graph.starts),
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "source": [graph.source, graph.source_version, graph.is_ordered],
    }


def _plain(value):
    return list(map(_plain, value)) if isinstance(value, tuple) else value


def ops(graph):
    return [node.kind.op for node in graph]


def node_of(graph, op):
    """The one node of an operation."""
    (found,) = (node for node in graph if node.kind.op == op)
    return found


def sources(graph, op):
    """Operations that the one node of an operation takes."""
    return [graph[number].kind.op for number in node_of(graph, op).inputs]


def is_in_order(graph):
    """Whether inputs stand before what is made of them."""
    return all(source < number for number, node in enumerate(graph) for source in node.inputs)


class Look:
    """The functions above, for tests: files beside each other cannot import each other."""

    columns, ops, node_of = map(staticmethod, (columns, ops, node_of))
    sources, is_in_order = map(staticmethod, (sources, is_in_order))

    @staticmethod
    def assert_same_in_other_processes(script, graph=None):
        """Run a script that leaves a `graph`, in processes whose addresses and hashes differ."""
        texts = []
        for seed in ("1", "2"):
            ending = (
                "\nimport json, sys; sys.path.insert(0, sys.argv[1])\n"
                "from conftest import columns; print(json.dumps(columns(graph)))"
            )
            # Memory taken before anything else moves what comes after.
            start = f"keep = [object() for _ in range({seed}0007)]\n"
            done = subprocess.run(
                [sys.executable, "-c", start + script + ending, str(Path(__file__).parent)],
                env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            texts.append(done.stdout.splitlines()[-1])
        assert texts[0] == texts[1]
        assert not re.search(r"0x[0-9a-f]{4}", texts[0])
        if graph is not None:
            assert json.loads(texts[0]) == json.loads(json.dumps(columns(graph)))


@pytest.fixture(scope="session")
def look():
    return Look

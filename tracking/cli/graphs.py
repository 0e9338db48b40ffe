"""`sgtrack graph`: a computation graph of a run, in the formats of those who draw graphs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.cli.files import write_texts
from tracking.cli.options import RUN_HELP, add_command, add_store, count
from tracking.cli.output import OK
from tracking.cli.references import resolve_run
from tracking.cli.store import reading
from tracking.errors import TrackingError
from tracking.graph.export import to_dot, to_mermaid, to_model_explorer
from tracking.graph.seed import graph_of_json
from tracking.graph.text import text_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from tracking.cli.options import Commands

_FORMATS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "text": lambda stored: text_of(graph_of_json(stored)),
    "dot": lambda stored: to_dot(graph_of_json(stored)),
    "mermaid": lambda stored: to_mermaid(graph_of_json(stored)),
    "model-explorer": lambda stored: to_model_explorer(graph_of_json(stored)),
    "json": json.dumps,
}


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "graph", graph)
    add_store(parser)
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument(
        "--number", type=count, default=1, help="which graph of the run (default: %(default)s)"
    )
    parser.add_argument("--format", choices=_FORMATS, default="text", help="(default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, help="file to write (default: the terminal)")


def graph(options: argparse.Namespace) -> int:
    """Print a computation graph of a run, or write it to a file.

    As text, a line a node; for Graphviz (dot), Mermaid, Model Explorer; or as JSON, as stored.
    """
    with reading(options) as db:
        run = resolve_run(options.run, db.find_runs())
        graphs = [one["graph"] for one in db.get_comp_graphs(run.run_id)]
    if not 0 < options.number <= len(graphs):
        raise TrackingError(
            f"run {run.run_id} {run.name} has {len(graphs)} graphs, and no number {options.number};"
            " tracker.save_comp_graph() saves one"
        )
    text = _FORMATS[options.format](graphs[options.number - 1]).rstrip("\n") + "\n"
    write_texts([text], options.output)
    return OK

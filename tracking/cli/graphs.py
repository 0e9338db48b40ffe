"""`sgtrack graph`: a computation graph of a run, in the formats of those who draw graphs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tracking.cli.files import write_texts
from tracking.cli.options import RUN_HELP, add_command, add_store, count
from tracking.cli.output import OK
from tracking.cli.references import resolve_run
from tracking.cli.store import reading
from tracking.errors import TrackingError
from tracking.graph.export import to_dot, to_mermaid, to_model_explorer
from tracking.graph.text import text_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from tracking.cli.options import Commands
    from tracking.model import RunInfo
    from tracking.stored_graphs import StoredGraph

_FORMATS: dict[str, Callable[[StoredGraph], str]] = {
    "text": lambda stored: text_of(stored.graph()),
    "dot": lambda stored: to_dot(stored.graph()),
    "mermaid": lambda stored: to_mermaid(stored.graph()),
    "model-explorer": lambda stored: to_model_explorer(stored.graph(), stored.name),
    "json": lambda stored: json.dumps(stored.whole()),
}


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "graph", graph)
    add_store(parser)
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--name", help="as it was saved (default: of any name)")
    parser.add_argument(
        "--number", type=count, default=1, help="which of those graphs (default: %(default)s)"
    )
    parser.add_argument(
        "--format", choices=tuple(_FORMATS), default="text", help="(default: %(default)s)"
    )
    parser.add_argument("-o", "--output", type=Path, help="file to write (default: the terminal)")


def graph(options: argparse.Namespace) -> int:
    """Print a computation graph of a run, or write it to a file.

    As text, a line a node; for Graphviz (dot), Mermaid, Model Explorer; or as JSON.
    """
    with reading(options) as db:
        run = resolve_run(options.run, db)
        graphs = db.get_graphs(run.run_id)
    stored = _chosen(run, graphs, options.name, options.number)
    text = _FORMATS[options.format](stored).rstrip("\n") + "\n"
    write_texts([text], options.output)
    return OK


def _chosen(
    run: RunInfo, graphs: Sequence[StoredGraph], name: str | None, number: int
) -> StoredGraph:
    named = [one for one in graphs if name in (None, one.name)]
    if 0 < number <= len(named):
        return named[number - 1]
    of_name = "" if name is None else f" named {name!r}"
    if graphs:
        names = ", ".join(dict.fromkeys(repr(one.name) for one in graphs))
        next_step = f"it has {names}"
    else:
        next_step = "tracker.save_comp_graph() saves one"
    n = f"{len(named)} graph{'s' * (len(named) != 1)}{of_name}"
    raise TrackingError(f"run {run.run_id} {run.name} has {n}, and no number {number}; {next_step}")

"""Imports point one way, and what a file may do shows in what it imports.

Read from the source, so that an import inside a function counts. Imports for type checkers only do
not: they bind nothing at run time.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import tracking

CORE = Path(tracking.__file__).parent
PLUGIN = CORE.parent / "pytest_sgtrack"
FILES = sorted((*CORE.rglob("*.py"), *PLUGIN.rglob("*.py")))

# What each file of the core imports of the core. A new file needs a line here: think where it
# stands. Packages stand for what their __init__ exports; "" is `tracking` itself.
ALLOWED = {
    "_version": set(),
    "errors": set(),
    "model": set(),
    "schema": set(),
    "filesystem": set(),
    "environment": set(),
    "arguments": {"errors", "model"},
    "summary": {"model"},
    "journal": {"errors", "filesystem"},
    "media": {"arguments", "errors"},
    "records": {"model", "summary"},
    "columns": {"records"},
    "connection": {"errors", "filesystem", "schema"},
    "graph": {"graph.capture"},
    "board": set(),
    "board.answers": {"errors", "model"},
    "board.app": {
        *("_version", "board.answers", "board.api", "board.curves", "board.exports"),
        *("board.guard", "board.listing", "board.static", "board.stream", "errors", "model"),
    },
    "board.curves": {"board.answers", "model", "report.curve"},
    "board.exports": {"board.answers", "board.api", "queries.plain", "queries.spreadsheet"},
    "board.databases": {"board.answers"},
    "board.folder": {"board.databases", "board.watch", "experiment_db", "live"},
    "board.guard": {"board.answers"},
    "board.listing": {"model", "queries.attempts", "queries.plain", "queries.selection"},
    "board.parameters": {"board.answers"},
    "board.server": {"board.app", "board.guard", "errors"},
    "board.static": set(),
    "board.store": {"board.answers", "board.databases", "errors", "postgres.experiments"},
    "board.stream": {"board.answers", "board.databases", "errors"},
    "board.watch": {
        *("board.curves", "board.databases", "board.listing", "columns", "errors", "journal"),
        *("model", "snapshot"),
    },
    "bounds": {"arguments", "errors", "model"},
    "regression.direction": {"model"},
    "regression.checks": {"model"},
    "regression.comparison": {"model", "regression.checks"},
    "regression.reviewed_json": {"errors", "filesystem", "model"},
    "regression.student": {"errors"},
    "regression.sampling": {"errors", "model", "regression.student", "summary"},
    "regression.tolerance": {"model", "regression.sampling", "regression.student"},
    "regression.settings": {"errors", "model", "regression.direction", "regression.sampling"},
    "regression.rules": {
        *("model", "regression.checks", "regression.sampling", "regression.student"),
    },
    "events": {"arguments"},
    "experiment_db": {
        *("arguments", "columns", "connection", "errors", "events", "graph", "model"),
        *("queries.selection", "reading", "records", "schema", "stored_graphs", "stored_runs"),
    },
    "stored_runs": {
        *("arguments", "events", "model", "queries.selection", "records", "schema"),
    },
    "stored_graphs": {
        *("connection", "errors", "graph", "graph.identity", "graph.overview", "graph.seed"),
        *("graph.text", "schema"),
    },
    "reading": {"connection", "errors", "queries.selection"},
    "recovery": {"connection", "errors", "events", "experiment_db", "journal", "records"},
    "recorder": {
        *("connection", "errors", "events", "experiment_db", "journal", "records", "recovery"),
        "summary",
    },
    "report": {
        *("report.data", "report.formats", "report.github", "report.junit", "report.terminal"),
        "report.words",
    },
    "report.data": {"model", "regression"},
    "report.changes": {"report.data"},
    "report.curve": {"report.data"},
    "report.words": {"model", "report.data"},
    "report.terminal": {"model", "regression", "report.curve", "report.words"},
    "report.escaping": {"report.words"},
    "report.markdown": {"regression", "report.curve", "report.escaping", "report.words"},
    "report.reading": {"model"},
    "report.json_report": {"errors", "model", "regression", "report.data", "report.reading"},
    "report.junit": {"model"},
    "report.github": {"report.markdown", "report.words"},
    "report.html_page": {"errors", "report.json_report"},
    "report.formats": {"errors"},  # and each format when it is asked for
    "attempts": set(),
    "change_points": set(),
    "change_points.findings": {"change_points.segmentation", "model", "regression.checks"},
    "change_points.segmentation": {"errors"},
    "callbacks": {"callbacks.frameworks"},
    "callbacks.frameworks": {"arguments", "errors"},
    "callbacks.keras": {"callbacks.recording"},
    "callbacks.lightgbm": {"callbacks.recording"},
    "callbacks.lightning": {"callbacks.recording"},
    "callbacks.recording": {"arguments", "callbacks.frameworks", "errors"},
    "callbacks.sklearn": {"callbacks.recording", "errors"},
    "callbacks.transformers": {"callbacks.recording"},
    "callbacks.xgboost": {"callbacks.recording"},
    "importers": {
        *("arguments", "connection", "errors", "importers.event_file", "importers.mlflow"),
        *("importers.model", "importers.original", "importers.store", "importers.tensorboard"),
        "schema",
    },
    "importers.event_file": set(),
    "importers.mlflow": {"connection", "events", "importers.model", "model", "records"},
    "importers.pixels": {"errors"},
    "reporting": {
        *("attempts", "details", "errors", "filesystem", "model", "regression", "report.data"),
        "report.formats",
    },
    "summary_writer": {"arguments", "callbacks.recording", "errors", "media"},
    "importers.model": {"arguments", "errors", "importers.rows", "records"},
    "importers.original": {
        *("arguments", "connection", "events", "importers.model", "importers.rows", "model"),
        "records",
    },
    "importers.rows": {"arguments", "errors", "graph"},
    "importers.store": {
        *("events", "experiment_db", "importers.model", "importers.rows", "model"),
        *("stored_graphs", "stored_runs"),
    },
    "importers.tensorboard": {
        *("errors", "events", "importers.event_file", "importers.model", "importers.pixels"),
        *("importers.rows", "model"),
    },
    "graph.adapters": {"graph.model"},
    "graph.diff": {"graph.fingerprint", "graph.model", "graph.renumber"},
    "graph.export": {"errors", "graph.grouping", "graph.model"},
    "graph.grouping": set(),
    "graph.identity": {"graph.fingerprint"},
    "graph.overview": {
        *("graph.builder", "graph.fingerprint", "graph.grouping", "graph.model", "graph.seed"),
    },
    "graph.fingerprint": {"graph.model"},
    "graph.model": set(),
    "graph.renumber": set(),
    "tracker": {
        *("arguments", "bounds", "callbacks", "errors", "events", "graph.capture", "journal"),
        *("media", "recorder", "stored_runs"),
    },
    "graph.adapters.jax": {"errors", "graph.adapters", "graph.builder", "graph.model"},
    "graph.adapters.onnx": {"errors", "graph.adapters", "graph.builder", "graph.model"},
    "graph.adapters.sklearn": {"errors", "graph.adapters", "graph.builder", "graph.model"},
    "graph.adapters.tinygrad": {"errors", "graph.adapters", "graph.builder", "graph.model"},
    "graph.adapters.torch": {"errors", "graph.adapters", "graph.builder", "graph.model"},
    "graph.builder": {"graph.model"},
    "graph.capture": {"errors", "graph.builder", "graph.model"},
    "graph.seed": {
        *("errors", "graph.builder", "graph.capture", "graph.fingerprint", "graph.model", "model"),
    },
    "graph.text": {"errors", "graph.builder", "graph.fingerprint", "graph.model"},
    "regression.baseline": {"errors", "regression.reviewed_json", "regression.sample"},
    "regression.pending": {"errors", "model", "regression.reviewed_json", "regression.sample"},
    "regression.graph_rules": {"errors", "graph.diff", "model", "regression.checks"},
    "regression.graph_sample": {
        *("errors", "graph.fingerprint", "graph.text", "regression.reviewed_json"),
    },
    "regression.sample": {"errors", "model", "regression.graph_sample", "regression.reviewed_json"},
    "live": {
        *("columns", "connection", "errors", "experiment_db", "journal", "model"),
        *("queries.selection", "records", "recovery", "snapshot", "stored_runs", "summary", "tail"),
    },
    "merging": {
        *("arguments", "errors", "filesystem", "merging.pending", "merging.plan"),
        *("merging.shards", "merging.store", "recovery", "regression"),
    },
    "merging.pending": {"errors", "regression"},
    "merging.plan": {"model"},
    "merging.shards": {
        *("connection", "errors", "merging.store", "recovery", "schema", "snapshot"),
    },
    "merging.store": {
        *("errors", "events", "experiment_db", "journal", "merging.plan", "model", "recovery"),
        "stored_runs",
    },
    "original_views": set(),
    "queries": set(),
    "queries.accepted": {"model", "regression"},
    "queries.attempts": {"attempts", "queries.selection"},
    "queries.differences": {
        *("errors", "graph.diff", "graph.marks", "graph.seed", "model", "regression.checks"),
        *("report.changes", "report.data"),
    },
    "queries.drift": {
        *("attempts", "change_points.findings", "change_points.segmentation", "model"),
        *("queries.expressions", "queries.histories", "regression"),
    },
    "queries.expressions": {"errors", "model"},
    "queries.histories": {
        *("errors", "model", "queries.accepted", "queries.attempts", "queries.expressions"),
        *("queries.selection", "regression.checks"),
    },
    "queries.plain": {"model"},
    "queries.spreadsheet": {"model"},
    "snapshot": {"connection", "errors", "original_views", "schema"},
    "tail": {"errors", "events", "journal", "model"},
    "queries.selection": {"queries.expressions"},
    "details": {
        *("errors", "graph.marks", "graph.seed", "media", "model", "queries.accepted"),
        *("queries.attempts", "regression", "report.changes", "report.curve", "report.data"),
    },
    "graph.marks": {"graph.diff"},
    "merging.content": {"columns", "errors", "merging.store"},
    "postgres.address": {"errors"},
    "postgres.chunks": {"columns", "postgres.schema"},
    "postgres.connections": {"errors", "postgres.schema"},
    "postgres.experiments": {"postgres.connections", "postgres.moment", "postgres.reading"},
    "postgres.finding": {"queries.expressions", "queries.selection"},
    "postgres.identities": set(),
    "postgres.moment": {"errors", "postgres.finding", "postgres.identities"},
    "postgres.reading": {
        *("arguments", "columns", "model", "postgres.chunks", "postgres.runs", "stored_graphs"),
    },
    "postgres.runs": {
        *("arguments", "connection", "errors", "postgres.connections", "postgres.finding"),
        *("postgres.moment", "queries.selection", "reading", "stored_runs"),
    },
    "postgres.schema": {"errors"},
    "pushing": {
        *("arguments", "errors", "filesystem", "merging.content", "merging.plan"),
        *("merging.shards", "postgres.address", "postgres.writing"),
    },
    "postgres": {"postgres.address", "postgres.history"},
    "postgres.history": {"errors", "postgres.identities", "postgres.schema", "regression"},
    "postgres.writing": {
        *("merging.content", "merging.plan", "model", "postgres.chunks", "postgres.identities"),
        *("postgres.schema", "regression"),
    },
    "regression": {
        *("regression.baseline", "regression.checks", "regression.comparison"),
        *("regression.direction", "regression.graph_rules", "regression.graph_sample"),
        *("regression.history", "regression.pending", "regression.rules", "regression.sample"),
        *("regression.sampling", "regression.settings", "regression.student"),
        "regression.tolerance",
    },
    "regression.history": {"errors", "model", "regression.baseline", "regression.comparison"},
    "board.api": {
        *("board.answers", "board.curves", "board.listing", "board.parameters", "columns"),
        *("errors", "queries.differences", "queries.drift", "queries.expressions"),
        *("queries.histories", "queries.plain", "queries.selection", "regression"),
        *("report.json_report", "reporting"),
    },
    "": {"_version"},  # the others at first use: see test_public_api.py
    "cli.baselines": {"cli.options", "cli.output", "cli.table", "errors", "regression"},
    "cli.board": {
        *("", "board.folder", "board.server", "board.store", "cli.options", "cli.output"),
        *("cli.store", "errors"),
    },
    "cli.completion": {"cli.options", "cli.output", "errors"},
    "cli.drift": {
        *("change_points.segmentation", "cli.drift_text", "cli.files", "cli.options"),
        *("cli.output", "cli.store", "errors", "queries.drift", "queries.expressions"),
        *("queries.histories", "regression", "report.html_page"),
    },
    "cli.drift_text": {
        *(
            "change_points.findings",
            "cli.table",
            "queries.histories",
            "report.curve",
            "report.escaping",
        ),
        "report.words",
    },
    "cli.experiments": {"", "cli.options", "cli.output", "journal", "recovery", "report.words"},
    "cli.formats": {"arguments", "errors", "model", "queries.plain", "queries.spreadsheet"},
    "cli.history": {
        *("cli.options", "cli.output", "cli.references", "cli.store", "cli.table"),
        *("queries.expressions", "queries.histories", "report.curve"),
    },
    "cli.housekeeping": {
        *("cli.options", "cli.output", "cli.references", "cli.retention", "cli.store"),
        *("details", "queries.accepted", "report.words"),
    },
    "cli.imports": {"cli.options", "cli.output", "importers"},
    "cli.merge": {"cli.options", "cli.output", "merging"},
    "cli.options": {"errors"},
    "cli.push": {"cli.options", "cli.output", "errors", "postgres.address", "pushing"},
    "cli.output": {"cli.table", "errors", "report.words"},
    "cli.references": {"errors", "model", "queries.attempts", "queries.selection"},
    "cli.reports": {
        *("", "cli.options", "cli.output", "cli.references", "cli.store", "report"),
        *("report.json_report", "report.terminal", "report.words"),
    },
    "cli.retention": {"attempts", "model"},
    "cli.runs": {
        *("cli.options", "cli.output", "cli.references", "cli.store", "cli.table"),
        *("errors", "model", "queries.expressions", "queries.plain", "queries.selection"),
    },
    "cli.show": {
        *("cli.options", "cli.output", "cli.references", "cli.store", "cli.table"),
        *("errors", "model", "queries.plain", "regression", "report", "report.curve"),
    },
    "cli.store": {
        *("", "arguments", "cli.options", "postgres.address", "postgres.experiments"),
    },
    "cli.tolerances": {"cli.options", "cli.output", "regression"},
    "cli.diff": {
        *("cli.options", "cli.output", "cli.references", "cli.store", "cli.table"),
        *("queries.differences", "queries.plain", "report.data"),
    },
    "cli.export": {
        *("cli.files", "cli.formats", "cli.options", "cli.output", "cli.references", "cli.store"),
    },
    "cli.files": {"cli.output", "errors"},
    "cli.graphs": {
        *("cli.files", "cli.options", "cli.output", "cli.references", "cli.store", "errors"),
        *("graph.export", "graph.text"),
    },
    "cli.table": {"arguments", "regression.checks", "report.words"},
    "cli": {
        *("", "cli.baselines", "cli.board", "cli.completion", "cli.diff", "cli.drift"),
        *("cli.experiments", "cli.export", "cli.graphs", "cli.history", "cli.housekeeping"),
        *("cli.imports", "cli.merge", "cli.output", "cli.push", "cli.reports", "cli.runs"),
        *("cli.show", "cli.tolerances"),
    },
    "__main__": {"cli"},
}

PURE = (
    *("board.answers", "board.curves", "board.listing", "board.parameters"),
    *("change_points", "change_points.findings", "change_points.segmentation"),
    *("queries.expressions", "queries.plain", "queries.selection"),
    *("cli.drift_text", "report.escaping"),
    *("report.github", "report.json_report", "report.junit", "report.markdown", "report.reading"),
    *("report.terminal", "report.words"),
    *("errors", "model", "summary", "arguments", "bounds", "events", "media"),
    *("graph.builder", "graph.diff", "graph.export", "graph.fingerprint", "graph.grouping"),
    *("graph.identity", "graph.model", "graph.overview", "graph.renumber", "graph.seed"),
    *("graph.text", "merging.pending", "merging.plan", "regression.checks"),
    *("regression.comparison",),
    *("regression.direction", "regression.rules", "report.changes", "report.curve", "report.data"),
    *("regression.sampling", "regression.student", "regression.tolerance"),
)
REACHES_OUT = {
    *("asyncio", "ctypes", "fcntl", "glob", "http", "importlib", "io", "logging", "mmap"),
    *("multiprocessing", "os", "pathlib", "shutil", "socket", "sqlite3", "subprocess"),
    *("tempfile", "threading", "time", "urllib"),
}
# What pure files may use all the same: names for the protocol of paths, which touch no file.
PURE_ALL_THE_SAME = {("arguments", "os.PathLike"), ("arguments", "os.fsdecode")}


class Import(NamedTuple):
    """`from module import name`, or `import module` where `name` is None."""

    module: str
    name: str | None


def is_for_type_checkers(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in (
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
    )


def walk(node):
    """Walk over what runs: all nodes but those for type checkers only."""
    yield node
    children = ast.iter_child_nodes(node)
    if is_for_type_checkers(node):
        children = node.orelse
    for child in children:
        yield from walk(child)


def imports(tree):
    for node in walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (Import(module, alias.name) for alias in node.names)


def modules_of_core(tree):
    """The files of the core that a source imports, named as in ALLOWED."""
    found = set()
    for module, name in imports(tree):
        if module == "tracking" or module.startswith("tracking."):
            rest = module.removeprefix("tracking").removeprefix(".")
            inner = f"{rest}.{name}".removeprefix(".")
            found.add(inner if inner in ALLOWED else rest)
    return found


def attributes(tree):
    """Dotted names that a source uses, such as os.PathLike."""
    return {ast.unparse(node) for node in walk(tree) if isinstance(node, ast.Attribute)}


def names_called(tree):
    return {ast.unparse(node.func) for node in walk(tree) if isinstance(node, ast.Call)}


def reaches_out(name, tree):
    """What a source uses that could reach a file, a process or the clock."""
    found = set()
    for module in {module.partition(".")[0] for module, _ in imports(tree)} & REACHES_OUT:
        used = {used for used in attributes(tree) if used.startswith(f"{module}.")} or {module}
        found |= {use for use in used if (name, use) not in PURE_ALL_THE_SAME}
    return found | (names_called(tree) & {"open", "exec", "eval", "__import__"})


def prints(tree):
    return bool(
        names_called(tree) & {"print", "warnings.showwarning"}
        or attributes(tree) & {"sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}
        or {("sys", "stdout"), ("sys", "stderr")} & set(imports(tree))
    )


def not_public(tree):
    """Imports from the core of what it does not offer to everybody."""
    found = []
    for module, name in imports(tree):
        if module.partition(".")[0] != "tracking":
            continue
        package = CORE.joinpath(*module.split(".")[1:])
        is_public = (package / "__init__.py").exists() and name is not None
        if not is_public or name not in importlib.import_module(module).__all__:
            found.append((module, name))
    return found


def name_of(path):
    """Name of a file of the core as in ALLOWED."""
    parts = path.relative_to(CORE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def label(path):
    return str(path.relative_to(CORE.parent))


@pytest.fixture(scope="module")
def trees():
    """What every file says, by its path."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


@pytest.fixture(scope="module")
def core(trees):
    """Likewise, of the core."""
    return {path: tree for path, tree in trees.items() if path.is_relative_to(CORE)}


def found_in(trees, look):
    """What is found where something is found."""
    return {label(path): found for path, tree in trees.items() if (found := look(path, tree))}


def packages(tree):
    return {module.partition(".")[0] for module, _ in imports(tree)}


def test_imports_of_the_core_point_one_way(core):
    found = {name_of(path): modules_of_core(tree) for path, tree in core.items()}
    assert found == ALLOWED  # give what is new its place there


def test_one_way_is_one_way():
    def reachable(name, seen=()):
        assert name not in seen, f"a circle: {' -> '.join((*seen, name))}"
        for inner in ALLOWED[name]:
            reachable(inner, (*seen, name))

    for name in ALLOWED:
        reachable(name)


def test_the_core_knows_neither_pytest_nor_the_plugin(core):
    foreign = {"pytest", "_pytest", "pluggy", "xdist", "pytest_sgtrack"}

    def known(path, tree):
        makes_tables = path.parent == CORE / "cli" or path == CORE / "report" / "words.py"
        return packages(tree) & (foreign if makes_tables else foreign | {"tabulate"})

    assert found_in(core, known) == {}


def test_pure_files_touch_no_file_no_process_and_no_clock(core):
    pure = {path: tree for path, tree in core.items() if name_of(path) in PURE}
    assert len(pure) == len(PURE)
    assert found_in(pure, lambda path, tree: reaches_out(name_of(path), tree)) == {}


def test_errors_import_nothing(core):
    assert set(imports(core[CORE / "errors.py"])) == {Import("__future__", "annotations")}


def test_only_one_file_opens_sqlite(trees):
    def opening(path, tree):
        opens = {"sqlite3.connect", "connect", "sqlite3.dbapi2.connect"} & names_called(tree)
        return opens | {module for module, _ in imports(tree) if module.startswith("sqlite3")}

    assert found_in(trees, opening) == {"tracking/connection.py": {"sqlite3", "sqlite3.connect"}}


def test_the_dashboard_alone_imports_a_web_server(trees):
    found = found_in(
        trees, lambda _, tree: packages(tree) & {"anyio", "asyncio", "starlette", "uvicorn"}
    )
    assert {name.rpartition("/")[0] for name in found} == {"tracking/board"}


def test_placeholders_in_sql_have_no_numbers(core):
    # sqlite3 of Python 3.12.0 and 3.12.1 takes ?1 for a named parameter and warns at every call.
    def numbered(_, tree):
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        return [text for text in texts if isinstance(text, str) and re.search(r"\?\d", text)]

    assert found_in(core, numbered) == {}


def test_only_the_command_line_prints(core):
    assert found_in(core, lambda _, tree: prints(tree)) == {"tracking/cli/output.py": True}


def test_the_plugin_takes_of_the_core_what_is_public(trees):
    plugin = {path: tree for path, tree in trees.items() if path.is_relative_to(PLUGIN)}
    assert plugin
    assert found_in(plugin, lambda _, tree: not_public(tree)) == {}


def test_imports_name_the_whole_way(trees):
    def relative(_, tree):
        return [module for module, _ in imports(tree) if module.startswith(".")]

    assert found_in(trees, relative) == {}


def imported_by(statement):
    """The modules that a statement loads in a new interpreter."""
    script = (
        f"import sys, json; before = set(sys.modules); {statement};"
        " print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=os.environ | {"PYTHONPATH": str(CORE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("statement", ["import tracking", "import tracking.regression"])
def test_importing_the_core_imports_the_standard_library_only(statement):
    loaded = {name.partition(".")[0] for name in imported_by(statement)}
    assert loaded - sys.stdlib_module_names == {"tracking"}


def test_the_gate_loads_what_is_slow_only_where_it_is_used():
    slow = {"statistics", "decimal", "fractions", "tomllib", "tracking.tracker", "sqlite3"}
    assert imported_by("import tracking.regression").isdisjoint(slow)


# The tests above see what they should see


@pytest.mark.parametrize(
    ("look", "source", "found"),
    [
        (modules_of_core, "from tracking import records, errors as e", {"records", "errors"}),
        (modules_of_core, "def f():\n import tracking.tracker", {"tracker"}),
        (modules_of_core, "from tracking import Tracker", {""}),
        (modules_of_core, "from tracking.graph.capture import x", {"graph.capture"}),
        (modules_of_core, "from tracking.graph import capture", {"graph.capture"}),
        (modules_of_core, "if TYPE_CHECKING:\n import tracking.tracker", set()),
        (modules_of_core, "if TYPE_CHECKING:\n 1\nelse:\n import tracking.model", {"model"}),
        (lambda tree: reaches_out("media", tree), "import os\nos.getcwd()", {"os.getcwd"}),
        (lambda tree: reaches_out("media", tree), "from os import path", {"os"}),
        (lambda tree: reaches_out("arguments", tree), "import os\nos.PathLike", set()),
        (lambda tree: reaches_out("media", tree), "open('x')", {"open"}),
        (prints, "print(1)", True),
        (prints, "sys.stderr.write('x')", True),
        (prints, "'print(1)'", False),
        (not_public, "from tracking import Tracker", []),
        (not_public, "from tracking import arguments", [("tracking", "arguments")]),
        (not_public, "import tracking", [("tracking", None)]),
        (not_public, "from tracking.tracker import Tracker", [("tracking.tracker", "Tracker")]),
        (not_public, "from tracking.regression import compare", []),
        (not_public, "from tracking.regression import rules", [("tracking.regression", "rules")]),
    ],
)
def test_violations_are_seen(look, source, found):
    assert look(ast.parse(source)) == found

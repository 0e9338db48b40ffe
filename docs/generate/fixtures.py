"""The fixtures and the marker of the plugin."""

from __future__ import annotations

import ast
from pathlib import Path

from docs.generate.markdown import attributes, code, docstring, plain, table
from pytest_sgtrack import fixtures, markers
from tracking.model import STATISTICS
from tracking.regression import DEFAULT_SETTINGS, GRAPH_MODES, SETTING_NAMES, MetricSettings

_TYPES = {
    "direction": "`lower`, `higher` or `both`",
    "rel": "number",
    "abs": "number",
    "statistics": "list of names",
    "floor": "number",
    "key": "text",
    "graph": ", ".join(map(code, GRAPH_MODES)),
}


def page() -> str:
    """Return the page of fixtures and the marker."""
    names = markers._ARGUMENTS
    described = {
        **attributes(docstring(MetricSettings)),
        **attributes(docstring(markers.MarkerSettings)),
    }
    rows = [[code(name), _TYPES[name], plain(described[name]), _default(name)] for name in names]
    return f"""# Fixtures and the marker

{_fixtures()}
## The marker `sg_track`

```python
@pytest.mark.sg_track(*metrics, {", ".join(f"{name}=..." for name in names)})
```

Says how `--sg-track` compares the metrics that are named, or all of the test's where none is. For
each setting a marker that names the metric goes before one that names none, one at the test before
one at its class and that before one at its module, and all of them before the patterns of
[`pyproject.toml`](options.md). What is unknown or impossible is an error when tests are collected.

{table(["argument", "value", "meaning", "default"], rows)}

The statistics are {", ".join(map(code, STATISTICS))}.
"""


def _fixtures() -> str:
    tree = ast.parse(Path(fixtures.__file__).read_text(encoding="utf-8"))
    found = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(decorator) == "pytest.fixture" for decorator in node.decorator_list)
    ]
    return "\n".join(map(_fixture, found))


def _fixture(node: ast.FunctionDef) -> str:
    said = plain(ast.get_docstring(node) or "")
    return f"## `{node.name}`\n\n*Gives:* {_given(node)}\n\n{said}\n"


def _given(node: ast.FunctionDef) -> str:
    if node.returns is None:
        raise TypeError(f"the fixture {node.name} does not say what it gives")
    kind = ast.unparse(node.returns).removeprefix("Iterator[").removesuffix("]")
    return f"[`{kind}`](api/tracker.md#tracking.{kind})" if kind != "int" else code(kind)


def _default(name: str) -> str:
    if name == "direction":
        return "inferred from the metric's name"
    if name not in SETTING_NAMES:
        return "the test's name" if name == "key" else "`--sg-track-graph`"
    value = getattr(DEFAULT_SETTINGS, name)
    return code(", ".join(value) if isinstance(value, tuple) else str(value))

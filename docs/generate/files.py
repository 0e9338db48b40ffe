"""Files that are written and read: their versions, and what is in them."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from docs.generate.markdown import code, docstring, fenced, plain, table
from tracking import journal, schema
from tracking.cli import formats, output
from tracking.graph import fingerprint, text
from tracking.postgres import schema as store_schema
from tracking.regression import baseline, comparison, pending
from tracking.report import data

_REPORT_SCHEMA = Path(__file__).parents[1] / "report.schema.json"


class _Format(NamedTuple):
    name: str
    version: int
    module: str
    link: str


_FORMATS = (
    _Format("database of an experiment", schema.SCHEMA_VERSION, "schema", "database.md"),
    _Format("journal segment", journal.FORMAT_VERSION, "journal", "files.md#journal-segment"),
    _Format("baseline", baseline.FORMAT_VERSION, "regression.baseline", "files.md#baseline"),
    _Format("pending file", pending.FORMAT_VERSION, "regression.pending", "files.md#pending-file"),
    _Format("graph as text", text.TEXT_VERSION, "graph.text", "files.md#graph"),
    _Format("packed graph", text.PACK_VERSION, "graph.text", "files.md#graph"),
    _Format("fingerprint", fingerprint.VERSION, "graph.fingerprint", "files.md#fingerprint"),
    _Format(
        "`runs.comparison`", comparison.FORMAT_VERSION, "regression.comparison", "database.md#runs"
    ),
    _Format("JSON report", data.FORMAT_VERSION, "report.data", "report.md"),
    _Format(
        "`--json` of commands",
        output.JSON_VERSION,
        "cli.output",
        "../../commands.md#what-they-have-in-common",
    ),
    _Format("exported JSON", formats.FORMAT_VERSION, "cli.formats", "../../commands.md#export"),
    _Format("store in PostgreSQL", store_schema.SCHEMA_VERSION, "postgres.schema", "store.md"),
)


_ABOUT_JOURNAL = f"""\
`<experiment>.journal/<uuid>{journal.SUFFIX}`: what one process records, until it is in the
database. The header is `{journal._HEADER.format}` as Python's `struct` writes it: `sgtrack` and a
newline, version, sizes of header and frame; the segment's uuid; pid, start time, boot id and pid
namespace of its process; time of creation; Adler-32 of all that."""

_ABOUT_BASELINE = f"""\
`{baseline.FOLDER}/<test module>.json` beside a test module: the samples that its tests are compared
with, one metric a line."""

_ABOUT_PENDING = """\
`<experiment>.pending.json` beside the experiment: what tests gave that nobody has accepted yet."""

_ABOUT_GRAPH = f"""\
As text where it is reviewed. Where it is too large for that it is packed: `{text._HEAD.format}`
(`{text._MAGIC.decode()}`, version, length of the JSON), then by zlib the JSON (source, outputs,
kinds of nodes, number of nodes and of inputs) and three arrays: of each node its kind and its
number of inputs, and how many nodes back each input lies."""

_SECTIONS = (
    ("Journal segment", "journal", _ABOUT_JOURNAL),
    ("Baseline", "regression.baseline", _ABOUT_BASELINE),
    ("Pending file", "regression.pending", _ABOUT_PENDING),
    ("Graph", "graph.text", _ABOUT_GRAPH),
    ("Fingerprint", "graph.fingerprint", "Digests that tell two graphs apart."),
)


def versions_page() -> str:
    """Return the page that lists all formats with their versions."""
    rows = [
        [f"[{one.name}]({one.link})", str(one.version), code(f"tracking.{one.module}")]
        for one in _FORMATS
    ]
    return f"""# Formats

Whatever is stored has a version, and stays readable: a sample of each version lies under
`tests/assets`, and every release is tested against all of them. A format newer than what a release
knows is refused by name, and left as it is. Baselines and pending files without graphs are written
as version 1, so that older releases read them.

{table(["format", "version", "defined in"], rows)}
"""


def files_page() -> str:
    """Return the page of the files that are no database."""
    parts = [f"## {title}\n\n{about}\n\n{_rest(module)}" for title, module, about in _SECTIONS]
    return "# Files\n\n" + "\n\n".join(parts)


def _rest(module: str) -> str:
    """Return what a module says of itself behind its first sentence, which is about its code."""
    rest = docstring(import_module(f"tracking.{module}")).partition("\n\n")[2]
    return fenced(f"\n\n{rest}").strip()


def report_page() -> str:
    """Return the page of the JSON report: each object of its schema as a table."""
    whole = json.loads(_REPORT_SCHEMA.read_text(encoding="utf-8"))
    objects = {"Report": whole} | {
        name: one for name, one in whole["$defs"].items() if "properties" in one
    }
    others = [
        [code(name), plain(one.get("description", "")), _type(one)]
        for name, one in whole["$defs"].items()
        if "properties" not in one
    ]
    parts = [f"## {name}\n\n{_sentence(one)}\n\n{_keys(one)}\n\n" for name, one in objects.items()]
    return f"""# JSON report

Written by `--sg-track-report=PATH.json` and `sgtrack report`, read by `sgtrack report FILE.json`.
[report.schema.json](../../report.schema.json) is the same for programs (JSON Schema 2020-12).

{"".join(parts)}
## Other values

{table(["name", "meaning", "value"], others)}
"""


def _sentence(schema_of: dict[str, Any]) -> str:
    said = schema_of.get("description", "")
    return plain(f"{said[:1].upper()}{said[1:]}." if said else "")


def _keys(schema_of: dict[str, Any]) -> str:
    required = schema_of.get("required", ())
    rows = [
        [
            code(key) + ("" if key in required else " (may be absent)"),
            _type(one),
            plain(one.get("description", "")),
        ]
        for key, one in schema_of["properties"].items()
    ]
    return table(["key", "value", "meaning"], rows)


def _type(one: Any) -> str:
    """Return the type of a value in a few words."""
    if "const" in one:
        return code(json.dumps(one["const"]))
    if "$ref" in one:
        return str(one["$ref"]).rpartition("/")[2]
    if "enum" in one:
        return ", ".join(code(json.dumps(value)) for value in one["enum"])
    for joined in ("anyOf", "oneOf"):
        if joined in one:
            return " or ".join(map(_type, one[joined]))
    kinds = one.get("type", "any")
    said = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if "array" in said and isinstance(one.get("items"), dict):
        return f"{said} of {_type(one['items'])}"
    return said

"""Reports as JSON, for machines, and back. Pure.

The document is described by `docs/report.schema.json`. Objects have the fields of the dataclasses
in `tracking.report.data` by their names; enums are their values, bytes base64, non-finite numbers
the texts "NaN", "Infinity" and "-Infinity", and a side that a `Change` does not have is no key.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any

from tracking.errors import NewerFormatError, ReportError
from tracking.model import Direction, Summary, Verdict, encode_number
from tracking.regression import Check
from tracking.report import reading as read
from tracking.report.data import (
    ACTIONS,
    FORMAT_VERSION,
    MISSING,
    Band,
    Change,
    Curve,
    Death,
    Histogram,
    Image,
    MetricDetails,
    PastValue,
    ReportData,
    RunDetails,
    TestReport,
    Text,
)

FORMAT = "sgtrack-report"
"""What the document calls itself."""


def dump(data: ReportData) -> str:
    """Return a report as one line of JSON in ASCII.

    Beside the fields it has what is derived from them: `counts` by verdict, and the `message` of
    each test.

    Args:
        data: the report. Configs, environments and graphs hold what JSON knows; non-finite numbers
            in them become texts, as in an experiment.
    """
    counts = {str(verdict): n for verdict, n in data.counts.items()}
    document = {"format": FORMAT, "version": FORMAT_VERSION, **_plain(data), "counts": counts}
    return json.dumps(document, allow_nan=False, separators=(",", ":"))


def load(text: str) -> ReportData:
    """Undo `dump`; sequences come back as tuples.

    Keys that are unknown are ignored, and fields that have a default may be missing: another
    version of this library may have more or fewer of them in the same version of the format.

    Raises:
        NewerFormatError: the document is of a newer version of the format.
        ReportError: it is damaged, or no report; names the place in it.
    """
    try:
        members = read.as_object(json.loads(text))
        read.inside("format", read.one_of([FORMAT]), members.get("format"))
        read.inside("version", _version, members.get("version"))
        report: ReportData = _REPORT(members)
    except read.DamageError as damage:
        raise ReportError(f"report: {damage}") from None
    except (ValueError, RecursionError) as error:
        raise ReportError(f"report: not JSON ({error}); write the report again") from error
    return report


def _version(value: Any) -> int:
    version: int = read.integer(value)
    if version > FORMAT_VERSION:
        raise NewerFormatError(
            f"report: format {version} is newer than {FORMAT_VERSION}, the newest this version"
            " reads; upgrade pytest-sgtrack"
        )
    if version < FORMAT_VERSION:
        raise read.wrong(f"the number {FORMAT_VERSION}", version)
    return version


# Writing


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, float):
        return encode_number(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _members(value)
    return value


def _members(value: Any) -> dict[str, Any]:
    members = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, MetricDetails):
        members["baseline"] = [{"seed": seed, "summary": one} for seed, one in value.baseline]
    elif isinstance(value, Change):
        members = {name: side for name, side in members.items() if side is not MISSING}
    elif isinstance(value, TestReport):
        members["message"] = value.message
    return {name: _plain(member) for name, member in members.items()}


# Reading


def _change(value: Any) -> Change:
    members = read.as_object(value)
    sides = {
        side: read.inside(side, read.json_value, members[side]) if side in members else MISSING
        for side in ("before", "after")
    }
    return Change(read.inside("name", read.text, members.get("name")), **sides)


def _sample(value: Any) -> tuple[int | None, Summary]:
    members = read.as_object(value)
    seed = read.inside("seed", read.optional(read.integer), members.get("seed"))
    return seed, read.inside("summary", _SUMMARY, members.get("summary"))


def _suggestion(value: Any) -> tuple[str, str]:
    texts = read.sequence(read.text)(value)
    if len(texts) != 2:
        raise read.wrong("an array of two texts", value)
    return texts[0], texts[1]


_SUMMARY = read.record(
    Summary,
    **dict.fromkeys(("n", "n_nan", "n_inf", "first_step", "last_step"), read.integer),
    **dict.fromkeys(("min", "max", "mean", "std", "tail"), read.optional(read.number)),
    last=read.number,
)
_CHECK = read.record(
    Check,
    metric=read.text,
    statistic=read.text,
    verdict=read.enum_of(Verdict),
    **dict.fromkeys(("baseline", "current", "allowance", "detectable"), read.optional(read.number)),
    message=read.text,
    warning=read.text,
    direction=read.optional(read.enum_of(Direction)),
    at_most=read.text,
    details=read.sequence(read.text),
)
_CURVE = read.record(
    Curve, n=read.integer, steps=read.sequence(read.integer), values=read.sequence(read.number)
)
_BAND = read.record(
    Band,
    n_runs=read.integer,
    steps=read.sequence(read.integer),
    low=read.sequence(read.number),
    high=read.sequence(read.number),
)
_PAST_VALUE = read.record(
    PastValue,
    run_id=read.integer,
    created_at=read.number,
    value=read.optional(read.number),
    verdict=read.optional(read.text),
    commit=read.optional(read.text),
    is_accepted=read.boolean,
)
_METRIC = read.record(
    MetricDetails,
    name=read.text,
    direction=read.enum_of(Direction),
    summary=read.optional(_SUMMARY),
    baseline=read.sequence(_sample),
    curve=read.optional(_CURVE),
    band=read.optional(_BAND),
    history=read.sequence(_PAST_VALUE),
)
_HISTOGRAM = read.record(
    Histogram,
    name=read.text,
    step=read.integer,
    edges=read.sequence(read.number),
    counts=read.sequence(read.integer),
    n_non_finite=read.integer,
)
_IMAGE = read.record(
    Image,
    name=read.text,
    step=read.integer,
    width=read.integer,
    height=read.integer,
    png=read.base64_bytes,
)
_TEXT = read.record(Text, name=read.text, step=read.integer, content=read.text)
_RUN = read.record(
    RunDetails,
    run_id=read.integer,
    uuid=read.text,
    created_at=read.number,
    status=read.text,
    **dict.fromkeys(("outcome", "phase", "ended_by"), read.optional(read.text)),
    duration_s=read.optional(read.number),
    **dict.fromkeys(("config", "environment"), read.mapping(read.json_value)),
    **dict.fromkeys(("config_changes", "environment_changes"), read.sequence(_change)),
    metrics=read.sequence(_METRIC),
    histograms=read.sequence(_HISTOGRAM),
    images=read.sequence(_IMAGE),
    texts=read.sequence(_TEXT),
    graphs=read.sequence(read.mapping(read.json_value)),
    left_out=read.sequence(read.text),
)
_TEST = read.record(
    TestReport,
    **dict.fromkeys(("nodeid", "file", "baseline", "key", "accept_command"), read.text),
    verdict=read.optional(read.enum_of(Verdict)),
    action=read.one_of(ACTIONS),
    **dict.fromkeys(("line", "n_samples"), read.integer),
    checks=read.sequence(_CHECK),
    notes=read.sequence(read.text),
    run=read.optional(_RUN),
)
_DEATH = read.record(Death, nodeid=read.text, ended_by=read.text, last_records=read.text)
_REPORT = read.record(
    ReportData,
    created_at=read.number,
    **dict.fromkeys(("experiment", "database"), read.text),
    session=read.optional(read.text),
    environment=read.mapping(read.json_value),
    tests=read.sequence(_TEST),
    deaths=read.sequence(_DEATH),
    **dict.fromkeys(("notices", "problems"), read.sequence(read.text)),
    written=read.mapping(read.integer),
    **dict.fromkeys(("unused", "removed"), read.mapping(read.sequence(read.text))),
    suggestions=read.sequence(_suggestion),
)

"""Reports for a terminal, as lines and the tone of each; whoever writes them has the colours. Pure.

Prose is wrapped at the width, with a hanging indent. Node ids, paths and commands are not: who
copies one has to get all of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tracking.model import Verdict
from tracking.regression import NOT_IN_BASELINE, SEVERITY
from tracking.report.curve import sparkline
from tracking.report.words import (
    changes_text,
    checks_table,
    count_of,
    counts_text,
    direction_text,
    findings,
    is_worth_a_look,
    printable,
    reasons,
    verdict_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracking.report.data import MetricDetails, ReportData, TestReport

_LISTED = 10  # tests of one verdict listed without -v, and entries of one file
_TONES = {"pass": "green", "show": "green", "warn": "yellow", "fail": "red"}
_SPARKLINE = 20
_BEHIND_COMMAS = re.compile("(?<=,) ")


class Line(NamedTuple):
    """A line, and its tone: empty, green, yellow or red."""

    text: str
    tone: str = ""


class _Paragraph(NamedTuple):
    """What stands on one line where that is long enough: pieces, none of which is broken."""

    pieces: Sequence[str]
    tone: str = ""
    indent: str = ""


def lines(data: ReportData, *, width: int, is_verbose: bool) -> list[Line]:
    """Return what a session came to: counts of all verdicts, then every test worth a look.

    Where baselines were written, tests that only lacked one are not listed: that is settled.

    Args:
        data: the session.
        width: columns of the terminal.
        is_verbose: whether to list every test.

    Returns:
        The lines, the worst tests last; none where there is nothing to say.
    """
    paragraphs = [
        *_said(data.notices, "yellow"),
        *_deaths(data),
        *_counts(data),
        *_tests(data, is_verbose),
        *_files(data),
        *_said(data.problems, "red"),
        *(_Paragraph([printable(f"{why}: {command}")]) for why, command in data.suggestions),
    ]
    return [
        Line(text, paragraph.tone) for paragraph in paragraphs for text in _folded(paragraph, width)
    ]


def one_test(test: TestReport, width: int) -> str:
    """Return the whole story of one test.

    That is: what was found, all checks, what changed beside the metrics, how the metrics went in
    this run and in those before, and the command that accepts it.

    Args:
        test: the test.
        width: columns of the terminal.
    """
    head = printable(f"{verdict_text(test)} {test.nodeid}")
    blocks = [[_Paragraph([head]), *_listed(findings(test))]]
    if test.run is not None:
        blocks += [
            _block("config:", changes_text(test.run.config_changes)),
            _block("environment:", changes_text(test.run.environment_changes)),
            [p for metric in test.run.metrics for p in _curves(metric)],
        ]
    blocks.append(
        [
            _Paragraph([printable(name + value)])
            for name, value in (
                ("baseline:  ", test.baseline),
                ("to accept: ", test.accept_command),
            )
            if value
        ]
    )
    texts = ["\n".join(t for p in block for t in _folded(p, width)) for block in blocks if block]
    numbers = [check for check in test.checks if check.metric]
    if numbers:
        texts.insert(1, checks_table(numbers, width))
    return "\n\n".join(texts)


def _folded(paragraph: _Paragraph, width: int) -> Iterator[str]:
    first, *others = paragraph.pieces
    line = paragraph.indent + first
    for piece in others:
        longer = f"{line} {piece}"
        if len(longer) <= width:
            line = longer
        else:
            yield line
            line = f"{paragraph.indent}  {piece}"
    yield line


def _words(text: str) -> list[str]:
    """Return the pieces of a text: its words, and commands in backquotes whole."""
    words: list[str] = []
    for word in text.split(" "):
        if words and words[-1].count("`") % 2:
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def _listed(texts: Iterable[str]) -> list[_Paragraph]:
    return [_Paragraph(_words(text), indent="  ") for text in texts]


def _block(title: str, texts: Sequence[str]) -> list[_Paragraph]:
    return [_Paragraph([title]), *_listed(texts)] if texts else []


def _said(texts: Iterable[str], tone: str) -> Iterator[_Paragraph]:
    for text in texts:
        for line in text.splitlines():
            yield _Paragraph(_words(printable(line)), tone)


def _deaths(data: ReportData) -> Iterator[_Paragraph]:
    for death in data.deaths:
        last = f"- last records: {death.last_records}" if death.last_records else ""
        head = f"{death.ended_by} {death.nodeid}"
        yield _Paragraph(_with_reason(head, last), "red")


def _with_reason(head: str, reason: str) -> list[str]:
    return [printable(head), *(_words(printable(reason)) if reason else ())]


def _counts(data: ReportData) -> Iterator[_Paragraph]:
    for sentence, action in counts_text(data):
        yield _Paragraph(_BEHIND_COMMAS.split(sentence), _TONES.get(action, ""))


def _tests(data: ReportData, is_verbose: bool) -> Iterator[_Paragraph]:
    settled = NOT_IN_BASELINE if data.written else ()
    for verdict in SEVERITY:
        of_verdict = [
            test
            for test in data.tests
            if test.verdict is verdict
            and verdict not in settled
            and (is_verbose or is_worth_a_look(test))
        ]
        n_listed = 1 if verdict is Verdict.INCOMPLETE else _LISTED  # all for the same reason
        listed = of_verdict if is_verbose else of_verdict[:n_listed]
        for test in listed:
            why = "; ".join(reasons(test))
            head = f"{verdict} {test.nodeid}"
            yield _Paragraph(_with_reason(head, f"- {why}" if why else ""), _TONES[test.action])
            yield from _listed(map(printable, test.notes))
        if n_more := len(of_verdict) - len(listed):
            yield _Paragraph(_words(f"... and {n_more} more {verdict} (-v lists them)"))


def _files(data: ReportData) -> Iterator[_Paragraph]:
    for name, n_entries in data.written.items():
        rest = f"{n_entries} of its tests; review and commit it"
        yield _Paragraph(["wrote", printable(f"{name}:"), *_words(rest)])
    for name, keys in data.removed.items():
        head = ["removed", "from", printable(f"{name},"), "having", "no", "test:"]
        yield _Paragraph([*head, *_enumerated(keys)])
    for name, keys in data.unused.items():
        head = [printable(name), *_words("has entries without a test:")]
        yield _Paragraph([*head, *_enumerated(keys)], "yellow")
    if data.unused:
        yield _Paragraph(["to remove them: sgtrack prune"])


def _enumerated(keys: Sequence[str]) -> list[str]:
    shown = [*map(printable, keys[:_LISTED]), *(["..."] if len(keys) > _LISTED else [])]
    return [f"{key}," for key in shown[:-1]] + shown[-1:]


def _curves(metric: MetricDetails) -> Iterator[_Paragraph]:
    """Yield how a metric went: in this run, and from run to run."""
    said = direction_text(metric.direction)
    if metric.summary is None:
        yield _curve([], metric.name, f"not recorded by this run, {said}")
    else:
        values = metric.curve.values if metric.curve else []
        yield _curve(values, metric.name, f"{count_of(metric.summary.n, 'record')}, {said}")
    if len(metric.history) > 1:
        tails = [past.value for past in metric.history]
        yield _curve(tails, metric.name, f"the tails of {len(tails)} runs, the last one is this")


def _curve(values: Sequence[float | None], name: str, said: str) -> _Paragraph:
    drawn = sparkline(values, _SPARKLINE).ljust(_SPARKLINE)
    return _Paragraph([f"{drawn}  {printable(name)}:", *_words(said)])

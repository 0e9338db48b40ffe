"""Reports in Markdown as GitHub reads it: summaries of jobs, comments on pull requests. Pure.

What a test has named or said is data: entities stand for characters that Markdown or HTML would
read, names are in <code>, where no one is mentioned and nothing is linked, and elsewhere an
invisible character parts "@" and "#" from what follows.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tracking.regression import SEVERITY
from tracking.report.curve import sparkline
from tracking.report.escaping import code, escaped, row
from tracking.report.words import (
    CHECK_HEADERS,
    changes_text,
    check_cells,
    count_of,
    counts_text,
    findings,
    is_worth_a_look,
    printable,
    verdict_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracking.regression import Check
    from tracking.report.data import Death, ReportData, TestReport

_MAX_CHECKS = 100  # of one test: a model may have thousands of metrics
_LISTED = 10  # entries of one file
_CHECK_ALIGNS = ("---", "---", "--:", "--:", "--:", "--:", "---")
# Of a check what a table of tests has room for: all but what is allowed, and the verdict.
_OF_CHECK = slice(5)
_HEADERS = ("verdict", "test", *CHECK_HEADERS[_OF_CHECK], "trend")
_ALIGNS = ("---", "---", *_CHECK_ALIGNS[_OF_CHECK], "---")


class _Item(NamedTuple):
    """What is left out whole where there is no room.

    Attributes:
        kind: death, problem, notice, suggestion or test.
        text: its line of a list or of the table.
        details: what else there is to a test.
    """

    kind: str
    text: str
    details: str = ""


def render(data: ReportData, *, limit_bytes: int | None = None) -> str:
    """Return a report: counts, what went wrong, a table of tests worth a look, and each red one.

    Args:
        data: the report.
        limit_bytes: the most it may have in UTF-8, at least 1,000. What there is no room for is
            left out by whole tests, the mildest first, and the last line says how many those are.
    """
    items = _items(data)
    whole = _page(data, items, len(items))
    if limit_bytes is None or len(whole.encode()) <= limit_bytes:
        return whole
    n_kept = bisect_right(
        range(len(items)), limit_bytes, key=lambda n: len(_page(data, items, n).encode())
    )
    return _page(data, items, max(0, n_kept - 1))


def _items(data: ReportData) -> list[_Item]:
    """Return what may be left out, beginning with what would be missed most."""
    return [
        *(_Item("death", _death_line(death)) for death in data.deaths),
        *(_Item("problem", f"- {escaped(problem)}") for problem in data.problems),
        *(_Item("notice", f"- {escaped(notice)}") for notice in data.notices),
        *(_Item("notice", _unused_line(*unused)) for unused in data.unused.items()),
        *(_Item("suggestion", _to_copy(*suggestion)) for suggestion in data.suggestions),
        *(
            _Item("test", row(_test_cells(test)), _details(test) if test.action == "fail" else "")
            for test in data.by_severity()
            if is_worth_a_look(test)
        ),
    ]


def _page(data: ReportData, items: Sequence[_Item], n_kept: int) -> str:
    def kept(kind: str) -> list[_Item]:
        return [item for item in items[:n_kept] if item.kind == kind]

    counted = "; ".join(sentence for sentence, _ in counts_text(data)) or "nothing compared"
    beside = [item.text for kind in ("death", "problem", "notice") for item in kept(kind)]
    tests = kept("test")
    table = [row(_HEADERS), row(_ALIGNS), *(item.text for item in tests)]
    left_out = Counter(item.kind for item in items[n_kept:])
    counts = ", ".join(count_of(n, kind) for kind, n in left_out.items())
    blocks = [
        f"## sg-track - {counted}",
        "\n".join(beside),
        "\n".join(table) if tests else "",
        *(item.details for item in tests),
        *(item.text for item in kept("suggestion")),
        f"Left out for want of room: {counts}." if left_out else "",
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _death_line(death: Death) -> str:
    last = f" - last records: {escaped(death.last_records)}" if death.last_records else ""
    return f"- {escaped(death.ended_by)} {code(death.nodeid)}{last}"


def _unused_line(name: str, keys: Sequence[str]) -> str:
    shown = [*map(code, keys[:_LISTED]), *(["..."] if len(keys) > _LISTED else [])]
    return f"- {code(name)} has entries without a test: {', '.join(shown)}"


def _test_cells(test: TestReport) -> Iterator[str]:
    """Yield the cells of a test: of its checks the deciding one."""
    yield verdict_text(test)
    yield code(test.nodeid)
    check = test.deciding_check
    yield from _check_cells(check)[_OF_CHECK] if check else [""] * len(CHECK_HEADERS[_OF_CHECK])
    yield code(_trend(test, check.metric) if check else "")


def _trend(test: TestReport, metric: str) -> str:
    """Return how a metric went from run to run, or in this one where others are not known."""
    for details in test.run.metrics if test.run else ():
        if details.name == metric:
            past = [one.value for one in details.history]
            of_run = details.curve.values if details.curve else ()
            return sparkline(past if len(past) > 1 else of_run)
    return ""


def _details(test: TestReport) -> str:
    run = test.run
    blocks = [
        f"<details>\n<summary>{verdict_text(test)} {code(test.nodeid)}</summary>",
        _list(findings(test)),
        _checks(test.checks),
        _titled_list("Config:", changes_text(run.config_changes if run else ())),
        _titled_list("Environment:", changes_text(run.environment_changes if run else ())),
        _to_copy("To accept", test.accept_command) if test.accept_command else "",
        "</details>",
    ]
    return "\n\n".join(filter(None, blocks))


def _checks(checks: Iterable[Check]) -> str:
    """Return a table of checks, the worst first where they are too many."""
    numbers = [check for check in checks if check.metric]
    if not numbers:
        return ""
    shown = numbers
    if len(numbers) > _MAX_CHECKS:
        shown = sorted(numbers, key=lambda one: SEVERITY.index(one.verdict), reverse=True)
        shown = shown[:_MAX_CHECKS]
    rows = [CHECK_HEADERS, _CHECK_ALIGNS, *map(_check_cells, shown)]
    n_more = len(numbers) - len(shown)
    more = f"\n\n... and {count_of(n_more, 'milder check')}" if n_more else ""
    return "\n".join(map(row, rows)) + more


def _check_cells(check: Check) -> list[str]:
    metric, *others = check_cells(check)
    return [code(metric), *map(escaped, others)]


def _titled_list(title: str, texts: Sequence[str]) -> str:
    return f"{title}\n\n{_list(texts)}" if texts else ""


def _list(texts: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(text)}" for text in texts)


def _to_copy(purpose: str, command: str) -> str:
    shown = printable(command)
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{escaped(purpose)}:\n\n{fence}\n{shown}\n{fence}"

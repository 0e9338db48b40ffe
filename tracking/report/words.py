"""How numbers, checks and changes are said, in every format that people read. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tracking.model import Direction, Verdict
from tracking.report.data import ACTIONS, MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracking.regression import Check
    from tracking.report.data import Change, ReportData, TestReport

CHECK_HEADERS = ("metric", "statistic", "baseline", "current", "change", "allowed", "verdict")
"""What the cells of a check are called."""

_NARROWEST = 8  # column that tabulate has under the header of the metrics
# A table of checks says all there is to say about a value that changed.
_SAID_BY_TABLE = (Verdict.REGRESSED, Verdict.IMPROVED)


def checks_table(checks: Iterable[Check], width: int) -> str:
    """Lay out checks: one line each, numbers with the digits it takes to see a change.

    Long names of metrics are wrapped in their cells, where that is enough to fit the width.

    Args:
        checks: the checks.
        width: columns of the terminal.
    """
    rows = [check_cells(check) for check in checks]
    table = _laid_out(rows)
    longest = max((len(row[0].strip()) for row in rows), default=0)
    room = longest + width - max(map(len, table.splitlines()))
    if _NARROWEST <= room < longest:
        table = _laid_out([(_cut(metric.strip(), room), *others) for metric, *others in rows])
    return table


def _laid_out(rows: Sequence[Sequence[str]]) -> str:
    from tabulate import tabulate  # only sessions with something to show pay for it

    aligned = ("left", "left", "right", "right", "right", "right", "left") if rows else None
    return tabulate(rows, CHECK_HEADERS, tablefmt="simple", disable_numparse=True, colalign=aligned)


def _cut(name: str, width: int) -> str:
    """Return a name on several lines, cut behind a separator where there is one."""
    return "\n".join(re.findall(rf".{{1,{width}}}(?:(?<=[\W_])|$)|.{{1,{width}}}", name))


def check_cells(check: Check) -> tuple[str, ...]:
    """Return a check as cells, one for each of `CHECK_HEADERS`; what it has not is empty."""
    return (
        printable(check.metric),
        printable(check.statistic),
        *numbers_text(check.baseline, check.current),
        change_text(check),
        "" if check.allowance is None else f"{check.allowance:.3g}",
        str(check.verdict),
    )


def numbers_text(*values: float | None) -> list[str]:
    """Return numbers with the digits it takes to tell them apart; None is empty.

    >>> numbers_text(1.0, 2.0, None), numbers_text(1.0, 1.0 + 2**-40)
    (['1', '2', ''], ['1', '1.0000000000009095'])
    """
    for digits in (6, 17):
        shown = ["" if value is None else f"{value:.{digits}g}" for value in values]
        if len(set(shown)) == len(set(values)):
            break
    return shown


def change_text(check: Check) -> str:
    """Return a change in percent of the baseline, as a number where it has no percentage."""
    if check.relative_change is not None:
        return percent_text(check.relative_change)
    return "" if check.change is None else f"{check.change:+.3g}"


def percent_text(relative_change: float) -> str:
    """Return a relative change in percent, with the digits it takes to see that it is one.

    >>> percent_text(0.5), percent_text(0.0), percent_text(-1e-7)
    ('+50.00 %', '+0.00 %', '-1e-05 %')
    """
    percent = 100 * relative_change
    return f"{percent:+.2f} %" if abs(percent) >= 0.005 or not percent else f"{percent:+.1g} %"


def direction_text(direction: Direction) -> str:
    """Return which way a metric gets better, as the gate says it."""
    return "either way counts" if direction is Direction.BOTH else f"{direction} is better"


def count_of(n: int, noun: str) -> str:
    """Return how many there are of something.

    >>> count_of(1, "test"), count_of(2, "test")
    ('1 test', '2 tests')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def counts_text(data: ReportData) -> list[tuple[str, str]]:
    """Return how many tests came to what, in sentences, and the worst that it did to a test.

    What was not compared did nothing, as far as the test did not fail by itself.
    """
    compared = [test for test in data.tests if test.verdict is not None]
    others = [test for test in data.tests if test.verdict is None]
    n_failed = sum(test.action == "fail" for test in others)
    n_collected = len(others) - n_failed
    found = []
    if compared:
        counted = ", ".join(f"{n} {verdict}" for verdict, n in data.counts.items())
        action = max((test.action for test in compared), key=ACTIONS.index)
        found.append((f"{count_of(len(compared), 'test')} compared: {counted}", action))
    if n_collected:
        said = f"{count_of(n_collected, 'test')} run to collect samples, nothing compared"
        found.append((said, ""))
    if n_failed:
        said = f"{count_of(n_failed, 'test')} failed without the gate, nothing compared"
        found.append((said, "fail"))
    return found


def verdict_text(test: TestReport) -> str:
    """Return the verdict, or what there is in place of one."""
    return str(test.verdict or ("failed" if test.action == "fail" else "not compared"))


def is_worth_a_look(test: TestReport) -> bool:
    """Tell whether a reader has to know of a test: it was not simply green."""
    has_warning = any(check.warning for check in test.checks)
    return bool(test.action != "pass" or test.notes or has_warning)


def reasons(test: TestReport) -> list[str]:
    """Return why the verdict is what it is, and what makes it less than it seems."""
    return _said(test.message, *(check.warning for check in test.checks))


def findings(test: TestReport) -> list[str]:
    """Return all that a table of the checks cannot say, the reason of the verdict first."""
    first = test.deciding_check
    own = [first.message, *first.details] if first else []
    return _said(*own, *said_beside(first, test.checks), *test.notes)


def said_beside(first: Check | None, checks: Iterable[Check]) -> list[str]:
    """Return what the checks say beside the message of `first`, and a table of them all cannot."""
    return [text for check in checks for text in _said_by(check, is_first=check is first) if text]


def _said_by(check: Check, is_first: bool) -> Sequence[str]:
    if is_first:
        return (check.warning,)
    message = "" if check.verdict in _SAID_BY_TABLE else check.message
    return message, check.warning, *check.details


def _said(*texts: str) -> list[str]:
    return [printable(text) for text in texts if text]


def changes_text(changes: Iterable[Change]) -> list[str]:
    """Return what differs from the baseline, a line each; texts in quotes, as JSON has them.

    >>> from tracking.report.data import Change
    >>> changes_text([Change("lr", 0.1, 0.2), Change("seed", MISSING, "0")])
    ['lr: from 0.1 to 0.2', 'seed: "0", which the baseline does not have']
    """
    return [printable(f"{change.name}: {_sides(change)}") for change in changes]


def _sides(change: Change) -> str:
    if change.before is MISSING:
        return f"{_value(change.after)}, which the baseline does not have"
    if change.after is MISSING:
        return f"gone, {_value(change.before)} in the baseline"
    return f"from {_value(change.before)} to {_value(change.after)}"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)


def printable(text: str) -> str:
    r"""Return a text on one line, without what would steer a terminal or hide in a page.

    >>> printable("a b\n\x1b[31m\u200f")
    'a b\\n\\x1b[31m\\u200f'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)

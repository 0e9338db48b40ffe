"""The comparison of a test with its baseline, and what a verdict does to the test."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_sgtrack.names import baseline_key, nodeid_of
from tracking import BaselineError, Verdict
from tracking.regression import (
    Check,
    Comparison,
    Entry,
    Sample,
    baseline_path,
    compare,
    dump_baseline,
    extended_entry,
    load_baseline,
    parse_baseline,
    save_baseline,
    updated_entry,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

    from pytest_sgtrack.markers import MarkerSettings
    from pytest_sgtrack.options import Settings

# What a verdict does to the test: PASS says nothing, SHOW is listed at the end of the session, WARN
# is listed as a warning, FAIL fails the test.
PASS, SHOW, WARN, FAIL = "pass", "show", "warn", "fail"
_ORDER = (PASS, SHOW, WARN, FAIL)
_ACTIONS = {"fail": FAIL, "warn": WARN, "report": SHOW}


class MetricRegressionError(AssertionError):
    """A test's metrics got worse than its baseline allows."""


MetricRegressionError.__module__ = "builtins"  # as pytest's own failures: no module in summaries


def action_of(verdict: Verdict, settings: Settings) -> str:
    """Return what a verdict does to a test under these settings; every verdict has its line."""
    match verdict:
        case Verdict.IDENTICAL | Verdict.WITHIN:
            return PASS
        case Verdict.IMPROVED | Verdict.UNDERPOWERED:
            return SHOW
        case Verdict.NEW_METRIC:
            return FAIL if settings.on_missing == "fail" else SHOW
        case Verdict.NO_BASELINE | Verdict.NOT_COMPARABLE:
            return _ACTIONS[settings.on_missing]
        case (
            Verdict.REGRESSED
            | Verdict.NON_FINITE
            | Verdict.MISSING_METRIC
            | Verdict.TRUNCATED
            | Verdict.BOUND_FAILED
            | Verdict.GRAPH_CHANGED
        ):
            return _ACTIONS[settings.on_regression]
        case Verdict.UNREADABLE_BASELINE:
            return FAIL
        case Verdict.INCOMPLETE:
            return WARN


@dataclass(frozen=True)
class TestResult:
    """What comparing one test came to; travels from xdist's workers in plain values.

    Attributes:
        nodeid: the test.
        baseline: its baseline file, absolute.
        key: its name there.
        verdict: the worst of its checks.
        action: what that does to the test.
        checks: what was compared.
        sample: with --sg-track-update, the text of a baseline of this test alone.
        is_acceptable: whether an update may write it: the test did not fail by itself.
    """

    __test__ = False

    nodeid: str
    baseline: str
    key: str
    verdict: Verdict
    action: str
    checks: tuple[Check, ...]
    sample: str | None
    is_acceptable: bool = True

    def as_plain(self) -> tuple[Any, ...]:
        """Return plain values that xdist can send."""
        checks = tuple(
            (c.metric, c.statistic, str(c.verdict), c.baseline, c.current, c.allowance, c.message)
            for c in self.checks
        )
        return (
            *(self.nodeid, self.baseline, self.key, str(self.verdict), self.action, checks),
            *(self.sample, self.is_acceptable),
        )

    @classmethod
    def from_plain(cls, values: Sequence[Any]) -> TestResult:
        """Undo `as_plain`."""
        nodeid, baseline, key, verdict, action, plain_checks, sample, is_acceptable = values
        checks = tuple(
            Check(metric, statistic, Verdict(of_check), *numbers_and_message)
            for metric, statistic, of_check, *numbers_and_message in plain_checks
        )
        return cls(nodeid, baseline, key, Verdict(verdict), action, checks, sample, is_acceptable)


class Gate:
    """Compares tests with their baseline files, each of which is read once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._entries: dict[Path, dict[str, Entry] | BaselineError] = {}

    def judge(
        self, item: pytest.Item, sample: Sample, markers: MarkerSettings
    ) -> TestResult | None:
        """Compare what a test recorded with its baseline; None where there is nothing to compare.

        Args:
            item: the test.
            sample: what it recorded.
            markers: its `MarkerSettings`.
        """
        path = baseline_path(item.path)
        key = baseline_key(item, markers.key)
        entries = self._load(path)
        if isinstance(entries, BaselineError):
            check = Check("", "", Verdict.UNREADABLE_BASELINE, None, None, None, str(entries))
            comparison = Comparison(Verdict.UNREADABLE_BASELINE, (check,))
        else:
            entry = entries.get(key)
            if entry is None and not sample.metrics:
                return None
            samples = entry.samples if entry else None
            comparison = compare(samples, sample.metrics, markers.settings, sample.seed)
        action = max(
            (action_of(check.verdict, self._settings) for check in comparison.checks),
            key=_ORDER.index,
            default=PASS,
        )
        text = None
        update = self._settings.update
        if update and not isinstance(entries, BaselineError):
            text = dump_baseline({key: Entry((sample,), None)})
            if action == FAIL and will_be_written(update, comparison.checks):
                action = SHOW
        return TestResult(
            nodeid_of(item), str(path), key, comparison.verdict, action, comparison.checks, text
        )

    def forget(self) -> None:
        """Let go of the baselines."""
        self._entries.clear()

    def incomplete(self, item: pytest.Item, trouble: str, markers: MarkerSettings) -> TestResult:
        """Return the result of a test whose recording failed: nothing can be said about it."""
        check = Check("", "", Verdict.INCOMPLETE, None, None, None, trouble)
        path, key = baseline_path(item.path), baseline_key(item, markers.key)
        action = action_of(Verdict.INCOMPLETE, self._settings)
        return TestResult(
            nodeid_of(item), str(path), key, Verdict.INCOMPLETE, action, (check,), None
        )

    def _load(self, path: Path) -> dict[str, Entry] | BaselineError:
        if path not in self._entries:
            try:
                self._entries[path] = load_baseline(path)
            except BaselineError as error:
                self._entries[path] = error
        return self._entries[path]


def will_be_written(update: str, checks: Iterable[Check]) -> bool:
    """Tell whether an update settles everything that would make a test fail."""
    settled = {Verdict.NO_BASELINE, Verdict.NEW_METRIC}
    return update == "all" or all(
        check.verdict in settled | {Verdict.IDENTICAL, Verdict.WITHIN, Verdict.IMPROVED}
        for check in checks
    )


def write_baselines(
    results: Iterable[TestResult], update: str
) -> tuple[dict[Path, int], list[BaselineError]]:
    """Put the samples of results into their baseline files, each file written once.

    Returns:
        How many entries were added or changed in each file, and what could not be written.
    """
    by_file: dict[Path, list[TestResult]] = {}
    for result in results:
        if result.sample is not None and result.is_acceptable:
            by_file.setdefault(Path(result.baseline), []).append(result)
    n_written: dict[Path, int] = {}
    errors = []
    for path, of_file in by_file.items():
        try:
            before = load_baseline(path)
            after = dict(before)
            for result in of_file:
                (sample,) = parse_baseline(result.sample or "")[result.key].samples
                join = extended_entry if update == "new" else updated_entry
                after[result.key] = join(before.get(result.key), sample)
            changed = [key for key in after if after[key] != before.get(key)]
            if changed:
                save_baseline(path, after)
                n_written[path] = len(changed)
        except BaselineError as error:
            errors.append(error)
    return n_written, errors


def failure_message(result: TestResult, shown_baseline: str, accept: str) -> str:
    """Return the text of a failure: what is wrong, the table, and how to accept it.

    Args:
        result: of the test.
        shown_baseline: path of its baseline file as the user would write it.
        accept: the command that accepts what the test gave.
    """
    first = deciding_check(result)
    if first is None or result.verdict is Verdict.UNREADABLE_BASELINE:
        return first.message if first else str(result.verdict)
    # What the table below cannot say: a change of value is all there.
    others = [
        f"  {check.message}"
        for check in result.checks
        if check is not first
        and check.verdict not in (Verdict.REGRESSED, Verdict.IMPROVED)
        and check.message
    ]
    tail = ["", f"baseline:  {shown_baseline}", f"to accept: {accept}"]
    return "\n".join([first.message, *others, "", checks_table(result.checks), *tail])


def deciding_check(result: TestResult) -> Check | None:
    """Return the check that made the verdict: of several, the one of the largest change."""
    deciding = [c for c in result.checks if c.verdict == result.verdict and c.message]
    return max(deciding, key=lambda check: abs(check.relative_change or 0), default=None)


def checks_table(checks: Iterable[Check]) -> str:
    """Lay out checks: one line each, numbers with the digits it takes to see a change."""
    from tabulate import tabulate  # only sessions with something to show pay for it

    rows = [
        (
            check.metric,
            check.statistic,
            *_numbers(check.baseline, check.current),
            _change(check),
            "" if check.allowance is None else f"{check.allowance:.3g}",
            str(check.verdict),
        )
        for check in checks
    ]
    headers = ("metric", "statistic", "baseline", "current", "change", "allowed", "verdict")
    return tabulate(
        rows,
        headers,
        tablefmt="simple",
        disable_numparse=True,
        colalign=("left", "left", "right", "right", "right", "right", "left"),
    )


def _numbers(*values: float | None) -> list[str]:
    for digits in (6, 17):
        shown = ["" if value is None else f"{value:.{digits}g}" for value in values]
        if len(set(shown)) == len(set(values)):
            break
    return shown


def _change(check: Check) -> str:
    if check.relative_change is not None:
        percent = 100 * check.relative_change
        return f"{percent:+.2f} %" if abs(percent) >= 0.005 or not percent else f"{percent:+.1g} %"
    return "" if check.change is None else f"{check.change:+.3g}"


def accept_command(nodeids: Iterable[str], update: str) -> str:
    """Return the command that accepts what these tests gave, ready for a shell."""
    return shlex.join(["pytest", "--sg-track", f"--sg-track-update={update}", *nodeids])

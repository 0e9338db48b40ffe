"""The one value that every report is made of. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracking.model import Verdict
from tracking.regression import SEVERITY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracking.model import Direction, Summary
    from tracking.regression import Check

FORMAT_VERSION = 1
"""Version of what the formats for machines hold."""

ACTIONS = ("pass", "show", "warn", "fail")
"""What a verdict does to a test, from the mildest to the worst."""

_SEVERITY = {verdict: rank for rank, verdict in enumerate(SEVERITY)}


class _Missing:
    """Stands for a value that one side of a `Change` does not have; None is a value."""

    def __repr__(self) -> str:
        return "missing"


MISSING = _Missing()
"""The side of a `Change` that has no such name."""


@dataclass(frozen=True, slots=True)
class Change:
    """A name whose value differs between two mappings.

    Attributes:
        name: of nested mappings the names joined by dots.
        before: the value in the first, or `MISSING`.
        after: the value in the second, or `MISSING`.
    """

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Curve:
    """A series as it can be drawn: at most so many of its points, its extremes among them.

    Attributes:
        n: how many records the series has.
        steps: of the points, ascending.
        values: of the points; a non-finite one is a gap in the line.
    """

    n: int
    steps: Sequence[int]
    values: Sequence[float]

    @property
    def is_whole(self) -> bool:
        """Whether every record is a point."""
        return len(self.steps) == self.n


@dataclass(frozen=True, slots=True)
class Band:
    """Where the curves of the accepted runs lie that the experiment still has.

    Attributes:
        n_runs: how many runs that is.
        steps: ascending.
        low: the smallest value of a run at each step.
        high: the largest.
    """

    n_runs: int
    steps: Sequence[int]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True, slots=True)
class PastValue:
    """What a metric came to in one run of a test.

    Attributes:
        run_id: the run.
        created_at: when it started, Unix seconds.
        value: the metric's tail, None where it had no finite value.
        verdict: of the run, where it was compared.
        commit: of the code it ran on, as far as it is known.
        is_accepted: whether the baseline holds this very summary.
    """

    run_id: int
    created_at: float
    value: float | None
    verdict: str | None
    commit: str | None
    is_accepted: bool


@dataclass(frozen=True, slots=True)
class MetricDetails:
    """One metric of one test: what it is, was, and was before.

    Attributes:
        name: of the metric.
        direction: which way it gets better.
        summary: of this run; None where it recorded no such metric.
        baseline: summaries of the baseline's samples that have it, and the seeds of these.
        curve: None where the run did not record it, or where the report had no room left.
        band: None where the experiment has none of the accepted runs any more.
        history: of this and earlier runs of the test, oldest first.
    """

    name: str
    direction: Direction
    summary: Summary | None
    baseline: Sequence[tuple[int | None, Summary]] = ()
    curve: Curve | None = None
    band: Band | None = None
    history: Sequence[PastValue] = ()


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram: n + 1 edges, n counts, and how many values lay in no bucket."""

    name: str
    step: int
    edges: Sequence[float]
    counts: Sequence[int]
    n_non_finite: int = 0


@dataclass(frozen=True, slots=True)
class Image:
    """An image as a PNG file."""

    name: str
    step: int
    width: int
    height: int
    png: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """A text that a test left."""

    name: str
    step: int
    content: str


@dataclass(frozen=True, slots=True)
class RunDetails:
    """What the experiment holds of a test's run.

    Attributes:
        run_id: number in its experiment.
        uuid: identity across experiments.
        created_at: when it started, Unix seconds.
        status: running, completed or failed.
        outcome: of the test: passed, failed, error, skipped, xfailed or xpassed.
        phase: setup, call or teardown.
        ended_by: finished, exception, crashed, killed, interrupted, timeout or lost.
        duration_s: seconds.
        config: hyper-parameters.
        environment: what it ran on and with.
        config_changes: against the baseline's.
        environment_changes: against the baseline's.
        metrics: of the run and of its baseline, the worst first.
        histograms: by name and step.
        images: by name and step.
        texts: by name and step.
        graphs: computation graphs as {"nodes": [...], "edges": [...]}.
        left_out: what there was no room for, a line each.
    """

    run_id: int
    uuid: str
    created_at: float
    status: str
    outcome: str | None
    phase: str | None
    ended_by: str | None
    duration_s: float | None
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    config_changes: Sequence[Change] = ()
    environment_changes: Sequence[Change] = ()
    metrics: Sequence[MetricDetails] = ()
    histograms: Sequence[Histogram] = ()
    images: Sequence[Image] = ()
    texts: Sequence[Text] = ()
    graphs: Sequence[Mapping[str, Any]] = ()
    left_out: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TestReport:
    """What one test came to.

    Attributes:
        nodeid: of the test, as it is written in a command where the tests were started.
        file: of the test, relative to the project's root; empty where it is not known.
        line: of the test in its file, from 1; 0 where it is not known.
        verdict: the worst of its checks; None where nothing was compared.
        action: what that did to the test: one of `ACTIONS`.
        checks: what was compared.
        notes: what else its reader has to know, a line each.
        baseline: its baseline file, as it is written where the tests were started.
        key: its name there.
        n_samples: how many samples its baseline has.
        accept_command: accepts what the test gave; empty where nothing can be accepted.
        run: what the experiment holds of it; None where nobody asked, or nothing is there.
    """

    __test__ = False

    nodeid: str
    verdict: Verdict | None
    action: str
    file: str = ""
    line: int = 0
    checks: Sequence[Check] = ()
    notes: Sequence[str] = ()
    baseline: str = ""
    key: str = ""
    n_samples: int = 0
    accept_command: str = ""
    run: RunDetails | None = None

    @property
    def deciding_check(self) -> Check | None:
        """The check that made the verdict; see `deciding_check`."""
        return deciding_check(self.checks, self.verdict)

    @property
    def message(self) -> str:
        """Why the verdict is what it is, in a line; empty where there is nothing to say."""
        check = self.deciding_check
        return check.message if check else ""


def deciding_check(checks: Sequence[Check], verdict: Verdict | None) -> Check | None:
    """Return the check that made a verdict: of several, the one of the largest change."""
    deciding = [c for c in checks if c.verdict == verdict and c.message]
    return max(deciding, key=lambda check: abs(check.relative_change or 0), default=None)


@dataclass(frozen=True, slots=True)
class Death:
    """A test whose process died under it.

    Attributes:
        nodeid: of the test.
        ended_by: crashed, killed, interrupted, timeout or lost.
        last_records: what it had recorded last, in words; may be empty.
    """

    nodeid: str
    ended_by: str
    last_records: str = ""


@dataclass(frozen=True)
class ReportData:
    """What a session of tests came to.

    Attributes:
        created_at: Unix seconds.
        experiment: name of the experiment.
        database: its file, as it is written where the tests were started.
        session: identity of the session in the experiment.
        environment: what the session ran on and with.
        tests: that were compared, or ran to collect samples.
        deaths: tests whose process died.
        notices: what its reader has to know beside single tests, a line each.
        problems: what went wrong beside single tests, a line each.
        written: baseline files that were written, and how many of their entries.
        unused: baseline files, and their entries that have no test.
        removed: baseline files, and the entries taken out of them because they had no test.
        suggestions: purposes and the commands that serve them.
    """

    created_at: float
    experiment: str
    database: str
    session: str | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    tests: Sequence[TestReport] = ()
    deaths: Sequence[Death] = ()
    notices: Sequence[str] = ()
    problems: Sequence[str] = ()
    written: Mapping[str, int] = field(default_factory=dict)
    unused: Mapping[str, Sequence[str]] = field(default_factory=dict)
    removed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    suggestions: Sequence[tuple[str, str]] = ()

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many tests have each verdict that some test has, in the order of `Verdict`."""
        counted = Counter(test.verdict for test in self.tests)
        return {verdict: counted[verdict] for verdict in Verdict if counted[verdict]}

    @property
    def worst_action(self) -> str:
        """The worst that a verdict did to a test."""
        return max((test.action for test in self.tests), key=ACTIONS.index, default="pass")

    def by_severity(self) -> list[TestReport]:
        """Return the tests, what failed first, then the worst verdict first, then by name."""
        return sorted(self.tests, key=severity)


def severity(test: TestReport) -> tuple[int, int, str]:
    """Return what tests are sorted by to have the worst first."""
    rank = _SEVERITY[test.verdict] if test.verdict else -1
    return -ACTIONS.index(test.action), -rank, test.nodeid

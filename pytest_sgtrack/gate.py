"""The comparison of a test with its baseline, and what a verdict does to the test."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_sgtrack.names import as_run_name, baseline_key, nodeid_of, run_name, test_id
from pytest_sgtrack.seeds import fresh_seeds
from tracking import BaselineError, Verdict
from tracking.regression import (
    DEFAULT_SETTINGS,
    MIN_SAMPLES,
    N_FRESH,
    NOT_IN_BASELINE,
    STORE,
    Check,
    Compared,
    Comparison,
    Context,
    Entry,
    Sample,
    baseline_path,
    check_as_plain,
    check_from_plain,
    compare,
    compare_graphs,
    dump_baseline,
    dump_comparison,
    find_baselines,
    kinds_of,
    load_baseline,
    matching_samples,
    needs_decision,
    origins_of,
    parse_baseline,
    sample_as_text,
    seen_from,
    worst,
)
from tracking.report import checks_table, deciding_check, said_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pytest

    from pytest_sgtrack.markers import MarkerSettings
    from pytest_sgtrack.options import Settings
    from tracking.postgres import History

# What a verdict does to the test: PASS says nothing, SHOW is listed at the end of the session, WARN
# is listed as a warning, FAIL fails the test.
PASS, SHOW, WARN, FAIL = "pass", "show", "warn", "fail"
_ORDER = (PASS, SHOW, WARN, FAIL)
_MIN_WIDTH = 80
_ACTIONS = {"fail": FAIL, "warn": WARN, "report": SHOW}


class MetricRegressionError(AssertionError):
    """A test's metrics got worse than its baseline allows."""


MetricRegressionError.__module__ = "builtins"  # as pytest's own failures: no module in summaries


def action_of(verdict: Verdict, settings: Settings) -> str:
    """Return what a verdict does to a test under these settings; every verdict has its line."""
    match verdict:
        case Verdict.IDENTICAL | Verdict.WITHIN:
            return PASS
        case Verdict.IMPROVED:
            return FAIL if settings.on_improvement == "fail" else SHOW
        case Verdict.UNDERPOWERED:
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


def action_of_check(check: Check, settings: Settings) -> str:
    """Return what a check does to a test: what its verdict does, or less."""
    action = action_of(check.verdict, settings)
    return min(action, check.at_most or action, key=_ORDER.index)


@dataclass(frozen=True, slots=True)
class TestResult:
    """What one test came to; travels from xdist's workers in plain values.

    Attributes:
        test: its node id, whatever the seed it was run under.
        nodeid: the node id of this case of it.
        baseline: its baseline file, absolute; or `store:` and a branch.
        key: its name there.
        location: its file as seen from the root of the project, and its line there, from 1.
        verdict: the worst of its checks; None where nothing was compared, only collected.
        action: what that does to the test.
        checks: what was compared.
        samples: the text of a baseline of this test alone, where there is something to accept.
        is_acceptable: whether that may become its baseline: the test did not fail by itself.
        n_samples: how many samples its baseline has.
        notes: what else its reader has to know, a line each.
        sample: what the run keeps for those that are compared with it later; stays in its process.
        is_accepted: whether an update accepts what was found.
    """

    __test__ = False

    test: str
    nodeid: str
    baseline: str
    key: str
    location: tuple[str, int]
    verdict: Verdict | None
    action: str
    checks: tuple[Check, ...] = ()
    samples: str | None = None
    is_acceptable: bool = True
    n_samples: int = 0
    notes: tuple[str, ...] = ()
    sample: str = ""
    is_accepted: bool = False

    def as_plain(self) -> dict[str, Any]:
        """Return plain values that xdist can send."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        plain["verdict"] = self.verdict and str(self.verdict)
        plain["checks"] = [check_as_plain(check) for check in self.checks]
        plain["sample"] = ""
        return plain

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> TestResult:
        """Undo `as_plain`."""
        checks = tuple(map(check_from_plain, plain["checks"]))
        verdict = plain["verdict"] and Verdict(plain["verdict"])
        tuples = {name: tuple(plain[name]) for name in ("location", "notes")}
        return cls(**{**plain, **tuples, "verdict": verdict, "checks": checks})

    def comparison(self, directory: Path) -> str:
        """Return what was compared as the test's run keeps it, in an experiment of a folder."""
        baseline = _seen_from(self.baseline, directory)
        about = (self.key, self.n_samples, self.notes, self.sample, self.is_accepted)
        return dump_comparison(Compared(self.checks, self.action, baseline, *about))

    def accepted_samples(self) -> tuple[Sample, ...]:
        """Return what may be accepted."""
        return parse_baseline(self.samples)[self.key].samples if self.samples else ()


_seen_from = cache(seen_from)


class Gate:
    """Compares tests with their baselines.

    A baseline file is read once; the history of a branch too, of all tests that are known then.
    """

    def __init__(self, settings: Settings, rootpath: Path) -> None:
        self._settings = settings
        self._rootpath = rootpath
        self._entries: dict[Path, dict[str, Entry] | BaselineError] = {}
        self._paths: dict[Path, Path] = {}
        self._history: History | BaselineError | None = None

    def judge(
        self,
        item: pytest.Item,
        sample: Sample,
        markers: MarkerSettings,
        bounds: Sequence[Check],
        rerun: Callable[[Sequence[int]], Sequence[Sample]],
    ) -> TestResult | None:
        """Compare what a test recorded with its baseline; None where there is nothing to compare.

        Args:
            item: the test.
            sample: what it recorded.
            markers: its `MarkerSettings`.
            bounds: checks of its bounds that failed.
            rerun: runs the test again under some seeds; a sample without metrics says that a run
                did not get through.
        """
        path, key = self._place(item, markers)
        entry = self._entry(item, path, key)
        if isinstance(entry, BaselineError):
            verdict = Verdict.UNREADABLE_BASELINE
            return self._without_numbers(item, (path, key), verdict, str(entry))
        if entry is None and not (sample.names or bounds):
            return None
        known, note = self._matching(entry, sample)
        comparison, fresh = self._compared(entry, known, sample, markers, rerun)
        mode = markers.graph or self._settings.graph
        graphs = compare_graphs(known, sample.graphs, mode, sample.seed)
        checks = (*comparison.checks, *graphs, *bounds)
        action = max(
            (action_of_check(check, self._settings) for check in checks),
            key=_ORDER.index,
            default=PASS,
        )
        verdict = worst([comparison.verdict, *(check.verdict for check in checks)])
        update = self._settings.update
        # Where the note says so, nothing of this variant is known yet.
        is_settled = will_be_written(update, checks) or (bool(note) and not bounds)
        if action == FAIL and update and is_settled:
            action = SHOW
        samples = None
        has_news = needs_decision(kinds_of(checks))
        is_enough = len(known) < MIN_SAMPLES or len(fresh) + 1 >= MIN_SAMPLES
        is_wanted = (update or has_news) and is_enough
        if is_wanted and sample.names and all(one.metrics for one in fresh):
            samples = dump_baseline({key: Entry((sample, *fresh), None)})
        return TestResult(
            *(*self._identity(item, path, key), verdict, action, checks, samples),
            is_acceptable=not bounds,
            n_samples=len(known),
            notes=(note,) if note else (),
            sample=sample_as_text(sample) if self._settings.store and sample.names else "",
            is_accepted=has_news and bool(update) and will_be_written(update, checks),
        )

    def _entry(self, item: pytest.Item, path: Path, key: str) -> Entry | BaselineError | None:
        """Return what a test is compared with."""
        if self._settings.branch is not None:
            self.read_history(map(run_name, item.session.items))
            history = self._history
            if history is None or isinstance(history, BaselineError):
                return history
            return history.entries.get(run_name(item))
        entries = self._load(path)
        return entries if isinstance(entries, BaselineError) else entries.get(key)

    def read_history(self, names: Iterable[str]) -> None:
        """Read the history of tests, by the names of their runs, unless that was done."""
        settings = self._settings
        if self._history is not None or settings.branch is None or settings.store is None:
            return
        about = (settings.experiment, settings.branch, frozenset(names), settings.n_history)
        from tracking.postgres import read_history  # few sessions have a store

        try:
            self._history = read_history(settings.store, *about)
        except BaselineError as error:
            self._history = error

    def _compared(
        self,
        entry: Entry | None,
        known: Sequence[Sample],
        sample: Sample,
        markers: MarkerSettings,
        rerun: Callable[[Sequence[int]], Sequence[Sample]],
    ) -> tuple[Comparison, Sequence[Sample]]:
        first = origins_of(entry)
        n_checks = self._n_checks if first else 1
        context = Context(sample.seed, n_checks, (), self._origin(entry, known), first)
        comparison = compare(known, sample.metrics, markers.settings, context)
        if not comparison.is_suspect:
            return comparison, ()
        fresh = rerun(fresh_seeds([sample.seed, *(one.seed for one in known)], N_FRESH))
        context = replace(
            context, n_checks=self._n_checks, fresh=tuple(one.metrics for one in fresh)
        )
        return compare(known, sample.metrics, markers.settings, context), fresh

    def _matching(self, entry: Entry | None, sample: Sample) -> tuple[Sequence[Sample], str]:
        if entry is None:
            return (), ""
        return matching_samples(entry.samples, sample.environment, self._settings.variant_keys)

    def _origin(self, entry: Entry | None, known: Sequence[Sample]) -> Sample | None:
        """Return what drift is measured from; one of another variant says nothing of it."""
        if entry is None:
            return None
        origin = entry.origin_sample
        _, note = matching_samples([origin], known[0].environment, self._settings.variant_keys)
        return None if note else origin

    @cached_property
    def _n_checks(self) -> int:
        """How many checks of all baselines the statistical rule decides."""
        if self._history is not None and not isinstance(self._history, BaselineError):
            return max(1, self._history.n_metrics * len(DEFAULT_SETTINGS.statistics))
        entries = [
            entry
            for path in find_baselines(self._rootpath)
            if not isinstance(of_file := self._load(path), BaselineError)
            for entry in of_file.values()
            if len(entry.samples) >= MIN_SAMPLES
        ]
        n_metrics = sum(len(set().union(*(one.metrics for one in e.samples))) for e in entries)
        return max(1, n_metrics * len(DEFAULT_SETTINGS.statistics))

    def collect(
        self, item: pytest.Item, sample: Sample, markers: MarkerSettings, bounds: Sequence[Check]
    ) -> TestResult:
        """Return the result of a test that is run to make a baseline: only bounds count."""
        path, key = self._place(item, markers)
        identity = self._identity(item, path, key)
        if bounds:
            action = action_of(Verdict.BOUND_FAILED, self._settings)
            return TestResult(
                *(*identity, Verdict.BOUND_FAILED, action, tuple(bounds)), is_acceptable=False
            )
        samples = dump_baseline({key: Entry((sample,), None)}) if sample.names else None
        return TestResult(*identity, None, PASS, samples=samples)

    def left(self, item: pytest.Item, markers: MarkerSettings) -> TestResult | None:
        """Return the result of a test that does not use its tracker, but has a baseline."""
        path, key = self._place(item, markers)
        entry = self._entry(item, path, key)
        if entry is None or isinstance(entry, BaselineError):
            return None
        mend = "remove its entry from the baseline file"
        if self._settings.branch is not None:
            mend = "delete its runs from the store"
        message = (
            "the test has a baseline and recorded nothing: it does not use `tracker`; if that is"
            f" meant, {mend}"
        )
        return self._without_numbers(item, (path, key), Verdict.MISSING_METRIC, message)

    def incomplete(self, item: pytest.Item, trouble: str, markers: MarkerSettings) -> TestResult:
        """Return the result of a test whose recording failed: nothing can be said about it."""
        place = self._place(item, markers)
        return self._without_numbers(item, place, Verdict.INCOMPLETE, trouble)

    def _without_numbers(
        self, item: pytest.Item, place: tuple[Path, str], verdict: Verdict, message: str
    ) -> TestResult:
        """Return the result of a test of which a message says it all."""
        path, key = place
        check = Check("", "", verdict, None, None, None, message)
        identity = self._identity(item, path, key)
        return TestResult(*identity, verdict, action_of(verdict, self._settings), (check,))

    def _identity(
        self, item: pytest.Item, path: Path, key: str
    ) -> tuple[str, str, str, str, tuple[str, int]]:
        file, line, _ = item.location
        branch = self._settings.branch
        baseline = str(path) if branch is None else f"{STORE}{branch}"
        return test_id(item), nodeid_of(item), baseline, key, (file, (line or 0) + 1)

    def _place(self, item: pytest.Item, markers: MarkerSettings) -> tuple[Path, str]:
        if item.path not in self._paths:
            self._paths[item.path] = baseline_path(item.path)
        return self._paths[item.path], baseline_key(item, markers.key)

    def entries_of(self, path: Path) -> dict[str, Entry]:
        """Return the entries of a baseline file as this session has read it.

        Raises:
            BaselineError: it cannot be read.
        """
        entries = self._load(path)
        if isinstance(entries, BaselineError):
            raise entries
        return entries

    def samples_for(self, result: TestResult, environment: Mapping[str, Any]) -> Sequence[Sample]:
        """Return what a test was compared with."""
        entry: Entry | None = None
        if self._settings.branch is not None:
            history = self._history
            if history is not None and not isinstance(history, BaselineError):
                entry = history.entries.get(as_run_name(result.nodeid))
        elif not isinstance(entries := self._load(Path(result.baseline)), BaselineError):
            entry = entries.get(result.key)
        if entry is None:
            return ()
        return matching_samples(entry.samples, environment, self._settings.variant_keys)[0]

    def _load(self, path: Path) -> dict[str, Entry] | BaselineError:
        if path not in self._entries:
            try:
                self._entries[path] = load_baseline(path)
            except BaselineError as error:
                self._entries[path] = error
        return self._entries[path]

    def forget(self) -> None:
        """Let go of the baselines."""
        self._entries.clear()
        self._history = None


def will_be_written(update: str | None, checks: Iterable[Check]) -> bool:
    """Tell whether an update settles everything that would make a test fail."""
    green = {Verdict.IDENTICAL, Verdict.WITHIN, Verdict.UNDERPOWERED, Verdict.IMPROVED}
    verdicts = {check.verdict for check in checks}
    if update == "all" and Verdict.BOUND_FAILED not in verdicts:
        return True
    return verdicts <= green.union(NOT_IN_BASELINE)


def failure_message(
    result: TestResult, settings: Settings, shown_baseline: str, accept: str
) -> str:
    """Return the text of a failure: what is wrong, the table, and how to accept it.

    Args:
        result: of the test.
        settings: what made it fail; a milder verdict may than the worst.
        shown_baseline: path of its baseline file as the user would write it.
        accept: the command that accepts what the test gave, empty where none can.
    """
    red = [check for check in result.checks if action_of_check(check, settings) == FAIL]
    first = deciding_check(red, worst(check.verdict for check in red))
    if first is None or first.verdict is Verdict.UNREADABLE_BASELINE:
        return first.message if first else str(result.verdict)
    others = [f"  {text}" for text in (*first.details, *said_beside(first, result.checks))]
    if settings.branch is not None:
        accept = f"merge it, and on {settings.branch} run it with --sg-track-update=all"
        shown_baseline += f", {result.n_samples} runs in {settings.store}"
    tail = ["", f"baseline:  {shown_baseline}", *([f"to accept: {accept}"] if accept else [])]
    notes = [f"  {note}" for note in result.notes]
    width = max(_MIN_WIDTH, shutil.get_terminal_size().columns)  # xdist's workers have no terminal
    table = checks_table(result.checks, width)
    return "\n".join([first.message, *others, *notes, "", table, *tail])

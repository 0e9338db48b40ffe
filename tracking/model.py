"""The values that pass between rooms: dataclasses and enums, no I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

STATISTICS = ("mean", "tail", "min", "max", "std", "last")
"""Names of the statistics of a `Summary` that a baseline can be compared on."""

_NON_FINITE_NAMES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def encode_number(value: float | None) -> float | str | None:
    """Return `value` as strict JSON and SQLite can hold it: non-finite numbers by name.

    >>> encode_number(0.5), encode_number(float("-inf")), encode_number(float("nan"))
    (0.5, '-Infinity', 'NaN')
    """
    if value is None or math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def decode_number(value: float | str | None) -> float | None:
    """Undo `encode_number`.

    Raises:
        ValueError: a text that is not one of the three names.

    >>> decode_number("Infinity"), decode_number(0.5)
    (inf, 0.5)
    """
    if isinstance(value, str):
        if value not in _NON_FINITE_NAMES:
            raise ValueError(f"not a number: {value!r}")
        return _NON_FINITE_NAMES[value]
    return value


class Status(StrEnum):
    """State of a run. Only RUNNING may change, once.

    Attributes:
        RUNNING: it was started and has not ended.
        COMPLETED: it ended well.
        FAILED: it ended in an error, or its process died.

    Examples:
        >>> from tracking import Status
        >>> with tracker.run() as run_id:
        ...     tracker.get_run(run_id).status == Status.RUNNING
        True
        >>> Status(tracker.get_run(run_id).status)
        <Status.COMPLETED: 'completed'>
    """

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class Direction(StrEnum):
    """Which way a metric gets better; BOTH means any change is for the worse.

    Attributes:
        LOWER: as of a loss.
        HIGHER: as of an accuracy.
        BOTH: as of a norm of gradients.

    Examples:
        >>> from tracking import Direction
        >>> Direction("lower") is Direction.LOWER
        True
    """

    LOWER = "lower"
    HIGHER = "higher"
    BOTH = "both"


class Verdict(StrEnum):
    """What a comparison with the baseline found. Closed: every reader handles every member.

    Attributes:
        IDENTICAL: the same number.
        WITHIN: a change that the tolerance or the spread of the samples allows.
        IMPROVED: better than that.
        NEW_METRIC: the test has a baseline, and this metric is not in it.
        NO_BASELINE: nothing was accepted yet.
        UNDERPOWERED: too few samples for the statistical rule; the tolerance decided.
        NOT_COMPARABLE: another seed, and too few samples.
        REGRESSED: worse than the baseline allows.
        NON_FINITE: NaN or an infinity that the baseline does not have.
        MISSING_METRIC: the baseline has it, the run does not.
        TRUNCATED: another number of records.
        BOUND_FAILED: out of a bound that `Tracker.expect` set.
        GRAPH_CHANGED: another computation graph.
        UNREADABLE_BASELINE: the baseline file is damaged.
        INCOMPLETE: not everything could be recorded, so nothing was decided.

    Examples:
        >>> from tracking import Verdict
        >>> with tracker.run("baseline") as run_id:
        ...     tracker.record("loss", 0.5, step=0)
        ...     tracker.end_run(verdict=Verdict.WITHIN) == run_id
        True
        >>> Verdict(tracker.get_run(run_id).verdict) is Verdict.WITHIN
        True
    """

    IDENTICAL = "identical"
    WITHIN = "within"
    IMPROVED = "improved"
    NEW_METRIC = "new_metric"
    NO_BASELINE = "no_baseline"
    UNDERPOWERED = "underpowered"
    NOT_COMPARABLE = "not_comparable"
    REGRESSED = "regressed"
    NON_FINITE = "non_finite"
    MISSING_METRIC = "missing_metric"
    TRUNCATED = "truncated"
    BOUND_FAILED = "bound_failed"
    GRAPH_CHANGED = "graph_changed"
    UNREADABLE_BASELINE = "unreadable_baseline"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Summary:
    """Statistics of one metric of one run, over its records in the order of their steps.

    `min`, `max`, `mean`, `std` and `tail` are in the metric's unit, over finite values, and None
    where there are none.

    Attributes:
        n: number of records, finite or not.
        n_nan: how many of them are NaN.
        n_inf: how many of them are +inf or -inf.
        min: smallest finite value.
        max: largest finite value.
        mean: arithmetic mean.
        std: population standard deviation, sqrt(mean((x - mean)**2)), as `numpy.std` by default.
        tail: mean of the last max(5, ceil(n / 10)) finite values, of all where there are fewer.
        last: value of the last record, finite or not.
        first_step: smallest step.
        last_step: largest step.

    Examples:
        >>> run_id = db.create_run()
        >>> for step, loss in enumerate((1.0, 0.5, float("nan"))):
        ...     db.record(run_id, "loss", step, loss)
        >>> loss = db.read_summaries(run_id)["loss"]
        >>> loss.n, loss.n_nan, loss.mean, loss.std, loss.last
        (3, 1, 0.75, 0.25, nan)
    """

    n: int
    n_nan: int
    n_inf: int
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    tail: float | None
    last: float
    first_step: int
    last_step: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name, in the order above.

        Examples:
            >>> db.record(db.create_run(), "loss", step=0, value=0.5)
            >>> list(db.read_summaries(1)["loss"].as_dict())[:4]
            ['n', 'n_nan', 'n_inf', 'min']
        """
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass
class RunInfo:
    """Metadata for a training run.

    Attributes:
        run_id: number of the run in its experiment.
        name: as given, or `run_<unix seconds>`.
        created_at: local time as `YYYY-MM-DD HH:MM:SS`.
        status: running, completed or failed.
        config: hyper-parameters.
        num_records: number of records of each of `metrics`, in the same order.
        metrics: names of the metrics recorded, in the order they first appeared in the experiment.
        uuid: identity of the run across databases, 32 hexadecimal digits.
        parent: uuid of the run inside which this one was started, or None.
        environment: what the run ran on and with; never part of a verdict.
        outcome: passed, failed, error, skipped, xfailed or xpassed, for the run of a test.
        phase: setup, call or teardown: where the outcome was decided.
        ended_by: finished, exception, crashed, killed, interrupted, timeout or lost.
        verdict: what comparing with the baseline found (a `Verdict`), where it was compared.
        duration_s: seconds from start to end on a monotonic clock, or None while running.
        session: identity of the test session the run belongs to, or None.
        attempt: which run of its name it is in its session, from 1.
        started_at: when it started, Unix seconds.

    Examples:
        >>> with tracker.run("baseline", {"lr": 0.01}) as run_id:
        ...     tracker.record("loss", 0.5, step=0)
        >>> run = tracker.get_run(run_id)
        >>> run.name, run.status, run.ended_by, run.config
        ('baseline', 'completed', 'finished', {'lr': 0.01})
        >>> dict(zip(run.metrics, run.num_records))
        {'loss': 1}
    """

    run_id: int
    name: str
    created_at: str
    status: str
    config: dict[str, Any]
    num_records: list[int] | None = None
    metrics: list[str] | None = None
    uuid: str | None = None
    parent: str | None = None
    environment: dict[str, Any] | None = None
    outcome: str | None = None
    phase: str | None = None
    ended_by: str | None = None
    verdict: str | None = None
    duration_s: float | None = None
    session: str | None = None
    attempt: int = 1
    started_at: float = 0.0


@dataclass(slots=True)
class RecordInfo:
    """A single metric record (data point).

    Attributes:
        step: training step.
        value: the number recorded; may be NaN or infinite.
        log_time: when it was recorded, Unix seconds.

    Examples:
        >>> with tracker.run() as run_id:
        ...     tracker.record("loss", 0.5, step=3)
        >>> (record,) = tracker.get_records(run_id, "loss")
        >>> record.step, record.value, record.log_time >= tracker.get_run(run_id).started_at
        (3, 0.5, True)
    """

    step: int
    value: float
    log_time: float

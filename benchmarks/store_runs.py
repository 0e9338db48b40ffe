"""Runs as tests leave them in the shared store: of 50 tests, at one commit after another."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tracking.columns import Columns
from tracking.merging.content import RunContent, SeriesContent
from tracking.merging.plan import Form, HeldRun
from tracking.model import Verdict
from tracking.regression import Check, Compared, Sample, dump_comparison, sample_as_text
from tracking.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracking.model import Summary

EXPERIMENT = "nightly"
BRANCH = "main"
METRICS = ("train/loss", "train/grad_norm", "val/accuracy")
RECORDS_A_RUN = 1_000  # on average

_MODELS = ("mlp", "resnet18", "vit_tiny", "gpt_nano", "unet")
_OPTIMISERS = ("sgd", "momentum", "adam", "adamw", "lion")
_DATA = ("float32", "bfloat16")
_STEPS = (50, 100, 250, 981, 1_000)  # of training; one record of accuracy every ten
_FIRST_START = 1_764_000_000.0
_BETWEEN_COMMITS_S = 3_600.0

NAMES = tuple(
    f"tests/training/test_{model}.py::TestConvergence::test_loss_falls[{optimiser}-{kind}]"
    for model in _MODELS
    for optimiser in _OPTIMISERS
    for kind in _DATA
)
LONGEST = _STEPS.index(1_000)
"""Place among `NAMES` of a test with series of 1,000 records."""


class _Curves(NamedTuple):
    """What a test records whatever the commit; only its level moves."""

    columns: tuple[Columns, ...]
    summaries: tuple[Summary, ...]


def runs_at(commits: range) -> Iterator[RunContent]:
    """Yield the runs of all tests at commits of these numbers, as they are brought to a store."""
    curves = [_curves_of(number) for number in range(len(NAMES))]
    for commit in commits:
        environment = _environment(commit)
        session = _identity("session", commit)
        for number, name in enumerate(NAMES):
            yield _run(commit, number, name, curves[number], environment, session)


def _curves_of(test: int) -> _Curves:
    generator = np.random.default_rng(test)
    n = _STEPS[test % len(_STEPS)]
    steps = np.arange(n)
    falling = 2.3 * np.exp(-steps / (n / 3)) + 0.1
    columns = (
        _columns(steps, falling * generator.normal(1, 0.05, n)),
        _columns(steps, generator.lognormal(0, 0.3, n)),
        _columns(steps[::10][: n // 10], 1 - falling[::10][: n // 10] / 3),
    )
    return _Curves(
        columns, tuple(summarize(one.steps.tolist(), one.values.tolist()) for one in columns)
    )


def _columns(steps: Any, values: Any) -> Columns:
    return Columns(steps, values, _FIRST_START + steps * 0.05)


def _run(
    commit: int, number: int, name: str, curves: _Curves, environment: str, session: str
) -> RunContent:
    uuid = _identity("run", commit, number)
    created_at = _FIRST_START + commit * _BETWEEN_COMMITS_S + number
    n_records = sum(summary.n for summary in curves.summaries)
    held = HeldRun(uuid, 0, name, created_at, Form(2, n_records, 0, True, bytes.fromhex(uuid)))
    verdict = Verdict.WITHIN if commit else Verdict.NO_BASELINE
    config = {
        "model": _MODELS[number // 10],
        "optimiser": _OPTIMISERS[number // 2 % 5],
        "lr": 0.001,
    }
    properties = {
        "name": name,
        "created_at": created_at,
        "status": "completed",
        "config": json.dumps(config),
        "uuid": uuid,
        "parent": None,
        "session": session,
        "attempt": 1,
        "duration_s": 4.2,
        "outcome": "passed",
        "phase": "call",
        "ended_by": "finished",
        "verdict": verdict,
        "comparison": _comparison(name, curves, verdict),
    }
    series = [
        SeriesContent(metric, summary, partial(iter, [columns]))
        for metric, columns, summary in zip(METRICS, *curves, strict=True)
    ]
    return RunContent(held, properties, environment, series, lambda: iter(()), lambda _: iter(()))


def _comparison(name: str, curves: _Curves, verdict: Verdict) -> str:
    """Return what the plugin leaves of a comparison with the runs of the branch."""
    checks = [
        Check(metric, statistic, verdict, value, value, 0.05 * value, "", 0.05 * value)
        for metric, summary in zip(METRICS, curves.summaries, strict=True)
        for statistic, value in (("tail", summary.tail), ("mean", summary.mean))
        if value is not None
    ]
    sample = sample_as_text(
        Sample(dict(zip(METRICS, curves.summaries, strict=True)), {}, {"device": "cpu"}, None)
    )
    return dump_comparison(Compared(tuple(checks), "pass", f"store:{BRANCH}", name, 10, (), sample))


def _environment(commit: int) -> str:
    content = {
        "git_branch": BRANCH,
        "git_commit": _identity("commit", commit),
        "git_dirty": False,
        "git_pull_request": False,
        "hash_seed": None,
        "implementation": "CPython",
        "machine": "x86_64",
        "numpy": "2.1.3",
        "platform": "Linux-6.8.0-x86_64-with-glibc2.39",
        "python": "3.11.9",
    }
    return json.dumps(content, sort_keys=True)


def _identity(*parts: str | int) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()

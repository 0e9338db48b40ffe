"""What an experiment holds of the runs of tests, gathered for a report as far as there is room."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.errors import BaselineError, InvalidArgumentError
from tracking.media import Image as Pixels
from tracking.media import as_png
from tracking.model import Status
from tracking.queries.accepted import names_under
from tracking.queries.attempts import own_runs
from tracking.regression import GraphSample, graph_name, infer_direction, nearest
from tracking.report.changes import changes
from tracking.report.curve import band_of, downsample
from tracking.report.data import (
    Histogram,
    Image,
    MetricDetails,
    PastValue,
    RunDetails,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracking.model import Direction, RunInfo, Summary
    from tracking.reading import ExperimentReader
    from tracking.regression import Check, Sample
    from tracking.report.data import Band, Change, Curve

_MAX_POINTS = 2_000  # of a curve: no screen shows more
_MIN_POINTS = 64
_MAX_PAST = 30  # runs of one test
_MAX_ACCEPTED = 10  # of them, in a band
_MAX_NODES = 5_000  # of a graph
_MAX_TEXT = 20_000  # characters
_ANY_NUMBER = 2**63 - 1  # of a run; there is none as high
_OF_ONE_NAME = 50  # histograms, images or texts


@dataclass
class Room:
    """How much a report still takes in; what is gathered first gets it first.

    Attributes:
        points: of all curves; 30,000 come to less than a megabyte.
        media_bytes: of all images and texts.
        past_runs: of all tests, for their history.
    """

    points: int = 30_000
    media_bytes: int = 4_000_000
    past_runs: int = 3_000


def gather(
    db: ExperimentReader,
    run: RunInfo,
    children: Sequence[tuple[str, RunInfo]],
    samples: Sequence[Sample],
    checks: Sequence[Check],
    room: Room,
) -> RunDetails:
    """Gather what an experiment holds of the run of a test.

    Args:
        db: the experiment.
        run: the test's run.
        children: runs that were started inside of it, and what their metrics' names begin with;
            see `with_prefixes`.
        samples: what it was compared with.
        checks: what comparing found; metrics with the worst come first.
        room: how much may be gathered; what is taken is taken off.

    Raises:
        StoreError: the experiment cannot be read.
    """
    environment = run.environment or {}
    first = samples[0] if samples else None
    details = RunDetails(
        run_id=run.run_id,
        uuid=run.uuid or "",
        created_at=run.started_at,
        status=run.status,
        outcome=run.outcome,
        phase=run.phase,
        ended_by=run.ended_by,
        duration_s=run.duration_s,
        config=run.config,
        environment=environment,
        config_changes=changes(first.config, _without_seed(run.config)) if first else (),
        environment_changes=_environment_changes(first, environment) if first else (),
    )
    left_out: list[str] = []
    metrics = _Metrics(db, run, children, samples, checks).gathered(room, left_out)
    histograms, images, texts = _media(db, run.run_id, room, left_out)
    return replace(
        details,
        metrics=metrics,
        histograms=histograms,
        images=images,
        texts=texts,
        graphs=_graphs(db, run.run_id, samples, left_out),
        left_out=left_out,
    )


def with_prefixes(run: RunInfo, runs: Sequence[RunInfo]) -> list[tuple[str, RunInfo]]:
    """Return the runs that were started inside of one, as the gate calls their metrics.

    A metric of the run `fold` is `fold/<metric>`, of the second one of that name `fold#2/<metric>`.
    """
    inside: dict[str | None, list[RunInfo]] = {}
    for one in runs:
        inside.setdefault(one.parent, []).append(one)
    n_named: Counter[str] = Counter()

    def below(outer: RunInfo, path: str) -> Iterator[tuple[str, RunInfo]]:
        for one in inside.get(outer.uuid, ()):
            name = f"{path}{one.name}"
            n_named[name] += 1
            prefix = f"{name}/" if n_named[name] == 1 else f"{name}#{n_named[name]}/"
            yield prefix, one
            yield from below(one, prefix)

    return list(below(run, ""))


class _Series(NamedTuple):
    """A metric of a test: in which run it lies, under which name, and its summary."""

    run_id: int
    name: str
    summary: Summary


@dataclass(frozen=True)
class _Past:
    """A run of a test, with what it recorded, runs inside of it included."""

    run: RunInfo
    series: Mapping[str, _Series]


@dataclass(frozen=True)
class _Metrics:
    db: ExperimentReader
    run: RunInfo
    children: Sequence[tuple[str, RunInfo]]
    samples: Sequence[Sample]
    checks: Sequence[Check]

    def gathered(self, room: Room, left_out: list[str]) -> list[MetricDetails]:
        past = list(self._past(room))
        own = past[0].series
        candidates = [*past[1:], *self._samples_runs(room)]
        found = []
        n_without = 0
        for metric in self._in_order(own):
            accepted = [
                (one.seed, one.metrics[metric]) for one in self.samples if metric in one.metrics
            ]
            known = [summary for _, summary in accepted]
            series = own.get(metric)
            curve = band = None
            if series is not None and room.points >= _MIN_POINTS:
                curve = self._curve(series, room.points)
                room.points -= len(curve.steps)
                band = self._band(metric, known, candidates, room)
            elif series is not None:
                n_without += 1
            found.append(
                MetricDetails(
                    name=metric,
                    direction=self._direction(metric),
                    summary=series.summary if series else None,
                    baseline=accepted,
                    curve=curve,
                    band=band,
                    history=_history(metric, known, past),
                )
            )
        if n_without:
            left_out.append(f"{n_without} curves; `sgtrack show {self.run.run_id}` has them")
        return found

    def _in_order(self, own: Iterable[str]) -> list[str]:
        names = {name for sample in self.samples for name in sample.metrics} | set(own)
        from_checks = [check.metric for check in self.checks if check.message]
        worst_first = [name for name in dict.fromkeys(from_checks) if name in names]
        return worst_first + sorted(names - set(worst_first))

    def _direction(self, metric: str) -> Direction:
        said = (one.direction for one in self.checks if one.metric == metric and one.direction)
        return next(said, infer_direction(metric))

    def _past(self, room: Room) -> Iterator[_Past]:
        """Yield the run, then earlier ones of its test, newest first."""
        own = (("", self.run), *self.children)
        yield _past(own, {one.run_id: self.db.read_summaries(one.run_id) for _, one in own})
        yield from self._earlier((self.run.name,), room)

    def _samples_runs(self, room: Room) -> Iterator[_Past]:
        """Yield runs that were made to be samples of the baseline: the seed is in their names."""
        names = names_under(self.run.name, {sample.seed for sample in self.samples})
        return self._earlier(names, room) if names else iter(())

    def _earlier(self, names: Sequence[str], room: Room) -> Iterator[_Past]:
        """Yield earlier runs of these names, newest first."""
        wanted = {"name": names, "status": (Status.COMPLETED, Status.FAILED)}
        before = own_runs(self.db, wanted, (self.run.started_at, -_ANY_NUMBER))
        earlier = list(islice(before, min(_MAX_PAST, room.past_runs)))
        room.past_runs -= len(earlier)
        nested = self.db.nested_runs(earlier) if self.children else []
        summaries = self.db.summaries_of([*earlier, *nested])
        for one in earlier:
            yield _past((("", one), *with_prefixes(one, nested)), summaries)

    def _curve(self, series: _Series, n_points: int) -> Curve:
        steps, values, _ = self.db.series(series.run_id, series.name)
        n_max = min(_MAX_POINTS, max(_MIN_POINTS, n_points // 4))
        return downsample(steps.tolist(), values.tolist(), n_max)

    def _band(
        self, metric: str, known: Sequence[Summary], past: Sequence[_Past], room: Room
    ) -> Band | None:
        accepted = [
            one.series[metric]
            for one in past
            if metric in one.series and one.series[metric].summary in known
        ]
        curves = [self._curve(series, room.points) for series in accepted[:_MAX_ACCEPTED]]
        band = band_of(curves, min(_MAX_POINTS // 4, max(_MIN_POINTS, room.points // 4)))
        room.points -= 2 * len(band.steps) if band else 0
        return band


def _past(
    runs: Sequence[tuple[str, RunInfo]], summaries: Mapping[int, Mapping[str, Summary]]
) -> _Past:
    """Return a run and those inside of it, each behind what its metrics' names begin with."""
    series = {
        f"{prefix}{name}": _Series(run.run_id, name, summary)
        for prefix, run in runs
        for name, summary in summaries[run.run_id].items()
    }
    return _Past(runs[0][1], series)


def _history(metric: str, known: Sequence[Summary], past: Sequence[_Past]) -> list[PastValue]:
    return [
        PastValue(
            run_id=one.run.run_id,
            created_at=one.run.started_at,
            value=one.series[metric].summary.tail,
            verdict=one.run.verdict,
            commit=(one.run.environment or {}).get("git_commit"),
            is_accepted=one.series[metric].summary in known,
        )
        for one in reversed(past)
        if metric in one.series
    ]


def _without_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "sg_seed"}


def _environment_changes(sample: Sample, environment: Mapping[str, Any]) -> list[Change]:
    """Compare what both sides know: a sample keeps what is worth reviewing only."""
    ours = {name: environment[name] for name in sample.environment if name in environment}
    theirs = {name: sample.environment[name] for name in ours}
    if isinstance(ours.get("platform"), str):
        ours["platform"] = ours["platform"].partition("-")[0]  # as samples have it
    return changes(theirs, ours)


def _media(
    db: ExperimentReader, run_id: int, room: Room, left_out: list[str]
) -> tuple[list[Histogram], list[Image], list[Text]]:
    histograms = [
        Histogram(name, one["step"], one["bucket_edges"], one["bucket_counts"], one["n_non_finite"])
        for name, one in _newest(db.get_histograms(run_id), "histograms", left_out)
    ]
    images = []
    texts = []
    for name, one in _newest(db.get_images(run_id), "images", left_out):
        sizes = (one["width"], one["height"], one["channels"])
        try:
            png = as_png(Pixels(*sizes, base64.b64decode(one["data_b64"])))
        except ValueError as error:
            left_out.append(f"image {name} of step {one['step']}: {error}")
            continue
        if len(png) > room.media_bytes:
            left_out.append(f"image {name} of step {one['step']}: no room")
            continue
        room.media_bytes -= len(png)
        images.append(Image(name, one["step"], one["width"], one["height"], png))
    for name, one in _newest(db.get_texts(run_id), "texts", left_out):
        content = one["content"][: min(_MAX_TEXT, room.media_bytes)]
        if len(content) < len(one["content"]):
            left_out.append(f"text {name} of step {one['step']}: all behind {len(content)} letters")
        room.media_bytes -= len(content)
        texts.append(Text(name, one["step"], content))
    return histograms, images, texts


def _graphs(
    db: ExperimentReader, run_id: int, samples: Sequence[Sample], left_out: list[str]
) -> list[Mapping[str, Any]]:
    """Return the graphs of a run as they are drawn, with what differs from the baseline's."""
    names: list[str] = []
    graphs: list[Mapping[str, Any]] = []
    for stored in db.get_graphs(run_id):
        names.append(graph_name(stored.name, "", names))
        known = [sample.graphs[names[-1]] for sample in samples if names[-1] in sample.graphs]
        drawn = {"name": stored.name, **stored.overview()}
        if len(drawn.get("nodes", ())) > _MAX_NODES:
            left_out.append(f"graph {stored.name!r} of {stored.n_nodes} nodes")
        else:
            graphs.append(drawn | _marks(known, drawn))
    return graphs


def _marks(known: Sequence[GraphSample], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from the baseline's graph, as far as there are two to compare."""
    if not known or "is_overview" in drawn:
        return {}
    from tracking.graph.marks import marks  # most runs have no graph
    from tracking.graph.seed import graph_with_ids

    try:
        graph, ids = graph_with_ids(drawn)
        sample = GraphSample.of(graph)
        before = nearest(known, sample)
        return {} if before.full == sample.full else marks(before.graph, graph, ids)
    except (InvalidArgumentError, BaselineError):  # which a check of the test says as well
        return {}


def _newest(
    by_name: Mapping[str, Sequence[Mapping[str, Any]]], kind: str, left_out: list[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the last ones of each name, by step."""
    for name, of_name in by_name.items():
        if len(of_name) > _OF_ONE_NAME:
            left_out.append(f"{len(of_name) - _OF_ONE_NAME} of {len(of_name)} {kind} {name}")
        for one in of_name[-_OF_ONE_NAME:]:
            yield name, one

"""One accepted run of a test, as a value and as reviewed text."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from tracking.errors import BaselineError
from tracking.model import Summary, encode_number
from tracking.regression.graph_sample import GraphSample, graphs_text, named_once, parse_graphs
from tracking.regression.reviewed_json import (
    MEND,
    as_object,
    block_text,
    members_of,
    object_text,
    on_one_line,
    parse_float,
    parse_int,
    plain,
    wrong,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_SUMMARY_FIELDS = tuple(field.name for field in fields(Summary))
_INT_FIELDS = frozenset({"n", "n_nan", "n_inf", "first_step", "last_step"})
_INT64 = range(-(2**63), 2**63)
_FINITE_FIELDS = ("min", "max", "mean", "tail", "std")


@dataclass(frozen=True)
class Sample:
    """What one accepted run of a test recorded.

    Attributes:
        metrics: summary of each metric, by name.
        config: hyper-parameters, values as JSON knows them.
        environment: what the run ran on and with, values as JSON knows them; never compared.
        seed: seed of the run, or None where it had none.
        graphs: computation graphs it saved, by names that no metric has.
    """

    metrics: Mapping[str, Summary]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    seed: int | None
    graphs: Mapping[str, GraphSample] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The names of its metrics and graphs."""
        return frozenset((*self.metrics, *self.graphs))

    def restricted_to(self, is_chosen: Callable[[str], bool]) -> Sample:
        """Return the sample with those metrics and graphs only whose names are chosen."""
        metrics = {name: self.metrics[name] for name in self.metrics if is_chosen(name)}
        graphs = {name: self.graphs[name] for name in self.graphs if is_chosen(name)}
        return replace(self, metrics=metrics, graphs=graphs)

    def joined_by(self, other: Sample) -> Sample:
        """Return the sample with the metrics and graphs of another one in place of its own."""
        metrics, graphs = {**self.metrics, **other.metrics}, {**self.graphs, **other.graphs}
        return replace(self, metrics=metrics, graphs=graphs)


def samples_text(samples: Sequence[Sample], origin: Sample | None, where: str) -> dict[str, str]:
    """Return the members of a test in a reviewed file: its samples and all that goes with them.

    Graphs stand beside the samples, each once, so that samples of one graph only name it.

    Args:
        samples: at least one.
        origin: the sample that drift is measured from, where that is none of them.
        where: the place in the file, for errors.

    Raises:
        BaselineError: something cannot be written.
    """
    if not samples:
        raise BaselineError(f"{where}: there is none, and at least one sample is needed")
    graphs = named_once(one.graphs for one in (*samples, *([origin] if origin else ())))
    names = {graph: name for name, graph in graphs.items()}
    texts = [
        sample_text(sample, f"{where} > samples > {index}", names)
        for index, sample in enumerate(samples)
    ]
    members = {"samples": block_text("[", texts, "]")}
    if origin is not None:
        members["origin"] = sample_text(origin, f"{where} > origin", names)
    if graphs:
        members["graphs"] = graphs_text(graphs)
    return members


def parse_samples(
    members: Mapping[str, Any], where: str
) -> tuple[tuple[Sample, ...], Sample | None]:
    """Undo `samples_text`, of the tree of its members.

    Returns:
        The samples, and the origin or None.

    Raises:
        BaselineError: they describe nothing like it.
    """
    samples = members["samples"]
    if not isinstance(samples, list) or not samples:
        raise wrong(f"{where} > samples", "a list of at least one sample", samples)
    graphs = parse_graphs(members.get("graphs", {}), f"{where} > graphs")
    parsed = [
        _parse_sample(item, f"{where} > samples > {i}", graphs) for i, item in enumerate(samples)
    ]
    origin = None
    if "origin" in members:
        origin = _parse_sample(members["origin"], f"{where} > origin", graphs)
    return tuple(parsed), origin


def version_for(samples: Iterable[Sample], newest: int) -> int:
    """Return the version of a file of samples: the newest that anything in it needs.

    Older releases read what has no graphs.
    """
    return newest if any(sample.graphs for sample in samples) else 1


def identity(sample: Sample) -> str:
    """Return what two samples of the same metrics, graphs, config and seed have in common."""
    names = {
        graph: f"{graph.full} {graph.source} {graph.source_version}"
        for graph in sample.graphs.values()
    }
    return sample_text(replace(sample, environment={}), "sample", names)


def sample_text(sample: Sample, where: str, graph_names: Mapping[GraphSample, str]) -> str:
    """Return the text of a sample.

    Args:
        sample: the sample.
        where: its place in the file, for errors.
        graph_names: what stands for its graphs.

    Raises:
        BaselineError: it cannot be written.
    """
    if sample.seed is not None and type(sample.seed) is not int:
        raise BaselineError(f"{where} > seed: {sample.seed!r} is not an int; convert it first")
    members = {
        "seed": on_one_line(sample.seed),
        "config": on_one_line(plain(sample.config, f"{where} > config")),
        "environment": on_one_line(plain(sample.environment, f"{where} > environment")),
        "metrics": object_text(
            {
                name: _summary_text(sample.metrics[name], f"{where} > metrics > {name}")
                for name in sorted(sample.metrics)
            }
        ),
    }
    if sample.graphs:
        named = {name: graph_names[sample.graphs[name]] for name in sorted(sample.graphs)}
        members["graphs"] = on_one_line(named)
    return object_text(members)


def _summary_text(summary: Summary, where: str) -> str:
    if problem := _summary_problem(summary):
        raise BaselineError(f"{where}: {problem}; no run gives such a summary")
    return on_one_line(
        {
            name: value if name in _INT_FIELDS or value is None else encode_number(float(value))
            for name, value in summary.as_dict().items()
        }
    )


def _parse_sample(value: Any, where: str, graphs: Mapping[str, GraphSample]) -> Sample:
    keys = ("seed", "config", "environment", "metrics")
    members = members_of(value, where, keys, ("graphs",))
    seed = members["seed"]
    named = as_object(members.get("graphs", {}), f"{where} > graphs")
    for name, graph in named.items():
        if graph not in graphs:
            raise wrong(f"{where} > graphs > {name}", "the name of a graph of the test", graph)
    return Sample(
        metrics={
            name: _parse_summary(item, f"{where} > metrics > {name}")
            for name, item in as_object(members["metrics"], f"{where} > metrics").items()
        },
        config=_parse_plain(members["config"], f"{where} > config"),
        environment=_parse_plain(members["environment"], f"{where} > environment"),
        seed=None if seed is None else parse_int(seed, f"{where} > seed"),
        graphs={name: graphs[graph] for name, graph in named.items()},
    )


def _parse_plain(value: Any, where: str) -> dict[str, Any]:
    """Return an object that can be written again."""
    return as_object(plain(value, where), where)


def _parse_summary(value: Any, where: str) -> Summary:
    numbers: dict[str, Any] = {
        name: (parse_int if name in _INT_FIELDS else parse_float)(item, f"{where} > {name}")
        for name, item in members_of(value, where, _SUMMARY_FIELDS).items()
    }
    summary = Summary(**numbers)
    if problem := _summary_problem(summary):
        raise BaselineError(f"{where}: {problem}; {MEND}")
    return summary


def _summary_problem(summary: Summary) -> str | None:
    """Return what contradicts itself in a summary, or None."""
    for name in _INT_FIELDS:
        value = getattr(summary, name)
        if type(value) is not int or value not in _INT64:
            return f"{name} is {value!r} and not an integer of 64 bits"
    n_finite = summary.n - summary.n_nan - summary.n_inf
    if summary.n < 1 or min(summary.n_nan, summary.n_inf, n_finite) < 0:
        return f"n {summary.n}, n_nan {summary.n_nan} and n_inf {summary.n_inf} contradict"
    if summary.first_step > summary.last_step:
        return f"first_step {summary.first_step} is after last_step {summary.last_step}"
    return _statistics_problem(summary, n_finite) or _last_problem(summary, n_finite)


def _statistics_problem(summary: Summary, n_finite: int) -> str | None:
    values: dict[str, Any] = {name: getattr(summary, name) for name in _FINITE_FIELDS}
    for name, value in values.items():
        if n_finite == 0 and value is not None:
            return f"{name} is {value!r} though no record is finite"
        if n_finite > 0 and (value is None or not math.isfinite(value)):
            return f"{name} is {on_one_line(encode_number(value))} though records are finite"
    if n_finite == 0:
        return None
    low, high = values["min"], values["max"]
    for name in ("min", "mean", "tail"):
        if not low <= values[name] <= high:
            return f"{name} {values[name]!r} is outside min {low!r} to max {high!r}"
    return f"std {values['std']!r} is negative" if values["std"] < 0 else None


def _last_problem(summary: Summary, n_finite: int) -> str | None:
    last: Any = summary.last
    if last is None:
        return "last is null though there are records"
    if math.isnan(last):
        agrees = summary.n_nan > 0
    elif math.isinf(last):
        agrees = summary.n_inf > 0
    else:
        low: Any = summary.min
        agrees = n_finite > 0 and low <= last <= summary.max
    shown = on_one_line(encode_number(last))
    return None if agrees else f"last {shown} is not among the values that min, max and n describe"

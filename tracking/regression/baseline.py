"""Baselines as reviewed text: one JSON file per test module, one metric a line. No verdicts.

    {
      "version": 1,
      "tests": {
        "TestX::test_y[adam-1e-3]": {
          "samples": [
            {
              "seed": 0,
              "config": {"lr": 0.001},
              "environment": {"python": "3.11.8"},
              "metrics": {
                "loss": {"n": 100, "n_nan": 0, "n_inf": 0, "min": 0.1, ...}
              }
            }
          ]
        }
      }
    }

Tests, metrics and the keys of config and environment are sorted; an entry whose first sample is
not its origin has the key "origin" after its samples. Floats are written by repr, so reading gives
back the same bits; non-finite numbers are the texts "NaN", "Infinity" and "-Infinity".
"""

from __future__ import annotations

import math
import operator
import os
from dataclasses import dataclass, fields, replace
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.errors import BaselineError
from tracking.model import Summary, encode_number
from tracking.regression.reviewed_json import (
    MEND,
    as_object,
    block_text,
    checked_version,
    members_of,
    object_text,
    on_one_line,
    parse,
    parse_float,
    parse_int,
    plain,
    read_text,
    write_text,
    wrong,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

FORMAT_VERSION = 1
"""Version of the file format that is written, and the only one that is read."""

FOLDER = "__baselines__"
"""Name of the folder beside a test module that holds its baseline."""

_NOT_OURS = frozenset({"node_modules", "__pycache__", "site-packages"})
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
    """

    metrics: Mapping[str, Summary]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    seed: int | None


@dataclass(frozen=True)
class Entry:
    """The baseline of one test.

    Attributes:
        samples: what runs are compared with, at least one.
        origin: the sample that drift is measured from, or None where that is `samples[0]`.
    """

    samples: tuple[Sample, ...]
    origin: Sample | None

    @property
    def origin_sample(self) -> Sample:
        """The sample that drift is measured from."""
        return self.origin or self.samples[0]


def baseline_path(test_file: Path) -> Path:
    """Return where the baseline of a test file lies.

    >>> baseline_path(Path("tests/test_x.py")).as_posix()
    'tests/__baselines__/test_x.json'
    >>> baseline_path(Path("docs/guide.md")).as_posix()
    'docs/__baselines__/guide.md.json'
    """
    name = test_file.stem if test_file.suffix == ".py" else test_file.name
    return test_file.parent / FOLDER / f"{name}.json"


def find_baselines(root: Path) -> list[Path]:
    """Return the baseline files below a folder, sorted.

    Hidden folders, environments and those of packages are not looked into.
    """
    found: list[Path] = []
    for folder, names, files in os.walk(root):
        is_environment = "pyvenv.cfg" in files
        names[:] = [
            name
            for name in names
            if not (is_environment or name.startswith(".") or name in _NOT_OURS)
        ]
        if os.path.basename(folder) == FOLDER:  # noqa: PTH119  # a Path a folder would take long
            found += [Path(folder, name) for name in files if _is_baseline(name)]
    return sorted(found)


def _is_baseline(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")


def updated_entry(
    old: Entry | None, samples: Sequence[Sample], variant_keys: Sequence[str] = ()
) -> Entry:
    """Return what accepting `samples` makes of an entry.

    They take the place of the entry's samples, of those of their own variant where there are
    variants. The entry keeps its origin, so that a drift of small accepted steps stays visible.
    Where it holds samples of the same metrics, config and seeds already, it is returned as it is,
    and a sample that is the origin again gives the entry there was at first: environment alone
    never rewrites a file.

    Args:
        old: the entry, None where there is none.
        samples: at least one, all of one variant.
        variant_keys: names in the environment whose values tell variants apart.

    Raises:
        BaselineError: a sample cannot be written.
    """
    if old is None:
        return Entry(tuple(samples), None)
    variant = variant_of(samples[0], variant_keys)
    is_own = [variant_of(one, variant_keys) == variant for one in old.samples]
    own = list(compress(old.samples, is_own))
    identities = {_identity(sample) for sample in samples}
    # Samples that know more metrics would go on missing them in the runs that were accepted.
    if identities <= set(map(_identity, own)) and _names(own) <= _names(samples):
        return old
    origin = old.origin_sample
    is_origins = variant_of(origin, variant_keys) == variant
    if all(is_own) and is_origins and identities == {_identity(origin)}:
        return Entry((origin,), None)
    kept = [one for one, is_its in zip(old.samples, is_own, strict=True) if not is_its]
    place = is_own.index(True) if own else len(kept)
    kept[place:place] = samples
    return _entry(kept, origin)


def _names(samples: Iterable[Sample]) -> set[str]:
    """Return the names of all metrics that samples have."""
    return set[str]().union(*(sample.metrics for sample in samples))


def _entry(samples: Sequence[Sample], origin: Sample) -> Entry:
    return Entry(tuple(samples), None if samples[0] == origin else origin)


def variant_of(sample: Sample, variant_keys: Sequence[str]) -> tuple[Any, ...]:
    """Return what tells the variant of a sample: its environment's values of some names."""
    return _variant(sample.environment, variant_keys)


def _variant(environment: Mapping[str, Any], variant_keys: Sequence[str]) -> tuple[Any, ...]:
    return tuple(_variant_value(name, environment.get(name)) for name in variant_keys)


def _variant_value(name: str, value: Any) -> Any:
    # A patch release of Python makes no other variant.
    is_version = name == "python" and isinstance(value, str)
    return ".".join(value.split(".")[:2]) if is_version else value


def matching_samples(
    samples: Sequence[Sample], environment: Mapping[str, Any], variant_keys: Sequence[str]
) -> tuple[Sequence[Sample], str]:
    """Return the samples of the variant that fits an environment best, and what doesn't fit.

    That is the variant that agrees in most names; of several the one that comes first.

    Returns:
        The samples, and a sentence that says where they are from, empty where all names agree.
    """
    wanted = _variant(environment, variant_keys)
    variants = [variant_of(sample, variant_keys) for sample in samples]
    best = max(variants, key=lambda variant: sum(map(operator.eq, variant, wanted)))
    note = ", ".join(
        f"{name} {theirs}, this run {ours}"
        for name, theirs, ours in zip(variant_keys, best, wanted, strict=True)
        if theirs != ours
    )
    found = [one for one, variant in zip(samples, variants, strict=True) if variant == best]
    return found, f"the baseline is of {note}" if note else ""


def accepted_entry(
    old: Entry | None,
    samples: Sequence[Sample],
    metrics: Collection[str],
    variant_keys: Sequence[str] = (),
) -> Entry | None:
    """Return what accepting some metrics of `samples` makes of an entry.

    What the entry says of other metrics stays; a metric that no sample has is removed. Each of
    `samples` joins the old one of its seed, where there is one, else it is one of its own. What the
    origin lacks of a sample of its seed joins it: its history starts here.

    Args:
        old: the entry, None where there is none.
        samples: at least one, all of one variant.
        metrics: names of those that are accepted.
        variant_keys: names in the environment whose values tell variants apart.

    Returns:
        The entry, None where nothing is left of it.
    """
    variant = variant_of(samples[0], variant_keys)
    chosen = [
        replace(one, metrics={name: of for name, of in one.metrics.items() if name in metrics})
        for one in samples
    ]
    kept: list[Sample] = []
    waiting = list(chosen)
    for one in old.samples if old else ():
        if variant_of(one, variant_keys) != variant:
            kept.append(one)
            continue
        rest = {name: of for name, of in one.metrics.items() if name not in metrics}
        place = next((i for i, other in enumerate(waiting) if other.seed == one.seed), None)
        new = None if place is None else waiting.pop(place)
        # Where nothing is left of the old one, config and environment are the new one's too.
        left = replace(one, metrics=rest) if rest or new is None else new
        after = _joined(left, new.metrics) if new else left
        if after.metrics or not one.metrics:
            kept.append(after)
    kept += [one for one in waiting if one.metrics]
    names = _names(kept)
    if not names:
        return None
    origin = old.origin_sample if old else kept[0]
    lasting = {
        name: of for name, of in origin.metrics.items() if name in names or name not in metrics
    }
    origin = replace(origin, metrics=lasting)
    if variant_of(origin, variant_keys) == variant:
        origin = _extended(origin, chosen)
    return _entry(kept, origin)


def _extended(origin: Sample, samples: Iterable[Sample]) -> Sample:
    """Return the origin with the metrics that it lacks, from the first sample of its seed."""
    own = next((one.metrics for one in samples if one.seed == origin.seed), {})
    return _joined(origin, {name: own[name] for name in own if name not in origin.metrics})


def _joined(sample: Sample, metrics: Mapping[str, Summary]) -> Sample:
    return replace(sample, metrics={**sample.metrics, **metrics})


def extended_entry(old: Entry | None, sample: Sample, variant_keys: Sequence[str] = ()) -> Entry:
    """Return an entry with the metrics of `sample` that it lacks; what it has stays as it is.

    Args:
        old: the entry, None where there is none.
        sample: what a run gave.
        variant_keys: names in the environment whose values tell variants apart.
    """
    if old is None:
        return Entry((sample,), None)
    variant = variant_of(sample, variant_keys)
    own = [one for one in old.samples if variant_of(one, variant_keys) == variant]
    lacking = set(sample.metrics) - _names(own)
    return (accepted_entry(old, [sample], lacking, variant_keys) if lacking else None) or old


def load_baseline(path: Path) -> dict[str, Entry]:
    """Read a baseline file.

    Returns:
        The entries by test; none where there is no such file.

    Raises:
        BaselineError: the file cannot be read as a baseline; says where and what to do.
    """
    text = read_text(path, "baseline")
    if text is None:
        return {}
    try:
        return parse_baseline(text)
    except BaselineError as error:
        raise BaselineError(f"baseline {path}: {error}") from error.__cause__


def save_baseline(path: Path, entries: Mapping[str, Entry]) -> None:
    """Write a baseline file whole or not at all, and only if its text changes.

    Raises:
        BaselineError: an entry cannot be written, or the operating system refused; the file is
            whole, as it was or as it should be.
    """
    write_text(path, dump_baseline(entries), "baseline")


def dump_baseline(entries: Mapping[str, Entry]) -> str:
    """Return the text of a baseline file: the same entries in any order give the same text.

    Raises:
        BaselineError: an entry without samples, a summary whose numbers cannot be, or a value in
            config or environment that JSON does not know.
    """
    tests = {key: _entry_text(entries[key], f"tests > {key}") for key in sorted(entries)}
    return object_text({"version": str(FORMAT_VERSION), "tests": object_text(tests)}) + "\n"


def _entry_text(entry: Entry, where: str) -> str:
    if not entry.samples:
        raise BaselineError(f"{where}: an entry needs at least one sample")
    samples = [
        sample_text(sample, f"{where} > samples > {index}")
        for index, sample in enumerate(entry.samples)
    ]
    members = {"samples": block_text("[", samples, "]")}
    if entry.origin is not None:
        members["origin"] = sample_text(entry.origin, f"{where} > origin")
    return object_text(members)


def sample_text(sample: Sample, where: str) -> str:
    """Return the text of a sample; `where` is its place in the file, for errors.

    Raises:
        BaselineError: it cannot be written.
    """
    if sample.seed is not None and type(sample.seed) is not int:
        raise BaselineError(f"{where} > seed: {sample.seed!r} is not an int; convert it first")
    return object_text(
        {
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
    )


def _identity(sample: Sample) -> str:
    return sample_text(Sample(sample.metrics, sample.config, {}, sample.seed), "sample")


def _summary_text(summary: Summary, where: str) -> str:
    if problem := _summary_problem(summary):
        raise BaselineError(f"{where}: {problem}; no run gives such a summary")
    return on_one_line(
        {
            name: value if name in _INT_FIELDS or value is None else encode_number(float(value))
            for name, value in summary.as_dict().items()
        }
    )


def parse_baseline(text: str) -> dict[str, Entry]:
    """Undo `dump_baseline`.

    Raises:
        BaselineError: `text` is not that of a baseline; names the place in it and what to do.
    """
    members = checked_version(parse(text), FORMAT_VERSION, ("tests",))
    return {
        key: _parse_entry(value, f"tests > {key}")
        for key, value in as_object(members["tests"], "tests").items()
    }


def _parse_entry(value: Any, where: str) -> Entry:
    members = members_of(value, where, ("samples",), ("origin",))
    samples = members["samples"]
    if not isinstance(samples, list) or not samples:
        raise wrong(f"{where} > samples", "a list of at least one sample", samples)
    return Entry(
        tuple(parse_sample(item, f"{where} > samples > {i}") for i, item in enumerate(samples)),
        parse_sample(members["origin"], f"{where} > origin") if "origin" in members else None,
    )


def parse_sample(value: Any, where: str) -> Sample:
    """Return the sample a tree describes; `where` is its place in the file, for errors.

    Raises:
        BaselineError: it is none.
    """
    members = members_of(value, where, ("seed", "config", "environment", "metrics"))
    seed = members["seed"]
    return Sample(
        metrics={
            name: _parse_summary(item, f"{where} > metrics > {name}")
            for name, item in as_object(members["metrics"], f"{where} > metrics").items()
        },
        config=_parse_plain(members["config"], f"{where} > config"),
        environment=_parse_plain(members["environment"], f"{where} > environment"),
        seed=None if seed is None else parse_int(seed, f"{where} > seed"),
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

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

import json
import math
import os
import re
import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.errors import BaselineError
from tracking.model import Summary, decode_number, encode_number

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT_VERSION = 1
"""Version of the file format that is written, and the only one that is read."""

FOLDER = "__baselines__"
"""Name of the folder beside a test module that holds its baseline."""

_MEND = "mend it by hand or restore it from version control"
_CONFLICT = re.compile(r"^(?:<{7}|\|{7}|={7}|>{7})(?:\s|$)", re.MULTILINE)
_SUMMARY_FIELDS = tuple(field.name for field in fields(Summary))
_INT_FIELDS = frozenset({"n", "n_nan", "n_inf", "first_step", "last_step"})
_INT64 = range(-(2**63), 2**63)
_INFINITIES = (math.inf, -math.inf)
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


def updated_entry(old: Entry | None, sample: Sample) -> Entry:
    """Return what accepting `sample` makes of an entry.

    The new entry holds `sample` alone and keeps the origin of the old one, so that a drift of
    small accepted steps stays visible. Where the old entry holds a sample of the same metrics,
    config and seed already, it is returned as it is, and a sample that is the origin again gives
    the entry there was at first: environment alone never rewrites a file.

    Raises:
        BaselineError: `sample` cannot be written.
    """
    if old is None:
        return Entry((sample,), None)
    identity = _identity(sample)
    if any(_identity(known) == identity for known in old.samples):
        return old
    origin = old.origin_sample
    if _identity(origin) == identity:
        return Entry((origin,), None)
    return Entry((sample,), origin)


def extended_entry(old: Entry | None, sample: Sample) -> Entry:
    """Return an entry with the metrics of `sample` that it lacks; what it has stays as it is.

    They join the old sample of the same seed, where there is one, else they become a sample of
    their own. They join the origin too: their history starts here.
    """
    if old is None:
        return Entry((sample,), None)
    known = set[str]().union(*(one.metrics for one in old.samples))
    lacking = {name: sample.metrics[name] for name in sample.metrics if name not in known}
    if not lacking:
        return old
    samples = list(old.samples)
    seeds = [one.seed for one in samples]
    if sample.seed in seeds:
        place = seeds.index(sample.seed)
        samples[place] = _joined(samples[place], lacking)
    else:
        samples.append(replace(sample, metrics=lacking))
    return Entry(tuple(samples), old.origin and _joined(old.origin, lacking))


def _joined(sample: Sample, metrics: Mapping[str, Summary]) -> Sample:
    return replace(sample, metrics={**sample.metrics, **metrics})


def load_baseline(path: Path) -> dict[str, Entry]:
    """Read a baseline file.

    Returns:
        The entries by test; none where there is no such file.

    Raises:
        BaselineError: the file cannot be read as a baseline; says where and what to do.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8; {_MEND}"
        raise BaselineError(f"baseline {path}: {problem}") from error
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); check the file and its permissions"
        raise BaselineError(f"baseline {path}: {problem}") from error
    try:
        return parse_baseline(text)
    except BaselineError as error:
        raise BaselineError(f"baseline {path}: {error}") from error.__cause__


def save_baseline(path: Path, entries: Mapping[str, Entry]) -> None:
    """Write a baseline file whole or not at all, and only if its text changes.

    A new file takes the place of the old one at once and keeps its permissions; a symbolic link
    stays one. Missing folders are made.

    Raises:
        BaselineError: an entry cannot be written, or the operating system refused; the file is
            whole, as it was or as it should be.
    """
    text = dump_baseline(entries).encode()
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        if mode is None or target.read_bytes() != text:
            _replace(target, text, mode)
    except OSError as error:
        problem = f"cannot be written ({error.strerror}); check the folder and its permissions"
        raise BaselineError(f"baseline {path}: {problem}") from error


def _replace(target: Path, text: bytes, mode: int | None) -> None:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def dump_baseline(entries: Mapping[str, Entry]) -> str:
    """Return the text of a baseline file: the same entries in any order give the same text.

    Raises:
        BaselineError: an entry without samples, a summary whose numbers cannot be, or a value in
            config or environment that JSON does not know.
    """
    tests = {key: _entry_text(entries[key], f"tests > {key}") for key in sorted(entries)}
    return _object({"version": str(FORMAT_VERSION), "tests": _object(tests)}) + "\n"


def _entry_text(entry: Entry, where: str) -> str:
    if not entry.samples:
        raise BaselineError(f"{where}: an entry needs at least one sample")
    samples = [
        _sample_text(sample, f"{where} > samples > {index}")
        for index, sample in enumerate(entry.samples)
    ]
    members = {"samples": _block("[", samples, "]")}
    if entry.origin is not None:
        members["origin"] = _sample_text(entry.origin, f"{where} > origin")
    return _object(members)


def _sample_text(sample: Sample, where: str) -> str:
    if sample.seed is not None and type(sample.seed) is not int:
        raise BaselineError(f"{where} > seed: {sample.seed!r} is not an int; convert it first")
    return _object(
        {
            "seed": _json(sample.seed),
            "config": _json(_plain(sample.config, f"{where} > config")),
            "environment": _json(_plain(sample.environment, f"{where} > environment")),
            "metrics": _object(
                {
                    name: _summary_text(sample.metrics[name], f"{where} > metrics > {name}")
                    for name in sorted(sample.metrics)
                }
            ),
        }
    )


def _identity(sample: Sample) -> str:
    return _sample_text(Sample(sample.metrics, sample.config, {}, sample.seed), "sample")


def _summary_text(summary: Summary, where: str) -> str:
    if problem := _summary_problem(summary):
        raise BaselineError(f"{where}: {problem}; no run gives such a summary")
    return _json(
        {
            name: value if name in _INT_FIELDS or value is None else encode_number(float(value))
            for name, value in summary.as_dict().items()
        }
    )


def _plain(value: Any, where: str) -> Any:
    """Return `value` as JSON knows it: keys sorted, tuples as lists, non-finite numbers by name."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return encode_number(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where} > {index}") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise BaselineError(f"{where}: its keys have to be texts; convert them first")
        return {key: _plain(value[key], f"{where} > {key}") for key in sorted(value)}
    raise BaselineError(f"{where}: JSON has no {type(value).__name__}; convert the value first")


def _json(value: Any) -> str:
    """Return `value` on one line, with what a reviewer could not see (or a file hold) escaped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text if text.isprintable() else json.dumps(value, allow_nan=False)


def _object(members: Mapping[str, str]) -> str:
    return _block("{", [f"{_json(key)}: {text}" for key, text in members.items()], "}")


def _block(start: str, items: Sequence[str], end: str) -> str:
    if not items:
        return start + end
    inside = ("\n" + ",\n".join(items)).replace("\n", "\n  ")
    return f"{start}{inside}\n{end}"


@dataclass(frozen=True)
class _Refused:
    """Stands in the tree for what Python's reader takes and a baseline may not hold."""

    problem: str


_Refuse = Callable[[str], _Refused]


def parse_baseline(text: str) -> dict[str, Entry]:
    """Undo `dump_baseline`.

    Raises:
        BaselineError: `text` is not that of a baseline; names the place in it and what to do.
    """
    refused: list[_Refused] = []

    def refuse(problem: str) -> _Refused:
        refused.append(_Refused(problem))
        return refused[-1]

    try:
        tree = json.loads(
            text,
            object_pairs_hook=partial(_object_of, refuse),
            parse_constant=lambda name: refuse(f'bare {name} is not JSON; write "{name}"'),
            parse_float=partial(_number_of, float, refuse),
            parse_int=partial(_number_of, int, refuse),
        )
        if refused:
            _raise_first(tree, [])
    except json.JSONDecodeError as error:
        if conflict := _CONFLICT.search(text):
            line = text.count("\n", 0, conflict.start()) + 1
            problem = f"line {line} is a git conflict marker; resolve the merge conflict first"
            raise BaselineError(problem) from error
        problem = f"not JSON at line {error.lineno} column {error.colno} ({error.msg}); {_MEND}"
        raise BaselineError(problem) from error
    except RecursionError as error:
        raise BaselineError(f"nested too deeply to be a baseline; {_MEND}") from error
    return _parse_file(tree)


def _object_of(refuse: _Refuse, pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Refused:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    names = [name for name, _ in pairs]
    twice = next(name for name in names if names.count(name) > 1)
    return refuse(f'the key "{twice}" appears more than once; keep one; {_MEND}')


def _number_of(kind: type[float], refuse: _Refuse, text: str) -> float | _Refused:
    try:
        value = kind(text)
    except ValueError:  # Python's limit on the digits of an int
        return refuse(f"a number of {len(text)} digits is out of range; {_MEND}")
    return refuse(f"{text} is out of range; {_MEND}") if value in _INFINITIES else value


def _raise_first(value: Any, path: list[str]) -> None:
    if isinstance(value, _Refused):
        raise BaselineError(f"{' > '.join(path) or 'top level'}: {value.problem}")
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            _raise_first(item, [*path, str(key)])


def _parse_file(tree: Any) -> dict[str, Entry]:
    version = tree.get("version") if isinstance(tree, dict) else None
    if type(version) is int and version > FORMAT_VERSION:
        problem = f"format {version} is newer than {FORMAT_VERSION}, the newest this version reads"
        raise BaselineError(f"version: {problem}; upgrade pytest-sgtrack")
    members = _members(tree, "top level", ("version", "tests"))
    if type(version) is not int or version != FORMAT_VERSION:
        raise _wrong("version", f"the number {FORMAT_VERSION}", version)
    return {
        key: _parse_entry(value, f"tests > {key}")
        for key, value in _as_object(members["tests"], "tests").items()
    }


def _parse_entry(value: Any, where: str) -> Entry:
    members = _members(value, where, ("samples",), ("origin",))
    samples = members["samples"]
    if not isinstance(samples, list) or not samples:
        raise _wrong(f"{where} > samples", "a list of at least one sample", samples)
    return Entry(
        tuple(_parse_sample(item, f"{where} > samples > {i}") for i, item in enumerate(samples)),
        _parse_sample(members["origin"], f"{where} > origin") if "origin" in members else None,
    )


def _parse_sample(value: Any, where: str) -> Sample:
    members = _members(value, where, ("seed", "config", "environment", "metrics"))
    seed = members["seed"]
    return Sample(
        metrics={
            name: _parse_summary(item, f"{where} > metrics > {name}")
            for name, item in _as_object(members["metrics"], f"{where} > metrics").items()
        },
        config=_as_object(members["config"], f"{where} > config"),
        environment=_as_object(members["environment"], f"{where} > environment"),
        seed=None if seed is None else _parse_int(seed, f"{where} > seed"),
    )


def _parse_summary(value: Any, where: str) -> Summary:
    numbers: dict[str, Any] = {
        name: (_parse_int if name in _INT_FIELDS else _parse_float)(item, f"{where} > {name}")
        for name, item in _members(value, where, _SUMMARY_FIELDS).items()
    }
    summary = Summary(**numbers)
    if problem := _summary_problem(summary):
        raise BaselineError(f"{where}: {problem}; {_MEND}")
    return summary


def _parse_int(value: Any, where: str) -> int:
    if type(value) is not int:
        raise _wrong(where, "an integer", value)
    return value


def _parse_float(value: Any, where: str) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, type(None))):
        raise _wrong(where, "a number", value)
    try:
        number = decode_number(value)
        return None if number is None else float(number)
    except (ValueError, OverflowError):
        raise _wrong(where, "a number", value) from None


def _members(
    value: Any, where: str, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, Any]:
    members = _as_object(value, where)
    if missing := [key for key in required if key not in members]:
        raise BaselineError(f'{where}: the key "{missing[0]}" is missing; {_MEND}')
    if unknown := [key for key in members if key not in (*required, *optional)]:
        raise BaselineError(f'{where}: the key "{unknown[0]}" is unknown; {_MEND}')
    return members


def _as_object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, "an object", value)
    return value


def _wrong(where: str, wanted: str, value: Any) -> BaselineError:
    text = _json(value)
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    return BaselineError(f"{where}: {wanted} is needed, not {shown}; {_MEND}")


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
            return f"{name} is {_json(encode_number(value))} though records are finite"
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
    shown = _json(encode_number(last))
    return None if agrees else f"last {shown} is not among the values that min, max and n describe"

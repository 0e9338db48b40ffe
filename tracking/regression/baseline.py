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

Since version 2 a sample may name graphs, `"graphs": {"graph": "3f2a90c1b7de"}`, which stand under
the key "graphs" of the entry, each once: its digests, and its text, one node a line.
"""

from __future__ import annotations

import operator
import os
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.errors import BaselineError
from tracking.regression.reviewed_json import (
    as_object,
    checked_version,
    members_of,
    object_text,
    parse,
    read_text,
    write_text,
)
from tracking.regression.sample import (
    Sample,
    identity,
    parse_samples,
    samples_text,
    version_for,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

FORMAT_VERSION = 2
"""Version of the newest file format; one of tests without graphs is written as version 1."""

FOLDER = "__baselines__"
"""Name of the folder beside a test module that holds its baseline."""

STORE = "store:"
"""What a baseline begins with that is no file but the history of a branch, as `store:main`."""

_NOT_OURS = frozenset({"node_modules", "__pycache__", "site-packages"})


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


def seen_from(baseline: str, folder: str | os.PathLike[str] = ".") -> str:
    """Return what to call a baseline in a folder: a file by its way from there.

    >>> seen_from("store:main"), seen_from("/a/b.json", "/a/c")
    ('store:main', '../b.json')
    """
    return baseline if baseline.startswith(STORE) else os.path.relpath(baseline, folder)


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
    identities = set(map(identity, samples))
    # Samples that know more metrics would go on missing them in the runs that were accepted.
    if identities <= set(map(identity, own)) and _names(own) <= _names(samples):
        return old
    origin = old.origin_sample
    is_origins = variant_of(origin, variant_keys) == variant
    if all(is_own) and is_origins and identities == {identity(origin)}:
        return Entry((origin,), None)
    kept = [one for one, is_its in zip(old.samples, is_own, strict=True) if not is_its]
    place = is_own.index(True) if own else len(kept)
    kept[place:place] = samples
    return _entry(kept, origin)


def _names(samples: Iterable[Sample]) -> set[str]:
    """Return the names of all metrics and graphs that samples have."""
    return set[str]().union(*(sample.names for sample in samples))


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
    chosen = [one.restricted_to(metrics.__contains__) for one in samples]
    kept: list[Sample] = []
    waiting = list(chosen)
    for one in old.samples if old else ():
        if variant_of(one, variant_keys) != variant:
            kept.append(one)
            continue
        rest = one.restricted_to(lambda name: name not in metrics)
        place = next((i for i, other in enumerate(waiting) if other.seed == one.seed), None)
        new = None if place is None else waiting.pop(place)
        # Where nothing is left of the old one, config and environment are the new one's too.
        left = rest if rest.names or new is None else new
        after = left.joined_by(new) if new else left
        if after.names or not one.names:
            kept.append(after)
    kept += [one for one in waiting if one.names]
    names = _names(kept)
    if not names:
        return None
    origin = old.origin_sample if old else kept[0]
    origin = origin.restricted_to(lambda name: name in names or name not in metrics)
    if variant_of(origin, variant_keys) == variant:
        origin = _extended(origin, chosen)
    return _entry(kept, origin)


def _extended(origin: Sample, samples: Iterable[Sample]) -> Sample:
    """Return the origin with what it lacks of the first sample of its seed."""
    own = next((one for one in samples if one.seed == origin.seed), None)
    if own is None:
        return origin
    return origin.joined_by(own.restricted_to(lambda name: name not in origin.names))


def extended_entry(old: Entry | None, sample: Sample, variant_keys: Sequence[str] = ()) -> Entry:
    """Return an entry with what it lacks of `sample`; what it has stays as it is.

    Args:
        old: the entry, None where there is none.
        sample: what a run gave.
        variant_keys: names in the environment whose values tell variants apart.
    """
    if old is None:
        return Entry((sample,), None)
    variant = variant_of(sample, variant_keys)
    own = [one for one in old.samples if variant_of(one, variant_keys) == variant]
    lacking = sample.names - _names(own)
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
    tests = {
        key: object_text(samples_text(entry.samples, entry.origin, f"tests > {key}"))
        for key, entry in sorted(entries.items())
    }
    samples = (sample for entry in entries.values() for sample in _all_samples(entry))
    version = version_for(samples, FORMAT_VERSION)
    return object_text({"version": str(version), "tests": object_text(tests)}) + "\n"


def _all_samples(entry: Entry) -> tuple[Sample, ...]:
    return (*entry.samples, *([entry.origin] if entry.origin else []))


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
    members = members_of(value, where, ("samples",), ("origin", "graphs"))
    return Entry(*parse_samples(members, where))

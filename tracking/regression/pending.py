"""What tests gave that nobody has accepted yet: one reviewed file, beside the experiment.

    {
      "version": 1,
      "root": "..",
      "variant_keys": [],
      "baselines": {
        "tests/__baselines__/test_x.json": {
          "test_y[adam-1e-3]": {
            "test": "tests/test_x.py::test_y[adam-1e-3]",
            "kinds": {"loss": "worse"},
            "samples": [ ... as in a baseline ... ]
          }
        }
      }
    }

Baseline files are named from the folder pytest calls rootdir, and that from the file's own folder.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tracking.errors import BaselineError
from tracking.model import Verdict
from tracking.regression.reviewed_json import (
    MEND,
    as_object,
    checked_version,
    members_of,
    object_text,
    on_one_line,
    parse,
    read_text,
    write_text,
    wrong,
)
from tracking.regression.sample import Sample, parse_samples, samples_text, version_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tracking.regression.checks import Check

FORMAT_VERSION = 2
"""Version of the newest file format; one of tests without graphs is written as version 1."""


class Kind(StrEnum):
    """What a metric did, seen from its baseline."""

    NEW = "new"
    WORSE = "worse"
    CHANGED = "changed"  # a computation graph
    BETTER = "better"
    REMOVED = "removed"
    REWRITTEN = "rewritten"  # within what is allowed, in other digits


_KINDS = {
    Verdict.NO_BASELINE: Kind.NEW,
    Verdict.NEW_METRIC: Kind.NEW,
    Verdict.MISSING_METRIC: Kind.REMOVED,
    Verdict.REGRESSED: Kind.WORSE,
    Verdict.NON_FINITE: Kind.WORSE,
    Verdict.TRUNCATED: Kind.WORSE,
    Verdict.NOT_COMPARABLE: Kind.WORSE,
    Verdict.GRAPH_CHANGED: Kind.CHANGED,
    Verdict.IMPROVED: Kind.BETTER,
    Verdict.WITHIN: Kind.REWRITTEN,
    Verdict.UNDERPOWERED: Kind.REWRITTEN,
}
_ORDER = (Kind.REWRITTEN, Kind.BETTER, Kind.NEW, Kind.CHANGED, Kind.WORSE, Kind.REMOVED)


@dataclass(frozen=True)
class PendingTest:
    """What one test gave.

    Attributes:
        test: its node id.
        kinds: what each metric did that is not as in the baseline.
        samples: what would be accepted.
    """

    test: str
    kinds: Mapping[str, Kind]
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Pending:
    """A file of what is pending.

    Attributes:
        root: pytest's rootdir, from the folder of the file.
        tests: by baseline file and the test's key in it.
        variant_keys: names in the environment that told variants apart when it was recorded.
    """

    root: str
    tests: Mapping[tuple[str, str], PendingTest]
    variant_keys: tuple[str, ...] = ()


def pending_path(directory: Path, experiment: str) -> Path:
    """Return where what is pending of an experiment lies.

    >>> from pathlib import Path
    >>> pending_path(Path("experiments"), "pytest").as_posix()
    'experiments/pytest.pending.json'
    """
    return directory / f"{experiment}.pending.json"


def kinds_of(checks: Iterable[Check]) -> dict[str, Kind]:
    """Return what each metric did; of several checks the worst counts.

    Metrics that are as in the baseline are left out, and so is what no baseline can settle.
    """
    kinds: dict[str, Kind] = {}
    for check in checks:
        kind = _KINDS.get(check.verdict)
        if kind is not None:
            kinds[check.metric] = max(kind, kinds.get(check.metric, kind), key=_ORDER.index)
    return kinds


def needs_decision(kinds: Mapping[str, Kind]) -> bool:
    """Tell whether somebody has to decide on it: more than other digits within what is allowed."""
    return any(kind is not Kind.REWRITTEN for kind in kinds.values())


def load_pending(path: Path) -> Pending:
    """Read a pending file; one that isn't there has nothing in it.

    Raises:
        BaselineError: the file cannot be read as one; says where and what to do.
    """
    text = read_text(path, "pending file")
    if text is None:
        return Pending("..", {})
    try:
        return parse_pending(text)
    except BaselineError as error:
        raise BaselineError(f"pending file {path}: {error}") from error.__cause__


def save_pending(path: Path, pending: Pending) -> None:
    """Write a pending file whole or not at all; with nothing in it, it is removed.

    Raises:
        BaselineError: something cannot be written, or the operating system refused.
    """
    if pending.tests:
        write_text(path, dump_pending(pending), "pending file")
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        problem = f"cannot be removed ({error.strerror}); check the folder and its permissions"
        raise BaselineError(f"pending file {path}: {problem}") from error


def dump_pending(pending: Pending) -> str:
    """Return the text of a pending file: the same tests in any order give the same text.

    Raises:
        BaselineError: a test without samples, or a sample that cannot be written.
    """
    files: dict[str, dict[str, str]] = {}
    for (baseline, key), test in sorted(pending.tests.items()):
        where = f"baselines > {baseline} > {key}"
        files.setdefault(baseline, {})[key] = object_text(
            {
                "test": on_one_line(test.test),
                "kinds": on_one_line({name: str(test.kinds[name]) for name in sorted(test.kinds)}),
            }
            | samples_text(test.samples, None, where)
        )
    samples = (sample for test in pending.tests.values() for sample in test.samples)
    return (
        object_text(
            {
                "version": str(version_for(samples, FORMAT_VERSION)),
                "root": on_one_line(pending.root),
                "variant_keys": on_one_line(list(pending.variant_keys)),
                "baselines": object_text({name: object_text(of) for name, of in files.items()}),
            }
        )
        + "\n"
    )


def parse_pending(text: str) -> Pending:
    """Undo `dump_pending`.

    Raises:
        BaselineError: `text` is not that of a pending file; names the place and what to do.
    """
    members = checked_version(parse(text), FORMAT_VERSION, ("root", "variant_keys", "baselines"))
    if not isinstance(members["root"], str):
        raise wrong("root", "a path", members["root"])
    variant_keys = members["variant_keys"]
    if not isinstance(variant_keys, list) or not all(isinstance(k, str) for k in variant_keys):
        raise wrong("variant_keys", "a list of names", variant_keys)
    tests = {
        (baseline, key): _parse_test(value, f"baselines > {baseline} > {key}")
        for baseline, of_file in as_object(members["baselines"], "baselines").items()
        for key, value in as_object(of_file, f"baselines > {baseline}").items()
    }
    return Pending(members["root"], tests, tuple(variant_keys))


def _parse_test(value: Any, where: str) -> PendingTest:
    members = members_of(value, where, ("test", "kinds", "samples"), ("graphs",))
    samples, _ = parse_samples(members, where)
    if not isinstance(members["test"], str):
        raise wrong(f"{where} > test", "a node id", members["test"])
    kinds = as_object(members["kinds"], f"{where} > kinds")
    for name, kind in kinds.items():
        if kind not in tuple(Kind):
            known = ", ".join(Kind)
            place = f"{where} > kinds > {name}"
            raise BaselineError(f"{place}: {kind!r} is unknown; there are {known}; {MEND}")
    return PendingTest(
        test=members["test"],
        kinds={name: Kind(kind) for name, kind in kinds.items()},
        samples=samples,
    )


def accept_command(tests: Iterable[str], database: Path, started_in: Path) -> str:
    """Return the command that accepts what tests gave, ready for a shell in a folder."""
    options = []
    folder = os.path.relpath(database.parent, started_in)
    if folder != "experiments":
        options.append(f"--dir={folder}")
    if database.stem != "pytest":
        options.append(f"--experiment={database.stem}")
    return shlex.join(["sgtrack", "accept", *options, *tests])

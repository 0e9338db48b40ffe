"""What was collected: the names of tests in baseline files, and entries there without a test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sgtrack.markers import NAME, read_markers
from pytest_sgtrack.names import baseline_key, test_id
from tracking import BaselineError
from tracking.regression import baseline_path, find_baselines

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from pytest_sgtrack.options import Settings

_REFUSED = "sg_track_refused"  # what a worker has to say of markers
_KEYS = "sg_track_keys"  # what the first worker has collected


class Collection:
    """Hooks that look at what is collected, in a plain session or in the workers of xdist.

    The controller of xdist collects nothing: the first worker tells it.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._worker: str = getattr(config, "workerinput", {}).get("workerid", "")
        self._keys: dict[Path, set[str]] = {}  # of the tests collected, by baseline file
        self._broken: set[Path] = set()  # baseline files of what was not collected whole

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember which files lack tests that may well be there."""
        if not report.passed:
            file = self._config.rootpath / report.nodeid.partition("::")[0]
            self._broken.add(baseline_path(file))

    # Before anybody deselects.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Refuse markers that say something unknown, and two tests of one name in a baseline."""
        try:
            self._take_in(items)
        except pytest.UsageError as error:
            if self._worker:
                self._output()[_REFUSED] = str(error)
            raise
        return (yield)

    def _take_in(self, items: Iterable[pytest.Item]) -> None:
        owners: dict[tuple[Path, str], tuple[str, str | None]] = {}
        for item in items:
            pinned = read_markers(item, self._settings.patterns).key
            test = test_id(item)
            key = baseline_key(item, pinned)
            owner, pinned_there = owners.setdefault((item.path, key), (test, pinned))
            if owner != test and (pinned or pinned_there):
                named, said = (test, pinned) if pinned else (owner, pinned_there)
                raise pytest.UsageError(
                    f"{named}: @pytest.mark.{NAME}(key={said!r}) is the name of"
                    f" {owner if named == test else test} in the baseline file too; choose another"
                )
        keys: dict[Path, set[str]] = {}
        for file, key in owners:
            keys.setdefault(file, set()).add(key)
        self._keys = {baseline_path(file): of_file for file, of_file in keys.items()}

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Tell the controller; only what has a baseline can have entries without a test."""
        if self._worker == "gw0":
            self._output()[_KEYS] = {
                str(path): sorted(keys) for path, keys in self._keys.items() if path.is_file()
            }

    def _output(self) -> dict[str, Any]:
        output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
        return output

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over in the controller what a worker of xdist has collected or refused."""
        output = getattr(node, "workeroutput", {})
        self._keys |= {Path(path): set(keys) for path, keys in output.get(_KEYS, {}).items()}
        if _REFUSED in output:
            raise pytest.UsageError(output[_REFUSED])

    # What it came to

    @property
    def is_partial(self) -> bool:
        """Whether the session was asked for a part of some module."""
        if any("::" in argument for argument in self._config.args):
            return True
        is_filtered = self._config.getoption("lf", default=False)
        cache = getattr(self._config, "cache", None)
        return bool(is_filtered and cache is not None and cache.get("cache/lastfailed", {}))

    def unused(
        self, entries_of: Callable[[Path], Iterable[str]]
    ) -> tuple[dict[Path, list[str]], list[str]]:
        """Find entries of baseline files that belong to no test.

        They are looked for in the files of modules that were collected whole, and below the
        folders that were asked for in those whose module is gone.

        Args:
            entries_of: gives the names of the entries of a baseline file.

        Returns:
            Names of entries by baseline file, and what could not be read.
        """
        if self.is_partial:
            return {}, []
        unused, problems = {}, []
        for path in sorted({*self._keys, *self._left_alone()} - self._broken):
            try:
                gone = sorted(set(entries_of(path)) - self._keys.get(path, set()))
            except BaselineError as error:
                problems.append(str(error))
                continue
            if gone:
                unused[path] = gone
        return unused, problems

    def _left_alone(self) -> list[Path]:
        """Return baseline files beside no test file."""
        started_in = self._config.invocation_params.dir
        folders = {Path(os.path.normpath(started_in / name)) for name in self._config.args}
        found = [path for folder in folders if folder.is_dir() for path in find_baselines(folder)]
        return [path for path in found if not _has_test_file(path)]

    def forget(self) -> None:
        """Let go of what was collected."""
        self._keys.clear()


def _has_test_file(baseline: Path) -> bool:
    folder = baseline.parent.parent
    return any((folder / name).exists() for name in (baseline.stem, f"{baseline.stem}.py"))

"""Every option once: a flag and an ini key with one help text, resolved into `Settings`.

The command line wins over the ini file, the ini file over the default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracking.postgres import Address
    from tracking.regression import Patterns

_ACTIONS = ("fail", "warn", "report")

VARIANT_KEYS = ("device", "platform", "machine", "python", "numpy")
"""Names in the environment of a sample that can tell variants of a baseline apart."""


class _Option(NamedTuple):
    name: str  # as in Settings; --sg-track-<name> and sg_track_<name>
    help: str
    choices: tuple[str, ...] = ()
    is_flag: bool = False
    is_number: bool = False
    is_list: bool = False
    default: str = ""

    @property
    def flag(self) -> str:
        return "--sg-track" if self.name == "" else f"--sg-track-{self.name.replace('_', '-')}"

    @property
    def ini(self) -> str:
        return "sg_track" if self.name == "" else f"sg_track_{self.name}"


_OPTIONS = (
    _Option("", "record training tests and compare them with their baselines", is_flag=True),
    _Option("dir", "folder of the experiment databases", default="experiments"),
    _Option("experiment", "name of the experiment that tests record into", default="pytest"),
    _Option(
        "update",
        "write baselines: `new` adds tests and metrics that have none, `all` rewrites those of"
        " every test that ran and did not fail by itself",
        choices=("new", "all"),
    ),
    _Option(
        "store",
        "URL of a store in PostgreSQL that runs are pushed to at the end of the session; a password"
        " belongs into the environment or a password file (default: the variable SGTRACK_STORE)",
    ),
    _Option(
        "baseline",
        "what tests are compared with: the `files` under __baselines__, or, as store:main, the last"
        " accepted runs of a branch in the store",
        default="files",
    ),
    _Option(
        "history",
        "how many runs a test is compared with under --sg-track-baseline=store:BRANCH",
        is_number=True,
        default="10",
    ),
    _Option(
        "strict",
        "exit with an error if a run could not be recorded in full (so too where CI is set)",
        is_flag=True,
    ),
    _Option(
        "on_regression",
        "what a test does whose metrics got worse",
        choices=_ACTIONS,
        default="fail",
    ),
    _Option(
        "on_improvement",
        "what a test does whose metrics got better than their tolerance",
        choices=("report", "fail"),
        default="report",
    ),
    _Option(
        "on_unused",
        "what the session does with entries of baselines whose tests are gone",
        choices=("report", "fail"),
        default="report",
    ),
    _Option("seed", "what `sg_seed` gives to a test", is_number=True, default="0"),
    _Option(
        "samples",
        "run each test that uses `sg_seed` under this many seeds and make the results its baseline;"
        " nothing is compared",
        is_number=True,
    ),
    _Option(
        "variants",
        f"what tells variants of a baseline apart: some of {', '.join(VARIANT_KEYS)}, separated by"
        " spaces (default: there is one for all)",
    ),
    _Option(
        "report",
        "write a report, in the format of the file's suffix: .html, .json or .md; may be given"
        " several times",
        is_list=True,
    ),
    _Option(
        "prune",
        "collect the tests and remove from the baselines what has no test any more; see"
        " `sgtrack prune`",
        is_flag=True,
    ),
    _Option(
        "graph",
        "how computation graphs are compared: by their `structure`, in `full` with shapes, types"
        " and names, in full and never red (`report`), or not at all (`off`)",
        choices=("structure", "full", "report", "off"),
        default="structure",
    ),
    _Option(
        "on_missing",
        "what a test does that has no baseline to be compared with"
        " (default: warn, but fail where the environment sets CI)",
        choices=_ACTIONS,
    ),
)


# What is asked for once and never for every session.
_FLAGS_ONLY = ("samples", "prune")


class GitHub(NamedTuple):
    """What GitHub tells a job of where it runs.

    Attributes:
        workspace: folder of the repository, from which annotations name files.
        summary: file that takes what the job's page shows; None where there is none.
    """

    workspace: Path | None
    summary: Path | None


@dataclass(frozen=True)
class Settings:
    """What the options came to.

    Attributes:
        source: what turned tracking on: the flag or the ini key.
        directory: folder of the experiment databases, absolute.
        experiment: name of the experiment.
        update: which baselines to write: new, all or None.
        is_strict: whether an incomplete recording fails the session.
        on_regression: fail, warn or report.
        on_missing: fail, warn or report.
        on_improvement: report or fail.
        on_unused: report or fail.
        graph: how computation graphs are compared.
        seed: what `sg_seed` gives to a test; the first one of several.
        n_samples: under how many seeds tests are run to make a baseline; 0 where they are compared.
        variant_keys: what tells variants of a baseline apart.
        reports: files to write reports to.
        is_pruning: whether this session only removes what has no test any more.
        patterns: how metrics are compared, as pyproject.toml says.
        is_ci: whether the environment says that this is continuous integration.
        store: where runs are pushed to, if anywhere.
        branch: the branch whose history tests are compared with; None where files are baselines.
        n_history: how many runs of it.
        github: set in a job of GitHub.
    """

    source: str
    directory: Path
    experiment: str
    update: str | None
    is_strict: bool
    on_regression: str
    on_missing: str
    on_improvement: str
    on_unused: str
    graph: str
    seed: int
    n_samples: int
    variant_keys: tuple[str, ...]
    reports: tuple[Path, ...]
    is_pruning: bool
    is_ci: bool
    patterns: Patterns
    store: Address | None = None
    branch: str | None = None
    n_history: int = 10
    github: GitHub | None = None

    @property
    def database(self) -> Path:
        """The experiment that tests record into."""
        return self.directory / f"{self.experiment}.db"


def add_options(parser: pytest.Parser) -> None:
    """Add the flags and ini keys to pytest's parser."""
    group = parser.getgroup("sg-track", "training metrics (pytest-sgtrack)")
    for option in _OPTIONS:
        more: dict[str, Any] = {"action": "store_true"} if option.is_flag else {}
        if option.choices:
            more = {"choices": option.choices}
        if option.is_number:
            more = {"type": int, "metavar": "N"}
        if option.is_list:
            more = {"action": "append", "metavar": "PATH"}
        shown = f"{option.help} (default: {option.default})" if option.default else option.help
        group.addoption(option.flag, default=None, dest=option.ini, help=shown, **more)
        described = f"{shown}; as {option.flag}"
        if option.name in _FLAGS_ONLY:
            continue
        if option.is_flag:
            parser.addini(option.ini, described, type="bool", default=False)
        elif option.is_list:
            parser.addini(option.ini, described, type="linelist", default=[])
        else:
            parser.addini(option.ini, described, type="string", default="")


def settings_of(config: pytest.Config) -> Settings | None:
    """Resolve the options; None when tracking is off.

    Raises:
        pytest.UsageError: a value is not one of the choices, or an update is asked for while
            tracking is off.
    """
    values: dict[str, Any] = {option.name: _value(config, option) for option in _OPTIONS}
    if not values[""]:
        for name in ("update", "report", "store", *_FLAGS_ONLY):
            if config.getoption(f"sg_track_{name}") is not None:
                raise pytest.UsageError(f"--sg-track-{name} needs --sg-track, which is off; add it")
        return None
    if values["samples"] is not None and values["update"]:
        raise pytest.UsageError("--sg-track-samples writes baselines by itself: no update with it")
    if values["samples"] is not None and values["samples"] < 1:
        raise pytest.UsageError(f"--sg-track-samples={values['samples']}: at least 1 is needed")
    from tracking import SettingsError
    from tracking.regression import read_patterns

    try:
        patterns = read_patterns(config.rootpath / "pyproject.toml")
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None
    is_ci = is_ci_environment(os.environ)
    store = _store(values["store"])
    branch = _branch(values["baseline"])
    if branch is not None and store is None:
        raise pytest.UsageError(f"--sg-track-baseline=store:{branch} needs --sg-track-store=URL")
    if branch is not None and values["samples"] is not None:
        raise pytest.UsageError(
            "--sg-track-samples makes baseline files; a history gets samples from sessions under"
            " several --sg-track-seed"
        )
    if values["history"] < 1:
        raise pytest.UsageError(f"--sg-track-history={values['history']}: at least 1 is needed")
    return Settings(
        source="--sg-track" if config.getoption("sg_track") else "sg_track = true",
        directory=config.rootpath / values["dir"],
        experiment=values["experiment"],
        update=values["update"] or None,
        is_strict=values["strict"],
        on_regression=values["on_regression"],
        on_missing=values["on_missing"] or ("fail" if is_ci else "warn"),
        on_improvement=values["on_improvement"],
        on_unused=values["on_unused"],
        graph=values["graph"],
        seed=values["seed"],
        n_samples=values["samples"] or 0,
        variant_keys=_variant_keys(values["variants"]),
        reports=_reports(config, values["report"]),
        is_pruning=bool(values["prune"]),
        is_ci=is_ci,
        patterns=patterns,
        store=store,
        branch=branch,
        n_history=values["history"],
        github=github_of(os.environ),
    )


def first_seed(config: pytest.Config) -> int:
    """Return what `sg_seed` gives to a test that nothing else is said of, tracking on or off."""
    (option,) = (option for option in _OPTIONS if option.name == "seed")
    seed: int = _value(config, option)
    return seed


def _store(said: str) -> Address | None:
    url = said or os.environ.get("SGTRACK_STORE", "")
    if not url:
        return None
    from tracking import InvalidArgumentError, MissingDependencyError
    from tracking.postgres import Address

    try:
        return Address(url)
    except InvalidArgumentError as error:
        raise pytest.UsageError(f"--sg-track-store: {error.problem}") from None
    except MissingDependencyError as error:
        raise pytest.UsageError(f"--sg-track-store: {error}") from None


def _branch(said: str) -> str | None:
    """Return the branch whose history is meant; None for files.

    >>> _branch("files"), _branch("store:main")
    (None, 'main')
    """
    kind, _, branch = said.partition(":")
    if said == "files":
        return None
    if kind != "store" or not branch:
        raise pytest.UsageError(
            f"--sg-track-baseline={said}: use files, or store: and a branch, as store:main"
        )
    return branch


def _variant_keys(said: str) -> tuple[str, ...]:
    keys = tuple(said.split())
    if unknown := [key for key in keys if key not in VARIANT_KEYS]:
        known = ", ".join(VARIANT_KEYS)
        raise pytest.UsageError(f"sg_track_variants: {unknown[0]!r} is unknown; there are {known}")
    return keys


def _reports(config: pytest.Config, said: Sequence[str | Path]) -> tuple[Path, ...]:
    paths = tuple(config.invocation_params.dir / path for path in said)
    if paths:
        from tracking import InvalidArgumentError
        from tracking.report import check_format

        try:
            for path in paths:
                check_format(path)
        except InvalidArgumentError as error:
            raise pytest.UsageError(f"--sg-track-report: {error.problem}") from None
    return paths


def _value(config: pytest.Config, option: _Option) -> Any:
    given = config.getoption(option.ini)
    if given is not None or option.name in _FLAGS_ONLY:
        return given
    configured = config.getini(option.ini)
    if option.is_list:
        return [config.rootpath / path for path in configured]
    if option.is_flag:
        return bool(configured)
    if option.is_number:
        try:
            return int(configured or option.default)
        except ValueError:
            shown = f"{option.ini} = {configured!r}"
            raise pytest.UsageError(
                f"{config.inipath or 'ini'}: {shown}: a number is needed"
            ) from None
    if configured and option.choices and configured not in option.choices:
        choices = ", ".join(option.choices)
        raise pytest.UsageError(
            f"{config.inipath or 'ini'}: {option.ini} = {configured!r}: use one of {choices}"
        )
    return configured or option.default


def github_of(environ: Mapping[str, str]) -> GitHub | None:
    """Return what GitHub tells; None elsewhere.

    >>> github_of({}), github_of({"GITHUB_ACTIONS": "true"})
    (None, GitHub(workspace=None, summary=None))
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        return None
    workspace, summary = (
        Path(environ[name]) if environ.get(name) else None
        for name in ("GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY")
    )
    return GitHub(workspace, summary)


def is_ci_environment(environ: Mapping[str, str]) -> bool:
    """Tell whether the variable CI is set to anything but a no.

    >>> [is_ci_environment({"CI": value}) for value in ("true", "1", "false", "")]
    [True, True, False, False]
    """
    return environ.get("CI", "").strip().lower() not in ("", "0", "false", "no", "off")

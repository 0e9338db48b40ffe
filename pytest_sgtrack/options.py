"""Every option once: a flag and an ini key with one help text, resolved into `Settings`.

The command line wins over the ini file, the ini file over the default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ACTIONS = ("fail", "warn", "report")


class _Option(NamedTuple):
    name: str  # as in Settings; --sg-track-<name> and sg_track_<name>
    help: str
    choices: tuple[str, ...] = ()
    is_flag: bool = False
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
        "on_missing",
        "what a test does that has no baseline to be compared with"
        " (default: warn, but fail where the environment sets CI)",
        choices=_ACTIONS,
    ),
)


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
        is_ci: whether the environment says that this is continuous integration.
    """

    source: str
    directory: Path
    experiment: str
    update: str | None
    is_strict: bool
    on_regression: str
    on_missing: str
    is_ci: bool


def add_options(parser: pytest.Parser) -> None:
    """Add the flags and ini keys to pytest's parser."""
    group = parser.getgroup("sg-track", "training metrics (pytest-sgtrack)")
    for option in _OPTIONS:
        more: dict[str, Any] = {"action": "store_true"} if option.is_flag else {}
        if option.choices:
            more = {"choices": option.choices}
        shown = f"{option.help} (default: {option.default})" if option.default else option.help
        group.addoption(option.flag, default=None, dest=option.ini, help=shown, **more)
        described = f"{shown}; as {option.flag}"
        if option.is_flag:
            parser.addini(option.ini, described, type="bool", default=False)
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
        if config.getoption("sg_track_update") is not None:
            raise pytest.UsageError("--sg-track-update needs --sg-track, which is off")
        return None
    is_ci = is_ci_environment(os.environ)
    return Settings(
        source="--sg-track" if config.getoption("sg_track") else "sg_track = true",
        directory=config.rootpath / values["dir"],
        experiment=values["experiment"],
        update=values["update"] or None,
        is_strict=values["strict"],
        on_regression=values["on_regression"],
        on_missing=values["on_missing"] or ("fail" if is_ci else "warn"),
        is_ci=is_ci,
    )


def _value(config: pytest.Config, option: _Option) -> Any:
    given = config.getoption(option.ini)
    if given is not None:
        return given
    configured = config.getini(option.ini)
    if option.is_flag:
        return bool(configured)
    if configured and option.choices and configured not in option.choices:
        choices = ", ".join(option.choices)
        raise pytest.UsageError(
            f"{config.inipath or 'ini'}: {option.ini} = {configured!r}: use one of {choices}"
        )
    return configured or option.default


def is_ci_environment(environ: Mapping[str, str]) -> bool:
    """Tell whether the variable CI is set to anything but a no.

    >>> [is_ci_environment({"CI": value}) for value in ("true", "1", "false", "")]
    [True, True, False, False]
    """
    return environ.get("CI", "").strip().lower() not in ("", "0", "false", "no", "off")

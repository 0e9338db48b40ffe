"""What a run runs on and with. Kept apart from hyper-parameters; never decides a verdict."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_GIT_TIMEOUT_S = 5.0


class _Service(NamedTuple):
    """Variables by which a service that builds projects tells what it has checked out.

    Attributes:
        known_by: set in all its jobs.
        requests: in jobs of a pull request only, or `false` in others.
        request_branches: the branch that a pull request comes from, by the first that is set.
        branches: the branch in other jobs, likewise.
        tags: set in jobs of a tag, whose name may stand where that of a branch does.
    """

    known_by: str
    requests: tuple[str, ...]
    request_branches: tuple[str, ...]
    branches: tuple[str, ...]
    tags: tuple[str, ...] = ()


# As their documentation of predefined variables has them.
_SERVICES = (
    _Service("GITHUB_ACTIONS", ("GITHUB_HEAD_REF",), ("GITHUB_HEAD_REF",), ("GITHUB_REF",)),
    _Service(
        "GITLAB_CI",
        ("CI_MERGE_REQUEST_IID",),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",),
        ("CI_COMMIT_BRANCH", "CI_COMMIT_REF_NAME"),
        ("CI_COMMIT_TAG",),
    ),
    _Service(
        "BUILDKITE",
        ("BUILDKITE_PULL_REQUEST",),
        ("BUILDKITE_BRANCH",),
        ("BUILDKITE_BRANCH",),
        ("BUILDKITE_TAG",),
    ),
    _Service(
        "CIRCLECI", ("CIRCLE_PR_NUMBER",), ("CIRCLE_BRANCH",), ("CIRCLE_BRANCH",), ("CIRCLE_TAG",)
    ),
    _Service("JENKINS_URL", ("CHANGE_ID",), ("CHANGE_BRANCH",), ("BRANCH_NAME",), ("TAG_NAME",)),
    _Service(
        "TRAVIS",
        ("TRAVIS_PULL_REQUEST",),
        ("TRAVIS_PULL_REQUEST_BRANCH",),
        ("TRAVIS_BRANCH",),
        ("TRAVIS_TAG",),
    ),
    _Service(
        "TF_BUILD",
        ("SYSTEM_PULLREQUEST_PULLREQUESTID",),
        ("SYSTEM_PULLREQUEST_SOURCEBRANCH",),
        ("BUILD_SOURCEBRANCH",),
    ),
    _Service(
        "BITBUCKET_BUILD_NUMBER",
        ("BITBUCKET_PR_ID",),
        ("BITBUCKET_BRANCH",),
        ("BITBUCKET_BRANCH",),
        ("BITBUCKET_TAG",),
    ),
)
_HEADS = "refs/heads/"


class Checkout(NamedTuple):
    """Which branch was checked out.

    Attributes:
        branch: its name, of a pull request the one it comes from; None where there is none.
        is_pull_request: whether its code is proposed only: the branch of a fork may be called as
            one of ours.
    """

    branch: str | None
    is_pull_request: bool


def collect_environment(folder: Path) -> dict[str, Any]:
    """Describe the interpreter, the machine, and the git checkout that `folder` lies in.

    Args:
        folder: any folder of the checkout, or one that is in none.

    Returns:
        JSON values: python, implementation, platform, machine, numpy, hash_seed (PYTHONHASHSEED),
        git_commit, git_dirty, git_branch and git_pull_request (see `checkout_of`); what cannot be
        told is None.

    Examples:
        >>> from pathlib import Path
        >>> from tracking import collect_environment
        >>> with tracker.run(environment=collect_environment(Path())) as run_id:
        ...     tracker.record("loss", 0.5, step=0)
        >>> tracker.get_run(run_id).environment["implementation"]
        'CPython'
    """
    import platform  # this and what _version and _git import would double the time to import us

    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no") if commit else None
    branch = _git(folder, "symbolic-ref", "--short", "--quiet", "HEAD") if commit else None
    checkout = checkout_of(branch, os.environ if commit else {})
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "numpy": _version("numpy"),
        "hash_seed": os.environ.get("PYTHONHASHSEED"),
        "git_commit": commit,
        "git_dirty": None if changes is None else bool(changes),
        "git_branch": checkout.branch,
        "git_pull_request": checkout.is_pull_request if commit else None,
    }


def checkout_of(branch: str | None, environ: Mapping[str, str]) -> Checkout:
    """Return which branch was checked out.

    Services that build projects mostly check out a commit, and name its branch in variables.

    Args:
        branch: what git says; None where no branch is checked out, but a commit.
        environ: variables of the environment.
    """
    service = next((one for one in _SERVICES if environ.get(one.known_by)), None)
    if service is None:
        return Checkout(branch or None, is_pull_request=False)
    if _first(environ, service.requests) not in (None, "false"):
        said = _first(environ, service.request_branches)
        return Checkout(_plain(said) or branch or None, is_pull_request=True)
    is_tag = _first(environ, service.tags) is not None
    said = None if is_tag else _plain(_first(environ, service.branches))
    return Checkout(branch or said, is_pull_request=False)


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)


def _plain(branch: str | None) -> str | None:
    """Return a branch without what git puts before it; None for what is no branch."""
    plain = branch.removeprefix(_HEADS) if branch else None
    return None if plain and plain.startswith("refs/") else plain


def current_device() -> str:
    """Return what the framework that is loaded computes on: `cuda`, `mps`, `tpu` ..., else `cpu`.

    A framework that nobody has imported is not imported for it.

    Examples:
        >>> from tracking import current_device
        >>> with tracker.run(environment={"device": current_device()}) as run_id:
        ...     tracker.record("loss", 0.5, step=0)
        >>> tracker.get_run(run_id).environment["device"] == current_device()
        True
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "cuda"
    jax = sys.modules.get("jax")
    return str(jax.default_backend()) if jax is not None else "cpu"


def _version(distribution: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _git(folder: Path, *arguments: str) -> str | None:
    import subprocess

    try:
        done = subprocess.run(  # noqa: S603  # arguments of ours
            ["git", "-C", str(folder), *arguments],  # noqa: S607  # the user's own git
            capture_output=True,
            check=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_GIT_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

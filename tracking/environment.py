"""What a run runs on and with. Kept apart from hyper-parameters; never decides a verdict."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_GIT_TIMEOUT_S = 5.0


def collect_environment(folder: Path) -> dict[str, Any]:
    """Describe the interpreter, the machine, and the git checkout that `folder` lies in.

    Returns:
        JSON values: python, implementation, platform, machine, numpy, hash_seed (PYTHONHASHSEED),
        git_commit, git_branch and git_dirty; what cannot be told is None.
    """
    import platform  # this and what _version and _git import would double the time to import us

    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no") if commit else None
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "numpy": _version("numpy"),
        "hash_seed": os.environ.get("PYTHONHASHSEED"),
        "git_commit": commit,
        "git_branch": _branch(folder, os.environ) if commit else None,
        "git_dirty": None if changes is None else bool(changes),
    }


# Continuous integration checks out commits, not branches; each service says which branch it means
# in a variable of its own. Of a pull request that is its own branch, not the one it aims at.
_BRANCH_VARIABLES = (
    "GITHUB_HEAD_REF",  # GitHub, of pull requests; elsewhere empty
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",  # GitLab
    "CI_COMMIT_BRANCH",
    "CHANGE_BRANCH",  # Jenkins
    "BRANCH_NAME",
    "BUILDKITE_BRANCH",
    "CIRCLE_BRANCH",
    "SYSTEM_PULLREQUEST_SOURCEBRANCH",  # Azure
    "BUILD_SOURCEBRANCH",
    "TRAVIS_PULL_REQUEST_BRANCH",
    "TRAVIS_BRANCH",
    "BITBUCKET_BRANCH",
    "DRONE_SOURCE_BRANCH",
)
_HEADS = "refs/heads/"


def branch_of_ci(environ: Mapping[str, str]) -> str | None:
    """Return the branch that continuous integration says it builds; None where it says none.

    >>> branch_of_ci({"GITHUB_HEAD_REF": "", "GITHUB_REF": "refs/heads/main"})
    'main'
    >>> branch_of_ci({"GITHUB_REF": "refs/tags/v1", "GITHUB_REF_NAME": "v1"})
    """
    for name in _BRANCH_VARIABLES:
        if found := environ.get(name):
            return found.removeprefix(_HEADS)
    ref = environ.get("GITHUB_REF", "")
    return ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else None


def _branch(folder: Path, environ: Mapping[str, str]) -> str | None:
    # What is checked out knows best, where it knows.
    name = _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
    return branch_of_ci(environ) if name in (None, "HEAD") else name


def current_device() -> str:
    """Return what the framework that is loaded computes on: `cuda`, `mps`, `tpu` ..., else `cpu`.

    A framework that nobody has imported is not imported for it.
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

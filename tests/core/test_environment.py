"""What a run ran on and with: the branch, however it was checked out."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tracking import environment
from tracking.environment import Checkout, checkout_of, collect_environment

GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main", "GITHUB_HEAD_REF": ""}
GITLAB = {"GITLAB_CI": "true", "CI_COMMIT_REF_NAME": "main"}
BUILDKITE = {"BUILDKITE": "true", "BUILDKITE_BRANCH": "main", "BUILDKITE_PULL_REQUEST": "false"}
CIRCLE = {"CIRCLECI": "true", "CIRCLE_BRANCH": "main"}
JENKINS = {"JENKINS_URL": "https://ci", "BRANCH_NAME": "main"}
TRAVIS = {"TRAVIS": "true", "TRAVIS_BRANCH": "main", "TRAVIS_PULL_REQUEST": "false"}
AZURE = {"TF_BUILD": "True", "BUILD_SOURCEBRANCH": "refs/heads/main"}
BITBUCKET = {"BITBUCKET_BUILD_NUMBER": "7", "BITBUCKET_BRANCH": "main"}


@pytest.mark.parametrize(
    ("branch", "variables", "expected"),
    [
        ("feature", {}, "feature"),
        (None, {}, None),
        ("", {}, None),
        # Variables of a service that does not run here mean nothing.
        (None, {"GITHUB_REF": "refs/heads/main", "BRANCH_NAME": "main"}, None),
        *((None, variables, "main") for variables in (GITHUB, GITLAB, BUILDKITE, CIRCLE)),
        *((None, variables, "main") for variables in (JENKINS, TRAVIS, AZURE, BITBUCKET)),
        (None, {**GITLAB, "CI_COMMIT_BRANCH": "release/2"}, "release/2"),
        (None, {**AZURE, "BUILD_SOURCEBRANCH": "refs/heads/a/b"}, "a/b"),
        # What a job has checked out itself, git knows better.
        ("other", GITHUB, "other"),
        # Tags are no branches, though they may be called as one.
        (None, {**GITHUB, "GITHUB_REF": "refs/tags/main"}, None),
        (None, {**GITLAB, "CI_COMMIT_TAG": "main"}, None),
        (None, {**BUILDKITE, "BUILDKITE_TAG": "v1"}, None),
        (None, {**CIRCLE, "CIRCLE_TAG": "v1"}, None),
        (None, {**JENKINS, "TAG_NAME": "v1"}, None),
        (None, {**TRAVIS, "TRAVIS_TAG": "main"}, None),
        (None, {**AZURE, "BUILD_SOURCEBRANCH": "refs/tags/main"}, None),
        (None, {**BITBUCKET, "BITBUCKET_TAG": "v1"}, None),
        (None, {"GITHUB_ACTIONS": "true"}, None),
    ],
)
def test_the_branch_is_known_also_where_a_commit_is_checked_out(branch, variables, expected):
    assert checkout_of(branch, variables) == Checkout(expected, is_pull_request=False)


@pytest.mark.parametrize(
    "variables",
    [
        {**GITHUB, "GITHUB_HEAD_REF": "main", "GITHUB_REF": "refs/pull/12/merge"},
        {**GITLAB, "CI_MERGE_REQUEST_IID": "12", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "main"},
        {**BUILDKITE, "BUILDKITE_PULL_REQUEST": "12"},
        {**CIRCLE, "CIRCLE_PR_NUMBER": "12"},
        {**JENKINS, "CHANGE_ID": "12", "CHANGE_BRANCH": "main"},
        {**TRAVIS, "TRAVIS_PULL_REQUEST": "12", "TRAVIS_PULL_REQUEST_BRANCH": "main"},
        {
            **AZURE,
            "SYSTEM_PULLREQUEST_PULLREQUESTID": "12",
            "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/main",
        },
        {**BITBUCKET, "BITBUCKET_PR_ID": "12"},
    ],
)
@pytest.mark.parametrize("branch", [None, "main"])
def test_a_proposal_is_never_taken_for_the_branch_it_is_called_as(branch, variables):
    assert checkout_of(branch, variables) == Checkout("main", is_pull_request=True)


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)


@pytest.fixture
def alone(monkeypatch):
    """Make the environment that of no service."""
    for service in environment._SERVICES:
        monkeypatch.delenv(service.known_by, raising=False)


@pytest.mark.usefixtures("alone")
def test_the_checkout_a_folder_lies_in_is_described(tmp_path, monkeypatch):
    git(tmp_path, "init", "--quiet", "--initial-branch=trunk")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "one")
    (tmp_path / "below").mkdir()

    def described():
        found = collect_environment(tmp_path / "below")
        return found["git_branch"], found["git_pull_request"], found["git_dirty"]

    assert described() == ("trunk", False, False)
    git(tmp_path, "checkout", "--quiet", "--detach")
    assert described() == (None, False, False)
    for name, value in GITHUB.items():
        monkeypatch.setenv(name, value)
    assert described() == ("main", False, False)


def test_a_folder_outside_of_any_checkout_has_no_branch(tmp_path, monkeypatch):
    for name, value in GITHUB.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = collect_environment(tmp_path)
    assert (found["git_commit"], found["git_branch"], found["git_pull_request"]) == (None,) * 3


def framework(**functions):
    """A module like that of a framework."""
    return SimpleNamespace(**{name: lambda value=value: value for name, value in functions.items()})


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        ({"torch": None, "jax": None}, "cpu"),
        ({"torch": SimpleNamespace(cuda=framework(is_initialized=True)), "jax": None}, "cuda"),
        ({"torch": SimpleNamespace(cuda=framework(is_initialized=False)), "jax": None}, "cpu"),
        ({"torch": None, "jax": framework(default_backend="tpu")}, "tpu"),
        (
            {
                "torch": SimpleNamespace(cuda=framework(is_initialized=False)),
                "jax": framework(default_backend="gpu"),
            },
            "gpu",
        ),
    ],
)
def test_the_device_is_that_of_the_framework_that_is_loaded(monkeypatch, modules, expected):
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert environment.current_device() == expected


def test_what_is_not_installed_has_no_version(monkeypatch, tmp_path):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert environment._version("numpy") is None

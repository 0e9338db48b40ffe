"""What a test is called: by pytest, as a run, in a baseline."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pytest_sgtrack.seeds import without_seed

if TYPE_CHECKING:
    import pytest

_MAX_RUN_NAME_LENGTH = 1_000


def nodeid_of(item: pytest.Item) -> str:
    """Return the node id of a test without the group that `--dist loadgroup` of xdist appends.

    Runs and baselines have to be called the same however tests are spread over workers.
    """
    parent = item.parent
    nodeid = f"{parent.nodeid}::{item.name}" if parent else item.nodeid
    return nodeid if item.nodeid.startswith(f"{nodeid}@") else item.nodeid


def test_id(item: pytest.Item) -> str:
    """Return the node id of a test, whatever the seeds it is run under."""
    return without_seed(item, nodeid_of(item))


def run_name(item: pytest.Item) -> str:
    """Return what the run of a test is called."""
    return as_run_name(nodeid_of(item))


def as_run_name(nodeid: str) -> str:
    """Return a node id as a run can be called; too long a one is cut and told apart."""
    name = encodable(nodeid)
    if len(name) <= _MAX_RUN_NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: _MAX_RUN_NAME_LENGTH - len(digest) - 3]}...{digest}"


def baseline_key(item: pytest.Item, pinned: str | None) -> str:
    """Return the name of a test in the baseline file of its module.

    That is the node id inside the module, or the marker's `key`, with the parameters of the case
    behind it.
    """
    if pinned is None:
        return test_id(item).partition("::")[2] or item.name
    callspec = getattr(item, "callspec", None)
    case_id = without_seed(item, callspec.id) if callspec else ""
    return f"{pinned}[{case_id}]" if case_id else pinned


def encodable(text: str) -> str:
    """Return `text` with lone surrogates escaped, which no store holds."""
    return text.encode(errors="backslashreplace").decode()

"""Seeds: what `sg_seed` gives, and runs of one test under several."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sgtrack.keys import FRESH_SEED

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "sg_seed"


def seed_of(item: pytest.Item, first: int) -> int | None:
    """Return the seed of a test, None where it doesn't ask for one.

    Args:
        item: the test.
        first: the seed of tests nothing else is said of.
    """
    if NAME not in getattr(item, "fixturenames", ()):
        return None
    if FRESH_SEED in item.stash:
        return item.stash[FRESH_SEED]
    callspec = getattr(item, "callspec", None)
    given = callspec.params.get(NAME, first) if callspec else first
    return int(given) if type(given) in (int, _Sampled) else None


class _Sampled(int):
    """A seed that nobody but `sample_under` has given to a test."""


def sample_under(metafunc: pytest.Metafunc, seeds: Iterable[int]) -> None:
    """Make a test that asks for a seed, and has not been given one, a test for each seed."""
    if NAME not in metafunc.fixturenames or any(NAME in call.params for call in metafunc._calls):
        return
    listed = [_Sampled(seed) for seed in seeds]
    ids = [_case_id(seed) for seed in listed]
    metafunc.parametrize(NAME, listed, indirect=True, ids=ids)


def without_seed(item: pytest.Item, text: str) -> str:
    """Return a node id, or a case's id, as it is when the test runs under one seed only."""
    callspec = getattr(item, "callspec", None)
    seed = callspec.params.get(NAME) if callspec else None
    if not isinstance(seed, _Sampled):
        return text
    case_id = _case_id(seed)
    for ending, instead in ((f"[{case_id}]", ""), (f"-{case_id}]", "]"), (f"-{case_id}", "")):
        if text.endswith(ending):
            return text.removesuffix(ending) + instead
    return "" if text == case_id else text


def _case_id(seed: object) -> str:
    return f"{NAME}={seed}"


def fresh_seeds(known: Iterable[int | None], n: int) -> list[int]:
    """Return seeds that none of the known ones is, the same in every session.

    >>> fresh_seeds([0, 1, None, 7], 3)
    [8, 9, 10]
    """
    first = max((seed for seed in known if seed is not None), default=-1) + 1
    return list(range(first, first + n))


def copy_with_seed(item: pytest.Item, seed: int) -> pytest.Item:
    """Return a test to be run beside `item`, with fixtures and an instance of its own."""
    twin: Any = copy.copy(item)
    twin.stash = pytest.Stash()
    twin.stash[FRESH_SEED] = seed
    twin.user_properties = []
    twin._report_sections = []
    for cached in ("_obj", "_instance"):
        twin.__dict__.pop(cached, None)
    twin._initrequest()
    return twin  # type: ignore[no-any-return]

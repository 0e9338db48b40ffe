"""What is pending in several experiments, brought together. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from tracking.errors import BaselineError
from tracking.regression import Pending

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Stock(NamedTuple):
    """What is pending of one experiment.

    Attributes:
        name: of the file, for errors.
        pending: its content.
        newest: when the newest run of each test started, Unix seconds.
    """

    name: str
    pending: Pending
    newest: Mapping[str, float]


def merged(own: Stock, others: Sequence[Stock], root: str | None) -> Pending:
    """Return what is pending in all of them.

    The experiment that has the newest run of a test says what is pending of it: also nothing, where
    that run was as accepted. Where several have the same run, `own` does: it may have been accepted
    there.

    Args:
        own: of the experiment that the others are merged into.
        others: of those.
        root: pytest's rootdir, from the folder of the merged file; None where all say the same.

    Raises:
        BaselineError: they say different things of it.
    """
    stocks = [own, *others]
    tests = {place: test.test for one in stocks for place, test in one.pending.tests.items()}
    chosen = {}
    for place, name in tests.items():
        ranks = [
            (
                one.newest.get(name, -math.inf),
                one is own and name in own.newest,
                place in one.pending.tests,
            )
            for one in stocks
        ]
        found = stocks[ranks.index(max(ranks))].pending.tests.get(place)
        if found is not None:
            chosen[place] = found
    speaking = [one for one in stocks if one.pending.tests]
    keys = {one.pending.variant_keys for one in speaking}
    return Pending(
        root if root is not None else _root_of(speaking, own),
        chosen,
        keys.pop() if len(keys) == 1 else tuple(sorted(set().union(*keys))),
    )


def _root_of(stocks: Sequence[Stock], own: Stock) -> str:
    by_root = {one.pending.root: one.name for one in stocks}
    if len(by_root) > 1:
        (first, name), (second, other), *_ = by_root.items()
        raise BaselineError(
            f"{name} names baselines from {first!r}, {other} from {second!r}; --root names the"
            " project's folder"
        )
    return next(iter(by_root), own.pending.root)

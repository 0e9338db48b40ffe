"""What differs between two mappings: configs, environments. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tracking.report.data import MISSING, Change

if TYPE_CHECKING:
    from collections.abc import Iterator


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return what differs between two mappings, by name; nested ones are looked into.

    >>> changes({"lr": 0.1, "opt": {"name": "sgd"}}, {"lr": 0.2, "opt": {"name": "sgd"}})
    [Change(name='lr', before=0.1, after=0.2)]
    """
    old, new = dict(_flat(before)), dict(_flat(after))
    return [
        Change(name, old.get(name, MISSING), new.get(name, MISSING))
        for name in sorted(old.keys() | new.keys())
        if not _is_equal(old.get(name, MISSING), new.get(name, MISSING))
    ]


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in mapping.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _is_equal(before: object, after: object) -> bool:
    # True == 1 and 1 == 1.0, and a reader of a diff wants to know; NaN is what it was.
    return type(before) is type(after) and (before == after or before != before)

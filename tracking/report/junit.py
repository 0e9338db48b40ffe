"""What a JUnit report has of a test, as properties of its test case. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracking.model import encode_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracking.model import Verdict
    from tracking.regression import Check

# What XML 1.0 has no way to write, not even as a reference (its production `Char`).
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def properties(verdict: Verdict | None, checks: Iterable[Check]) -> list[tuple[str, str]]:
    """Return names and values: a test's verdict, and of each check both values and its verdict.

    `sg_track.verdict`, and for each check of a metric `sg_track.<metric>.<statistic>`: the value of
    this run, with `.baseline` the baseline's, with `.verdict` what was found. Numbers have all
    their digits, non-finite ones are NaN, Infinity and -Infinity. What is not there has no
    property; characters that XML forbids are left out.
    """
    found = [("sg_track.verdict", str(verdict))] if verdict else []
    found += [one for check in checks if check.metric for one in _of_check(check)]
    return [(_ILLEGAL.sub("", name), _ILLEGAL.sub("", value)) for name, value in found]


def _of_check(check: Check) -> Iterator[tuple[str, str]]:
    name = f"sg_track.{check.metric}.{check.statistic}"
    if check.current is not None:
        yield name, str(encode_number(check.current))
    if check.baseline is not None:
        yield f"{name}.baseline", str(encode_number(check.baseline))
    yield f"{name}.verdict", str(check.verdict)

"""Cells of tables: numbers, durations and changes as text, and names cut to fit. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracking.arguments import as_json
from tracking.regression import checks
from tracking.regression.checks import is_same, relative_change
from tracking.report.words import percent_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_CUT = frozenset({"name", "test", "metric", "value", "before", "after"})
"""Headers of columns that may be shortened."""

_SHORTEST = 12
_GAP = 2  # that tabulate leaves between columns
_BESIDE_HEADER = 2  # that it leaves beside a header


def number_text(value: float | None) -> str:
    """Return a number as people read it; nothing where there is none.

    >>> number_text(0.12345678), number_text(float("nan")), number_text(None)
    ('0.123457', 'NaN', '')
    """
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else checks.number_text(value)


def duration_text(seconds: float | None) -> str:
    """Return a duration as people read it.

    >>> duration_text(0.512), duration_text(75), duration_text(7325), duration_text(None)
    ('0.51 s', '1:15', '2:02:05', '')
    """
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def numbers_text(before: float | None, after: float | None) -> tuple[str, str]:
    """Return two numbers with the digits it takes to tell them apart.

    >>> numbers_text(1.0, 1.0 + 2**-40), numbers_text(None, 0.5)
    (('1.0', '1.0000000000009095'), ('', '0.5'))
    """
    shown = number_text(before), number_text(after)
    is_hidden = shown[0] == shown[1] and not is_same(before, after)
    return (repr(before), repr(after)) if is_hidden else shown


def change_text(before: float | None, after: float | None) -> str:
    """Return a relative change in percent; nothing where there is none to tell.

    >>> change_text(0.5, 0.25), change_text(2.0, 2.0), change_text(0.0, 1.0)
    ('-50.00 %', '', '')
    """
    change = relative_change(before, after)
    return percent_text(change) if change else ""


def value_text(value: Any) -> str:
    """Return a value of a config or an environment.

    >>> value_text("adam"), value_text([1, None]), value_text(True)
    ('adam', '[1,null]', 'true')
    """
    return value if isinstance(value, str) else as_json(value)


def fitted(rows: Sequence[Sequence[str]], headers: Sequence[str], width: int) -> list[list[str]]:
    """Return the cells of a table with names shortened until its lines are `width` long.

    The widest column of names is shortened first, none to less than a dozen characters; numbers
    stay whole, so that a table may still be too wide.
    """
    shortest = [len(header) + _BESIDE_HEADER for header in headers]
    columns = zip(shortest, *rows, strict=True)
    widths = [max([least, *map(len, cells)]) for least, *cells in columns]
    while sum(widths) + _GAP * (len(widths) - 1) > width:
        places = [
            place
            for place, header in enumerate(headers)
            if header in _CUT and widths[place] > max(shortest[place], _SHORTEST)
        ]
        if not places:
            break
        widths[max(places, key=widths.__getitem__)] -= 1
    return [[shortened(cell, most) for cell, most in zip(row, widths, strict=True)] for row in rows]


def shortened(text: str, width: int) -> str:
    """Return a text with as much of its middle left out as makes it `width` characters long.

    >>> shortened("tests/test_it.py::test_x", 11)
    'tests…est_x'
    """
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    tail = width - 1 - head
    return f"{text[:head]}…{text[len(text) - tail :]}"

"""Records as lines of CSV. Pure."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Literal

from tracking.model import encode_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracking.model import RecordInfo

# What spreadsheets take for a formula (owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(cells: Iterable[int | str], records: Iterable[RecordInfo]) -> str:
    """Return a line of each record: some cells, then its step, value and time.

    Texts that a spreadsheet would calculate begin with a '.
    """
    first = [_as_text_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    # By itself the writer leaves a carriage return unquoted, which readers take for an end.
    is_odd = any("\r" in cell for cell in first if isinstance(cell, str))
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if is_odd else csv.QUOTE_MINIMAL
    piece = io.StringIO()
    csv.writer(piece, lineterminator="\n", quoting=quoting).writerows(
        (*first, one.step, encode_number(one.value), one.log_time) for one in records
    )
    return piece.getvalue()


def _as_text_cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text

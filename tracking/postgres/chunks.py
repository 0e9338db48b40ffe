"""Records in chunks, as COPY writes them and as queries give them back. Pure.

Formats: PostgreSQL's documentation of COPY, "Binary Format", and the send functions of its types;
numbers are big-endian.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from tracking.columns import Columns
from tracking.postgres.schema import RECORDS_A_CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COPY = "COPY sgtrack.chunks (run_id, metric_id, first, steps, values, wall_times) FROM STDIN BINARY"
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = struct.pack(">h", -1)

_INT8, _FLOAT8 = 20, 701  # object ids of the element types
_ROW = struct.Struct(">h i q i i i q")  # six fields; run_id, metric_id and first behind their sizes
_ARRAY = struct.Struct(">i i i i i i")  # size, dimensions, flags, element type, length, lower bound
_SIZE_OF_HEADER = _ARRAY.size - 4
_ELEMENT = 12  # four bytes of size, eight of number


def rows_of(run_id: int, metric_id: int, parts: Iterable[Columns]) -> Iterator[bytes]:
    """Yield the rows of a series, as `COPY` takes them behind its header.

    Args:
        run_id: number of the run in the store.
        metric_id: number of the metric in the store.
        parts: the records, by step.
    """
    place = 0
    for columns in parts:
        steps, values, times = (
            _elements(column, kind)
            for column, kind in zip(columns, (">i8", ">f8", ">f8"), strict=True)
        )
        n = len(columns.steps)
        for first in range(0, n, RECORDS_A_CHUNK):
            end = min(first + RECORDS_A_CHUNK, n)
            places = slice(first * _ELEMENT, end * _ELEMENT)
            size = _SIZE_OF_HEADER + (end - first) * _ELEMENT
            of_steps = _ARRAY.pack(size, 1, 0, _INT8, end - first, 1)
            of_numbers = _ARRAY.pack(size, 1, 0, _FLOAT8, end - first, 1)
            yield b"".join(
                (
                    _ROW.pack(6, 8, run_id, 4, metric_id, 8, place + first),
                    *(of_steps, steps[places], of_numbers, values[places]),
                    *(of_numbers, times[places]),
                )
            )
        place += n


def _elements(column: Any, kind: str) -> memoryview:
    found = np.empty(len(column), [("size", ">i4"), ("number", kind)])
    found["size"] = 8
    found["number"] = column
    return memoryview(found.tobytes())


def columns_of(rows: Iterable[tuple[bytes, bytes, bytes]]) -> Columns:
    """Return the records of chunks, in the order of the chunks.

    Args:
        rows: steps, values and wall times of each, as the server sends arrays in binary form.
    """
    parts = list(zip(*rows, strict=True)) or [(), (), ()]
    return Columns(
        *(
            np.concatenate([_numbers(one, kind) for one in part]).astype(kind[1:])
            if part
            else np.empty(0, kind[1:])
            for part, kind in zip(parts, (">i8", ">f8", ">f8"), strict=True)
        )
    )


def _numbers(array: bytes, kind: str) -> Any:
    elements = np.dtype([("size", ">i4"), ("number", kind)])
    return np.frombuffer(array, elements, offset=_SIZE_OF_HEADER)["number"]

"""What record() costs its caller, over appending a tuple to a list."""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import time
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Lab, Row, collector_off, cpu_s, interleaved, median, ratio
from tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BOUND = 2.0
_FRAME = struct.Struct("<qddII")
_METRICS = tuple(f"metric_{number}" for number in range(10))

_Call = tuple[str, Any, int]


def rows(lab: Lab) -> list[Row]:
    """Measure a call in a short run and a long one, and the pieces any such call is made of."""
    import numpy as np

    short, long = lab.amount(10_000, 1_000), lab.amount(1_000_000, 5_000)
    one_metric = _calls(short, ("loss",))
    numpy_values = [(name, np.float64(value), step) for name, value, step in one_metric]
    long_rounds, short_rounds = lab.amount(7, 1), lab.amount(51, 2)
    return [
        _recording(lab, f"{long:,} records of one metric", _calls(long, ("loss",)), long_rounds),
        _recording(lab, f"{long:,} records of ten metrics", _calls(long, _METRICS), long_rounds),
        _recording(lab, f"{short:,} records of one metric", one_metric, short_rounds),
        _recording(lab, f"{short:,} records of ten metrics", _calls(short, _METRICS), short_rounds),
        _recording(lab, f"{short:,} numpy scalars", numpy_values, short_rounds, bound=None),
        _without_collector(lab, long, long_rounds),
        *_pieces(lab, one_metric, short_rounds),
    ]


def _calls(n: int, names: tuple[str, ...]) -> list[_Call]:
    steps = (number // len(names) for number in range(n))
    values = (1.0 / (1 + number) for number in range(n))
    return list(zip(islice(cycle(names), n), values, steps, strict=True))


def _recording(
    lab: Lab, what: str, calls: list[_Call], n_rounds: int, bound: float | None = _BOUND
) -> Row:
    sides = {
        "list": lambda: cpu_s(lambda: _append(calls)),
        "record": lambda: _recording_s(lab.new_folder(), calls),
    }
    return _row(f"record(), {what}, over list.append", sides, len(calls), n_rounds, bound)


def _without_collector(lab: Lab, n: int, n_rounds: int) -> Row:
    calls = _calls(n, ("loss",))
    with collector_off():
        return _recording(lab, f"{n:,} records, garbage collector off", calls, n_rounds, bound=None)


def _pieces(lab: Lab, calls: list[_Call], n_rounds: int) -> list[Row]:
    def row(what: str, piece_s: Callable[[Path, list[_Call]], float]) -> Row:
        sides = {
            "list": lambda: cpu_s(lambda: _append(calls)),
            "piece": lambda: piece_s(lab.new_folder(), calls),
        }
        return _row(f"bare: {what}, over list.append", sides, len(calls), n_rounds, None)

    return [
        row("struct packed into a mmap", _packing_s),
        row("struct packed, one os.write", _writing_s),
    ]


def _row(
    what: str,
    sides: dict[str, Callable[[], float]],
    n: int,
    n_rounds: int,
    bound: float | None,
) -> Row:
    floor, side = interleaved(sides, n_rounds).values()
    shown = f"{1e6 * median(side, n):.3f} us against {1e6 * median(floor, n):.3f} us a call"
    return Row(what, ratio(side, floor), shown, bound)


def _append(calls: list[_Call]) -> list[tuple[str, Any, int, float]]:
    records: list[tuple[str, Any, int, float]] = []
    for name, value, step in calls:
        records.append((name, value, step, time.time()))
    return records


def _recording_s(folder: Path, calls: list[_Call]) -> float:
    tracker = Tracker(folder)
    tracker.set_experiment("benchmark")

    def record_all() -> None:
        for name, value, step in calls:
            tracker.record(name, value, step)

    with tracker.run():
        cost = cpu_s(record_all)
    tracker.close()
    shutil.rmtree(folder)
    return cost


def _packing_s(folder: Path, calls: list[_Call]) -> float:
    size = _FRAME.size * len(calls)
    with (folder / "frames").open("w+b") as file:
        os.posix_fallocate(file.fileno(), 0, size)
        with mmap.mmap(file.fileno(), size) as frames:

            def pack_all() -> None:
                offset = 0
                for _, value, step in calls:
                    _FRAME.pack_into(frames, offset, step, value, time.time(), 1, 1)
                    offset += 32

            return cpu_s(pack_all)


def _writing_s(folder: Path, calls: list[_Call]) -> float:
    with (folder / "frames").open("wb") as file:
        number = file.fileno()

        def write_all() -> None:
            for _, value, step in calls:
                os.write(number, _FRAME.pack(step, value, time.time(), 1, 1))

        return cpu_s(write_all)

"""What is measured of a tool, the same way for each; imports nothing but what Python brings.

    python -m benchmarks.peers.with_TOOL record|die|count N FOLDER

`record` times N records and reads them back; `die` kills the process after the last of them, and
`count` tells what is left.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

Record = Callable[[float, int], object]
"""Records a value at a step, as one metric of the run that is open."""


def run(
    recording: Callable[[Path], AbstractContextManager[Record]], count: Callable[[Path], int]
) -> None:
    """Do what the command line asks for, and print what came of it as JSON.

    Args:
        recording: opens a run in a folder; when it is left, everything is stored.
        count: how many records can be read from the folder.
    """
    what, n, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    found: dict[str, float] = {}
    if what == "record":
        start = time.perf_counter()
        with recording(folder) as record:
            calls_start = time.perf_counter()
            _record_all(record, n)
            calls_end = time.perf_counter()
        n_found = count(folder)
        end = time.perf_counter()
        found = {"call_s": (calls_end - calls_start) / n, "s": end - start, "n": n_found}
    elif what == "die":
        with recording(folder) as record:
            _record_all(record, n)
            os.kill(os.getpid(), signal.SIGKILL)
    else:
        found = {"n": count(folder)}
    print()  # whatever the tool printed ends here
    print(json.dumps(found))


def _record_all(record: Record, n: int) -> None:
    for step in range(n):
        record(1.0 / (1 + step), step)

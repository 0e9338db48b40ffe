"""Runs pytest in forks of one process that has imported everything already.

A session of a test's project takes a third of a second to start and next to nothing to run. Each
line of standard input asks for one: {"arguments", "folder", "environment", "output", "errors"}, the
last two files for what it says. Each line of standard output gives one's exit code, negative for a
signal.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys

import pytest
from _pytest.config import default_plugins

# What sessions use beside pytest; whatever is not here they import themselves.
NEEDED = (
    "tracking.tracker",
    "tracking.reporting",
    "pytest_sgtrack.plugin",
    "numpy",
    "scipy.special",
)


def serve() -> int:
    """Fork for each request; returns the exit code in the child, 0 in the server at the end."""
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            return run(**request)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    return 0


def run(
    arguments: list[str], folder: str, environment: dict[str, str], output: str, errors: str
) -> int:
    """Be what `python -m pytest` would be in a folder."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for fd, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(path, flags)
        os.dup2(opened, fd)
        os.close(opened)
    sys.path[0] = folder
    sys.argv = ["pytest", *arguments]
    code = int(pytest.main())
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    for name in (*NEEDED, *(f"_pytest.{plugin}" for plugin in default_plugins)):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # pytest collects garbage at its end; none of this is any
    sys.exit(serve())

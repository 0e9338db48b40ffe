"""Runs Python in forks of one process that has imported everything already.

A session of a test's project takes a third of a second to start and next to nothing to run, and
most scripts a tenth. `forks.py` asks for them: by a connection to a socket for each, which brings
the standard streams and {"arguments", "folder", "environment"}, and takes back the number of the
process and, when that has ended, its exit code, negative for a signal.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import platform
import runpy
import select
import signal
import socket
import subprocess
import sys
import types
from typing import Any, NamedTuple

from _pytest.config import default_plugins
from forks import NUMBER, Fork

import pytest_sgtrack

# What is used beside pytest; whatever is not here is imported where it is needed.
NEEDED = (
    "tracking.board.server",
    "tracking.cli",
    "tracking.environment",
    "tracking.merging",
    "tracking.reporting",
    "tracking.tracker",
    *(f"pytest_sgtrack.{module.name}" for module in pkgutil.iter_modules(pytest_sgtrack.__path__)),
    "pytest_rerunfailures",
    "pytest_timeout",
    "multiprocessing",
    "numpy",
    "pdb",  # pytest's debugger needs it in every session
    "scipy.special",
    "tomllib",
    "xdist.dsession",
    "xdist.plugin",
    "xdist.remote",
)


class Wanted(NamedTuple):
    """What a child is to be."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    streams: list[int]


def serve(address: str) -> Wanted | None:
    """Fork for each request, until standard input ends.

    Returns:
        In a child what it is to be, None in the server.
    """
    children: dict[int, socket.socket] = {}
    wakes, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)  # it is written to the socket
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([listener, wakes, sys.stdin], [], [])
            if wakes in ready:
                wakes.recv(1 << 16)
                tell_of_the_dead(children)
            elif listener in ready:
                connection, _ = listener.accept()
                wanted = asked(connection)
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for one in (connection, wakes, woken, *children.values()):
                        one.close()
                    return wanted
                for fd in wanted.streams:
                    os.close(fd)
                children[pid] = connection
                tell(connection, pid)
            else:
                return None


def asked(connection: socket.socket) -> Wanted:
    """Receive a request."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    text = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    return Wanted(**json.loads(text), streams=streams)


def tell_of_the_dead(children: dict[int, socket.socket]) -> None:
    """Tell those who asked for them which children have ended."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            connection = children.pop(found[0])
            tell(connection, os.waitstatus_to_exitcode(found[1]))
            connection.close()


def tell(connection: socket.socket, number: int) -> None:
    """Send a number; who asked may be gone."""
    with contextlib.suppress(OSError):
        connection.sendall(NUMBER.pack(number))


def become(wanted: Wanted, address: str) -> None:
    """Be what `python *arguments` would be, where these are -c and a script or -m and a module."""
    for number, fd in enumerate(wanted.streams):
        os.dup2(fd, number)
        os.close(fd)
    os.environ.clear()
    os.environ.update(wanted.environment)
    os.chdir(wanted.folder)
    sys.stdout.reconfigure(write_through="PYTHONUNBUFFERED" in os.environ)
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
    have_workers_forked(address)
    option, what, *rest = wanted.arguments
    sys.argv = [option, *rest]
    if option == "-m":
        sys.path[0] = wanted.folder
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    elif option == "-c":
        sys.path[0] = ""
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), main.__dict__)
    else:
        sys.exit(f"nobody here knows {wanted.arguments}")


def have_workers_forked(address: str) -> None:
    """Have pytest-xdist take its workers from the server too."""
    with contextlib.suppress(ImportError):
        from execnet import gateway_base, gateway_io

        def start(self: Any, args: list[str], execmodel: Any) -> None:
            command = args[args.index("-c") :]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self.popen = Fork(address, command, **pipes)
            streams = self.popen.stdin, self.popen.stdout
            gateway_base.Popen2IO.__init__(self, *streams, execmodel=execmodel)

        gateway_io.Popen2IOMaster.__init__ = start


class Ending:
    """The end of a process, without taking apart first what was imported: that takes the longest.

    Functions of `atexit` are called as ever.
    """

    def __init__(self) -> None:
        self._status: int | None = None
        atexit.register(self._leave)  # before all others, so that it comes last

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            self._status = 0
        elif isinstance(error, SystemExit):
            is_number = isinstance(error.code, int)
            self._status = error.code & 0xFF if is_number else int(error.code is not None)
        elif isinstance(error, Exception):
            self._status = 1

    def _leave(self) -> None:
        if self._status is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self._status)


if __name__ == "__main__":
    ending = Ending()
    for name in (*NEEDED, *(f"_pytest.{plugin}" for plugin in default_plugins)):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for name in {"xdist"} & sys.modules.keys():
        sys.modules[name].__doc__ = "PYTEST_DONT_REWRITE"  # -p would warn that it is too late
    platform.platform()  # the first time it starts a process
    gc.collect()
    gc.freeze()  # pytest collects garbage at its end; none of this is any
    found = serve(sys.argv[1])
    if found is not None:
        with ending:
            become(found, sys.argv[1])

"""A PostgreSQL server of our own: on loopback, as a user without privileges, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "correct horse battery"  # with blanks, so that it has to be encoded
_NOBODY = 65534
_START_S = 30
_SETTINGS = {
    "fsync": "off",  # the machine does not lose power; the server is killed
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "80",
    "shared_buffers": "64MB",
    "log_statement": "all",  # so that a test can look for what must never get there
    "logging_collector": "off",
}


def binary(name: str) -> str:
    """Return a program of the server's; Debian keeps them out of PATH."""
    folders = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join(map(str, folders)) or None) or shutil.which(
        name
    )
    if found is None:
        raise RuntimeError(f"{name} is not installed; `apt-get install postgresql` brings it")
    return found


class Server:
    """A server with a database for whoever asks for one.

    Args:
        settings: of the server, beside and before our own.
    """

    def __init__(self, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sgtrack-pg-"))
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.port = _free_port()
        self._settings = {**_SETTINGS, **settings, "unix_socket_directories": str(self.folder)}
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (self.folder, secret):
                os.chown(path, _NOBODY, _NOBODY)
        try:
            self._run(
                *(binary("initdb"), "-D", str(self.data), "-U", "owner", "--no-sync"),
                *("--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={secret}"),
            )
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def start(self) -> None:
        """Start it, also after it was killed, and wait until it answers."""
        given = [f"-c{name}={value}" for name, value in self._settings.items()]
        command = (
            *(binary("postgres"), "-D", str(self.data), "-p", str(self.port), "-h", "127.0.0.1"),
            *given,
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                _unprivileged(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        give_up_at = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                raise RuntimeError(f"the server does not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        command = [binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def kill(self) -> None:
        """End it as a loss of power would: nothing is said to anybody."""
        assert self._process is not None
        pids = self._signal(signal.SIGKILL)
        self._process.wait()
        while any(map(_runs, pids)):  # they hold the memory that the next one asks for
            time.sleep(0.001)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Have it take connections inside, and neither answer nor go away."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> list[int]:
        """Send a signal to all of its processes; returns them."""
        assert self._process is not None
        pid = self._process.pid
        os.kill(pid, signal.SIGSTOP)  # it makes no more children
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        pids = [pid, *map(int, children.split())]
        for one in pids:
            with suppress(ProcessLookupError):
                os.kill(one, number)
        return pids

    def stop(self) -> None:
        """Stop it and remove all it had."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self) -> str:
        """Create an empty database; returns its URL."""
        name = f"store_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name}", "postgres")
        return self.url(name)

    def url(self, database: str, user: str = "owner", password: str = PASSWORD) -> str:
        """Return the URL of a database for a user."""
        from urllib.parse import quote

        return f"postgresql://{user}:{quote(password)}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str) -> list[tuple[object, ...]]:
        """Run a statement as the owner; returns its rows."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            _unprivileged(*command), check=False, capture_output=True, text=True, cwd=self.folder
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def _runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _unprivileged(*command: str) -> list[str]:
    if os.geteuid() != 0:
        return list(command)
    ids = (f"--reuid={_NOBODY}", f"--regid={_NOBODY}")
    return ["setpriv", *ids, "--clear-groups", "--", *command]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

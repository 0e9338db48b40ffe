"""Processes of Python that need not import anything: forks of one that has; see forkserver.py."""

from __future__ import annotations

import io
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NUMBER = struct.Struct("<i")


class Fork:
    """A process `python *arguments`, used like one of `subprocess.Popen`.

    Args:
        address: of the server.
        arguments: -c, a script and its arguments, or -m, a module and its arguments.
        cwd: where it runs; by default here.
        env: its environment; by default this one.
        text: whether its streams are of text.
        bufsize: of its streams.
        stdin, stdout, stderr: as `subprocess.Popen` takes them.
    """

    def __init__(
        self,
        address: str,
        arguments: Sequence[object],
        *,
        cwd: str | os.PathLike[str] = ".",
        env: Mapping[str, str] = os.environ,
        text: bool = False,
        bufsize: int = -1,
        **streams: IO[Any] | int | None,
    ) -> None:
        request = {
            "arguments": [*map(str, arguments)],
            "folder": str(Path(cwd).absolute()),
            "environment": dict(env),
        }
        self.args = request["arguments"]
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = None, None, None
        theirs = []
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            stream = streams.get(name)
            if stream == subprocess.PIPE:
                pair = os.pipe()
                theirs.append(pair[number > 0])
                mine = os.fdopen(pair[number == 0], "rb" if number else "wb", bufsize)
                setattr(self, name, io.TextIOWrapper(mine, write_through=True) if text else mine)
            elif stream == subprocess.DEVNULL:
                theirs.append(os.open(os.devnull, os.O_RDWR))
            else:
                theirs.append(os.dup(number if stream is None else stream.fileno()))
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(address)
        socket.send_fds(self._connection, [b"\0"], theirs)
        self._connection.sendall(json.dumps(request).encode())
        self._connection.shutdown(socket.SHUT_WR)
        for fd in theirs:
            os.close(fd)
        self.pid = self._received()

    def _received(self) -> int:
        (number,) = NUMBER.unpack(self._connection.recv(NUMBER.size, socket.MSG_WAITALL))
        return number

    def _has_ended_within(self, timeout: float | None) -> bool:
        ready = select.poll()  # select() knows no descriptor beyond 1023; long sessions have more
        ready.register(self._connection, select.POLLIN)
        return bool(ready.poll(None if timeout is None else 1000 * timeout))

    def poll(self) -> int | None:
        """Return its exit code if it has ended."""
        if self.returncode is None and self._has_ended_within(0):
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns its exit code, negative for a signal."""
        if self.returncode is None:
            if not self._has_ended_within(timeout):
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = self._received()
            self._connection.close()
        return self.returncode

    def communicate(self, words: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        """Say something to it and wait for its end; returns what it said."""
        if words is not None:
            self.stdin.write(words)
        if self.stdin is not None:
            self.stdin.close()
        with ThreadPoolExecutor(2) as pool:
            said = [pool.submit(_read, stream) for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            return said[0].result(), said[1].result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def _read(stream: IO[Any] | None) -> Any:
    if stream is None or stream.closed:
        return None
    with stream:
        return stream.read()


class Forks:
    """A server that such processes come from, started at first use."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None

    def start(self, arguments: Sequence[object], **how: Any) -> Fork:
        """Start `python *arguments`; `how` is as for `Fork`."""
        if self._server is None:
            self._folder = Path(tempfile.mkdtemp(prefix="forks-"))
            self._address = str(self._folder / "socket")
            command = [sys.executable, Path(__file__).with_name("forkserver.py"), self._address]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self._server = subprocess.Popen(command, text=True, **pipes)
            self._server.stdout.readline()
        return Fork(self._address, arguments, **how)

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.communicate()
            shutil.rmtree(self._folder)

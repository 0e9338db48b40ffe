"""Serving the dashboard: its socket, its names, its token."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn

from tracking.board.app import Board
from tracking.board.guard import Policy
from tracking.errors import BoardError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracking.board.databases import Databases

_PORTS = (8000, 8001, 8080, 8765, 8888, 0)
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")  # what needs no quotes, in an address or a cookie
_EVERYWHERE = "0.0.0.0"  # noqa: S104  # with a token only
_NICENESS = 10  # tests come first


@dataclass(frozen=True)
class Settings:
    """What to serve, and to whom.

    Attributes:
        databases: the experiments.
        host: name or address to listen on; None for the usual one.
        port: to listen on, 0 for any; None for the first of the usual ones that is free.
        is_public: whether others than this machine may reach it.
        allowed_hosts: what browsers may call it beside its own names, as `board.example.org`.
        token: what everybody has to know; None to make one where it is needed.
        is_read_only: whether nothing may be deleted.
    """

    databases: Databases[Any]
    host: str | None = None
    port: int | None = None
    is_public: bool = False
    allowed_hosts: Sequence[str] = ()
    token: str | None = None
    is_read_only: bool = False


class Server:
    """A dashboard that listens already, so that a browser may be sent to it.

    Args:
        settings: what to serve, and to whom.

    Raises:
        BoardError: it may not, or cannot, listen there.
    """

    def __init__(self, settings: Settings) -> None:
        host = settings.host or (_EVERYWHERE if settings.is_public else "127.0.0.1")
        if not (settings.is_public or is_loopback(host)):
            raise BoardError(
                f"--host {host} is no name of this machine alone; --public lets others in, with a"
                " token"
            )
        for one in settings.allowed_hosts:
            if not _HOST.fullmatch(one):
                raise BoardError(
                    f"--allow-host {one} is no host; give what browsers show before the first /,"
                    " as board.example.org or board.example.org:8443"
                )
        if settings.token is not None and not _TOKEN.fullmatch(settings.token):
            raise BoardError(
                "--token has to be of letters, digits and -._~; without it one is made"
            )
        self._socket = _listening(host, settings.port)
        self.port: int = self._socket.getsockname()[1]
        self.token = settings.token
        if self.token is None and settings.is_public:
            self.token = secrets.token_urlsafe(24)
        self._reachable = _reachable_by(host)
        names = {*_LOCAL, *self._reachable}
        hosts = {f"{name}:{self.port}" for name in names}
        hosts |= names if self.port == 80 else set()
        hosts |= set(settings.allowed_hosts)
        policy = Policy(
            frozenset(one.lower() for one in hosts),
            self.token,
            is_read_only=settings.is_read_only or settings.databases.is_read_only,
            cookie=f"sgtrack_board_{self.port}",  # cookies know no ports
        )
        self._board = Board(settings.databases, policy)
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                self._board.app,
                access_log=False,  # addresses may hold the token
                log_level="warning",
                server_header=False,
                ws="none",
                proxy_headers=False,
                timeout_graceful_shutdown=3,
            )
        )
        self._uvicorn.board = self._board

    def addresses(self) -> list[str]:
        """Return where it can be reached, this machine's own address first."""
        end = f"/?token={self.token}" if self.token else "/"
        return [f"http://{name}:{self.port}{end}" for name in self._reachable]

    def serve(self) -> None:
        """Answer until the process is told to stop, or another thread says so."""
        os.nice(_NICENESS)
        self._uvicorn.run(sockets=[self._socket])

    def stop(self) -> None:
        """Have `serve` return."""
        self._uvicorn.should_exit = True

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


class _Uvicorn(uvicorn.Server):
    board: Board

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.board.hub.close()  # streams have no end of their own
        await super().shutdown(sockets)
        self.board.databases.close()


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address means this machine, for itself alone.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _reachable_by(host: str) -> list[str]:
    """Return the names of a server that listens on a host, without its port."""
    if host in (_EVERYWHERE, "::"):
        names = ["localhost", socket.gethostname(), *_addresses_of_this_machine()]
        return list(dict.fromkeys(names))
    if host in ("127.0.0.1", "localhost"):
        return ["localhost", "127.0.0.1"]
    bare = host.strip("[]")
    return [f"[{bare}]" if ":" in bare else bare]


def _addresses_of_this_machine() -> list[str]:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    except OSError:
        return []
    return sorted({str(address[0]) for *_, address in found})


def _listening(host: str, port: int | None) -> socket.socket:
    last: OSError | None = None
    for one in _PORTS if port is None else (port,):
        try:
            bare = host.strip("[]")
            family = socket.AF_INET6 if ":" in bare else socket.AF_INET
            return socket.create_server((bare, one), family=family, backlog=128)
        except OSError as error:
            last = error
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                break
    wanted = f"port {port}" if port is not None else "any port"
    raise BoardError(
        f"cannot listen on {wanted} of {host}: {last}; --port 0 takes one that is free"
    ) from last

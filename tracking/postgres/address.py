"""Where a store is, and connections to it. No message names what opens it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tracking.errors import (
    InvalidArgumentError,
    MissingDependencyError,
    StoreBusyError,
    StoreError,
    StoreUnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

# What libpq takes for the host and shows, where somebody has forgotten to encode a password.
_URL = re.compile(r"postgres(?:ql)?://(?:[^@/]*@)?[^@?]*(?:\?[^@]*)?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CONNECT_TIMEOUT_S = 5
_SETTINGS = {"application_name": "pytest-sgtrack", "client_encoding": "UTF8"}
_SHOWN = ("user", "host", "port", "dbname")
_UNREACHABLE = ("08", "28", "3D", "53", "57P")  # refused, out of resources, shut down
_LINES = re.compile(r"\s*\n\s*")


class Address:
    """A PostgreSQL database that is, or will be, a store.

    Printed, it shows neither password nor parameters.

    Args:
        url: as libpq takes it, `postgresql://user@host:port/database?sslmode=verify-full`. What it
            leaves open comes from the usual places: PGPASSWORD and its like, a password file, a
            service file.

    Raises:
        InvalidArgumentError: it is no such URL.
        MissingDependencyError: psycopg is not installed.
    """

    def __init__(self, url: str) -> None:
        self._parameters = _parsed(url)

    def __str__(self) -> str:
        user, host, port, dbname = (str(self._parameters.get(key) or "") for key in _SHOWN)
        # libpq takes several hosts, and a folder of sockets for one.
        places = ",".join(filter(None, host.split(",")))
        return "".join(
            ("postgresql://", user and f"{user}@", places, port and f":{port}", f"/{dbname}")
        )

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    def connect(self) -> Connection[Any]:
        """Open a connection that commits each statement where nothing else is asked for.

        Raises:
            StoreUnreachableError: nobody answers there, or we are not let in.
            StoreError: it cannot hold a store.
        """
        import psycopg

        timeout = {"connect_timeout": _CONNECT_TIMEOUT_S}
        with self.translated("cannot be reached"):
            connection = psycopg.connect(
                **{**timeout, **self._parameters, **_SETTINGS},
                autocommit=True,
                # A pooler may give the next statement to another connection of the server's, which
                # has not prepared it.
                prepare_threshold=None,
            )
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                connection.close()
                raise StoreError(
                    f"{self} has the encoding {encoding}; create the store's database with UTF8"
                )
        return connection

    @contextmanager
    def translated(self, problem: str) -> Iterator[None]:
        """Turn the driver's errors into ours.

        Args:
            problem: what it means for the store, as `cannot be reached`.
        """
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            cause = _LINES.sub("; ", str(error).strip()) or type(error).__name__
            raise _kind_of(error)(f"{self} {problem}: {self._without_secrets(cause)}") from error

    def _without_secrets(self, text: str) -> str:
        for key, value in self._parameters.items():
            if key not in _SHOWN and isinstance(value, str) and "password" in key:
                text = text.replace(value, "***")
        return text


def _kind_of(error: Exception) -> type[StoreError]:
    """Return what of ours an error of the driver is.

    Without a code the connection was never there, or is not any more; codes are those of
    postgresql.org/docs/current/errcodes-appendix.html.
    """
    import psycopg

    if isinstance(error, psycopg.errors.QueryCanceled):
        return StoreBusyError
    code = getattr(error, "sqlstate", None)
    is_lost = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    if is_lost and (code is None or code.startswith(_UNREACHABLE)):
        return StoreUnreachableError
    return StoreError


def _parsed(url: str) -> dict[str, Any]:
    scheme = _SCHEME.match(url)
    if scheme is None or scheme[1] not in ("postgresql", "postgres"):
        found = f"one of {scheme[1]}" if scheme else "something else"
        raise InvalidArgumentError(
            "store", f"expected a URL as postgresql://user@host/database, got {found}"
        )
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        raise MissingDependencyError(
            "a store in PostgreSQL needs psycopg, which is not installed;"
            " pip install 'pytest-sgtrack[postgres]'"
        ) from error
    try:
        parameters = dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        parameters = {"port": "?"}  # libpq's message quotes the whole of it, password included
    ports = str(parameters.get("port") or "").split(",")
    if not _URL.fullmatch(url) or not all(re.fullmatch("[0-9]*", port) for port in ports):
        raise InvalidArgumentError(
            "store",
            "is no URL that libpq understands, postgresql://user:password@host:port/database:"
            " percent-encode special characters in user and password, and check the names of"
            " parameters",
        )
    return parameters

"""Connections that read a store: one for each who asks, kept for the next."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tracking.errors import StoreUnreachableError
from tracking.postgres import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from tracking.postgres.address import Address

_MOST_KEPT = 8
# To compile a query takes longer than those of ours run.
_BEGIN = """
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = {milliseconds};
    SET LOCAL jit = off
"""


class Connections:
    """Connections to one store. Threads may share it.

    Args:
        address: of the store.
        timeout_s: how long a query may take, as the server measures it.
        deadline_s: how long a moment may, as we do: a server may be frozen. None for any time.
    """

    def __init__(self, address: Address, timeout_s: float, deadline_s: float | None = None) -> None:
        self.address = address
        self._deadline_s = deadline_s
        self._begin = _BEGIN.format(milliseconds=int(timeout_s * 1000))
        self._lock = threading.Lock()
        self._idle: list[Connection[Any]] = []

    @contextmanager
    def moment(self) -> Iterator[Connection[Any]]:
        """Give a connection on which everything that is read is of one moment.

        Raises:
            NewerSchemaError: a newer version of this library wrote the store.
            StoreUnreachableError: its server does not answer, or does not let us in.
            StoreError: there is none, or it cannot be read.
        """
        connection = self._begun()
        with self._watched(connection):
            try:
                yield connection
            finally:
                self._end(connection)

    def close(self) -> None:
        """Let go of those that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _begun(self) -> Connection[Any]:
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            connection = self._made() if kept is None else kept
            try:
                with self._watched(connection), self.address.translated("cannot be read"):
                    connection.execute(self._begin)
            except StoreUnreachableError:
                connection.close()
                if kept is None:
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                return connection

    def _made(self) -> Connection[Any]:
        connection = self.address.connect()
        try:
            # What is planned for any value is planned badly, and poolers know no such plans.
            connection.prepare_threshold = None
            with self._watched(connection):
                schema.check_readable(connection, self.address)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _watched(self, connection: Connection[Any]) -> Iterator[None]:
        """Have what is read inside fail where it takes too long; the server may not say so."""
        if self._deadline_s is None:
            yield
            return
        watchdog = threading.Timer(self._deadline_s, _break_off, (connection,))
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def _end(self, connection: Connection[Any]) -> None:
        import psycopg

        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")
            with self._lock:
                if not connection.closed and len(self._idle) < _MOST_KEPT:
                    self._idle.append(connection)
                    return
        connection.close()


def _break_off(connection: Connection[Any]) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)

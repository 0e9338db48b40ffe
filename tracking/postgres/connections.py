"""Connections that read a store: one for each who asks, kept for the next."""

from __future__ import annotations

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
        timeout_s: how long a query may take.
    """

    def __init__(self, address: Address, timeout_s: float) -> None:
        self.address = address
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
                with self.address.translated("cannot be read"):
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
            schema.check_readable(connection, self.address)
        except BaseException:
            connection.close()
            raise
        return connection

    def _end(self, connection: Connection[Any]) -> None:
        import psycopg

        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")
            with self._lock:
                if not connection.closed and len(self._idle) < _MOST_KEPT:
                    self._idle.append(connection)
                    return
        connection.close()

"""What changes while tests run, sent to everybody who watches: server-sent events.

One watch for each database is shared by all its readers and looks a few times a second, by the
sizes and times of files; without readers it doesn't look. Nothing a slow reader does not fetch is
kept for it: it is told to load anew.

The format is that of html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio.to_thread

from tracking.board.answers import AskedWrongError, as_json
from tracking.board.databases import Event
from tracking.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from tracking.board.databases import Databases, Watching

POLL_S = 0.2
HEARTBEAT_S = 15.0
MOST_READERS = 200
_MOST_WAITING = 256
_MOST_WAITING_BYTES = 1 << 20
_NAMES_EVERY = 5  # polls


def as_event(kind: str, data: Any) -> bytes:
    """Return an event as it goes over the wire."""
    return b"event: " + kind.encode() + b"\ndata: " + as_json(data) + b"\n\n"


_RELOAD = as_event("reload", {"reason": "more has happened than was fetched"})
_HEARTBEAT = b": still here\n\n"


class Wire(NamedTuple):
    """An event, encoded once for all readers."""

    run: str | None
    text: bytes


class Reader:
    """Somebody who watches a database.

    Args:
        database: name of its file; None for one who watches which databases there are.
        runs: uuids of the runs whose records are wanted; empty for all.

    Attributes:
        is_greeted: whether it was told that from now on all is told.
    """

    def __init__(self, database: str | None, runs: Collection[str] = ()) -> None:
        self.database = database
        self._runs = frozenset(runs)
        self._waiting: deque[bytes] = deque()
        self._n_bytes = 0
        self._is_behind = False
        self._is_over = False
        self._something = asyncio.Event()
        self.is_greeted: bool = False

    def greet(self) -> None:
        """Say that from now on all is told: what is read afterwards leaves no gap."""
        self.is_greeted = True
        self.put(Wire(None, as_event("hello", {"database": self.database})))

    def put(self, wire: Wire) -> None:
        """Have an event fetched, or the reader told to load anew where too many wait."""
        if self._is_behind or (wire.run is not None and self._runs and wire.run not in self._runs):
            return
        self._waiting.append(wire.text)
        self._n_bytes += len(wire.text)
        if len(self._waiting) > _MOST_WAITING or self._n_bytes > _MOST_WAITING_BYTES:
            self._waiting.clear()
            self._n_bytes = 0
            self._is_behind = True
        self._something.set()

    def end(self) -> None:
        """Have nothing more fetched."""
        self._is_over = True
        self._something.set()

    async def fetch(self) -> bytes | None:
        """Return what waits, as soon as something does; None after the end."""
        await self._something.wait()
        self._something.clear()
        if self._is_over:
            return None
        texts = [_RELOAD] if self._is_behind else list(self._waiting)
        self._waiting.clear()
        self._n_bytes = 0
        self._is_behind = False
        return b"".join(texts)


class Hub:
    """Brings what happens to databases to those who watch them.

    Used in the thread of one event loop.

    Args:
        databases: what can be watched.
    """

    def __init__(self, databases: Databases[Any]) -> None:
        self._databases = databases
        self._readers: set[Reader] = set()
        self._watches: dict[str, Watching] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    @property
    def n_readers(self) -> int:
        """How many watch."""
        return len(self._readers)

    async def events(self, database: str | None, runs: Collection[str]) -> AsyncIterator[bytes]:
        """Yield what happens, for as long as somebody asks for it.

        Args:
            database: name of the file that is watched.
            runs: uuids of the runs whose records are wanted; empty for all.
        """
        reader = Reader(database, runs)
        self._readers.add(reader)
        try:
            if self._is_over:
                return
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._watch())
            while True:
                try:
                    text = await asyncio.wait_for(reader.fetch(), HEARTBEAT_S)
                except TimeoutError:
                    text = _HEARTBEAT
                if text is None:
                    return
                yield text
        finally:
            self._readers.discard(reader)

    def close(self) -> None:
        """End all streams: a server that stops waits for them."""
        self._is_over = True
        for reader in self._readers:
            reader.end()

    async def _watch(self) -> None:
        one_at_a_time = anyio.CapacityLimiter(1)
        names: list[str] | None = None
        turn = 0
        while self._readers and not self._is_over:
            watched = {one.database for one in self._readers if one.database is not None}
            self._watches = {n: one for n, one in self._watches.items() if n in watched}
            for name in watched:
                events = await anyio.to_thread.run_sync(self._look, name, limiter=one_at_a_time)
                self._distribute(name, events)
            for reader in self._readers:
                if not reader.is_greeted and reader.database in (None, *watched):
                    reader.greet()
            if turn % _NAMES_EVERY == 0:
                before = names
                names = await anyio.to_thread.run_sync(self._names, limiter=one_at_a_time)
                if None not in (names, before) and names != before:
                    self._distribute(None, [Event("databases", {"available_databases": names})])
            turn += 1
            await asyncio.sleep(POLL_S)

    def _look(self, name: str) -> list[Event]:
        watch = self._watches.get(name)
        if watch is None:
            # It is gone, which the list of databases tells; or nobody can tell.
            with suppress(AskedWrongError, StoreError):
                watch = self._watches[name] = self._databases.watch(name)
        return [] if watch is None else watch.look()

    def _names(self) -> list[str] | None:
        with suppress(StoreError):
            return self._databases.names()
        return None

    def _distribute(self, database: str | None, events: Collection[Event]) -> None:
        for event in events:
            wire = Wire(event.run, as_event(event.kind, event.data))
            for reader in self._readers:
                if reader.is_greeted and database in (None, reader.database):
                    reader.put(wire)

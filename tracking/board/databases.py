"""The experiments that a dashboard shows, by their names, and which of them is meant."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from tracking.board.answers import AskedWrongError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracking.reading import LiveReader

T = TypeVar("T")


class Experiment(Protocol):
    """One experiment, to be asked again and again while others record into it."""

    @property
    def name(self) -> str:
        """What lists of databases call it."""

    def ask(self, question: Callable[[LiveReader], T]) -> T:
        """Return what a function reads of the experiment, all of it of one moment.

        Raises:
            StoreError: it cannot be read.
        """

    def version(self) -> str | None:
        """Return a text that differs whenever an answer may; None where nobody can tell.

        Raises:
            StoreError: it cannot be read.
        """


class Event(NamedTuple):
    """Something that has happened.

    Attributes:
        kind: records, runs, databases, problem, or reload.
        data: what there is to say, as JSON has it.
        run: uuid of the one run it is about; None where it is not about one.
    """

    kind: str
    data: Any
    run: str | None = None


class Watching(Protocol):
    """Tells what happens to an experiment. For one thread at a time."""

    def look(self) -> list[Event]:
        """Return what has happened since the last look; the first tells nothing."""


E = TypeVar("E", bound=Experiment)


class Databases(ABC, Generic[E]):
    """The databases of a dashboard, and which of them is meant where none is named.

    What a request names is looked up in the list of what is there. Threads may share it.

    Attributes:
        where: where they lie, for people.
        is_read_only: whether nothing of them can be deleted.
        suffix: what a name may lack.
    """

    is_read_only = False
    suffix = ""

    def __init__(self, where: str) -> None:
        self.where = where
        self._lock = threading.Lock()
        self._experiments: dict[str, E] = {}
        self._selected: str | None = None

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the databases there are, sorted.

        Raises:
            StoreError: nobody can tell.
        """

    @abstractmethod
    def _made(self, name: str) -> E:
        """Return one that is there."""

    @abstractmethod
    def watch(self, name: str) -> Watching:
        """Return what tells what happens to one.

        Raises:
            AskedWrongError: there is none of that name.
        """

    @abstractmethod
    def delete(self, name: str, run_id: int) -> None:
        """Delete a run of one.

        Raises:
            StoreError: it cannot be changed.
        """

    def close(self) -> None:
        """Let go of whatever is kept from one request to the next."""

    def selected(self) -> str | None:
        """Return the database that is meant where none is named: selected, usual, or the only one.

        None where nothing says which one.
        """
        names = self.names()
        if self._selected in names:
            return self._selected
        usual = f"pytest{self.suffix}"
        if usual in names:
            return usual
        return names[0] if len(names) == 1 else None

    def select(self, name: str) -> None:
        """Have a database meant where none is named.

        Raises:
            AskedWrongError: there is none of that name.
        """
        self._selected = self.experiment(name).name

    def experiment(self, name: str | None) -> E:
        """Return a database by its name, with or without the suffix; the selected one for None.

        Raises:
            AskedWrongError: there is none of that name, or nothing says which one is meant.
        """
        if name is None:
            name = self.selected()
            if name is None:
                raise AskedWrongError(400, "no database is selected; ?db=NAME names one")
        names = self.names()
        found = name if name in names else f"{name}{self.suffix}"
        if found not in names:
            raise AskedWrongError(404, "there is no such database; /api/databases lists all")
        with self._lock:
            for gone in self._experiments.keys() - {*names}:
                del self._experiments[gone]
            if found not in self._experiments:
                self._experiments[found] = self._made(found)
            return self._experiments[found]

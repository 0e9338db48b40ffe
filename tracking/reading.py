"""What can be read of an experiment, wherever it lies: in a file here, or in a store."""

from __future__ import annotations

import json
import re
from binascii import b2a_base64
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tracking.connection import making_sense
from tracking.errors import RunNotFoundError
from tracking.queries.selection import PROPERTIES, Group, Page, Selection, grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tracking.columns import Columns
    from tracking.model import RecordInfo, RunInfo, Summary
    from tracking.stored_graphs import StoredGraph

_NUMBER = re.compile(r"[0-9]{1,18}")
_UUID = re.compile(r"[0-9a-f]{32}")


class ExperimentReader(Protocol):
    """An experiment, for reading.

    What is narrow is answered from an index: an experiment may hold a million runs, and nobody
    reads all of them to find one.

    All but the names of this class raise `StoreError` where the experiment cannot be read, and
    `RunNotFoundError` where they are given the number of a run that is not there.
    """

    most_listed: int | None = None
    """How many runs a list of all of them has at most; None for all."""

    @property
    def experiment(self) -> str:
        """Name of the experiment."""

    @property
    def where(self) -> str:
        """What messages call it; without what opens it."""

    @property
    def folder(self) -> Path:
        """Where it is recorded: baseline files are named from there."""

    def close(self) -> None:
        """Let go of it."""

    # Runs

    def get_run(self, run_id: int) -> RunInfo | None:
        """Get run metadata; None when there is no such run."""

    def run_id_of(self, uuid: str) -> int:
        """Return the number of a run."""

    def find_run(self, reference: str) -> RunInfo | None:
        """Return the run of a number, or of a uuid, as a text; None where there is none.

        Args:
            reference: the number in decimal digits, or all 32 digits of the uuid.

        Raises:
            StoreError: the experiment cannot be read.

        Examples:
            >>> run_id = db.create_run("baseline")
            >>> run = db.find_run(str(run_id))
            >>> run == db.find_run(run.uuid)
            True
            >>> db.find_run("baseline") is None
            True
        """
        if _NUMBER.fullmatch(reference):
            return self.get_run(int(reference))
        if not _UUID.fullmatch(reference):
            return None
        try:
            return self.get_run(self.run_id_of(reference))
        except RunNotFoundError:
            return None

    def select_runs(self, asked: Selection) -> Page:
        """Return the runs that are asked for."""

    def find_runs(self, *, name: str | None = None, session: str | None = None) -> list[RunInfo]:
        """List the runs of a name, of a session, or both, newest first; all where neither is given.

        Args:
            name: of the runs; those of a test are called by its node id.
            session: identity of a session, as `RunInfo.session` has it.

        Raises:
            StoreError: the experiment cannot be read.

        Examples:
            >>> runs = [db.create_run(name) for name in ("sgd", "adam", "adam")]
            >>> [run.run_id for run in db.find_runs(name="adam")]
            [3, 2]
        """
        asked = {"name": name, "session": session}
        given = {key: (value,) for key, value in asked.items() if value is not None}
        return self.select_runs(Selection(wanted=given)).runs

    def nested_runs(self, outer: Iterable[RunInfo]) -> list[RunInfo]:
        """List the runs that were started inside of some, and inside of these, oldest first.

        Args:
            outer: the runs to look inside of.

        Raises:
            StoreError: the experiment cannot be read.

        Examples:
            >>> with tracker.run("search") as outer_id:
            ...     for lr in (0.1, 0.2):
            ...         with tracker.run(f"lr={lr}"):
            ...             tracker.record("loss", 1 - lr, step=0)
            >>> [run.name for run in db.nested_runs([db.get_run(outer_id)])]
            ['lr=0.1', 'lr=0.2']
        """
        found: dict[int, RunInfo] = {}
        level = list(outer)
        while uuids := [run.uuid for run in level if run.uuid is not None]:
            level = [run for run in self._started_inside(uuids) if run.run_id not in found]
            found.update((run.run_id, run) for run in level)
        return sorted(found.values(), key=lambda run: (run.started_at, run.run_id))

    def _started_inside(self, uuids: Sequence[str]) -> list[RunInfo]:
        """Return the runs that were started inside of some, directly."""

    def groups_of(self, asked: Selection, by: str) -> list[Group]:
        """Return the runs that are asked for by one of `PROPERTIES`, whatever part of them.

        Args:
            asked: which runs; its offset and limit do not matter.
            by: the property: name, status, outcome, verdict, ended_by, session or commit.

        Raises:
            StoreError: the experiment cannot be read.

        Examples:
            >>> from tracking.queries.selection import Selection
            >>> runs = [db.create_run(name) for name in ("sgd", "adam", "adam")]
            >>> [(group.key, group.n_runs) for group in db.groups_of(Selection(), by="name")]
            [('adam', 2), ('sgd', 1)]
        """
        runs = self.select_runs(asked._replace(offset=0, limit=self.most_listed)).runs
        value = PROPERTIES[by]
        return grouped((value(run), run.started_at, run.status, run.verdict) for run in runs)

    def run_names(self, containing: str = "") -> list[str]:
        """Return the names of runs in which a text stands, sorted."""

    def metric_names(self) -> list[str]:
        """Return the names of all metrics, sorted."""

    def sessions(self, beginning: str = "") -> list[str]:
        """Return the sessions whose identity begins with a text, the newest first."""

    def last_session(self) -> str | None:
        """Return the session of the newest run that belongs to one; None where no run does."""

    # Records

    def get_metrics(self, run_id: int) -> list[str]:
        """Get list of metric names for a run, in the order they first appeared."""

    def get_records(self, run_id: int, metric_name: str) -> list[RecordInfo]:
        """Get metric records for a run, by step, those of one step in the order of recording."""

    def iter_records(self, run_id: int) -> Iterator[tuple[str, list[RecordInfo]]]:
        """Yield the records of a run in parts, metric after metric; memory has a bound."""

    def series(self, run_id: int, metric_name: str) -> Columns:
        """Return what `get_records` does as arrays."""

    def read_summaries(self, run_id: int) -> dict[str, Summary]:
        """Return summaries over all records of a run, by metric."""

    def summaries_of(self, runs: Sequence[RunInfo]) -> dict[int, dict[str, Summary]]:
        """Return the summaries of runs by their numbers, without a query for each."""

    def get_comparison(self, run_id: int) -> str | None:
        """Return what comparing a run with its baseline found, as `end_run` was given it."""

    def comparisons_of(self, runs: Sequence[RunInfo]) -> Mapping[int, str]:
        """Return what `get_comparison` does of those runs that were compared."""

    # Graphs, histograms, images, texts

    def get_graphs(self, run_id: int) -> list[StoredGraph]:
        """Get all computation graphs of a run, oldest first, each unpacked as far as it is used."""

    def get_comp_graphs(self, run_id: int) -> list[dict[str, Any]]:
        """Get all computation graphs for a run, oldest first.

        Args:
            run_id: number of the run.

        Returns:
            Each as {id, graph, created_at, name}: `graph` a dict with `nodes` and `edges`,
            `created_at` in Unix seconds.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the experiment cannot be read, or a graph in it is damaged.

        Examples:
            >>> run_id = db.create_run()
            >>> graph_id = db.save_comp_graph(run_id, {"nodes": [], "edges": []})
            >>> [(one["id"], one["name"]) for one in db.get_comp_graphs(run_id)]
            [(1, 'graph')]
        """
        return [
            {
                "id": one.graph_id,
                "graph": one.whole(),
                "created_at": one.created_at,
                "name": one.name,
            }
            for one in self.get_graphs(run_id)
        ]

    def get_histograms(self, run_id: int) -> dict[str, list[dict[str, Any]]]:
        """Get all histograms for a run by name, each list by step.

        Args:
            run_id: number of the run.

        Returns:
            Name -> {step, bucket_edges, bucket_counts, log_time, n_non_finite}: n + 1 edges of n
            counts, `log_time` in Unix seconds.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the experiment cannot be read, or a histogram in it is damaged.

        Examples:
            >>> run_id = db.create_run()
            >>> db.save_histogram(run_id, "weights", 0, [0.0, 0.5, 1.0], [2, 3])
            >>> [stored["bucket_edges"] for stored in db.get_histograms(run_id)["weights"]]
            [[0.0, 0.5, 1.0]]
        """
        return self._by_name("a histogram", _HISTOGRAMS, run_id)

    def get_images(self, run_id: int) -> dict[str, list[dict[str, Any]]]:
        """Get all images for a run by name, each list by step.

        Args:
            run_id: number of the run.

        Returns:
            Name -> {step, width, height, channels, data_b64, log_time}: `data_b64` the base64 of
            height * width * channels bytes, `log_time` in Unix seconds.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the experiment cannot be read, or an image in it is damaged.

        Examples:
            >>> run_id = db.create_run()
            >>> db.save_image(run_id, "grey", 0, width=2, height=1, channels=1, image_data=bytes(2))
            >>> [(stored["width"], stored["height"]) for stored in db.get_images(run_id)["grey"]]
            [(2, 1)]
        """
        return self._by_name("an image", _IMAGES, run_id)

    def get_texts(self, run_id: int) -> dict[str, list[dict[str, Any]]]:
        """Get all text entries for a run, grouped by name, each list by step.

        Args:
            run_id: number of the run.

        Returns:
            Name -> {step, content, log_time}, `log_time` in Unix seconds.

        Raises:
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the experiment cannot be read.

        Examples:
            >>> run_id = db.create_run()
            >>> for step in (1, 0):
            ...     db.save_text(run_id, "samples", step, f"text of step {step}")
            >>> [stored["content"] for stored in db.get_texts(run_id)["samples"]]
            ['text of step 0', 'text of step 1']
        """
        return self._by_name("a text", _TEXTS, run_id)

    def _by_name(self, what: str, table: _Table, run_id: int) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for name, *row in self._media(table.name, ("name", *table.columns), run_id):
            with making_sense(self.where, f"{what} of run {run_id}"):
                values = zip(table.columns.values(), row, strict=True)
                one = {key: read(value) for (key, read), value in values}
            found.setdefault(name, []).append(one)
        return found

    def _media(self, table: str, columns: Sequence[str], run_id: int) -> list[tuple[Any, ...]]:
        """Return columns of what a table has of a run, by step."""


def _as_it_is(value: Any) -> Any:
    return value


class _Table(NamedTuple):
    """What runs have of one kind.

    Attributes:
        name: of the table.
        columns: of each, beside its name, what readers call it and what makes of it what they get.
    """

    name: str
    columns: Mapping[str, tuple[str, Callable[[Any], Any]]]


_STEP = {"step": ("step", _as_it_is)}
_TIME = {"wall_time": ("log_time", _as_it_is)}
_HISTOGRAMS = _Table(
    "histograms",
    {
        **_STEP,
        "bucket_edges": ("bucket_edges", json.loads),
        "bucket_counts": ("bucket_counts", json.loads),
        **_TIME,
        "n_non_finite": ("n_non_finite", _as_it_is),
    },
)
_IMAGES = _Table(
    "images",
    {
        **_STEP,
        "width": ("width", _as_it_is),
        "height": ("height", _as_it_is),
        "channels": ("channels", _as_it_is),
        "image_data": ("data_b64", lambda pixels: b2a_base64(pixels, newline=False).decode()),
        **_TIME,
    },
)
_TEXTS = _Table("texts", {**_STEP, "content": ("content", _as_it_is), **_TIME})


class LiveReader(ExperimentReader, Protocol):
    """An experiment that is looked at while others record into it."""

    def n_runs(self) -> int:
        """Return how many runs there are; of very many not all are counted."""

    def abandoned(self) -> set[int]:
        """Return the numbers of runs that never ended and whose process is gone."""

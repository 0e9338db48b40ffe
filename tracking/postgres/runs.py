"""The runs of an experiment in a store, found by what is narrow."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tracking import arguments
from tracking.connection import making_sense
from tracking.errors import RunNotFoundError
from tracking.postgres.connections import Connections
from tracking.postgres.finding import conditions_of, is_text, ordering_of
from tracking.postgres.moment import Moment, NumbersOf
from tracking.queries.selection import Page, Selection
from tracking.reading import ExperimentReader
from tracking.stored_runs import run_info

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tracking.model import RunInfo
    from tracking.postgres.address import Address

_TIMEOUT_S = 300.0
_MOST_COUNTED = 10_000


class StoredRuns(ExperimentReader):
    """The runs of an experiment; see `tracking.postgres.reading`."""

    most_listed: int | None = 2_000

    def __init__(
        self,
        address: Address,
        experiment: str,
        *,
        folder: Path = Path("experiments"),
        connections: Connections | None = None,
    ) -> None:
        self._address = address
        self._experiment = experiment
        self._folder = folder
        with ExitStack() as ends:
            if connections is None:
                connections = Connections(address, _TIMEOUT_S)
                ends.callback(connections.close)
            moment = Moment(ends.enter_context(connections.moment()), address)
            self._rows = moment.rows
            self._id = moment.experiment_id(experiment)
            self._numbers = NumbersOf(moment, self._id)
            self._ends = ends.pop_all()

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return self._experiment

    @property
    def where(self) -> str:
        """What messages call it: its store, without what opens it, and its name."""
        return f"{self._experiment} in {self._address}"

    @property
    def folder(self) -> Path:
        """Where it is recorded on this machine, if it is."""
        return self._folder

    def close(self) -> None:
        """Let go of the moment, and of a connection of its own."""
        self._ends.close()

    # Runs

    def get_run(self, run_id: int) -> RunInfo | None:
        """Get run metadata; None when there is no such run."""
        number = arguments.checked_id("run_id", run_id)
        return next(iter(self._runs("r.id = %s", (number,))), None)

    def run_id_of(self, uuid: str) -> int:
        """Return the number of a run.

        Raises:
            RunNotFoundError: it is not here, or was deleted.
        """
        query = "SELECT id FROM sgtrack.runs WHERE experiment_id = %s AND uuid = %s"
        for (run_id,) in self._rows(query, (self._id, uuid)):
            return int(run_id)
        raise RunNotFoundError(uuid, self.where)

    def select_runs(self, asked: Selection) -> Page:
        """Return the runs that are asked for, the newest of them first unless told otherwise."""
        numbers = self._numbers.numbers()
        where = conditions_of(asked, numbers)
        join, by = ordering_of(asked.order, numbers)
        runs = []
        if asked.limit != 0:
            runs = self._runs(
                where.sql, where.values, join.sql, join.values, by, asked.limit, asked.offset
            )
        n_seen = asked.offset + len(runs) if runs else 0
        if not asked.is_counted or (asked.limit is None and not asked.offset):
            return Page(runs, n_seen)
        query = (
            "SELECT count(*) FROM (SELECT FROM sgtrack.runs AS r WHERE r.experiment_id = %s"  # noqa: S608
            f" AND {where.sql} LIMIT {_MOST_COUNTED + 1}) AS found"  # SQL of ours
        )
        ((n,),) = self._rows(query, (self._id, *where.values))
        return Page(runs, max(min(n, _MOST_COUNTED), n_seen), n > _MOST_COUNTED)

    def _runs(
        self,
        where: str,
        values: Sequence[object],
        join: str = "",
        join_values: Sequence[object] = (),
        by: str = "r.id",
        limit: int | None = None,
        offset: int = 0,
    ) -> list[RunInfo]:
        rows = self._rows(
            f"SELECT {_OF_A_RUN} FROM sgtrack.runs AS r {join}"  # noqa: S608  # SQL of ours
            f" WHERE r.experiment_id = %s AND {where} ORDER BY {by} LIMIT %s OFFSET %s",
            (*join_values, self._id, *values, limit, offset),
        )
        environments = self._environments({row[7] for row in rows})
        n_records: dict[int, dict[str, int]] = {row[0]: {} for row in rows}
        counts = self._rows(
            "SELECT s.run_id, m.name, s.n FROM sgtrack.series AS s"
            " JOIN sgtrack.metrics AS m ON m.id = s.metric_id"
            " WHERE s.run_id = ANY(%s) ORDER BY s.run_id, s.place",
            (list(n_records),),
        )
        for run_id, metric, n in counts:
            n_records[run_id][metric] = n
        found = []
        for run_id, *of_run in rows:
            of_run[6] = environments.get(of_run[6])
            with making_sense(self.where, f"run {run_id}"):
                found.append(run_info((run_id, *of_run), n_records[run_id]))
        return found

    def _environments(self, numbers: Collection[int | None]) -> dict[int, str]:
        query = "SELECT id, content FROM sgtrack.environments WHERE id = ANY(%s)"
        return dict(self._rows(query, ([one for one in numbers if one is not None],)))

    def _started_inside(self, uuids: Sequence[str]) -> list[RunInfo]:
        return self._runs("r.parent = ANY(%s)", (list(uuids),))

    def run_names(self, containing: str = "") -> list[str]:
        """Return the names of runs in which a text stands, sorted."""
        if not is_text(containing):
            return []
        rows = self._rows(
            "SELECT n.name FROM sgtrack.run_names AS n"
            " WHERE n.experiment_id = %s AND position(%s IN n.name) > 0"
            " AND EXISTS (SELECT FROM sgtrack.runs AS r WHERE r.name_id = n.id)"
            ' ORDER BY n.name COLLATE "C"',
            (self._id, containing),
        )
        return [name for (name,) in rows]

    def metric_names(self) -> list[str]:
        """Return the names of all metrics of the store, sorted."""
        rows = self._rows('SELECT name FROM sgtrack.metrics ORDER BY name COLLATE "C"')
        return [name for (name,) in rows]

    def sessions(self, beginning: str = "") -> list[str]:
        """Return the sessions whose identity begins with a text, the newest first."""
        if not is_text(beginning):
            return []
        rows = self._rows(
            "SELECT session FROM sgtrack.runs WHERE experiment_id = %s"
            " AND session BETWEEN %s AND %s GROUP BY session"
            " ORDER BY max(created_at) DESC, max(id) DESC",
            (self._id, beginning, f"{beginning}\U0010ffff"),
        )
        return [session for (session,) in rows]

    def last_session(self) -> str | None:
        """Return the session of the newest run that belongs to one; None where no run does."""
        rows = self._rows(
            "SELECT session FROM sgtrack.runs WHERE experiment_id = %s AND session IS NOT NULL"
            " ORDER BY created_at DESC, id DESC LIMIT 1",
            (self._id,),
        )
        return rows[0][0] if rows else None

    def n_runs(self) -> int:
        """Return how many runs there are; of very many not all are counted."""
        return self.select_runs(Selection(limit=0, is_counted=True)).n

    def abandoned(self) -> set[int]:
        """Return nothing: whether a process lives that recorded elsewhere nobody here can tell."""
        return set()

    def _existing(self, run_id: int) -> RunInfo:
        run = self.get_run(run_id)
        if run is None:
            raise RunNotFoundError(run_id, self.where)
        return run

    def _check_run(self, run_id: int) -> None:
        number = arguments.checked_id("run_id", run_id)
        query = "SELECT FROM sgtrack.runs WHERE id = %s AND experiment_id = %s"
        if not self._rows(query, (number, self._id)):
            raise RunNotFoundError(run_id, self.where)


_OF_A_RUN = (
    "r.id, (SELECT n.name FROM sgtrack.run_names AS n WHERE n.id = r.name_id), r.created_at,"
    " r.status, r.config, r.uuid, r.parent, r.environment_id, r.outcome, r.phase, r.ended_by,"
    " r.verdict, r.duration_s, r.session, r.attempt"
)

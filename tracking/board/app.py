"""The dashboard as an application: its routes, behind its guard."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tracking._version import __version__
from tracking.board import static
from tracking.board.answers import AskedWrongError, answer, problem, problem_of
from tracking.board.api import OURS, THE_ORIGINALS, UNVERSIONED, found_run
from tracking.board.curves import MOST_POINTS
from tracking.board.exports import FILES
from tracking.board.guard import SELECT, Guard, Policy
from tracking.board.listing import number_of, row
from tracking.board.stream import HEARTBEAT_S, MOST_READERS, Hub
from tracking.errors import TrackingError
from tracking.model import Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from tracking.board.api import Question
    from tracking.board.databases import Databases, Experiment
    from tracking.model import RunInfo
    from tracking.reading import LiveReader

_AT_ONCE = 8  # answers; each may hold a long series in memory
_UUID = re.compile(r"[0-9a-f]{32}")
_ABANDONED_AFTER_S = 10  # a process may die without changing a file


class Board:
    """The dashboard of some experiments.

    Args:
        databases: the experiments.
        policy: who may ask for what.

    Attributes:
        databases: the experiments.
        app: the application, to be served.
        hub: those who watch.
    """

    def __init__(self, databases: Databases[Any], policy: Policy) -> None:
        self.databases = databases
        self._policy = policy
        self._salt = os.urandom(8).hex()  # versions are of this process
        self.hub: Hub = Hub(databases)
        self.app: Guard = Guard(
            Starlette(
                routes=self._routes(),
                lifespan=_lifespan,
                exception_handlers={
                    HTTPException: _http_problem,
                    AskedWrongError: _problem,
                    TrackingError: _problem,
                    Exception: _problem,
                },
            ),
            policy,
        )

    def _routes(self) -> list[Route]:
        return [
            Route("/api/config", self._config, methods=["GET"]),
            Route("/api/databases", self._names, methods=["GET"]),
            Route(SELECT, self._select, methods=["POST"]),
            Route("/api/find", self._find, methods=["GET"]),
            Route("/api/live", self._live, methods=["GET"]),
            *(Route(path, self._file(make), methods=["GET"]) for path, make in FILES.items()),
            *(
                Route(path, self._answering(path, question), methods=["GET"])
                for path, question in (*THE_ORIGINALS.items(), *OURS.items())
            ),
            Route("/api/runs/{run}", self._delete, methods=["DELETE"]),
            *static.routes(),
        ]

    # About all of them

    def _config(self, _request: Request) -> Response:
        return answer(
            {
                "exp_dir": self.databases.where,
                "version": __version__,
                "is_read_only": self._policy.is_read_only,
                "most_points": MOST_POINTS,
                "heartbeat_s": HEARTBEAT_S,
            }
        )

    def _names(self, _request: Request) -> Response:
        names, selected = self.databases.names(), self.databases.selected()
        return answer({"available_databases": names, "current_database": selected})

    async def _select(self, request: Request) -> Response:
        name = (await _body(request)).get("db_name")
        if not isinstance(name, str):
            raise AskedWrongError(400, "db_name: the name of a database is needed")
        await run_in_threadpool(self.databases.select, name)
        return answer({"message": f"Database {name} selected"})

    def _find(self, request: Request) -> Response:
        """Return which database a run is in: of a uuid, or of a number where ?db= names one."""
        asked = request.query_params
        reference = asked.get("run", "")
        names = self.databases.names()
        if "db" in asked or not _UUID.fullmatch(reference):
            names = [self.databases.experiment(asked.get("db")).name]
        for name in names:
            try:
                found = self.databases.experiment(name).ask(lambda db: _row(db, reference))
            except (TrackingError, AskedWrongError):
                continue  # the others may have it
            if found is not None:
                return answer({"database": name, "run": found})
        return problem(404, "no database has such a run")

    # About an experiment

    def _answering(self, path: str, question: Question) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            name = request.query_params.get("db")
            if name is None and path == "/api/runs" and self.databases.selected() is None:
                return answer([])  # as the original has it
            experiment = self.databases.experiment(name)
            try:
                tag = None if path in UNVERSIONED else self._tag(experiment, request)
                if tag is not None and request.headers.get("if-none-match") == tag:
                    return Response(status_code=304, headers={"etag": tag})
                value = experiment.ask(lambda db: question(db, request))
            except TrackingError as error:
                return problem_of(error, experiment.name)
            if path in OURS:
                value = {"database": experiment.name, **value}
            return answer(value, headers={"etag": tag} if tag is not None else None)

        return endpoint

    def _tag(self, experiment: Experiment, request: Request) -> str | None:
        version = experiment.version()
        if version is None:
            return None
        address = f"{request.url.path}?{request.url.query}"
        parts = (self._salt, version, experiment.name, address)
        since = int(time.monotonic() / _ABANDONED_AFTER_S)
        text = "\n".join((*parts, str(since) if request.url.path == "/api/list" else ""))
        return f'"{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"'

    def _file(
        self, make: Callable[[Experiment, Request], Response]
    ) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            experiment = self.databases.experiment(request.query_params.get("db"))
            try:
                return make(experiment, request)
            except TrackingError as error:
                return problem_of(error, experiment.name)

        return endpoint

    async def _live(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        asked = request.query_params
        if self.hub.n_readers >= MOST_READERS:
            return problem(503, "too many pages are open; close some")
        name = asked.get("db")
        if name is not None:
            experiment = await run_in_threadpool(self.databases.experiment, name)
            name = experiment.name
        else:
            name = await run_in_threadpool(self.databases.selected)
        return StreamingResponse(
            self.hub.events(name, asked.getlist("run")), media_type="text/event-stream"
        )

    async def _delete(self, request: Request) -> Response:
        confirmed = (await _body(request)).get("confirm")
        experiment = self.databases.experiment(request.query_params.get("db"))
        reference = request.path_params["run"]
        try:
            number = await run_in_threadpool(
                experiment.ask, lambda db: _to_be_deleted(db, reference, confirmed)
            )
            await run_in_threadpool(self.databases.delete, experiment.name, number)
        except TrackingError as error:
            return problem_of(error, experiment.name)
        return answer({"message": f"Run {reference} deleted"})


def _row(db: LiveReader, reference: str) -> dict[str, Any] | None:
    run = db.find_run(reference)
    return None if run is None else row(run, {}, db.abandoned())


def _to_be_deleted(db: LiveReader, reference: str, confirmed: object) -> int:
    """Return the number of a run that may be deleted.

    Raises:
        AskedWrongError: there is none, or it may not.
    """
    run = found_run(db, reference)
    if run.uuid is None:
        raise AskedWrongError(
            409, "a database of the original is only read; `sgtrack import` copies its runs"
        )
    if confirmed != run.uuid:
        raise AskedWrongError(400, "confirm: the uuid of the run is needed")
    if number_of(run) is None or _is_going_on(db, run):
        raise AskedWrongError(409, "the run is still being recorded")
    return run.run_id


def _is_going_on(db: LiveReader, run: RunInfo) -> bool:
    return run.status == Status.RUNNING and run.run_id not in db.abandoned()


async def _body(request: Request) -> dict[str, Any]:
    """Return the body of a request, an object.

    Raises:
        AskedWrongError: it is none.
    """
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise AskedWrongError(400, "the body is not JSON") from error
    if not isinstance(found, dict):
        raise AskedWrongError(400, "the body has to be an object")
    return found


@asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _AT_ONCE
    yield


async def _http_problem(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    reason = {404: "there is nothing at this address", 405: "this cannot be done at this address"}
    return problem(status, reason.get(status, "this cannot be answered"))


async def _problem(_request: Request, error: Exception) -> Response:
    return problem_of(error, None)

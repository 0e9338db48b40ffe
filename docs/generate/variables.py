"""The variables of the environment that are looked at."""

from __future__ import annotations

from docs.generate.markdown import code, table
from tracking.environment import _SERVICES

VARIABLES = {
    "SGTRACK_STORE": "URL of the store in PostgreSQL: where sessions push to, unless"
    " `--sg-track-store` says otherwise, and what `--store` without a URL means. The variables of"
    " libpq (`PGPASSWORD`, `PGPASSFILE`, `PGSSLMODE`, ...) hold for it",
    "CI": "set to anything but a no (empty, `0`, `false`, `no`, `off`): tests without a baseline"
    " fail, and a session whose runs could not be recorded in full exits with an error",
    "GITHUB_ACTIONS": "`true` in a job of GitHub: failures are annotated",
    "GITHUB_WORKSPACE": "folder from which annotations name files",
    "GITHUB_STEP_SUMMARY": "file that takes the report for the job's page",
    "PYTHONHASHSEED": "only kept, in the environment of a run",
}
"""What each of them does, but for those by which services tell what they have checked out."""


def page() -> str:
    """Return the page of environment variables."""
    rows = [[code(name), said] for name, said in VARIABLES.items()]
    return f"""# Environment variables

{table(["variable", "what it does"], rows)}

## Branches

A run keeps the branch its code is of, also where a service has checked out a commit and not a
branch. The first service that is recognised tells it:

{table(["known by", "set in pull requests", "branch of a pull request", "branch", "tag"], _rows())}
"""


def _rows() -> list[list[str]]:
    return [
        [
            code(service.known_by),
            *(
                ", ".join(map(code, names)) or "none"
                for names in (
                    service.requests,
                    service.request_branches,
                    service.branches,
                    service.tags,
                )
            ),
        ]
        for service in _SERVICES
    ]

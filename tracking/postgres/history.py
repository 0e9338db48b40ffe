"""Baselines out of the store: what the runs of a branch that count have given."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from tracking.errors import BaselineError, TrackingError
from tracking.postgres import schema
from tracking.postgres.identities import digest_of
from tracking.regression import HistoryEntry, history_entry

if TYPE_CHECKING:
    from collections.abc import Collection

    from tracking.postgres.address import Address

_RUNS_A_SEED = 5  # how many runs are looked through for one of another seed


class History(NamedTuple):
    """What tests are compared with.

    Attributes:
        entries: of each test that has a run that counts, by the name of its runs.
        n_metrics: how many metrics all tests of the experiment have, on this branch.
    """

    entries: dict[str, HistoryEntry]
    n_metrics: int


def read_history(
    address: Address,
    experiment: str,
    branch: str,
    names: Collection[str],
    n_runs: int,
) -> History:
    """Read what tests are compared with.

    Args:
        address: of the store.
        experiment: name of the experiment.
        branch: of git.
        names: what the runs of the tests are called.
        n_runs: how many runs, or seeds, a test is compared with at most.

    Raises:
        BaselineError: the store cannot be read, or what it holds is damaged. One that nobody has
            pushed to yet has no history, which is no error.
    """
    digests = {digest_of(name): name for name in names}
    try:
        with closing(address.connect()) as connection:
            with address.translated("cannot be read"):
                is_new = schema.version_of(connection) == 0
            if is_new:  # the first push is still to come
                return History({}, 0)
            schema.check_readable(connection, address)
            with address.translated("cannot be read"):
                given = {
                    "experiment": experiment,
                    "branch": branch,
                    "digests": list(digests),
                    "n": n_runs * _RUNS_A_SEED,
                }
                rows = connection.execute(_ENTRIES, given).fetchall()
                n_metrics = connection.execute(_N_METRICS, given).fetchone()
    except TrackingError as error:
        raise BaselineError(f"the history of {branch} cannot be read: {error}") from error
    entries = {}
    for digest, newest, first in rows:
        entry = history_entry(newest, first, n_runs)
        if entry is not None:
            entries[digests[bytes(digest)]] = entry
    return History(entries, n_metrics[0] if n_metrics else 0)


# What was accepted explicitly starts a history anew: what lies before it is no measure any more.
_ENTRIES = """
    WITH tests AS (
        SELECT n.id, n.digest, COALESCE((
            SELECT max(r.created_at) FROM sgtrack.runs AS r
            WHERE r.name_id = n.id AND r.branch = %(branch)s AND r.acceptance = 'explicit'
        ), '-infinity') AS since
        FROM sgtrack.run_names AS n JOIN sgtrack.experiments AS e ON e.id = n.experiment_id
        WHERE e.name = %(experiment)s AND n.digest = ANY(%(digests)s)
    )
    SELECT t.digest,
           ARRAY(SELECT r.comparison FROM sgtrack.runs AS r
                 WHERE r.name_id = t.id AND r.branch = %(branch)s AND r.acceptance IS NOT NULL
                   AND r.created_at >= t.since
                 ORDER BY r.created_at DESC, r.id DESC LIMIT %(n)s),
           ARRAY(SELECT r.comparison FROM sgtrack.runs AS r
                 WHERE r.name_id = t.id AND r.branch = %(branch)s AND r.acceptance IS NOT NULL
                   AND r.created_at >= t.since
                 ORDER BY r.created_at, r.id LIMIT %(n)s)
    FROM tests AS t
"""

_N_METRICS = """
    SELECT count(*) FROM sgtrack.experiments AS e
      JOIN sgtrack.run_names AS n ON n.experiment_id = e.id
      CROSS JOIN LATERAL (
        SELECT r.id FROM sgtrack.runs AS r
        WHERE r.name_id = n.id AND r.branch = %(branch)s AND r.acceptance IS NOT NULL
        ORDER BY r.created_at DESC, r.id DESC LIMIT 1) AS newest
      JOIN sgtrack.series AS s ON s.run_id = newest.id
    WHERE e.name = %(experiment)s
"""

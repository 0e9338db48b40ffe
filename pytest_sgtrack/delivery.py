"""What a session recorded, brought into the store that all share, at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracking import TrackingError

if TYPE_CHECKING:
    from pathlib import Path

    from tracking.postgres import Address

_LONGEST_S = 60.0
"""What is not there by then waits for the next session; 10 million records take some 10 s."""


def deliver(database: Path, store: Address, shown: str) -> tuple[str, str]:
    """Push the runs of an experiment, those that earlier sessions could not bring among them.

    Ctrl-C ends it at once, and only it: the tests are over.

    Args:
        database: of the experiment.
        store: where runs go.
        shown: the database, as it is called where pytest was started.

    Returns:
        What was done and what went wrong, each in a sentence or empty.
    """
    if not (database.exists() or any(database.with_suffix(".journal").glob("*.segment"))):
        return "", ""
    from tracking import push  # only now: it takes a while to import

    try:
        found = push([database], store, limit_s=_LONGEST_S)
    except KeyboardInterrupt:
        return "", _waiting(shown, store, f"the push to {store} was interrupted")
    except TrackingError as error:
        return "", _waiting(shown, store, str(error))
    if found.unread:
        return "", _waiting(shown, store, found.unread[0])
    (shard,) = found.shards
    left = f", {shard.n_recording} still being recorded" if shard.n_recording else ""
    remarks = "; ".join(shard.remarks)
    said = f"{found.n_pushed} runs pushed to {found.store}{left}"
    return (said if found.n_pushed or left else ""), remarks


def _waiting(shown: str, store: Address, cause: str) -> str:
    command = f"`sgtrack push {shown} --store {store}`"
    return f"runs wait in {shown}: {cause}; the next session brings them, or {command}"

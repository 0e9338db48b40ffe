"""Bringing runs into a store in the order in which they were numbered."""

from __future__ import annotations

from contextlib import closing

from tracking.merging.content import ContentDBManager
from tracking.postgres.address import Address
from tracking.postgres.writing import StoreWriter


def bring(path, url, *, at_once=None):
    """Bring the runs of a database into a store.

    Those of an empty store get the numbers they have, if one after the other is brought.
    """
    with (
        closing(ContentDBManager(path)) as db,
        closing(StoreWriter(Address(url), path.stem)) as writer,
    ):
        held = sorted(db.held_runs(), key=lambda run: run.run_id)
        n = at_once or len(held) or 1
        for start in range(0, len(held), n):
            writer.take([db.content_of(one) for one in held[start : start + n]])

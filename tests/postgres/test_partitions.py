"""Partitions are made by the push that needs them, by one of several."""

from __future__ import annotations

import threading

import psycopg

from tracking.postgres.address import Address
from tracking.postgres.schema import _LOCK, RUNS_A_PARTITION
from tracking.postgres.writing import StoreWriter

ADD = "SELECT sgtrack.add_partitions(%s, %s)"
FIRST = 7 * RUNS_A_PARTITION


def partitions(url):
    query = "SELECT relname FROM pg_class WHERE relname ~ '^(series|chunks)_[0-9]+$'"
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute(query)}


def test_who_waited_for_a_partition_takes_the_one_that_was_made(store):
    StoreWriter(Address(store), "e").close()
    failed = []

    def add():
        try:
            with psycopg.connect(store) as connection:
                connection.execute(ADD, (FIRST, FIRST))
        except psycopg.Error as error:
            failed.append(error)

    with psycopg.connect(store) as first, psycopg.connect(store, autocommit=True) as watching:
        first.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        thread = threading.Thread(target=add)
        thread.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while not watching.execute(waiting).fetchone()[0]:
            pass
        first.execute(ADD, (FIRST, FIRST))
    thread.join()
    assert failed == []
    assert {"series_7", "chunks_7", "series_8", "chunks_8"} <= partitions(store)


def test_a_partition_that_was_dropped_is_not_made_anew(store):
    StoreWriter(Address(store), "e").close()
    with psycopg.connect(store) as connection:
        connection.execute(ADD, (FIRST, FIRST))
        connection.execute("DROP TABLE sgtrack.series_0, sgtrack.chunks_0")
    with psycopg.connect(store) as connection:
        connection.execute(ADD, (FIRST + RUNS_A_PARTITION, FIRST + RUNS_A_PARTITION))
    found = partitions(store)
    assert "chunks_9" in found
    assert "chunks_0" not in found

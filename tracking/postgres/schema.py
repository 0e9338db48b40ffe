"""The store's tables, their version, and the way from every older one.

All lies in a schema of its own, `sgtrack`. Records lie in chunks: a row holds up to 330 records of
one metric of one run, and fills a page of 8 kB. That takes 25 bytes a record, indexes included,
and a third of the time a row for each record takes to write; the view `records` gives them one by
one. Numbers of runs grow as runs arrive, so that partitions by ranges of them are partitions by
time, a query about a run visits one, and the oldest can be dropped whole.

Versions:
    1: the first (November 2026).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracking.errors import NewerSchemaError, NotAnExperimentError, StoreError

if TYPE_CHECKING:
    from psycopg import Connection

    from tracking.postgres.address import Address

RECORDS_A_CHUNK = 330
"""Of 24 bytes each: with what belongs to a row, the most that fit a page."""

RUNS_A_PARTITION = 100_000

_LOCK = int.from_bytes(b"sgtrack\0", "big")  # of all advisory locks, the one of our migrations
DELETIONS = _LOCK + 1
"""The advisory lock that keeps pushes and deletions apart."""

_FIRST = f"""
CREATE SCHEMA sgtrack;
SET LOCAL search_path = sgtrack;

CREATE TABLE migrations (
    version    integer PRIMARY KEY,         -- schema version reached
    name       text NOT NULL,               -- what took us there
    applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE experiments (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text NOT NULL UNIQUE,
    n_changes bigint NOT NULL DEFAULT 0     -- how often runs came or went: who looks, looks anew
);

CREATE TABLE run_names (                    -- of tests, mostly: few names, many runs
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    experiment_id integer NOT NULL REFERENCES experiments (id),
    digest        bytea NOT NULL,           -- blake2b of the name, which may be too long to index
    name          text NOT NULL,
    UNIQUE (experiment_id, digest)
);

CREATE TABLE metrics (
    id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,           -- blake2b of the name
    name   text NOT NULL
);

CREATE TABLE environments (                 -- what runs ran on and with, each stored once
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest  bytea NOT NULL UNIQUE,          -- blake2b of the content
    content text NOT NULL                   -- JSON object, keys sorted
);

CREATE TABLE runs (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    experiment_id  integer NOT NULL REFERENCES experiments (id),
    name_id        bigint NOT NULL REFERENCES run_names (id),
    uuid           text COLLATE "C" NOT NULL UNIQUE,    -- identity across databases
    created_at     double precision NOT NULL,           -- Unix seconds
    status         text NOT NULL CHECK (status IN ('running', 'completed', 'failed')),
    config         text NOT NULL,           -- JSON object: hyper-parameters
    parent         text COLLATE "C",        -- uuid of the run it was started inside of
    environment_id bigint REFERENCES environments (id),
    branch         text,                    -- of git, as its environment has it
    commit         text COLLATE "C",        -- the same
    session        text COLLATE "C",        -- of tests: what one call of pytest ran
    attempt        integer NOT NULL,        -- of the test, in its session
    duration_s     double precision,
    outcome        text,                    -- passed, failed, error, skipped, xfailed, ...
    phase          text,                    -- setup, call, teardown
    ended_by       text,                    -- finished, exception, crashed, killed, ...
    verdict        text,                    -- of the comparison with the baseline
    comparison     text,                    -- JSON: what was compared, and found
    acceptance     text,                    -- why it counts as a baseline of its branch, or NULL
    certainty      smallint NOT NULL,       -- how well its end is known; these four decide which
    n_records      bigint NOT NULL,         -- of several forms of a run is the most complete
    n_media        bigint NOT NULL,
    digest         bytea NOT NULL,
    pushed_at      timestamptz NOT NULL DEFAULT now()   -- when it came here in this form
);
CREATE INDEX runs_newest ON runs (experiment_id, created_at DESC, id DESC);
CREATE INDEX runs_failed ON runs (experiment_id, created_at DESC, id DESC)
    WHERE status = 'failed';
CREATE INDEX runs_of_name ON runs (name_id, created_at DESC, id DESC);
CREATE INDEX runs_of_session ON runs (session, name_id);
CREATE INDEX runs_of_commit ON runs (commit, experiment_id) WHERE commit IS NOT NULL;
CREATE INDEX runs_of_parent ON runs (parent) WHERE parent IS NOT NULL;
CREATE INDEX runs_accepted ON runs (name_id, branch, created_at, id) WHERE acceptance IS NOT NULL;
CREATE INDEX runs_accepted_explicitly ON runs (name_id, branch, created_at)
    WHERE acceptance = 'explicit';

CREATE TABLE deleted_runs (                 -- so that they stay away
    uuid       text COLLATE "C" PRIMARY KEY,
    deleted_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE series (                       -- one row for each metric of each run
    run_id     bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    metric_id  integer NOT NULL REFERENCES metrics (id),
    place      integer NOT NULL,            -- among the metrics of the run
    n          bigint NOT NULL,             -- records, finite or not
    n_nan      bigint NOT NULL,
    n_inf      bigint NOT NULL,
    min        double precision,            -- of finite values, like max, mean, std and tail
    max        double precision,
    mean       double precision,
    std        double precision,            -- population
    tail       double precision,            -- mean of the last max(5, ceil(n / 10)) finite values
    last       double precision NOT NULL,
    first_step bigint NOT NULL,
    last_step  bigint NOT NULL,
    PRIMARY KEY (run_id, metric_id)
) PARTITION BY RANGE (run_id);

CREATE TABLE chunks (                       -- records of a series, in the order of recording
    run_id     bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    metric_id  integer NOT NULL REFERENCES metrics (id),
    first      bigint NOT NULL,             -- place in the series of the first of them, from 0
    steps      bigint[] NOT NULL,
    values     double precision[] NOT NULL, -- NaN and infinities among them
    wall_times double precision[] NOT NULL, -- Unix seconds
    PRIMARY KEY (run_id, metric_id, first)
) PARTITION BY RANGE (run_id);
-- Numbers that differ are not worth a try to compress them.
ALTER TABLE chunks ALTER steps SET STORAGE PLAIN, ALTER values SET STORAGE PLAIN,
    ALTER wall_times SET STORAGE PLAIN;

CREATE VIEW records AS                      -- for people: every record as a row
    SELECT c.run_id, m.name AS metric, c.first + u.place - 1 AS place, u.step, u.value, u.wall_time
    FROM chunks AS c JOIN metrics AS m ON m.id = c.metric_id,
         unnest(c.steps, c.values, c.wall_times) WITH ORDINALITY
           AS u (step, value, wall_time, place);

CREATE TABLE histograms (
    run_id        bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    place         integer NOT NULL,         -- among the histograms of the run
    name          text NOT NULL,
    step          bigint NOT NULL,
    bucket_edges  text NOT NULL,            -- JSON array of n + 1 numbers
    bucket_counts text NOT NULL,            -- JSON array of n numbers
    wall_time     double precision NOT NULL,
    n_non_finite  bigint NOT NULL,          -- values outside of all buckets
    PRIMARY KEY (run_id, place)
);

CREATE TABLE images (
    run_id     bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    place      integer NOT NULL,
    name       text NOT NULL,
    step       bigint NOT NULL,
    width      integer NOT NULL,
    height     integer NOT NULL,
    channels   integer NOT NULL,
    image_data bytea NOT NULL,              -- uint8, height x width x channels
    wall_time  double precision NOT NULL,
    PRIMARY KEY (run_id, place)
);

CREATE TABLE texts (
    run_id    bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    place     integer NOT NULL,
    name      text NOT NULL,
    step      bigint NOT NULL,
    content   bytea NOT NULL,               -- UTF-8; it may hold NUL, which `text` may not
    wall_time double precision NOT NULL,
    PRIMARY KEY (run_id, place)
);

CREATE TABLE graph_contents (               -- equal graphs once
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest     bytea NOT NULL UNIQUE,       -- of both columns
    graph_json bytea NOT NULL,              -- UTF-8; an overview where packed is set
    packed     bytea                        -- the whole of a graph too large to be JSON
);

CREATE TABLE graphs (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id     bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    place      integer NOT NULL,
    content_id bigint NOT NULL REFERENCES graph_contents (id),
    name       text NOT NULL,
    created_at double precision NOT NULL,
    UNIQUE (run_id, place)
);

-- By the catalogue's own table: `to_regclass` remembers that there was none, also after somebody
-- who was waited for has made it.
CREATE FUNCTION has_table(name text) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = sgtrack, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_catalog.pg_class
                   WHERE relname = name AND relnamespace = 'sgtrack'::regnamespace)
$$;

-- Who may write need not be allowed to create tables: this is run with the rights of its owner.
CREATE FUNCTION add_partitions(first_run_id bigint, last_run_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = sgtrack, pg_temp AS $$
DECLARE
    parent text;
    number bigint;
BEGIN
    FOR number IN first_run_id / {RUNS_A_PARTITION} .. last_run_id / {RUNS_A_PARTITION} + 1 LOOP
        FOREACH parent IN ARRAY ARRAY['series', 'chunks'] LOOP
            CONTINUE WHEN has_table(parent || '_' || number);
            PERFORM pg_advisory_xact_lock({_LOCK});
            CONTINUE WHEN has_table(parent || '_' || number);
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)',
                parent || '_' || number, parent, number * {RUNS_A_PARTITION},
                (number + 1) * {RUNS_A_PARTITION});
        END LOOP;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION add_partitions FROM PUBLIC;

-- What is pushed while it is deleted is deleted: pushes and this wait for each other.
CREATE FUNCTION delete_runs(uuids text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = sgtrack, pg_temp AS $$
DECLARE
    n bigint;
BEGIN
    PERFORM pg_advisory_xact_lock({DELETIONS});
    INSERT INTO deleted_runs (uuid) SELECT DISTINCT unnest(uuids) ON CONFLICT DO NOTHING;
    WITH gone AS (DELETE FROM runs WHERE uuid = ANY(uuids) RETURNING experiment_id),
         noted AS (UPDATE experiments SET n_changes = n_changes + 1
                   WHERE id IN (SELECT experiment_id FROM gone))
    SELECT count(*) INTO n FROM gone;
    RETURN n;
END $$;
SELECT add_partitions(0, 0);
"""  # noqa: S608  # numbers of ours

_MIGRATIONS = (("the first schema", _FIRST),)

SCHEMA_VERSION = len(_MIGRATIONS)


def version_of(connection: Connection[Any]) -> int:
    """Return the schema version of a store; 0 where there is none yet."""
    row = connection.execute("SELECT to_regclass('sgtrack.migrations') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return 0
    row = connection.execute("SELECT max(version) FROM sgtrack.migrations").fetchone()
    return int(row[0] or 0) if row else 0


def check_known(connection: Connection[Any], address: Address) -> int:
    """Make sure that what is there is a store of a version we know; returns that, 0 for none.

    Raises:
        NewerSchemaError: a newer version of this library wrote it.
        NotAnExperimentError: there is a schema of our name that is none of ours.
        StoreError: it cannot be read.
    """
    with address.translated("cannot be read"):
        row = connection.execute(_WHAT_IS_THERE).fetchone()
        is_taken, is_ours = row or (False, False)
        version = version_of(connection) if is_ours else 0
    if is_taken and version == 0:
        raise NotAnExperimentError(
            f"{address} has a schema sgtrack that is none of pytest-sgtrack's; give it a database"
            " of its own"
        )
    if version > SCHEMA_VERSION:
        raise NewerSchemaError(
            f"{address} has schema version {version}; this version of pytest-sgtrack knows up to"
            f" {SCHEMA_VERSION}: upgrade it to use this store"
        )
    return version


# By the catalogue, which everybody may read.
_WHAT_IS_THERE = """
    SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'sgtrack'),
           (SELECT count(*) = 3 FROM pg_namespace AS n
              JOIN pg_class AS c ON c.relnamespace = n.oid
              JOIN pg_attribute AS a ON a.attrelid = c.oid
              WHERE n.nspname = 'sgtrack' AND (c.relname, a.attname) IN
                (('migrations', 'version'), ('runs', 'uuid'), ('chunks', 'wall_times')))
"""


def check_readable(connection: Connection[Any], address: Address) -> None:
    """Make sure that a store is there, and of our version.

    Raises:
        NewerSchemaError, NotAnExperimentError: as `check_known`.
        StoreError: there is none, or it waits to be brought to our version.
    """
    version = check_known(connection, address)
    if version == 0:
        raise StoreError(f"{address} holds no store yet; `sgtrack push --store URL` creates it")
    if version < SCHEMA_VERSION:
        raise StoreError(
            f"{address} has schema version {version}, this version of pytest-sgtrack needs"
            f" {SCHEMA_VERSION}; a push by the role that owns it brings it there"
        )


def migrate(connection: Connection[Any], address: Address) -> None:
    """Bring a store to the newest version; many may do so at once, and one does.

    Each step is committed together with the note that it was taken.

    Raises:
        NewerSchemaError, NotAnExperimentError: as `check_known`; it is left untouched.
        StoreError: we may not create or change it.
    """
    if check_known(connection, address) == SCHEMA_VERSION:
        return
    problem = (
        f"cannot be brought to schema version {SCHEMA_VERSION}; push once as a role that may, see"
        " docs/store.md"
    )
    with address.translated(problem):
        for number, (name, script) in enumerate(_MIGRATIONS, 1):
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                if version_of(connection) >= number:
                    continue
                connection.execute(script)
                connection.execute(
                    "INSERT INTO sgtrack.migrations (version, name) VALUES (%s, %s)", (number, name)
                )

"""Numbers of what many runs share: experiments, names, metrics, environments, graphs.

What is there gets no second number. Those who add the same things at one moment wait for each
other, so all add them in the order of their digests: nobody waits in a circle.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from psycopg import Connection


def digest_of(*parts: bytes | str | None) -> bytes:
    """Return what is equal for equal texts and bytes, and short enough for any index."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        plain = part.encode() if isinstance(part, str) else part
        digest.update(b"-" if plain is None else b"%d:" % len(plain))
        digest.update(plain or b"")
    return digest.digest()


def experiment_id(connection: Connection[Any], name: str) -> int:
    """Return the number of an experiment, a new one where it has none."""
    return _numbers(
        connection,
        "SELECT name, id FROM sgtrack.experiments WHERE name = ANY(%s)",
        "INSERT INTO sgtrack.experiments (name) VALUES (%s) ON CONFLICT DO NOTHING",
        {name: (name,)},
    )[name]


def name_ids(
    connection: Connection[Any], of_experiment: int, names: Collection[str]
) -> dict[str, int]:
    """Return the numbers of names of runs of an experiment."""
    digests = {digest_of(name): name for name in names}
    found = _numbers(
        connection,
        "SELECT digest, id FROM sgtrack.run_names"  # noqa: S608  # a number
        f" WHERE experiment_id = {int(of_experiment)} AND digest = ANY(%s)",
        "INSERT INTO sgtrack.run_names (experiment_id, digest, name) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        {digest: (of_experiment, digest, name) for digest, name in digests.items()},
    )
    return {digests[digest]: number for digest, number in found.items()}


def metric_ids(connection: Connection[Any], names: Collection[str]) -> dict[str, int]:
    """Return the numbers of metrics."""
    return _by_text(connection, "metrics", "name", names)


def environment_ids(connection: Connection[Any], contents: Collection[str]) -> dict[str, int]:
    """Return the numbers of environments, JSON texts."""
    return _by_text(connection, "environments", "content", contents)


def graph_ids(
    connection: Connection[Any], contents: Mapping[bytes, tuple[str, bytes | None]]
) -> dict[bytes, int]:
    """Return the numbers of graphs.

    Args:
        connection: to the store.
        contents: JSON and packed form of each by its `digest_of` both.
    """
    return _numbers(
        connection,
        "SELECT digest, id FROM sgtrack.graph_contents WHERE digest = ANY(%s)",
        "INSERT INTO sgtrack.graph_contents (digest, graph_json, packed) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        {digest: (digest, text.encode(), packed) for digest, (text, packed) in contents.items()},
    )


def _by_text(
    connection: Connection[Any], table: str, column: str, texts: Collection[str]
) -> dict[str, int]:
    digests = {digest_of(text): text for text in texts}
    found = _numbers(
        connection,
        f"SELECT digest, id FROM sgtrack.{table} WHERE digest = ANY(%s)",  # noqa: S608
        f"INSERT INTO sgtrack.{table} (digest, {column}) VALUES (%s, %s)"  # noqa: S608
        " ON CONFLICT DO NOTHING",
        {digest: (digest, text) for digest, text in digests.items()},
    )
    return {digests[digest]: number for digest, number in found.items()}


def _numbers(
    connection: Connection[Any], query: str, statement: str, rows: Mapping[Any, tuple[Any, ...]]
) -> dict[Any, int]:
    """Return the number of each key, after adding the rows of those that have none."""
    found: dict[Any, int] = dict(connection.execute(query, (list(rows),)).fetchall())
    missing = sorted(rows.keys() - found.keys())
    if missing:
        with connection.cursor() as cursor:
            cursor.executemany(statement, [rows[key] for key in missing])
        found |= dict(connection.execute(query, (missing,)).fetchall())
    return found

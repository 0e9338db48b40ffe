"""The tables of an experiment's database and of the store, with the comments of their columns."""

from __future__ import annotations

import re

from docs.generate.markdown import docstring, prose
from tracking import schema
from tracking.postgres import schema as store_schema


def database_page() -> str:
    """Return the page of an experiment's SQLite file."""
    about = prose(docstring(schema)).partition("\n\n")[2]
    return f"""# Database of an experiment

{about}

The file's `application_id` is `{schema.APPLICATION_ID:#x}`, its `user_version` the version of the
schema, now {schema.SCHEMA_VERSION}. Whatever reads SQLite may open it; only this package writes it.

{_tables(schema.SCHEMA)}
"""


def store_page() -> str:
    """Return the page of the store's schema in PostgreSQL."""
    about = prose(docstring(store_schema)).partition("\n\n")[2]
    scripts = [script for _, script in store_schema._MIGRATIONS]
    return f"""# Tables of the store

{about}

What it is for, and who may do what in it: [the shared store](../../store.md).

{_tables("".join(scripts))}
"""


def _tables(script: str) -> str:
    """Return a script as one block for each table or view, with what belongs to it."""
    parts: list[tuple[str, str]] = []
    for part in re.split(r"\n{2,}", script.strip()):
        heading = re.search(r"^CREATE (?:TABLE|VIEW|FUNCTION) (\w+)", part, re.MULTILINE)
        if heading is None and parts:
            name, before = parts.pop()
            parts.append((name, f"{before}\n\n{part}"))
        elif heading is not None and not part.startswith("CREATE SCHEMA"):
            parts.append((heading[1], part))
    return "\n\n".join(f"## `{name}`\n\n```sql\n{text}\n```" for name, text in parts)

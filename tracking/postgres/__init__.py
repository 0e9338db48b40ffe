"""The shared store: runs of many experiments and machines in PostgreSQL.

A run comes here whole, out of the experiment it was recorded in, and in one transaction: it is
there once, in its most complete form, or not at all. What the store holds of a run is what the
experiment holds of it; only numbers of runs differ.

Needs psycopg 3, the extra `postgres`.
"""

from tracking.postgres.address import Address
from tracking.postgres.history import History, read_history

__all__ = ["Address", "History", "read_history"]

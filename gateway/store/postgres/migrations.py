"""The number of the schema in PostgreSQL, and the steps that upgrade an older database to it.

A new database gets the base schema, an older one the steps from its number on: in one transaction, under a lock that one starter
holds at a time. The numbers are PostgreSQL's own; SQLite counts apart (`gateway.store.migrations`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.errors import LedgerUnavailable
from gateway.store import sql
from gateway.store.postgres import schema
from gateway.store.postgres.connection import PostgresConnection

Steps = Mapping[int, Sequence[str]]

# By the number that a step starts from. Numbers before 16 were development versions and have no step.
STEPS: Steps = {16: schema.CACHE_LOSS, 17: schema.COORDINATION, 18: schema.AGREEMENT, 19: schema.CONTENTS}
OLDEST_SCHEMA = min(STEPS)
SCHEMA = max(STEPS) + 1

# Seconds for all steps together: an index on many rows takes minutes. Other starters wait as long.
MIGRATION_SECONDS = 3600.0
# Seconds that a step waits for a table that reports or other gateways use. Everybody who comes later waits behind it.
_LOCK_SECONDS = 10

_VERSIONS = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)"
_LOCK = f"SELECT pg_advisory_xact_lock({schema.MIGRATION_LOCK})"
# After the advisory lock, which may be waited for as long as another starter's steps take.
_LIMIT_LOCKS = f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"
# Not `to_regclass`: it may remember what was there before another starter had the lock.
_EXISTS = "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = ANY(current_schemas(false)) AND tablename = 'schema_version')"
_VERSION = "SELECT max(version) FROM schema_version"
_INSERT_VERSION = "INSERT INTO schema_version (version) VALUES (?)"
_SET_VERSION = "UPDATE schema_version SET version = ?"


def newest(steps: Steps) -> int:
    """The number of the schema after all steps."""
    return max(steps) + 1


def schema_version(connection: sql.Connection, *, name: str, steps: Steps = STEPS) -> int:
    """The schema of the database; 0 for a new one. Raises LedgerUnavailable when this gateway can neither use nor upgrade it."""
    if not connection.execute(_EXISTS).get:
        return 0
    version = int(connection.execute(_VERSION).get or 0)
    if version > newest(steps):
        raise LedgerUnavailable(
            f"The ledger {name} has schema {version}, this gateway knows up to {newest(steps)}: a newer version wrote it. "
            "Run that version, or name another database in GATEWAY_DB."
        )
    if 0 < version < OLDEST_SCHEMA:
        raise LedgerUnavailable(
            f"The ledger {name} has schema {version} of a development version; this gateway upgrades from schema {OLDEST_SCHEMA} on. "
            "Copy it to a file with the version that wrote it (`gateway db copy`), open that file with this version, and copy it back."
        )
    return version


def migrate(connection: PostgresConnection, *, name: str, steps: Steps = STEPS) -> None:
    """Bring the tables to the newest schema, in the caller's transaction: all steps, or none where one fails.

    Of several that start at once, one migrates and the others wait, then find nothing to do. Raises LedgerUnavailable as
    `schema_version` does.
    """
    connection.execute(_LOCK)
    version = schema_version(connection, name=name, steps=steps)
    if version == newest(steps):
        return
    connection.script(_LIMIT_LOCKS)
    if version == 0:
        connection.script(_VERSIONS)
        for statement in schema.BASE:
            connection.script(statement)
        connection.execute(_INSERT_VERSION, (SCHEMA,))
        version = SCHEMA
    for step in range(version, newest(steps)):
        for statement in steps[step]:
            connection.script(statement)
    connection.execute(_SET_VERSION, (newest(steps),))

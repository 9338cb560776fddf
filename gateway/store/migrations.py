"""The tables of the SQLite ledger, and the steps that upgrade an older file to them.

A new file gets the base schema, an older one the steps from its `user_version` on, in one transaction. Base statements can run twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import apsw

from gateway.errors import LedgerUnavailable
from gateway.store import rollup, tables
from gateway.store.sql import Connection

_BASE = (*tables.TABLES, rollup.VIEW, *tables.INDEXES, *rollup.TRIGGERS)

_CACHE_LOSS = (
    "ALTER TABLE routing_metrics ADD COLUMN cache_missed_tokens INTEGER CHECK (cache_missed_tokens >= 0)",
    "ALTER TABLE routing_metrics ADD COLUMN cache_loss REAL",
    "ALTER TABLE routing_metrics ADD COLUMN cache_loss_nano INTEGER CHECK (cache_loss_nano >= 0)",
)
# By the version that a step starts from. Development versions before 10 were never released and have no step.
_STEPS: Mapping[int, tuple[str, ...]] = {
    10: (
        "DROP TRIGGER sums_insert",
        "DROP TRIGGER sums_before",
        "DROP TRIGGER sums_update",
        "DROP TRIGGER sums_delete",
        "DROP VIEW row_facts",
        "ALTER TABLE routing_metrics DROP COLUMN counted",
        "ALTER TABLE sums RENAME TO rollup",
        "ALTER TABLE learned_states RENAME TO checkpoints",
    ),
    11: ("ALTER TABLE routing_metrics ADD COLUMN endpoint TEXT",),
    12: (
        "ALTER TABLE routing_metrics ADD COLUMN tags TEXT",
        "ALTER TABLE routing_metrics ADD COLUMN holdback INTEGER CHECK (holdback IN (0, 1))",
        "ALTER TABLE routing_metrics ADD COLUMN baseline_usage TEXT",
        "ALTER TABLE routing_metrics ADD COLUMN cache_miss TEXT",
        tables.REFUSALS,
        tables.COST_HISTORY,
    ),
    13: (tables.RESPONSES, tables.RESPONSES_EXPIRE),
    # Today's rollup, added up again from the rows; evidence in today's words.
    14: (
        *_CACHE_LOSS,
        *(f"DROP TRIGGER IF EXISTS {name}" for name in rollup.TRIGGER_NAMES),
        "DROP VIEW IF EXISTS rollup_rows",
        "DROP TABLE rollup",
        (
            "UPDATE routing_metrics SET evidence = iif(baseline_cost IS NULL, 'unknown', 'modelled') "
            "WHERE evidence IN ('same_usage', 'estimated')"
        ),
        rollup.TABLE,
        rollup.VIEW,
        rollup.REBUILD,
        *rollup.TRIGGERS,
    ),
    15: (
        "ALTER TABLE virtual_keys ADD COLUMN session_budget_nano INTEGER CHECK (session_budget_nano >= 0)",
        "ALTER TABLE virtual_keys ADD COLUMN holdback INTEGER NOT NULL DEFAULT 1 CHECK (holdback IN (0, 1))",
        tables.JUDGE_INDEX,
        tables.RATED_INDEX,
    ),
    # The rollup with losses of prompt caches; the sums are taken over, those of pruned rows too.
    16: (
        *_CACHE_LOSS,
        *(f"DROP TRIGGER IF EXISTS {name}" for name in rollup.TRIGGER_NAMES),
        "DROP VIEW IF EXISTS rollup_rows",
        "ALTER TABLE rollup RENAME TO rollup_before",
        rollup.TABLE,
        rollup.VIEW,
        *rollup.TAKE_OVER,
        "DROP TABLE rollup_before",
        *rollup.TRIGGERS,
        "DROP INDEX IF EXISTS routing_metrics_rated",
        tables.RATED_INDEX,
    ),
    17: (
        "ALTER TABLE routing_metrics ADD COLUMN agreement TEXT",
        "ALTER TABLE outcomes ADD COLUMN agreement TEXT",
        "ALTER TABLE virtual_keys ADD COLUMN cascade TEXT",
    ),
    18: (tables.CONTENTS, tables.CONTENTS_BY_TIME),
}
# Steps that bring the rollup to today's form: step 14 makes it in that form, so a file from before that skips them.
_AFTER_REBUILD = frozenset({16})
_REBUILD_STEP = 14
OLDEST_SCHEMA = min(_STEPS)
SCHEMA = max(_STEPS) + 1


def migrate(connection: apsw.Connection) -> None:
    """Bring the file to `SCHEMA`. Raises LedgerUnavailable as `schema_version` does.

    Safe when two processes start at once: the second waits for the transaction of the first, then finds nothing to do.
    """
    if schema_version(connection) == SCHEMA:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _missing_statements(schema_version(connection)):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _missing_statements(version: int) -> Iterator[str]:
    if version == 0:
        yield from _BASE
        return
    for step in range(version, SCHEMA):
        if version > _REBUILD_STEP or step not in _AFTER_REBUILD:
            yield from _STEPS[step]


def schema_version(connection: Connection) -> int:
    """The schema of the file; 0 for a new one. Raises LedgerUnavailable when this gateway can neither use nor upgrade it."""
    version = int(connection.execute("PRAGMA user_version").get)
    if version > SCHEMA:
        raise LedgerUnavailable(
            f"The ledger has schema {version}, this gateway knows up to {SCHEMA}: a newer version wrote it. "
            "Run that version, or name another file in GATEWAY_DB."
        )
    if 0 < version < OLDEST_SCHEMA:
        raise LedgerUnavailable(
            f"The ledger has schema {version} of a development version; this gateway upgrades from schema {OLDEST_SCHEMA} on. "
            "Open it once with a version that has that schema, or name another file in GATEWAY_DB."
        )
    return version

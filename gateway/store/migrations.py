"""The ledger's tables, and the numbered steps that bring an older file to them.

Each step ends by setting `user_version`, so all that is missing runs in one transaction or not at all. Statements are
written so that running them again changes nothing.
"""

from __future__ import annotations

import re

import apsw

from gateway.errors import LedgerUnavailable

# A status is checked against each word by itself: for a list of more than two SQLite sets up a table in memory, for each row.
_ROUTING_METRICS = """
CREATE TABLE IF NOT EXISTS routing_metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT,
    timestamp TEXT,
    strategy_used TEXT,
    confidence TEXT,
    selected_provider TEXT,
    selected_model TEXT,
    baseline_provider TEXT,
    baseline_model TEXT,
    baseline_cost REAL,
    actual_cost REAL,
    cost_savings REAL,
    savings_percentage REAL,
    pattern_detected TEXT,
    complexity_score REAL,
    experimental INTEGER,
    fallback_used INTEGER,
    fallback_reason TEXT,
    status TEXT NOT NULL DEFAULT 'ok' CHECK (
        status = 'open' OR status = 'ok' OR status = 'error' OR status = 'cancelled' OR status = 'interrupted'
    ),
    baseline_cost_nano INTEGER CHECK (baseline_cost_nano >= 0),
    actual_cost_nano INTEGER CHECK (actual_cost_nano >= 0),
    baseline_cost_low REAL CHECK (baseline_cost_low >= 0),
    baseline_cost_high REAL CHECK (baseline_cost_high >= 0),
    evidence TEXT,
    estimated INTEGER NOT NULL DEFAULT 0 CHECK (estimated IN (0, 1)),
    auto_route INTEGER NOT NULL DEFAULT 0 CHECK (auto_route IN (0, 1)),
    requested_model TEXT,
    reasoning TEXT,
    prompt_tokens INTEGER CHECK (prompt_tokens >= 0),
    completion_tokens INTEGER CHECK (completion_tokens >= 0),
    cached_tokens INTEGER CHECK (cached_tokens >= 0),
    cache_write_tokens INTEGER CHECK (cache_write_tokens >= 0),
    reasoning_tokens INTEGER CHECK (reasoning_tokens >= 0),
    usage TEXT,
    price_version TEXT,
    policy_version TEXT,
    propensity REAL,
    candidates TEXT,
    features TEXT,
    session_id TEXT,
    key_id TEXT,
    client_request_id TEXT,
    client_retries INTEGER,
    streamed INTEGER NOT NULL DEFAULT 0 CHECK (streamed IN (0, 1)),
    http_status INTEGER,
    error_code TEXT,
    finish_reason TEXT,
    first_byte REAL,
    duration REAL,
    attempts INTEGER NOT NULL DEFAULT 1,
    feedback_score REAL CHECK (feedback_score BETWEEN 0 AND 1),
    owner TEXT,
    recovered_at TEXT
)"""

_ATTEMPTS = """
CREATE TABLE IF NOT EXISTS attempts (
    id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    status TEXT NOT NULL CHECK (
        status = 'reserved' OR status = 'settled' OR status = 'cancelled_estimated' OR status = 'failed_free'
        OR status = 'unknown_estimated' OR status = 'orphaned'
    ),
    cost REAL,
    cost_nano INTEGER CHECK (cost_nano >= 0),
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    usage TEXT,
    error TEXT,
    upstream_status INTEGER,
    upstream_id TEXT,
    first_byte REAL,
    duration REAL
) WITHOUT ROWID"""

_FEEDBACK = """
CREATE TABLE IF NOT EXISTS feedback (
    request_id TEXT PRIMARY KEY,
    timestamp TEXT NOT NULL,
    score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
    comment TEXT,
    key_id TEXT
) WITHOUT ROWID"""

_OUTCOMES = """
CREATE TABLE IF NOT EXISTS outcomes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TEXT NOT NULL,
    request_id TEXT,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    pattern TEXT NOT NULL,
    complexity REAL NOT NULL,
    quality REAL,
    cost REAL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    latency REAL,
    error TEXT,
    features TEXT,
    source TEXT NOT NULL,
    weight REAL NOT NULL
)"""

_PROBE = """
CREATE TABLE IF NOT EXISTS write_probe (id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL)"""

# What one closed row adds to its hour and to its day. Rows that other tools wrote may lack the integers: theirs come from the REAL
# columns. The units stand first, for SQLite goes through what stands first without setting up a table in memory.
_FACTS = """
CREATE VIEW IF NOT EXISTS row_facts AS SELECT
    id, request_id, timestamp, unit,
    coalesce(strftime(iif(unit = 'day', '%Y-%m-%d', '%Y-%m-%dT%H'), timestamp), '0') AS bucket,
    coalesce(strategy_used, '') AS strategy,
    coalesce(confidence, '') AS confidence,
    coalesce(selected_provider, '') AS provider,
    coalesce(selected_model, '') AS model,
    coalesce(pattern_detected, '') AS pattern,
    1 AS requests,
    coalesce(fallback_used, 0) <> 0 AS fallbacks,
    coalesce(experimental, 0) <> 0 AS experimental,
    status IN ('error', 'interrupted') AS errors,
    status = 'cancelled' AS cancelled,
    estimated,
    actual_cost IS NULL AS unpriced,
    coalesce(actual_cost_nano, CAST(round(actual_cost * 1e9) AS INTEGER), 0) AS cost_nano,
    coalesce(baseline_cost_nano, CAST(round(baseline_cost * 1e9) AS INTEGER), 0) AS baseline_nano,
    coalesce(baseline_cost_nano - actual_cost_nano, CAST(round(cost_savings * 1e9) AS INTEGER), 0) AS savings_nano,
    cost_savings IS NOT NULL AS priced,
    coalesce(savings_percentage, 0.0) AS percentage_sum,
    savings_percentage IS NOT NULL AS percentages,
    coalesce(prompt_tokens, 0) AS prompt_tokens,
    coalesce(completion_tokens, 0) AS completion_tokens,
    coalesce(cached_tokens, 0) AS cached_tokens,
    coalesce(feedback_score, 0.0) AS quality_sum,
    feedback_score IS NOT NULL AS feedbacks,
    coalesce(duration, 0.0) AS duration_sum,
    duration IS NOT NULL AS durations
FROM (SELECT 'hour' AS unit UNION ALL SELECT 'day') CROSS JOIN routing_metrics WHERE status <> 'open'"""

# Sums by hour and by day, so that reports do not grow with the rows. Triggers keep them, so rows that were changed by hand
# count as they stand.
_SUMS = """
CREATE TABLE IF NOT EXISTS sums (
    unit TEXT, bucket TEXT, strategy TEXT, confidence TEXT, provider TEXT, model TEXT, pattern TEXT,
    requests INTEGER, fallbacks INTEGER, experimental INTEGER, errors INTEGER, cancelled INTEGER, estimated INTEGER,
    unpriced INTEGER, cost_nano INTEGER, baseline_nano INTEGER, savings_nano INTEGER, priced INTEGER,
    percentage_sum REAL, percentages INTEGER, prompt_tokens INTEGER, completion_tokens INTEGER, cached_tokens INTEGER,
    quality_sum REAL, feedbacks INTEGER, duration_sum REAL, durations INTEGER,
    PRIMARY KEY (unit, bucket, strategy, confidence, provider, model, pattern)
) WITHOUT ROWID"""

_INTO_SUMS = """
INSERT INTO sums SELECT
    unit, bucket, strategy, confidence, provider, model, pattern, requests, fallbacks, experimental, errors, cancelled, estimated,
    unpriced, cost_nano, baseline_nano, savings_nano, priced, percentage_sum, percentages, prompt_tokens, completion_tokens,
    cached_tokens, quality_sum, feedbacks, duration_sum, durations
FROM row_facts"""

_ADD = (
    _INTO_SUMS
    + """ WHERE id = NEW.id ON CONFLICT DO UPDATE SET
    requests = requests + excluded.requests, fallbacks = fallbacks + excluded.fallbacks,
    experimental = experimental + excluded.experimental, errors = errors + excluded.errors,
    cancelled = cancelled + excluded.cancelled, estimated = estimated + excluded.estimated,
    unpriced = unpriced + excluded.unpriced, cost_nano = cost_nano + excluded.cost_nano,
    baseline_nano = baseline_nano + excluded.baseline_nano, savings_nano = savings_nano + excluded.savings_nano,
    priced = priced + excluded.priced, percentage_sum = percentage_sum + excluded.percentage_sum,
    percentages = percentages + excluded.percentages, prompt_tokens = prompt_tokens + excluded.prompt_tokens,
    completion_tokens = completion_tokens + excluded.completion_tokens,
    cached_tokens = cached_tokens + excluded.cached_tokens, quality_sum = quality_sum + excluded.quality_sum,
    feedbacks = feedbacks + excluded.feedbacks, duration_sum = duration_sum + excluded.duration_sum,
    durations = durations + excluded.durations; END"""
)

_SUBTRACT = (
    _INTO_SUMS
    + """ WHERE id = OLD.id ON CONFLICT DO UPDATE SET
    requests = requests - excluded.requests, fallbacks = fallbacks - excluded.fallbacks,
    experimental = experimental - excluded.experimental, errors = errors - excluded.errors,
    cancelled = cancelled - excluded.cancelled, estimated = estimated - excluded.estimated,
    unpriced = unpriced - excluded.unpriced, cost_nano = cost_nano - excluded.cost_nano,
    baseline_nano = baseline_nano - excluded.baseline_nano, savings_nano = savings_nano - excluded.savings_nano,
    priced = priced - excluded.priced, percentage_sum = percentage_sum - excluded.percentage_sum,
    percentages = percentages - excluded.percentages, prompt_tokens = prompt_tokens - excluded.prompt_tokens,
    completion_tokens = completion_tokens - excluded.completion_tokens,
    cached_tokens = cached_tokens - excluded.cached_tokens, quality_sum = quality_sum - excluded.quality_sum,
    feedbacks = feedbacks - excluded.feedbacks, duration_sum = duration_sum - excluded.duration_sum,
    durations = durations - excluded.durations; END"""
)

_LEDGER = (
    _ROUTING_METRICS,
    "CREATE UNIQUE INDEX IF NOT EXISTS routing_metrics_request_id ON routing_metrics (request_id)",
    "CREATE INDEX IF NOT EXISTS routing_metrics_timestamp ON routing_metrics (timestamp)",
    "CREATE INDEX IF NOT EXISTS routing_metrics_strategy_used ON routing_metrics (strategy_used)",
    "CREATE INDEX IF NOT EXISTS routing_metrics_confidence ON routing_metrics (confidence)",
    "CREATE INDEX IF NOT EXISTS routing_metrics_open ON routing_metrics (owner) WHERE status = 'open'",
    _ATTEMPTS,
    _FEEDBACK,
    _OUTCOMES,
    _PROBE,
    _FACTS,
    _SUMS,
    "CREATE TRIGGER IF NOT EXISTS sums_insert AFTER INSERT ON routing_metrics WHEN NEW.status <> 'open' BEGIN" + _ADD,
    "CREATE TRIGGER IF NOT EXISTS sums_before BEFORE UPDATE ON routing_metrics WHEN OLD.status <> 'open' BEGIN"
    + _SUBTRACT,
    "CREATE TRIGGER IF NOT EXISTS sums_update AFTER UPDATE ON routing_metrics WHEN NEW.status <> 'open' BEGIN" + _ADD,
    "CREATE TRIGGER IF NOT EXISTS sums_delete BEFORE DELETE ON routing_metrics WHEN OLD.status <> 'open' BEGIN"
    + _SUBTRACT,
    "PRAGMA user_version = 1",
)

# Of a key only its digest is kept; its id stays when it is rotated, and with it what it has spent.
_KEYS = """
CREATE TABLE IF NOT EXISTS virtual_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    last4 TEXT NOT NULL,
    created TEXT NOT NULL,
    expires TEXT,
    revoked TEXT,
    budget_nano INTEGER CHECK (budget_nano >= 0),
    budget_window TEXT,
    rpm INTEGER CHECK (rpm >= 1),
    models TEXT,
    max_tier TEXT,
    max_cost_nano INTEGER CHECK (max_cost_nano >= 0)
) WITHOUT ROWID"""

_BUDGETS = """
CREATE TABLE IF NOT EXISTS budgets (
    account TEXT NOT NULL,
    period TEXT NOT NULL,
    used_nano INTEGER NOT NULL DEFAULT 0 CHECK (used_nano >= 0),
    held_nano INTEGER NOT NULL DEFAULT 0 CHECK (held_nano >= 0),
    PRIMARY KEY (account, period)
) WITHOUT ROWID"""

_HOLDS = """
CREATE TABLE IF NOT EXISTS holds (
    request_id TEXT NOT NULL,
    account TEXT NOT NULL,
    period TEXT NOT NULL,
    amount_nano INTEGER NOT NULL CHECK (amount_nano >= 0),
    expires TEXT NOT NULL,
    PRIMARY KEY (request_id, account)
) WITHOUT ROWID"""

_SPENDING = (
    _KEYS,
    "CREATE UNIQUE INDEX IF NOT EXISTS virtual_keys_name ON virtual_keys (name) WHERE revoked IS NULL",
    _BUDGETS,
    _HOLDS,
    "CREATE INDEX IF NOT EXISTS holds_expires ON holds (expires)",
    "PRAGMA user_version = 2",
)

# What leaving a session's model would have cost and whether it was left; what `auto` would have chosen in shadow mode.
_SESSIONS_AND_SHADOW = (
    "ALTER TABLE routing_metrics ADD COLUMN session_kept INTEGER CHECK (session_kept IN (0, 1))",
    "ALTER TABLE routing_metrics ADD COLUMN switch_penalty REAL CHECK (switch_penalty >= 0)",
    "ALTER TABLE routing_metrics ADD COLUMN shadow_provider TEXT",
    "ALTER TABLE routing_metrics ADD COLUMN shadow_model TEXT",
    "ALTER TABLE routing_metrics ADD COLUMN shadow_cost REAL",
    "ALTER TABLE routing_metrics ADD COLUMN shadow_cost_nano INTEGER CHECK (shadow_cost_nano >= 0)",
    "CREATE INDEX IF NOT EXISTS routing_metrics_shadow ON routing_metrics (timestamp) WHERE shadow_model IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS feedback_by_key ON feedback (key_id, timestamp)",
    "PRAGMA user_version = 3",
)

# A session's, a key's and the troubled rows are few among many: finding them must not read all.
_FINDING = (
    "CREATE INDEX IF NOT EXISTS routing_metrics_session ON routing_metrics (session_id) WHERE session_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS routing_metrics_key ON routing_metrics (key_id) WHERE key_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS routing_metrics_troubled ON routing_metrics (status) WHERE status NOT IN ('ok', 'open')",
    "PRAGMA user_version = 4",
)

# What the gateway settles it adds to the sums itself, once a commit (`sql.ADD`), and says so with the row: then the trigger
# has nothing to do. Whatever else changes a row leaves `counted` as it is.
_COUNTED = (
    "ALTER TABLE routing_metrics ADD COLUMN counted INTEGER NOT NULL DEFAULT 0",
    "DROP TRIGGER IF EXISTS sums_update",
    "CREATE TRIGGER IF NOT EXISTS sums_update AFTER UPDATE ON routing_metrics"
    " WHEN NEW.status <> 'open' AND NEW.counted = OLD.counted BEGIN" + _ADD,
    "PRAGMA user_version = 5",
)

# What strategies learned, for the next start.
_STATES = (
    """
CREATE TABLE IF NOT EXISTS learned_states (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('saved', 'rollback', 'reset')),
    format TEXT NOT NULL,
    learned_to INTEGER NOT NULL,
    outcomes INTEGER NOT NULL,
    digest BLOB NOT NULL,
    body BLOB NOT NULL,
    problem TEXT
)""",
    "PRAGMA user_version = 6",
)

# The view as it is above, in the place of an earlier one.
_FACTS_ANEW = ("DROP VIEW IF EXISTS row_facts", _FACTS, "PRAGMA user_version = 7")

# At most one admin key, by its digest.
_ADMIN_KEY = (
    """
CREATE TABLE IF NOT EXISTS admin_key (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    last4 TEXT NOT NULL,
    created TEXT NOT NULL
)""",
    "PRAGMA user_version = 8",
)

# Who placed the cache breakpoints in a request.
_CACHE_MARKS = (
    "ALTER TABLE routing_metrics ADD COLUMN cache_marks TEXT CHECK (cache_marks IN ('client', 'gateway'))",
    "PRAGMA user_version = 9",
)

# Opinions of a model that wait for those of further keys, and the keys that have given one. What is there already was learned.
_CORROBORATED = (
    "ALTER TABLE feedback ADD COLUMN held_weight REAL CHECK (held_weight > 0)",
    "CREATE INDEX IF NOT EXISTS feedback_held ON feedback (request_id) WHERE held_weight IS NOT NULL",
    """
CREATE TABLE IF NOT EXISTS feedback_keys (
    provider TEXT NOT NULL, model TEXT NOT NULL, key_id TEXT NOT NULL, PRIMARY KEY (provider, model, key_id)
) WITHOUT ROWID""",
    """
INSERT OR IGNORE INTO feedback_keys
SELECT selected_provider, selected_model, feedback.key_id FROM feedback JOIN routing_metrics USING (request_id)
WHERE feedback.key_id IS NOT NULL AND pattern_detected IS NOT NULL
    AND selected_provider IS NOT NULL AND selected_model IS NOT NULL""",
    "PRAGMA user_version = 10",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    _LEDGER,
    _SPENDING,
    _SESSIONS_AND_SHADOW,
    _FINDING,
    _COUNTED,
    _STATES,
    _FACTS_ANEW,
    _ADMIN_KEY,
    _CACHE_MARKS,
    _CORROBORATED,
)

_ADDED_COLUMN = re.compile(r"ALTER TABLE (\w+) ADD COLUMN (\w+)")


def migrate(connection: apsw.Connection) -> None:
    """Bring the file to the newest schema; LedgerUnavailable when a newer gateway wrote it.

    Two starters at once are safe: the second waits for the first one's transaction, then finds nothing to do.
    """
    if schema_of(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[schema_of(connection) :]:
            for statement in statements:
                if not _done(connection, statement):
                    connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _done(connection: apsw.Connection, statement: str) -> bool:
    """Whether the column that the statement adds is there already: SQLite cannot say IF NOT EXISTS of a column."""
    added = _ADDED_COLUMN.match(statement)
    if added is None:
        return False
    return any(row[1] == added[2] for row in connection.execute(f"PRAGMA table_info({added[1]})"))


def schema_of(connection: apsw.Connection) -> int:
    """The schema's number; LedgerUnavailable when a newer gateway wrote it."""
    version = int(connection.execute("PRAGMA user_version").get)
    if version > len(MIGRATIONS):
        raise LedgerUnavailable(
            f"The ledger has schema {version}, this gateway knows up to {len(MIGRATIONS)}: a newer version wrote it. "
            "Run that version, or name another file in GATEWAY_DB."
        )
    return version

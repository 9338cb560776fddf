"""The ledger's tables and indexes, in SQLite's words. PostgreSQL's are derived from them (`gateway.store.postgres.schema`)."""

from __future__ import annotations

from gateway.store import rollup

# The status check compares with each word separately: for an IN list of more than two values SQLite builds a temporary table, per row.
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
    recovered_at TEXT,
    session_kept INTEGER CHECK (session_kept IN (0, 1)),
    switch_penalty REAL CHECK (switch_penalty >= 0),
    shadow_provider TEXT,
    shadow_model TEXT,
    shadow_cost REAL,
    shadow_cost_nano INTEGER CHECK (shadow_cost_nano >= 0),
    cache_marks TEXT CHECK (cache_marks IN ('client', 'gateway')),
    endpoint TEXT,
    tags TEXT,
    holdback INTEGER CHECK (holdback IN (0, 1)),
    baseline_usage TEXT,
    cache_miss TEXT,
    cache_missed_tokens INTEGER CHECK (cache_missed_tokens >= 0),
    cache_loss REAL,
    cache_loss_nano INTEGER CHECK (cache_loss_nano >= 0),
    agreement TEXT
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

# Feedback that is not learned yet has a `held_weight`: the weight that it gets when it is.
_FEEDBACK = """
CREATE TABLE IF NOT EXISTS feedback (
    request_id TEXT PRIMARY KEY,
    timestamp TEXT NOT NULL,
    score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
    comment TEXT,
    key_id TEXT,
    held_weight REAL CHECK (held_weight > 0)
) WITHOUT ROWID"""

# The keys that have rated each model.
_FEEDBACK_KEYS = """
CREATE TABLE IF NOT EXISTS feedback_keys (
    provider TEXT NOT NULL, model TEXT NOT NULL, key_id TEXT NOT NULL, PRIMARY KEY (provider, model, key_id)
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
    weight REAL NOT NULL,
    agreement TEXT
)"""

_CHECKPOINTS = """
CREATE TABLE IF NOT EXISTS checkpoints (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('saved', 'rollback', 'reset')),
    format TEXT NOT NULL,
    learned_to INTEGER NOT NULL,
    outcomes INTEGER NOT NULL,
    digest BLOB NOT NULL,
    body BLOB NOT NULL,
    problem TEXT
)"""

_PROBE = """
CREATE TABLE IF NOT EXISTS write_probe (id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL)"""

# Only the digest of a key is stored. Rotation keeps the id, and with it the amount spent.
_VIRTUAL_KEYS = """
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
    max_cost_nano INTEGER CHECK (max_cost_nano >= 0),
    session_budget_nano INTEGER CHECK (session_budget_nano >= 0),
    holdback INTEGER NOT NULL DEFAULT 1 CHECK (holdback IN (0, 1)),
    cascade TEXT
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

# Refusals before routing have no row; they are counted by hour.
REFUSALS = """
CREATE TABLE IF NOT EXISTS refusals (
    hour TEXT NOT NULL,
    cause TEXT NOT NULL,
    key_id TEXT NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 0),
    PRIMARY KEY (hour, cause, key_id)
) WITHOUT ROWID"""

# The figures of a row before `gateway reprice` changed them.
COST_HISTORY = """
CREATE TABLE IF NOT EXISTS cost_history (
    request_id TEXT NOT NULL,
    repriced TEXT NOT NULL,
    price_version TEXT,
    actual_cost REAL,
    actual_cost_nano INTEGER,
    baseline_cost REAL,
    baseline_cost_nano INTEGER,
    baseline_cost_low REAL,
    baseline_cost_high REAL,
    others TEXT,
    PRIMARY KEY (request_id, repriced)
) WITHOUT ROWID"""

# Has all that a report reads of a rated row, by the two sides of the holdback's draw.
RATED_INDEX = """
CREATE INDEX IF NOT EXISTS routing_metrics_rated ON routing_metrics (holdback, timestamp, key_id, feedback_score)
WHERE feedback_score IS NOT NULL"""
JUDGE_INDEX = "CREATE INDEX IF NOT EXISTS routing_metrics_judge ON routing_metrics (timestamp) WHERE endpoint = 'judge'"

# Responses of `/v1/responses` that are kept for their clients.
RESPONSES = """
CREATE TABLE IF NOT EXISTS responses (
    id TEXT PRIMARY KEY,
    key_id TEXT,
    created REAL NOT NULL,
    expires REAL NOT NULL,
    previous TEXT,
    response BLOB NOT NULL,
    input BLOB NOT NULL,
    output BLOB NOT NULL
)"""
RESPONSES_EXPIRE = "CREATE INDEX IF NOT EXISTS responses_expires ON responses (expires)"

# Prompts and answers of requests, where `store_content` is on.
CONTENTS = """
CREATE TABLE IF NOT EXISTS contents (
    request_id TEXT PRIMARY KEY,
    timestamp TEXT NOT NULL,
    prompt TEXT NOT NULL,
    answer TEXT NOT NULL
)"""
CONTENTS_BY_TIME = "CREATE INDEX IF NOT EXISTS contents_timestamp ON contents (timestamp)"

_ADMIN_KEY = """
CREATE TABLE IF NOT EXISTS admin_key (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    last4 TEXT NOT NULL,
    created TEXT NOT NULL
)"""

# Reports and filters by session, key or error status must not read the whole table: their indexes are partial, hence small.
INDEXES = (
    "CREATE UNIQUE INDEX IF NOT EXISTS routing_metrics_request_id ON routing_metrics (request_id)",
    "CREATE INDEX IF NOT EXISTS routing_metrics_timestamp ON routing_metrics (timestamp)",
    "CREATE INDEX IF NOT EXISTS routing_metrics_strategy_used ON routing_metrics (strategy_used)",
    "CREATE INDEX IF NOT EXISTS routing_metrics_confidence ON routing_metrics (confidence)",
    "CREATE INDEX IF NOT EXISTS routing_metrics_open ON routing_metrics (owner) WHERE status = 'open'",
    "CREATE INDEX IF NOT EXISTS routing_metrics_shadow ON routing_metrics (timestamp) WHERE shadow_model IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS routing_metrics_session ON routing_metrics (session_id) WHERE session_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS routing_metrics_key ON routing_metrics (key_id) WHERE key_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS routing_metrics_troubled ON routing_metrics (status) WHERE status NOT IN ('ok', 'open')",
    "CREATE INDEX IF NOT EXISTS feedback_by_key ON feedback (key_id, timestamp)",
    "CREATE INDEX IF NOT EXISTS feedback_held ON feedback (request_id) WHERE held_weight IS NOT NULL",
    "CREATE UNIQUE INDEX IF NOT EXISTS virtual_keys_name ON virtual_keys (name) WHERE revoked IS NULL",
    "CREATE INDEX IF NOT EXISTS holds_expires ON holds (expires)",
    RESPONSES_EXPIRE,
    JUDGE_INDEX,
    RATED_INDEX,
    CONTENTS_BY_TIME,
)

TABLES = (
    _ROUTING_METRICS,
    _ATTEMPTS,
    _FEEDBACK,
    _FEEDBACK_KEYS,
    _OUTCOMES,
    _CHECKPOINTS,
    _PROBE,
    _VIRTUAL_KEYS,
    _ADMIN_KEY,
    _BUDGETS,
    _HOLDS,
    REFUSALS,
    COST_HISTORY,
    RESPONSES,
    CONTENTS,
    rollup.TABLE,
)

"""The SQL statements of the ledger, as SQLite and PostgreSQL both understand them; values are always parameters.

`gateway.store.postgres.connection` writes the parameters as PostgreSQL does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from gateway.store import encoding, rollup

Values = Mapping[str, Any] | Sequence[Any]


class Rows(Protocol):
    """The result of a statement; `get` is the first value of the first row, None without rows."""

    @property
    def get(self) -> Any: ...

    @property
    def description(self) -> Sequence[Sequence[Any]]: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[tuple[Any, ...]]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """What the ledger's functions use of a connection: apsw's, or the one to PostgreSQL."""

    def execute(self, statements: str, bindings: Any = ..., /) -> Rows: ...

    def changes(self) -> int:
        """The number of rows that the last statement changed."""


def changed(connection: Connection, query: str, values: Values) -> int:
    """Run a statement; returns the number of changed rows."""
    connection.execute(query, values)
    return connection.changes()


def dicts(connection: Connection, query: str, values: Values = ()) -> list[dict[str, Any]]:
    """The rows of a query as dictionaries by column name."""
    cursor = connection.execute(query, values)
    first = cursor.fetchone()
    if first is None:
        return []
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in (first, *cursor)]


def tuples(connection: Connection, query: str, values: Values = ()) -> list[tuple[Any, ...]]:
    return connection.execute(query, values).fetchall()


def _assignments(columns: Sequence[str]) -> str:
    return ", ".join(f"{column} = ?" for column in columns)


# The values of these statements are in the order of the column tuples of `encoding`.
INSERT_REQUEST = f"""
INSERT INTO routing_metrics ({", ".join(encoding.INSERT_COLUMNS)}, status) VALUES ({"?, " * len(encoding.INSERT_COLUMNS)}'open')
ON CONFLICT (request_id) DO NOTHING"""  # noqa: S608 - constants

_SETTLE = f"UPDATE routing_metrics SET {_assignments(encoding.SETTLE_COLUMNS)}"  # noqa: S608 - constants
_OPEN = " WHERE request_id = ? AND status = 'open'"
SETTLE_REQUEST = _SETTLE + _OPEN
# Only if the ledger knows no attempt that the record does not list.
SETTLE_COMPLETE = f"{SETTLE_REQUEST} AND attempts <= ?"

ANY_HOLD = "SELECT EXISTS (SELECT 1 FROM holds)"

STATUS = "SELECT status FROM routing_metrics WHERE request_id = ?"

# An open row names the model of its first attempt, so the attempt gets a row of its own only when it has something to store.
FIRST_ATTEMPT = """
INSERT INTO attempts (id, request_id, number, provider, model, status)
SELECT request_id || ':1', request_id, 1, selected_provider, selected_model, 'reserved' FROM routing_metrics
WHERE request_id = ? AND status = 'open' AND selected_provider IS NOT NULL AND selected_model IS NOT NULL
ON CONFLICT DO NOTHING"""

UPSERT_ATTEMPT = f"""
INSERT INTO attempts ({", ".join(encoding.ATTEMPT_COLUMNS)}, id, request_id, number) VALUES ({"?, " * len(encoding.ATTEMPT_COLUMNS)}?, ?, ?)
ON CONFLICT (id) DO UPDATE SET {", ".join(f"{column} = excluded.{column}" for column in encoding.ATTEMPT_COLUMNS)}
WHERE attempts.status = 'reserved'"""  # noqa: S608 - constants

# The id is `request_id:number`, and `;` follows `:`, so one request's attempts are one range of the primary key.
ATTEMPTS = """
SELECT * FROM attempts
WHERE id >= :request_id || ':' AND id < :request_id || ';' AND request_id = :request_id ORDER BY number"""

ATTEMPT_CHARGES = """
SELECT id, status, cost, provider, model FROM attempts
WHERE id >= :request_id || ':' AND id < :request_id || ';' AND request_id = :request_id"""

CLOSE_ATTEMPTS = """
UPDATE attempts SET status = 'unknown_estimated'
WHERE id >= :request_id || ':' AND id < :request_id || ';' AND request_id = :request_id AND status = 'reserved'"""

COUNT_ATTEMPTS = """
UPDATE routing_metrics SET attempts = CASE WHEN attempts < :number THEN :number ELSE attempts END WHERE request_id = :request_id AND status = 'open'"""

OPEN_OWNERS = "SELECT DISTINCT owner FROM routing_metrics WHERE status = 'open'"

OPEN_ROWS = """
SELECT request_id, candidates, baseline_provider, baseline_model FROM routing_metrics
WHERE status = 'open' AND owner IS NOT DISTINCT FROM ?"""

ORPHAN_ATTEMPT = """
UPDATE attempts SET status = 'orphaned', cost = :cost, cost_nano = :cost_nano WHERE id = :id AND status = 'reserved'"""

INTERRUPT = """
UPDATE routing_metrics SET
    status = 'interrupted', estimated = 1, evidence = CASE WHEN CAST(:baseline_cost AS DOUBLE PRECISION) IS NULL THEN 'unknown' ELSE 'modelled' END, error_code = 'interrupted', recovered_at = :recovered_at,
    baseline_cost = :baseline_cost, actual_cost = :actual_cost, cost_savings = :cost_savings,
    savings_percentage = :savings_percentage, baseline_cost_nano = :baseline_cost_nano, actual_cost_nano = :actual_cost_nano
WHERE request_id = :request_id AND status = 'open'"""

RATED_ROW = """
SELECT key_id, selected_provider, selected_model, pattern_detected, complexity_score, actual_cost,
    prompt_tokens, completion_tokens, duration, features, agreement, timestamp
FROM routing_metrics WHERE request_id = ?"""

FEEDBACK_COUNT = "SELECT count(*) FROM feedback WHERE key_id IS NOT DISTINCT FROM :key_id AND timestamp >= :day AND timestamp < :next_day"

INSERT_FEEDBACK = """
INSERT INTO feedback (request_id, timestamp, score, comment, key_id, held_weight)
VALUES (:request_id, :timestamp, :score, :comment, :key_id, :held_weight) ON CONFLICT (request_id) DO NOTHING"""

RATING = "SELECT timestamp, score, held_weight FROM feedback WHERE request_id = ?"

MARK_LEARNED = "UPDATE feedback SET held_weight = NULL WHERE request_id = ?"

FEEDBACK_KEY = """
INSERT INTO feedback_keys (provider, model, key_id) VALUES (:provider, :model, :key_id) ON CONFLICT DO NOTHING"""

FEEDBACK_KEYS = "SELECT count(*) FROM feedback_keys WHERE provider = :provider AND model = :model"

_HELD = """
FROM feedback JOIN routing_metrics USING (request_id)
WHERE held_weight IS NOT NULL AND selected_provider = :provider AND selected_model = :model"""

# The newest held feedback of each key, in chronological order.
HELD_FEEDBACK = f"""
SELECT request_id FROM (
    SELECT request_id, feedback.timestamp AS rated,
        row_number() OVER (PARTITION BY feedback.key_id ORDER BY feedback.timestamp DESC, request_id) AS rank {_HELD}
) AS ranked WHERE rank <= :most ORDER BY rated, request_id"""  # noqa: S608 - constants

DROP_HELD = f"UPDATE feedback SET held_weight = NULL WHERE request_id IN (SELECT request_id {_HELD})"  # noqa: S608 - constants

SET_FEEDBACK_SCORE = "UPDATE routing_metrics SET feedback_score = :score WHERE request_id = :request_id"

FEEDBACK_OF = "SELECT timestamp, score, comment, key_id FROM feedback WHERE request_id = ?"

INSERT_OUTCOME = f"""
INSERT INTO outcomes ({", ".join(encoding.OUTCOME_COLUMNS)}) VALUES ({"?, " * (len(encoding.OUTCOME_COLUMNS) - 1)}?)"""  # noqa: S608 - constants
# Not for `executemany`, which would stop at the first id.
INSERT_OUTCOME_ID = f"{INSERT_OUTCOME} RETURNING id"

# An outcome that was stored with its row has the row's features.
_OUTCOME_COLUMNS = ", ".join(
    "coalesce(outcomes.features, routing_metrics.features) AS features" if name == "features" else f"outcomes.{name}"
    for name in ("id", *encoding.OUTCOME_COLUMNS)
)
OUTCOMES = f"""
SELECT {_OUTCOME_COLUMNS} FROM outcomes LEFT JOIN routing_metrics USING (request_id)
WHERE outcomes.id > ? ORDER BY outcomes.id LIMIT ?"""  # noqa: S608 - constants

NEWEST_OUTCOME = "SELECT coalesce(max(id), 0) FROM outcomes"

# The rows are found by their id, so that no page sorts the rest of the ledger.
PRICED_ROWS = f"""
SELECT {", ".join(encoding.PRICED_COLUMNS)} FROM routing_metrics
WHERE id > :after AND timestamp >= :since AND status <> 'open' ORDER BY id LIMIT :limit"""  # noqa: S608 - constants

# Only while the row has the figures that the new ones were computed from.
INSERT_COST_HISTORY = """
INSERT INTO cost_history (request_id, repriced, price_version, actual_cost, actual_cost_nano, baseline_cost, baseline_cost_nano,
    baseline_cost_low, baseline_cost_high, others)
SELECT request_id, :repriced, price_version, actual_cost, actual_cost_nano, baseline_cost, baseline_cost_nano,
    baseline_cost_low, baseline_cost_high, :others
FROM routing_metrics WHERE request_id = :request_id AND status <> 'open'
    AND actual_cost_nano IS NOT DISTINCT FROM :was_actual_nano AND baseline_cost_nano IS NOT DISTINCT FROM :was_baseline_nano
ON CONFLICT DO NOTHING"""

REPRICE_REQUEST = """
UPDATE routing_metrics SET
    baseline_cost = :baseline_cost, actual_cost = :actual_cost, cost_savings = :cost_savings,
    savings_percentage = :savings_percentage, baseline_cost_nano = :baseline_cost_nano, actual_cost_nano = :actual_cost_nano,
    baseline_cost_low = :baseline_cost_low, baseline_cost_high = :baseline_cost_high, evidence = :evidence,
    shadow_cost = :shadow_cost, shadow_cost_nano = :shadow_cost_nano, price_version = :price_version,
    prompt_tokens = :prompt_tokens, completion_tokens = :completion_tokens, cached_tokens = :cached_tokens,
    cache_write_tokens = :cache_write_tokens, reasoning_tokens = :reasoning_tokens
WHERE request_id = :request_id"""

REPRICE_ATTEMPT = """
UPDATE attempts SET cost = :cost, cost_nano = :cost_nano, prompt_tokens = :prompt_tokens, completion_tokens = :completion_tokens
WHERE id = :id"""

PROBE = "INSERT INTO write_probe (id, count) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET count = write_probe.count + 1"

# Whole days are read from their rollup, the first day from its hours, and the first hour from the rows.
_PERIOD = f"""
WITH period AS (
    SELECT {rollup.COLUMNS} FROM rollup WHERE unit = 'day' AND bucket > :first_day
    UNION ALL
    SELECT {rollup.COLUMNS} FROM rollup WHERE unit = 'hour' AND bucket > :first_hour AND bucket < :next_day
    UNION ALL
    SELECT {rollup.COLUMNS} FROM rollup_rows WHERE timestamp >= :since AND timestamp < :next_hour AND unit = 'hour'
)"""  # noqa: S608 - constants

# total() rather than sum(): it never overflows, and nano-dollars stay exact up to nine million USD.
_MEASURES = (
    f" {', '.join(f'total({name}) AS {name}' for name in rollup.MEASURES)},"
    " total(requests) FILTER (WHERE strategy NOT IN ('complexity', 'pinned')) AS learned"
)

SUMMARY = (
    _PERIOD  # noqa: S608 - constants of this file
    + " SELECT provider, model, strategy,"
    + _MEASURES
    + " FROM period GROUP BY provider, model, strategy HAVING total(requests) > 0"
)

TIMELINE = (
    _PERIOD
    + " SELECT substr(bucket, 1, :width) AS bucket,"
    + _MEASURES
    + """,
    total(requests) FILTER (WHERE confidence = 'high') AS high,
    total(requests) FILTER (WHERE confidence = 'medium') AS medium,
    total(requests) FILTER (WHERE confidence = 'low') AS low
FROM period GROUP BY 1 HAVING total(requests) > 0 ORDER BY 1"""
)

# What open pages of the dashboard look at again and again: the newest row, and sums of two days.
REVISION = """
SELECT (SELECT coalesce(max(id), 0) FROM routing_metrics) AS newest,
    (SELECT total(count) FROM refusals WHERE hour >= :day) AS refused,
    total(requests) AS requests, total(feedbacks) AS feedbacks, total(cost_nano) AS cost, total(baseline_nano) AS baseline
FROM rollup WHERE unit = 'day' AND bucket >= :day"""

RECENT_VALUES = "SELECT DISTINCT provider, model, pattern, key_id FROM rollup WHERE unit = 'day' AND bucket >= :day"
# The index of keys has their rows in the order of ids.
LAST_USE = "SELECT timestamp FROM routing_metrics WHERE key_id = ? ORDER BY id DESC LIMIT 1"

# What the page of routing shows of the timeline: a fifth of its columns, read in a fraction of the time.
CONFIDENCE_TIMELINE = (
    _PERIOD
    + """ SELECT substr(bucket, 1, :width) AS bucket, total(requests) AS total_requests,
    total(requests) FILTER (WHERE confidence = 'high') AS high,
    total(requests) FILTER (WHERE confidence = 'medium') AS medium,
    total(requests) FILTER (WHERE confidence = 'low') AS low
FROM period GROUP BY 1 HAVING total(requests) > 0 ORDER BY 1"""
)

OPEN_COUNT = "SELECT count(*) FROM routing_metrics WHERE status = 'open'"

CONFIDENCE = (
    _PERIOD
    + """ SELECT nullif(confidence, '') AS confidence, total(requests) AS count
FROM period WHERE strategy NOT IN ('complexity', 'pinned') GROUP BY 1 HAVING total(requests) > 0 ORDER BY count DESC, 1 NULLS FIRST"""
)

PATTERNS = (
    _PERIOD
    + """ SELECT model, nullif(pattern, '') AS pattern, total(requests) AS count,
    total(savings_nano) / nullif(total(priced), 0) AS avg_savings,
    total(percentage_sum) / nullif(total(percentages), 0) AS avg_savings_pct,
    total(quality_sum) / nullif(total(feedbacks), 0) AS avg_quality
FROM period WHERE strategy NOT IN ('complexity', 'pinned') GROUP BY model, 2 HAVING total(requests) > 0
ORDER BY count DESC, model, 2 NULLS FIRST"""
)

# Reads the newest rows only, so its time does not depend on the size of the ledger.
STRONG_SHARE_BY_KEY = """
SELECT key_id, selected_provider AS provider, selected_model AS model, count(*) AS count
FROM (SELECT key_id, selected_provider, selected_model, strategy_used FROM routing_metrics ORDER BY id DESC LIMIT ?) AS newest
WHERE strategy_used <> 'pinned' GROUP BY 1, 2, 3 ORDER BY count DESC, 1 NULLS FIRST, 2, 3"""

# What a list of requests shows of each.
REQUEST_COLUMNS = (
    "id", "request_id", "timestamp", "strategy_used", "confidence", "selected_provider", "selected_model",
    "baseline_provider", "baseline_model", "baseline_cost", "actual_cost", "cost_savings", "savings_percentage",
    "pattern_detected", "complexity_score", "experimental", "fallback_used", "fallback_reason", "status",
    "baseline_cost_low", "baseline_cost_high", "evidence", "estimated", "auto_route", "requested_model",
    "reasoning", "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens",
    "reasoning_tokens", "price_version", "policy_version", "propensity", "session_id", "session_kept",
    "switch_penalty", "cache_marks", "shadow_provider", "shadow_model", "shadow_cost", "key_id",
    "client_request_id", "client_retries", "endpoint", "tags", "holdback", "cache_miss", "cache_missed_tokens",
    "cache_loss", "streamed", "http_status", "error_code", "finish_reason", "first_byte", "duration", "attempts", "feedback_score",
)  # fmt: skip
REQUESTS = f"SELECT {', '.join(REQUEST_COLUMNS)} FROM routing_metrics"  # noqa: S608 - constants

SHADOW = """
SELECT shadow_provider, shadow_model, count(*) AS requests,
    count(*) FILTER (WHERE shadow_provider = selected_provider AND shadow_model = selected_model) AS same,
    count(*) FILTER (WHERE shadow_cost_nano IS NULL OR actual_cost_nano IS NULL) AS unpriced,
    total(actual_cost_nano) FILTER (WHERE shadow_cost_nano IS NOT NULL) AS cost_nano,
    total(shadow_cost_nano) FILTER (WHERE actual_cost_nano IS NOT NULL) AS shadow_nano
FROM routing_metrics
WHERE shadow_model IS NOT NULL AND holdback IS NULL AND timestamp >= :since AND status <> 'open'
GROUP BY shadow_provider, shadow_model ORDER BY requests DESC, shadow_provider, shadow_model"""

# A held-back row names the routed choice as its shadow; the partial index on these rows serves this. Where only the choice's
# price is unknown, the whole cost counts.
HOLDBACK_COST = """
SELECT total(actual_cost_nano - coalesce(shadow_cost_nano, 0))
FROM routing_metrics WHERE shadow_model IS NOT NULL AND holdback = 1 AND timestamp >= :since"""
JUDGE_COST = "SELECT total(actual_cost_nano) FROM routing_metrics WHERE endpoint = 'judge' AND timestamp >= :since"

# Answers that both the judge and a person rated.
JUDGE_AGREEMENT = """
SELECT count(*) AS answers, avg(CAST((outcomes.quality >= 0.5) = (feedback.score >= 0.5) AS INTEGER)) AS agreement,
    avg(outcomes.quality - feedback.score) AS difference
FROM outcomes JOIN feedback ON feedback.request_id = outcomes.request_id WHERE outcomes.source = 'judge'"""

FILTERS = (
    "strategy_used",
    "confidence",
    "selected_provider",
    "selected_model",
    "pattern_detected",
    "status",
    "session_id",
    "key_id",
    "fallback_used",
    "experimental",
    "estimated",
    "endpoint",
)
BOUNDS = {"since": "timestamp >= :since", "until": "timestamp < :until"}

TAG = "tag:"
# A subagent's session is `session/agent`, and `0` follows `/`.
_SESSION = "(session_id = :session OR (session_id >= :session || '/' AND session_id < :session || '0'))"
SESSION_TOTALS = f"""
SELECT count(*) AS requests, coalesce(sum(actual_cost_nano), 0) AS cost_nano,
    coalesce(sum(CASE WHEN cost_savings IS NOT NULL THEN baseline_cost_nano - actual_cost_nano END), 0) AS savings_nano
FROM routing_metrics WHERE {_SESSION} AND status <> 'open'"""  # noqa: S608 - constants
# A tag as it stands in the JSON object, `"name":"value"`. Quotes in a text are escaped, so it cannot stand anywhere else.
_TAGGED = "replace(tags, :tag_{number}, '') <> tags"

# Repeats the condition of the partial index on error rows: SQLite only then uses it.
_TROUBLED = "status NOT IN ('ok', 'open')"


def requests(filters: Mapping[str, object], *, before: int | None) -> str:
    """The query for the newest rows with the given values. It has a condition per given filter only, so that indexes are used.

    A filter is one of `FILTERS`, `session` (a session with its subagents), or `tag:NAME`. The
    parameter of the n-th tag is `tag_n`, its JSON.
    """
    where = _where(_conditions(filters) + ([] if before is None else ["id < :before"]))
    return f"{REQUESTS}{where} ORDER BY id DESC LIMIT :limit"


def first_byte_times(filters: Mapping[str, object]) -> str:
    """The query for the seconds to the first byte of the newest rows that have any."""
    where = _where([*_conditions(filters), "first_byte IS NOT NULL"])
    return f"SELECT first_byte FROM routing_metrics{where} ORDER BY id DESC LIMIT :limit"  # noqa: S608 - constants


def _conditions(filters: Mapping[str, object]) -> list[str]:
    # A period that is over is found by its time: its rows are far from the newest ones of a strategy or confidence.
    unindexed = ("strategy_used", "confidence") if "until" in filters else ()
    conditions = [
        f"coalesce({name}, '') = :{name}" if name in unindexed else f"{name} = :{name}"
        for name in FILTERS
        if name in filters
    ]
    conditions += [condition for name, condition in BOUNDS.items() if name in filters]
    if "session" in filters:
        conditions.append(_SESSION)
    conditions += [_TAGGED.format(number=number) for number, _ in enumerate(tag_names(filters))]
    return [*conditions, _TROUBLED] if filters.get("status") not in (None, "ok", "open") else conditions


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def tag_names(filters: Mapping[str, object]) -> list[str]:
    """The filters by tag, in the order of their parameters."""
    return [name for name in filters if name.startswith(TAG)]


REQUEST = "SELECT * FROM routing_metrics WHERE request_id = ?"

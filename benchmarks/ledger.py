"""A ledger of a million rows, and how long it takes to open it and to ask it: python -m benchmarks.ledger [ROWS]."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.catalog.packaged import load_catalog, load_prices
from gateway.savings import ReportQuery, ledger_report
from gateway.store.connection import DatabaseFile
from gateway.store.sqlite import SqliteStore

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAYS = 90
ROUNDS = 5

# Every hour has every model, pattern, confidence and strategy sooner or later: more of a mixture than real ledgers have.
ROWS = """
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :rows)
INSERT INTO routing_metrics (
    request_id, timestamp, strategy_used, confidence, selected_provider, selected_model, baseline_provider, baseline_model,
    baseline_cost, actual_cost, cost_savings, savings_percentage, pattern_detected, complexity_score, status,
    baseline_cost_nano, actual_cost_nano, prompt_tokens, completion_tokens, cached_tokens, duration, key_id, session_id, tags,
    evidence, baseline_cost_low, baseline_cost_high, holdback, feedback_score, cache_miss, cache_missed_tokens, cache_loss_nano
)
SELECT 'req_' || n, strftime('%Y-%m-%dT%H:%M:%S+00:00', :now, '-' || (n * :span / :rows) || ' seconds'),
    iif(n % 5, 'hybrid', 'pinned'), iif(n % 5, iif(n % 3, 'high', 'medium'), NULL), 'provider' || (n % 3), 'model' || (n % 12),
    'claude', 'baseline', 0.004, 0.001, 0.003, 75, iif(n % 5, 'pattern' || (n % 11), NULL), 0.4, iif(n % 97, 'ok', 'error'),
    4000000, 1000000, 400, 60, 100, 0.8, 'key' || (n % 12), 'session' || (n / 8), '{"team":"team' || (n % 6) || '"}',
    iif(n % 12, 'modelled', 'exact'), 0.002, 0.008, iif(n % 5, n % 100 = 1, NULL), iif(n % 4 = 1, n % 101 / 100.0, NULL),
    iif(n % 7, NULL, iif(n % 2, 'expired', 'switched_model')), iif(n % 7, NULL, 300), iif(n % 7, NULL, 50000)
FROM number"""


def filled(path: Path, rows: int) -> None:
    with closing(DatabaseFile(path).open()) as connection:
        connection.execute(ROWS, {"rows": rows, "now": NOW.isoformat(), "span": DAYS * 86_400})


def milliseconds(work: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """The first time, and the least of those after it."""
    took = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - began))
    return took[0], min(took[1:])


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.db"
        filled(path, rows)
        size = path.stat().st_size / 1e6
        say(f"{rows:,} rows, {size:,.0f} MB; ms the first time, and the least of {ROUNDS} after it")
        say("{:24} {:8.1f} {:8.1f}".format("open", *milliseconds(lambda: SqliteStore(path).close())))
        with closing(SqliteStore(path, now=lambda: NOW)) as store:
            catalog, prices = load_catalog(), load_prices()

            def report(days: float, **query: Any) -> Callable[[], object]:
                wanted = ReportQuery(since=NOW - timedelta(days=days), **query)
                return lambda: ledger_report(store, wanted, catalog=catalog, prices=prices, now=NOW)

            for name, work in {
                "summary of 30 days": lambda: store.summary(days=30),
                "summary of 90 days": lambda: store.summary(days=90),
                "timeline of 30 days": lambda: store.timeline(days=30),
                "timeline of a day": lambda: store.timeline(days=1),
                "patterns": lambda: store.patterns(),
                "confidence": lambda: store.confidence(),
                "the last 50 requests": lambda: store.requests(),
                "the last 50 errors": lambda: store.requests(filters={"status": "error"}),
                "one request": lambda: store.request("req_7"),
                "report of a day": report(1),
                "report of 30 days": report(30),
                "report of 90 days": report(90),
                "of 30 days, one key": report(30, key_id="key7"),
                "of 30 days, by key": report(30, by="key"),
                "of 30 days, by day": report(30, by="day"),
                "of 30 days, by session": report(30, by="session"),
                "of 30 days, by a tag": report(30, by="tag:team"),
            }.items():
                say("{:24} {:8.1f} {:8.1f}".format(name, *milliseconds(work)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)

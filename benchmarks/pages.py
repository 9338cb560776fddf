"""How long the dashboard's pages take on a ledger of a million rows: python -m benchmarks.pages [ROWS] [LEDGER].

The ledger is made as LEDGER if it does not exist, otherwise in a temporary folder. Its rows are those of a team: 17 keys, 11
patterns, each with three models that answer it, sessions of five requests, ratings, errors; the newest 50,000 have candidates.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request

from benchmarks.ledger import DAYS, milliseconds, say
from gateway.api.dashboard.filters import PageFilters, page_filters
from gateway.api.dashboard.health_page import GatewayState, health
from gateway.api.dashboard.key_pages import key_list
from gateway.api.dashboard.overview import overview
from gateway.api.dashboard.request_pages import request_list
from gateway.api.dashboard.routing_page import routing
from gateway.store.connection import DatabaseFile
from gateway.store.sqlite import SqliteStore

CANDIDATES = '{"provider": ["p"], "model": ["m"], "note": ["' + 4000 * "x" + '"]}'
# `r` is a generator's state; a, b and k are drawn from it, low values more often where they are squared.
ROWS = """
WITH RECURSIVE number(n, r) AS (
    SELECT 0, 12345 UNION ALL SELECT n + 1, (r * 1103515245 + 12345) % 2147483648 FROM number WHERE n + 1 < :rows
),
drawn AS (SELECT n, (r >> 8) % 100 AS a, (r >> 11) % 1000 AS b, (r >> 5) % 60 AS k FROM number)
INSERT INTO routing_metrics (
    request_id, timestamp, strategy_used, confidence, selected_provider, selected_model, baseline_provider, baseline_model,
    baseline_cost, actual_cost, cost_savings, savings_percentage, pattern_detected, complexity_score, status, fallback_used,
    reasoning, baseline_cost_nano, actual_cost_nano, baseline_cost_low, baseline_cost_high, evidence, auto_route,
    prompt_tokens, completion_tokens, cached_tokens, duration, first_byte, session_id, key_id, candidates, http_status,
    feedback_score, endpoint
)
SELECT 'req_' || n, strftime('%Y-%m-%dT%H:%M:%S.000+00:00', :now, '-' || ((:rows - n) * :span / :rows) || ' seconds'),
    iif(a < 80, 'hybrid', 'pinned'), iif(a < 80, iif(k % 11 > 3, 'high', 'medium'), NULL),
    'provider' || ((k * k / 350 + a * a / 4000) % 3), 'model' || ((k * k / 350 + a * a / 4000) % 12), 'claude', 'baseline',
    0.004, 0.001, 0.003, 75, iif(a < 80, 'pattern' || (k * k / 350), NULL), 0.4, iif(b % 97, 'ok', 'error'),
    iif(b % 50, 0, 1), 'the cheapest model that is good enough', 4000000, 1000000, 0.003, 0.005,
    iif(b % 10, 'modelled', 'exact'), iif(a < 80, 1, 0), 400, 60, 100, 0.8, 0.3 + b / 1000.0, 's-' || (n / 5),
    'key_' || ((n / 5) * 7 % 17), iif(n > :rows - 50000, :candidates, NULL), 200, iif(b % 40, NULL, 0.8), 'chat_completions'
FROM drawn"""
FILTERS = {
    "overview": ("", "since=24h", "since=7d", "since=365d", "model=provider0/model0", "key=key_3", "pattern=pattern2"),
    "requests": (
        "",
        "since=24h",
        "model=provider0/model0",
        "model=provider0/nosuch",
        "pattern=pattern2",
        "pattern=pattern0&key=key_3&model=provider0/model1",
        "key=key_3",
        "status=error",
        "strategy=pinned",
        "strategy=hybrid&since=60d&until=58d",
        "q=s-7",
        "q=nobody",
        "before=1000",
    ),
    "routing": ("", "key=key_3", "pattern=pattern2"),
    "keys": ("", "since=365d"),
    "health": ("",),
}


def filled(path: Path, rows: int, now: datetime) -> None:
    with closing(DatabaseFile(path).open()) as connection:
        values = {"rows": rows, "now": f"{now:%Y-%m-%dT%H:%M:%S}", "span": DAYS * 86_400, "candidates": CANDIDATES}
        connection.execute(ROWS, values)


def filters_of(query: str, now: datetime) -> PageFilters:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": query.encode()}
    return page_filters(Request(scope), now=now)


def pages(store: SqliteStore, now: datetime) -> Iterator[tuple[str, Callable[[], object]]]:
    """What a page reads, by its name and filters; rendering takes a few milliseconds more."""
    state = GatewayState(
        providers=["provider0"], cooling=frozenset, event_loop_lag=lambda: 0.0, in_flight=lambda: 0, waiting=lambda: 0,
        unsettled=lambda: 0, damage=lambda: None, prices="2026-11-01", ledger="SQLite",
    )  # fmt: skip
    reads: dict[str, Callable[[PageFilters], Any]] = {
        "overview": lambda filters: overview(store, filters, now=now),
        "requests": lambda filters: request_list(store, filters),
        "routing": lambda filters: routing(store, filters, now=now),
        "keys": lambda filters: key_list(store, filters, strong=lambda provider, model: model == "model0", now=now),
        "health": lambda filters: health(store, state, now=now, clock=time.monotonic),
    }
    for name, queries in FILTERS.items():
        for query in queries:
            yield f"{name} {query}".strip(), lambda read=reads[name], query=query: read(filters_of(query, now))  # type: ignore[misc]  # their defaults


def main(rows: int, ledger: Path | None) -> None:
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        path = ledger or Path(folder) / "gateway.db"
        if not path.exists():
            filled(path, rows, now)
        with closing(SqliteStore(path)) as store, store.reading() as connection:
            groups = connection.execute("SELECT count(*) FROM rollup WHERE unit = 'day'").get
            say(f"{rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB, {groups:,} rows of days in the rollup")
            say("ms the first time, and the least of 3 after it")
            for name, read in pages(store, now):
                say("{:60} {:8.1f} {:8.1f}".format(name, *milliseconds(read, 3)))


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000,
        Path(sys.argv[2]) if len(sys.argv) > 2 else None,
    )

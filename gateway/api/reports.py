"""`GET /v1/routing/...`: the ledger, aggregated and row by row, for the admin."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.refusals import RefusalCounter
from gateway.api.rows_csv import csv_text
from gateway.catalog import Catalog, PriceTable, plain_numbers
from gateway.errors import InvalidRequest, NotFound
from gateway.savings import ReportQuery, ledger_report, moment
from gateway.store import Store

MAX_DAYS = 3660.0
MAX_ROWS = 500
MAX_CSV_ROWS = 100_000
# The filters of `/requests`, each with its column.
FILTERS: Mapping[str, str] = {
    "provider": "selected_provider",
    "model": "selected_model",
    "status": "status",
    "strategy": "strategy_used",
    "pattern": "pattern_detected",
    "key": "key_id",
    "session": "session",
    "endpoint": "endpoint",
}
TAG = "tag:"
_PAGING = ("limit", "before", "since", "until", "format")
_REPORT = ("since", "until", "by", "key")


class ReportEndpoints:
    """Reads run off the event loop. `note` is a sentence on the baseline for the report, `refusals` counts what has no row."""

    def __init__(
        self,
        store: Store,
        *,
        catalog: Catalog,
        prices: PriceTable,
        now: Callable[[], datetime],
        note: str | None = None,
        refusals: RefusalCounter | None = None,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._prices = prices
        self._now = now
        self._note = note
        self._refusals = refusals

    async def summary(self, request: Request) -> Response:
        return _json(await asyncio.to_thread(self._store.summary, days=days_of(request)))

    async def report(self, request: Request) -> Response:
        """`?since=` (30 days by default), `?until=`, `?by=`, `?key=`. Raises InvalidRequest."""
        _only(request, _REPORT)
        wanted = request.query_params
        since, until = self._bounds(request)
        now = self._now()
        query = ReportQuery(since or now - timedelta(days=30), until, wanted.get("by"), wanted.get("key"))
        if self._refusals is not None:
            await asyncio.to_thread(self._refusals.flush)
        read = partial(
            ledger_report, self._store, query, catalog=self._catalog, prices=self._prices, now=now, note=self._note
        )
        return _json(await asyncio.to_thread(read))

    async def confidence(self, request: Request) -> Response:
        return _json(await asyncio.to_thread(self._store.confidence, days=days_of(request)))

    async def patterns(self, request: Request) -> Response:
        return _json({"data": await asyncio.to_thread(self._store.patterns, days=days_of(request))})

    async def timeline(self, request: Request) -> Response:
        return _json({"data": await asyncio.to_thread(self._store.timeline, days=days_of(request))})

    async def requests(self, request: Request) -> Response:
        """Rows by filters, newest first; `?format=csv` exports all that the filters leave, up to `MAX_CSV_ROWS`."""
        _only(request, (*FILTERS, *_PAGING, TAG))
        wanted = request.query_params
        filters: dict[str, object] = {column: wanted[name] for name, column in FILTERS.items() if name in wanted}
        filters |= {name: value for name, value in wanted.items() if name.startswith(TAG)}
        filters |= {
            name: at.isoformat() for name, at in zip(("since", "until"), self._bounds(request), strict=True) if at
        }
        limit = _whole(request, "limit", default=50, most=MAX_ROWS)
        before = _whole(request, "before", default=0, most=2**62) or None
        if wanted.get("format", "json") not in ("json", "csv"):
            raise InvalidRequest(f"format is json or csv, not {wanted['format'][:40]!r}.", param="format")
        if wanted.get("format") == "csv":
            return await asyncio.to_thread(self._csv, filters)
        rows = await asyncio.to_thread(self._store.requests, limit=limit, before=before, filters=filters)
        return _json({"data": rows, "next_before": rows[-1]["id"] if rows and len(rows) == limit else None})

    def _csv(self, filters: Mapping[str, object]) -> Response:
        rows: list[dict[str, Any]] = []
        before: int | None = None
        while len(rows) < MAX_CSV_ROWS:
            page = self._store.requests(limit=MAX_ROWS, before=before, filters=filters)
            rows += page
            if len(page) < MAX_ROWS:
                break
            before = page[-1]["id"]
        headers = {"content-disposition": "attachment; filename=requests.csv"}
        names = list(rows[0]) if rows else ["id"]
        return Response(csv_text(names, rows), media_type="text/csv", headers=headers)

    async def request(self, request: Request) -> Response:
        request_id = request.path_params["request_id"]
        row = await asyncio.to_thread(self._store.request, request_id)
        if row is None:
            raise NotFound(f"There is no request {request_id!r} in the ledger.", param="request_id")
        return _json(row)

    def _bounds(self, request: Request) -> tuple[datetime | None, datetime | None]:
        now, wanted = self._now(), request.query_params
        since, until = (
            moment(wanted[name], now=now, name=name) if name in wanted else None for name in ("since", "until")
        )
        return since, until


def days_of(request: Request) -> float:
    """`?days=`: how far back, more than 0 and at most ten years; 30 when absent."""
    text = request.query_params.get("days", "30")
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 < days <= MAX_DAYS:
        raise InvalidRequest(
            f"days must be a number above 0 and at most {MAX_DAYS:.0f}, not {text[:40]!r}.", param="days"
        )
    return days


def _only(request: Request, known: Sequence[str]) -> None:
    """A misspelt filter must not be ignored: it would answer with other rows than were asked for."""
    for name in request.query_params:
        if name not in known and not (TAG in known and name.startswith(TAG)):
            raise InvalidRequest(f"There is no filter {name[:40]!r}; known are {', '.join(known)}.", param=name[:40])


def _whole(request: Request, name: str, *, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise InvalidRequest(f"{name} must be a whole number from 0 to {most}, not {text[:40]!r}.", param=name)
    return int(text)


def _json(content: Any) -> Response:
    return Response(orjson.dumps(plain_numbers(content)), media_type="application/json")

"""`GET /v1/routing/...`: the ledger, aggregated and row by row, for the admin."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.catalog import plain_numbers
from gateway.errors import InvalidRequest, NotFound
from gateway.store import Store

MAX_DAYS = 3660.0
MAX_ROWS = 500


class ReportEndpoints:
    """Reads run off the event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def summary(self, request: Request) -> Response:
        return _json(await asyncio.to_thread(self._store.summary, days=days_of(request)))

    async def confidence(self, request: Request) -> Response:
        return _json(await asyncio.to_thread(self._store.confidence, days=days_of(request)))

    async def patterns(self, request: Request) -> Response:
        return _json({"data": await asyncio.to_thread(self._store.patterns, days=days_of(request))})

    async def timeline(self, request: Request) -> Response:
        return _json({"data": await asyncio.to_thread(self._store.timeline, days=days_of(request))})

    async def requests(self, request: Request) -> Response:
        limit = _whole(request, "limit", default=50, most=MAX_ROWS)
        before = _whole(request, "before", default=0, most=2**62) or None
        tags = {name: value for name, value in request.query_params.items() if name.startswith("tag:")}
        rows = await asyncio.to_thread(self._store.requests, limit=limit, before=before, filters=tags)
        return _json({"data": rows, "next_before": rows[-1]["id"] if rows and len(rows) == limit else None})

    async def request(self, request: Request) -> Response:
        request_id = request.path_params["request_id"]
        row = await asyncio.to_thread(self._store.request, request_id)
        if row is None:
            raise NotFound(f"There is no request {request_id!r} in the ledger.", param="request_id")
        return _json(row)


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


def _whole(request: Request, name: str, *, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise InvalidRequest(f"{name} must be a whole number from 0 to {most}, not {text[:40]!r}.", param=name)
    return int(text)


def _json(content: Any) -> Response:
    return Response(orjson.dumps(plain_numbers(content)), media_type="application/json")

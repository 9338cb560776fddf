"""`/healthz` (alive) and `/readyz` (able to serve): for orchestrators, without a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.store import Store


async def healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


class Readiness:
    """503 while draining or when the ledger cannot be written."""

    def __init__(self, store: Store, *, draining: Callable[[], bool]) -> None:
        self._store = store
        self._draining = draining

    async def readyz(self, request: Request) -> Response:
        if self._draining():
            return JSONResponse({"status": "draining"}, 503)
        if not await asyncio.to_thread(self._store.writable):
            return JSONResponse({"status": "degraded", "reason": "the ledger cannot be written"}, 503)
        return JSONResponse({"status": "ready"})

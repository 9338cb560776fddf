"""`/healthz` (alive) and `/readyz` (able to serve): for orchestrators, without a key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import LedgerUnavailable
from gateway.store import Store

log = logging.getLogger(__name__)


async def healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def probe(request: Request) -> Response:
    """Something serves here; says nothing else."""
    return Response()


class IntegrityCheck:
    """The result of the last integrity check of the whole ledger; `finding` is None while no damage was found."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.finding: str | None = None

    def check(self) -> None:
        """Blocks. A damaged ledger may still accept rows, so damage has to be searched for."""
        try:
            self._store.check()
        except LedgerUnavailable as error:
            self.finding = error.message
            log.error("%s", error.message)
        else:
            self.finding = None


class Readiness:
    """503 while draining, before the ledger's outcomes are learned, when it cannot be written, or was found damaged."""

    def __init__(
        self,
        store: Store,
        *,
        draining: Callable[[], bool],
        starting: Callable[[], bool],
        integrity: IntegrityCheck,
    ) -> None:
        self._store = store
        self._draining = draining
        self._starting = starting
        self._integrity = integrity

    async def readyz(self, request: Request) -> Response:
        if self._draining():
            return JSONResponse({"status": "draining"}, 503)
        if self._starting():
            return JSONResponse({"status": "starting", "reason": "the ledger's outcomes are being learned"}, 503)
        if not await asyncio.to_thread(self._store.writable):
            return JSONResponse({"status": "degraded", "reason": "the ledger cannot be written"}, 503)
        if self._integrity.finding is not None:
            return JSONResponse({"status": "degraded", "reason": "the ledger is damaged; the log says more"}, 503)
        return JSONResponse({"status": "ready"})

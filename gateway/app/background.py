"""The application's lifespan: what runs beside the requests, from start-up to shutdown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from gateway.api.refusals import FLUSH_SECONDS
from gateway.api.response_state import EXPIRY_SECONDS
from gateway.app.services import Services

log = logging.getLogger(__name__)

KEYS_SECONDS = 2.0  # until a key that another process made, rotated or revoked is known here, where nothing tells of it
ORPHANS_SECONDS = 30.0
SPENDING_SECONDS = 10.0  # until what other processes spend on the holdback, the judge and budgets is known here
CONTENTS_SECONDS = 600.0
INTEGRITY_SECONDS = 86_400.0
FIRST_REFRESH = 0.5  # seconds that a start waits for a large ledger to be learned; the rest is learned while serving
SHUTDOWN_SECONDS = 2.0  # in which interrupted requests send their last event and close their rows


def background_tasks(services: Services) -> Mapping[str, Callable[[], Coroutine[Any, Any, None]]]:
    """What runs until the application shuts down, by the name of its asyncio task."""
    shared = {} if services.permit_limiter is None else {"request permits": services.permit_limiter.run}
    return {
        **shared,
        "routing refresh": services.refresh_loop.run,
        "event loop lag": services.event_loop_lag.run,
        "settlement retries": services.settlement_retries.run,
        "metrics sharing": services.exporter.share,
        "virtual keys": partial(refresh_keys, services),
        "holdback spending": partial(run_periodically, SPENDING_SECONDS, services.holdback_spending.refresh),
        "judge spending": partial(run_periodically, SPENDING_SECONDS, services.judge_spending.refresh),
        "budget spending": partial(run_periodically, SPENDING_SECONDS, services.budget_spending.refresh),
        "key budgets": partial(run_periodically, SPENDING_SECONDS, services.key_budgets.refresh),
        "judge": services.judge_queue.run,
        "orphaned requests": partial(run_periodically, ORPHANS_SECONDS, services.close_orphans),
        "expired responses": partial(run_periodically, EXPIRY_SECONDS, services.delete_expired_responses),
        "old contents": partial(run_periodically, CONTENTS_SECONDS, services.content_retention.delete),
        "refusals": partial(run_periodically, FLUSH_SECONDS, services.refusals.flush),
        "response memory": services.response_memory.run,
        "live updates": services.live_updates.run,
        "webhooks": services.webhook_sender.run,
        "alerts": services.alert_monitor.run,
        "ledger integrity": partial(run_periodically, INTEGRITY_SECONDS, services.integrity.check),
    }


@asynccontextmanager
async def lifespan(services: Services) -> AsyncIterator[None]:
    """Runs the background tasks while the application serves, then closes the services."""
    await asyncio.to_thread(services.close_orphans)
    tasks = [asyncio.create_task(run(), name=name) for name, run in background_tasks(services).items()]
    await services.refresh_loop.wait_started(FIRST_REFRESH)
    try:
        yield
    finally:
        services.lifecycle.end()
        with suppress(TimeoutError):
            await asyncio.wait_for(services.lifecycle.ended(), SHUTDOWN_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(services.store.flush)  # a settlement that fails now is tried once more
        await services.settlement_retries.retry()
        services.exporter.publish()
        services.body_executor.close()
        await services.transport.aclose()
        await asyncio.to_thread(services.refusals.flush)
        await asyncio.to_thread(services.store.close)
        if services.telemetry is not None:
            await asyncio.to_thread(services.telemetry.close)


async def refresh_keys(services: Services) -> None:
    """Reads the keys every KEYS_SECONDS, and at once when a replica tells that they changed."""
    changed = asyncio.Event()
    if services.store.replicas is not None:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        services.store.replicas.watch_keys(wake)
    await run_periodically(KEYS_SECONDS, services.key_cache.refresh, woken=changed)


async def run_periodically(seconds: float, work: Callable[[], object], *, woken: asyncio.Event | None = None) -> None:
    """Calls `work` in a thread until cancelled, `seconds` after its last return, or when `woken` is set.

    A failure is logged and `work` is called again after the next pause. Further failures in a row are not logged.
    """
    failing = False
    woken = woken or asyncio.Event()
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), seconds)
        woken.clear()
        try:
            await asyncio.to_thread(work)
        except Exception:  # whatever broke is logged, and the next call comes
            if not failing:
                log.exception("a periodic task failed; it is tried again every %s s", seconds)
            failing = True
        else:
            failing = False

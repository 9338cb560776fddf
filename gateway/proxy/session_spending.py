"""What a session with a budget has spent so far, for its client and the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from gateway.accounts.budgets import SESSION, TOLD_FROM, Hold, SessionSpending
from gateway.errors import LedgerUnavailable
from gateway.store import Store

log = logging.getLogger(__name__)


async def session_spending(store: Store, holds: Sequence[Hold], *, session: str | None) -> SessionSpending | None:
    """None without a budget of the session, or where the ledger does not tell. From 80 % on there is a line in the log."""
    hold = next((hold for hold in holds if hold.account.startswith(SESSION)), None)
    if hold is None:
        return None
    try:
        balance = await asyncio.to_thread(store.balance, hold.account, hold.period)
    except LedgerUnavailable:  # the money is held already; only the share is not told
        return None
    spending = SessionSpending(balance.used_nano, hold.budget.limit_nano)
    if (share := spending.share(None)) >= TOLD_FROM:
        log.warning("the session %s has spent %.0f %% of its budget", session, 100 * share)
    return spending

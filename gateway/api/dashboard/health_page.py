"""The page of health: the providers and models that are cooling down, the ledger, the event loop, and what version runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

from gateway.store import Store

NEWEST = 200  # rows in which a provider's failures are counted
OLD_PRICES = 30  # days


@dataclass(frozen=True, slots=True)
class GatewayState:
    """What the process knows of itself, for the page of health.

    `cooling` are pairs of provider and model, model None for the whole provider; `event_loop_lag` is seconds;
    `unsettled` counts rows whose settlement is tried again; `prices` is the version of the price table, its date first.
    """

    providers: Sequence[str]
    cooling: Callable[[], frozenset[tuple[str, str | None]]]
    event_loop_lag: Callable[[], float]
    in_flight: Callable[[], int]
    waiting: Callable[[], int]
    unsettled: Callable[[], int]
    damage: Callable[[], str | None]
    prices: str
    ledger: str


def health(store: Store, state: GatewayState, *, now: datetime, clock: Callable[[], float]) -> dict[str, Any]:
    """The values of the page. Blocks: how long the check that the ledger can be written took is one of the values. `clock` is monotonic seconds."""
    began = clock()
    writable = store.writable()
    commit = clock() - began
    newest = store.requests(limit=NEWEST)
    cooling = state.cooling()
    price_age = (now.date() - datetime.fromisoformat(state.prices[:10]).date()).days
    return {
        "providers": [
            {
                "name": name,
                "resting": (name, None) in cooling,
                "models": sorted(model for provider, model in cooling if provider == name and model is not None),
                "requests": sum(row["selected_provider"] == name for row in newest),
                "errors": sum(row["selected_provider"] == name and row["status"] == "error" for row in newest),
            }
            for name in state.providers
        ],
        "newest": len(newest),
        "writable": writable,
        "commit": commit,
        "damage": state.damage(),
        "open": sum(row["status"] == "open" for row in newest),
        "unsettled": state.unsettled(),
        "event_loop_lag": state.event_loop_lag(),
        "in_flight": state.in_flight(),
        "waiting": state.waiting(),
        "prices": state.prices,
        "price_age": price_age,
        "old_prices": price_age > OLD_PRICES,
        "ledger": state.ledger,
        "version": version("auto-gateway"),
    }

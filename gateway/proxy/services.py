"""What the transactions of all requests share: the ledger, prices, clocks and observers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.proxy.content import ContentCollector
from gateway.proxy.outcomes import OutcomeCollector
from gateway.proxy.settlement import CostCalculator
from gateway.proxy.settlement_retry import SettlementRetryQueue
from gateway.records import RequestRecord
from gateway.routing import HostAffinity
from gateway.store import Store

Observer = Callable[[RequestRecord], None]
Incomplete = Callable[
    [str, Sequence[str]], None
]  # a provider, and the kinds of content that were dropped from its answer


@dataclass(frozen=True, slots=True)
class LedgerServices:
    """`clock` is monotonic seconds, `now` UTC.

    `ending` says whether the gateway itself stops open requests; `features` whether rows keep the router's prompt features;
    `unrecorded` whether requests without a budget are served while the ledger is unavailable and their rows wait in
    `settlement_retries`. `content` keeps prompts and answers, where that is on.
    """

    store: Store
    cost_calculator: CostCalculator
    clock: Callable[[], float]
    now: Callable[[], datetime]
    outcome_collector: OutcomeCollector
    settlement_retries: SettlementRetryQueue
    host_affinity: HostAffinity | None = None
    observers: Sequence[Observer] = ()
    incomplete: Incomplete = lambda provider, kinds: None
    ending: Callable[[], bool] = lambda: False
    features: bool = True
    unrecorded: bool = False
    content: ContentCollector | None = None

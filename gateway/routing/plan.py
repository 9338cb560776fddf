"""The plan of one request, and who sends it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from gateway.accounts.virtual_keys import VirtualKey
from gateway.catalog.catalog import ModelKey
from gateway.completion import Cascading
from gateway.request_trace import RequestTrace
from gateway.resilience import Candidate
from gateway.routing.sessions.affinity import SessionLookup
from gateway.routing.sessions.prompt_caching import NO_BREAKPOINTS, CacheBreakpoints
from gateway.routing.spending_limits import PricedOption, Reservation
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.types import RoutingContext, RoutingMode

PINNED = "pinned"  # `strategy_used` of a request whose client named the model


class Caller(NamedTuple):
    """The client: its key's id (never the key), the ids in its headers, the limits of its virtual `key`, and the trace of its request."""

    key_id: str | None = None
    client_request_id: str | None = None
    retries: int | None = None
    key: VirtualKey | None = None
    trace: RequestTrace | None = None


ANONYMOUS = Caller()


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision for one request. `candidates` are in failover order, the chosen one first; a pinned request has one.

    `session` is the request's place in its conversation, `session_kept` whether it stays with its model, and `switch_penalty`
    (USD) what a change costs; all None where sessions do not count. `shadow` is what `auto` would have chosen in shadow mode,
    or without the holdback. `holdback`: a draw sent the conversation to the baseline; None where none was drawn.
    `reservation` is what the request may cost, where that is limited. `breakpoints` are the cache breakpoints that it gets.
    `cascade` is what is done with the answer before it is sent; only `auto` does anything.
    """

    ranking: Ranking
    candidates: tuple[Candidate, ...]
    baseline: ModelKey
    context: RoutingContext
    mode: RoutingMode
    session: SessionLookup | None = None
    session_kept: bool | None = None
    switch_penalty: float | None = None
    shadow: Ranking | None = None
    reservation: Reservation | None = None
    breakpoints: CacheBreakpoints = NO_BREAKPOINTS
    holdback: bool | None = None
    cascade: Cascading = "off"

    @property
    def asked(self) -> tuple[Candidate, ...]:
        """The candidates of a plan by agreement: the two that are asked at once, then the escalation. Empty without such a plan."""
        agreement = self.ranking.agreement
        if agreement is None:
            return ()
        by_key = {(candidate.provider, candidate.model): candidate for candidate in self.candidates}
        return tuple([by_key[key] for key in (agreement.first, agreement.partner, agreement.escalation)])

    def within(self, option: PricedOption) -> Plan:
        """The plan within the money that was held: without its agreement where that is not enough for all of it."""
        ranking = self.ranking
        if ranking.agreement is not None and not option.together:
            ranking = ranking._replace(agreement=None)
        return replace(self, candidates=option.candidates, ranking=ranking)

    @property
    def pinned(self) -> bool:
        """Whether the client's model answers: in mode PINNED, and in shadow mode where the client named one."""
        return self.ranking.strategy == PINNED

"""What a request may cost at most, whose budgets have to hold that much, and which models its key may use.

All of this holds after the router decided, whatever it decided and whatever the client asked for. Where the client set no
limit to the answer, a budget with too little left for the longest one may still have enough for a shorter one: then the
answer is limited to that, so that what is held is always the most that can be spent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.accounts.budgets import GLOBAL, Budget, Hold, usd
from gateway.accounts.virtual_keys import VirtualKey
from gateway.catalog import PriceTable, nano_dollars, worst_case
from gateway.catalog.catalog import Auto, Catalog
from gateway.completion import ChatRequest
from gateway.errors import Forbidden, GatewayError, ModelNotFound
from gateway.resilience import Candidate
from gateway.routing.prompt.context import prompt_tokens_of
from gateway.routing.types import RoutingContext

# Tokens to which an answer may be limited when the client set no limit and money is short, tried in this order.
OUTPUT_CAPS = (16_384, 4_096, 1_024, 256)
PROMPT_MARGIN = 1.25  # our count of prompt tokens is an estimate
# What the price table has no rates for.
_UNPRICED_MEMBERS = ("web_search_options", "plugins", "audio")
_PRICED_TIERS = ("auto", "default", "flex", None)
_ONE_MODEL_ONLY = ("gemini", "claude")  # the others may be told of further models in the body


@dataclass(frozen=True, slots=True)
class PricedOption:
    """One way to serve a request: who may be asked, at what cost at most, and how many tokens an answer may have (None: as asked)."""

    candidates: tuple[Candidate, ...]
    amount_nano: int
    max_output: int | None = None

    def applied(self, request: ChatRequest) -> ChatRequest:
        """The request as it is sent under this offer."""
        if self.max_output is None:
            return request
        return request._replace(body={**request.body, "max_completion_tokens": self.max_output})


@dataclass(frozen=True, slots=True)
class Reservation:
    """The offers, best first, and what has to be held for them: the first offer that every account can hold is taken."""

    offers: tuple[PricedOption, ...]
    holds: tuple[Hold, ...] = ()


@dataclass(frozen=True, slots=True)
class _CostBound:
    """The most that one candidate can cost: nano-dollars for the prompt and for a million tokens of answer.

    `longest` is how many tokens the answer may have, None where nothing says so; `answers` how many there are.
    """

    prompt_nano: int
    million_nano: int
    longest: int | None
    answers: int

    def at(self, step: int | None) -> int | None:
        """With the answer limited to `step` tokens; None where there is no bound."""
        limits = [limit for limit in (self.longest, step) if limit is not None]
        if not limits:
            return None
        return self.prompt_nano - (-min(limits) * self.answers * self.million_nano // 1_000_000)


class SpendingLimits:
    """Made once; `daily` is the budget of everybody together, `attempts` how many candidates one request may try."""

    def __init__(
        self,
        prices: PriceTable,
        catalog: Catalog,
        *,
        now: Callable[[], datetime],
        daily: Budget | None = None,
        attempts: int = 3,
    ) -> None:
        self._prices = prices
        self._catalog = catalog
        self._now = now
        self._daily = daily
        self._attempts = attempts

    def restrict(self, context: RoutingContext, key: VirtualKey | None) -> RoutingContext:
        """The context within what the key may use, so that the router chooses among that. Raises Forbidden when it is nothing."""
        if key is None or not key.is_restricted:
            return context
        wanted = None if context.models is None else set(map(self._full_name, context.models))
        names = (model.full_name for model in key.allowed(self._catalog))
        models = tuple(name for name in names if wanted is None or name in wanted)
        if not models:
            raise Forbidden("None of the models asked for may be used with this key.", code="model_not_allowed")
        return replace(context, models=models)

    def reservation_for(
        self, candidates: Sequence[Candidate], request: ChatRequest, *, key: VirtualKey | None
    ) -> tuple[tuple[Candidate, ...], Reservation | None]:
        """The candidates that are left, and what they may cost where that is limited. Raises Forbidden."""
        left = tuple(candidates)
        if key is not None and key.is_restricted:
            left = self._permitted(left, request, key)
        accounts = self._accounts(key)
        most = None if key is None else key.max_cost_nano
        if not accounts and most is None:
            return left, None
        offers = self._offers(left, request, most=most)
        amounts, now = tuple(option.amount_nano for option in offers), self._now()
        holds = tuple(Hold(account, budget, amounts, now) for account, budget in accounts)
        return offers[0].candidates, Reservation(offers, holds)

    def _accounts(self, key: VirtualKey | None) -> list[tuple[str, Budget]]:
        own = [] if key is None or key.budget is None else [(key.id, key.budget)]
        return own if self._daily is None else [*own, (GLOBAL, self._daily)]

    def _full_name(self, name: str) -> str:
        try:
            target = self._catalog.resolve(name)
        except ModelNotFound:
            return name
        return name if isinstance(target, Auto) else f"{target.provider}/{target.model}"

    def _permitted(
        self, candidates: tuple[Candidate, ...], request: ChatRequest, key: VirtualKey
    ) -> tuple[Candidate, ...]:
        """A client's own list of fallbacks goes to the upstream with the request, so all of it has to be permitted."""
        objections = [self._objection(candidate, request, key) for candidate in candidates]
        left = tuple(c for c, objection in zip(candidates, objections, strict=True) if objection is None)
        if left:
            return left
        raise Forbidden(f"{objections[0]}.", param="model", code="model_not_allowed")

    def _objection(self, candidate: Candidate, request: ChatRequest, key: VirtualKey) -> str | None:
        asked = (candidate, *_fallbacks(candidate, request))
        found = (key.denial_reason(each.full_name, self._catalog.get(each.provider, each.model)) for each in asked)
        return next(filter(None, found), None)

    def _offers(
        self, candidates: tuple[Candidate, ...], request: ChatRequest, *, most: int | None
    ) -> tuple[PricedOption, ...]:
        _refuse_unpriced(request)
        asked = request.output_limit
        steps = (None, *OUTPUT_CAPS) if asked is None else (None,)
        table = self._table(candidates, request, steps=steps)
        if not table:
            raise _unknown_price(candidates[0])
        within = [c for c, costs in table.items() if any(_fits(cost, most) for cost in costs)]
        if not within:
            raise _over_limit(min(cost for costs in table.values() for cost in _known(costs)), most or 0)
        offers = [
            self._option([(c, cost) for c in within if _fits(cost := table[c][index], most)], max_output=step)
            for index, step in enumerate(steps)
            if _fits(table[within[0]][index], most)
        ]
        last, alone = offers[-1], min(_known(table[within[0]]))
        if alone < last.amount_nano:
            offers.append(replace(last, candidates=(within[0],), amount_nano=alone))
        return tuple(offers)

    def _option(self, costs: Sequence[tuple[Candidate, int | None]], *, max_output: int | None) -> PricedOption:
        """As much as the dearest of those that would be tried first; dearer ones that come later are left out."""
        known = [(candidate, cost) for candidate, cost in costs if cost is not None]
        amount = max(cost for _, cost in known[: self._attempts])
        return PricedOption(tuple(candidate for candidate, cost in known if cost <= amount), amount, max_output)

    def _table(
        self, candidates: Sequence[Candidate], request: ChatRequest, *, steps: Sequence[int | None]
    ) -> dict[Candidate, list[int | None]]:
        """What each candidate may cost at each step, those whose price is known."""
        prompt = math.ceil(prompt_tokens_of(request) * PROMPT_MARGIN)
        table: dict[Candidate, list[int | None]] = {}
        for candidate in candidates:
            asked = (candidate, *_fallbacks(candidate, request))
            bounds = [self._bound(each, request, prompt=prompt) for each in asked]
            known = [bound for bound in bounds if bound is not None]
            if len(known) == len(bounds):
                table[candidate] = [_most_expensive(bound.at(step) for bound in known) for step in steps]
        return table

    def _bound(self, candidate: Candidate, request: ChatRequest, *, prompt: int) -> _CostBound | None:
        """At the rates that the bill uses, those of the prompt's size; None when the price is not known."""
        price = self._prices.price(candidate.provider, candidate.model, self._now())
        if price is None:
            return None
        listed = self._catalog.get(candidate.provider, candidate.model)
        limits = (request.output_limit, listed.max_output if listed else None)
        alone = worst_case(prompt, 0, price)
        return _CostBound(
            prompt_nano=nano_dollars(alone),
            million_nano=nano_dollars(worst_case(prompt, 1_000_000, price) - alone),
            longest=min((limit for limit in limits if limit is not None), default=None),
            answers=request.choices,
        )


def _most_expensive(costs: Iterable[int | None]) -> int | None:
    found = list(costs)
    known = _known(found)
    return max(known) if len(known) == len(found) else None


def _fallbacks(candidate: Candidate, request: ChatRequest) -> Iterator[Candidate]:
    """OpenRouter's `models`: whom it may ask instead."""
    if candidate.provider not in _ONE_MODEL_ONLY:
        for name in request.body.get("models") or ():
            rest = name.removeprefix("openrouter/")
            yield Candidate(candidate.provider, rest if "/" in rest else name)


def _refuse_unpriced(request: ChatRequest) -> None:
    body = request.body
    member = next((name for name in _UNPRICED_MEMBERS if body.get(name)), None)
    if body.get("service_tier") not in _PRICED_TIERS:
        member = "service_tier"
    if set(body.get("modalities") or ()) - {"text"}:
        member = "modalities"
    if member is not None:
        raise Forbidden(
            f"What {member!r} adds to the price is not known, so it cannot be asked for within a budget.",
            param=member,
            code="price_unknown",
        )


def _fits(cost: int | None, most: int | None) -> bool:
    return cost is not None and (most is None or cost <= most)


def _known(costs: Sequence[int | None]) -> list[int]:
    return [cost for cost in costs if cost is not None]


def _unknown_price(candidate: Candidate) -> GatewayError:
    return Forbidden(
        f"The price of {candidate.full_name} is not known, so it cannot be used within a budget.",
        param="model",
        code="price_unknown",
    )


def _over_limit(least: int, most: int) -> GatewayError:
    return Forbidden(
        f"This request may cost up to {usd(least)} USD, this key's limit for one is {usd(most)}. "
        "A shorter prompt, a smaller max_tokens or a cheaper model may fit.",
        param="model",
        code="max_cost_exceeded",
    )

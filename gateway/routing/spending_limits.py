"""Limits of keys and budgets: which models a key may use, the most that a request can cost, and the holds that reserve it.

The limits apply after routing, to every decision and every named model. A hold is always the most that can be spent. Where the
client set no output limit and a budget is too small for the longest answer, the answer is limited to a length that fits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gateway.accounts.budgets import GLOBAL, Budget, Hold, session_account, usd
from gateway.accounts.virtual_keys import VirtualKey
from gateway.catalog import PriceTable, nano_dollars, worst_case
from gateway.catalog.catalog import Auto, Catalog
from gateway.completion import ChatRequest
from gateway.errors import Forbidden, GatewayError, ModelNotFound
from gateway.resilience import Candidate
from gateway.routing.prompt.context import prompt_tokens_of
from gateway.routing.sessions.affinity import opening_id
from gateway.routing.types import RoutingContext

# Output limits in tokens for requests without one, tried in this order when a budget is too small for the longest answer.
OUTPUT_CAPS = (16_384, 4_096, 1_024, 256)
PROMPT_MARGIN = 1.25  # the number of prompt tokens is an estimate
# Members of a body whose price the table does not know.
_UNPRICED_MEMBERS = ("web_search_options", "plugins", "audio")
_PRICED_TIERS = ("auto", "default", "flex", None)
_ONE_MODEL_ONLY = ("gemini", "claude")  # other providers accept a list of fallback models in the body


@dataclass(frozen=True, slots=True)
class PricedOption:
    """One way to serve a request: its candidates, the most it can cost, and an output limit in tokens (None: the client's).

    `together`: the amount is enough for all models of a plan by agreement.
    """

    candidates: tuple[Candidate, ...]
    amount_nano: int
    max_output: int | None = None
    together: bool = False

    def applied(self, request: ChatRequest) -> ChatRequest:
        """The request with this option's output limit."""
        if self.max_output is None:
            return request
        return request.limited(self.max_output)


@dataclass(frozen=True, slots=True)
class Reservation:
    """The options, best first, and the holds for them: the first option whose amount every account can hold is used."""

    options: tuple[PricedOption, ...]
    holds: tuple[Hold, ...] = ()


@dataclass(frozen=True, slots=True)
class _CostBound:
    """The most that one candidate can cost: nano-dollars for the prompt and for a million output tokens.

    `max_output` is the output limit in tokens of each of the `choices`, None where there is none.
    """

    prompt_nano: int
    million_nano: int
    max_output: int | None
    choices: int

    def at(self, cap: int | None) -> int | None:
        """With each answer limited to `cap` tokens; None where the cost has no bound."""
        limits = [limit for limit in (self.max_output, cap) if limit is not None]
        if not limits:
            return None
        return self.prompt_nano - (-min(limits) * self.choices * self.million_nano // 1_000_000)  # rounded up


class SpendingLimits:
    """`daily` is the budget of all callers together, `attempts` the number of candidates that one request may try."""

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
        """The context restricted to the models that the key may use. Raises Forbidden when there are none."""
        if key is None or not key.is_restricted:
            return context
        wanted = None if context.models is None else set(map(self._full_name, context.models))
        names = (model.full_name for model in key.allowed(self._catalog))
        models = tuple(name for name in names if wanted is None or name in wanted)
        if not models:
            raise Forbidden("None of the requested models may be used with this key.", code="model_not_allowed")
        return replace(context, models=models)

    def reservation_for(
        self,
        candidates: Sequence[Candidate],
        request: ChatRequest,
        *,
        key: VirtualKey | None,
        key_id: str | None = None,
        asked: Sequence[Candidate] = (),
    ) -> tuple[tuple[Candidate, ...], Reservation | None]:
        """The candidates that the key may use and pay for, and the reservation where a budget or a key limits the cost. Raises Forbidden.

        `asked` are candidates that the request may call all, one after the other or at once: the first options hold the cost of all
        of them, further ones that of a single call, where the budget has no room for all.
        `key_id` is that of any client key, virtual or not: a session belongs to it.
        """
        permitted = tuple(candidates)
        if key is not None and key.is_restricted:
            permitted = self._permitted(permitted, request, key)
        accounts = self._accounts(key)
        if (session := _session_budget(request, key)) is not None:
            accounts.append((_session_account(request, key, key_id=key_id), session))
        limit_nano = None if key is None else key.max_cost_nano
        if not accounts and limit_nano is None:
            return permitted, None
        options = self._options(permitted, request, limit_nano=limit_nano)
        if asked and set(asked) <= set(permitted):
            options = (*self._together(asked, permitted, request, limit_nano=limit_nano), *options)
        amounts, now = tuple(option.amount_nano for option in options), self._now()
        holds = tuple(Hold(account, budget, amounts, now) for account, budget in accounts)
        return options[0].candidates, Reservation(options, holds)

    def _accounts(self, key: VirtualKey | None) -> list[tuple[str, Budget]]:
        accounts = [] if key is None or key.budget is None else [(key.id, key.budget)]
        return accounts if self._daily is None else [*accounts, (GLOBAL, self._daily)]

    def _full_name(self, name: str) -> str:
        try:
            target = self._catalog.resolve(name)
        except ModelNotFound:
            return name
        return name if isinstance(target, Auto) else target.key.full_name

    def _permitted(
        self, candidates: tuple[Candidate, ...], request: ChatRequest, key: VirtualKey
    ) -> tuple[Candidate, ...]:
        """The client's list of fallbacks goes to the upstream with the request, so the key must permit all of it."""
        denials = [self._denial_reason(candidate, request, key) for candidate in candidates]
        permitted = tuple(c for c, denial in zip(candidates, denials, strict=True) if denial is None)
        if permitted:
            return permitted
        raise Forbidden(f"{denials[0]}.", param="model", code="model_not_allowed")

    def _denial_reason(self, candidate: Candidate, request: ChatRequest, key: VirtualKey) -> str | None:
        models = (candidate, *_fallbacks(candidate, request))
        reasons = (key.denial_reason(each.full_name, self._catalog.get(each.provider, each.model)) for each in models)
        return next(filter(None, reasons), None)

    def _options(
        self, candidates: tuple[Candidate, ...], request: ChatRequest, *, limit_nano: int | None
    ) -> tuple[PricedOption, ...]:
        _refuse_unpriced(request)
        caps = (None, *_caps(request))
        table = self._costs(candidates, request, caps=caps)
        if not table:
            raise _unknown_price(candidates[0])
        within = [c for c, costs in table.items() if any(_fits(cost, limit_nano) for cost in costs)]
        if not within:
            raise _over_limit(min(cost for costs in table.values() for cost in _known(costs)), limit_nano or 0)
        first = table[within[0]]
        options = [
            self._option([(c, cost) for c in within if _fits(cost := table[c][index], limit_nano)], max_output=cap)
            for index, cap in enumerate(caps)
            if _fits(first[index], limit_nano)
        ]
        last, first_alone = options[-1], min(_known(first))
        if first_alone < last.amount_nano:
            options.append(replace(last, candidates=(within[0],), amount_nano=first_alone))
        return tuple(options)

    def _together(
        self,
        asked: Sequence[Candidate],
        candidates: tuple[Candidate, ...],
        request: ChatRequest,
        *,
        limit_nano: int | None,
    ) -> Iterator[PricedOption]:
        """Options that hold the cost of all that are asked. Of the others, those that cost no more than one of these may stand in."""
        caps = (None, *_caps(request))
        table = self._costs(candidates, request, caps=caps)
        if not set(asked) <= table.keys():
            return
        for index, cap in enumerate(caps):
            costs = [cost for candidate in asked if (cost := table[candidate][index]) is not None]
            if len(costs) == len(asked) and _fits(sum(costs), limit_nano):
                within = [c for c in table if c in asked or _fits(table[c][index], max(costs))]
                yield PricedOption(tuple(within), sum(costs), cap, together=True)

    def _option(self, costs: Sequence[tuple[Candidate, int | None]], *, max_output: int | None) -> PricedOption:
        """Holds the highest cost of the candidates that fit into the number of attempts; later ones that cost more are left out."""
        known = [(candidate, cost) for candidate, cost in costs if cost is not None]
        amount = max(cost for _, cost in known[: self._attempts])
        return PricedOption(tuple(candidate for candidate, cost in known if cost <= amount), amount, max_output)

    def _costs(
        self, candidates: Sequence[Candidate], request: ChatRequest, *, caps: Sequence[int | None]
    ) -> dict[Candidate, list[int | None]]:
        """The most that each candidate can cost at each output cap, in nano-dollars; candidates of unknown price are left out."""
        prompt = math.ceil(prompt_tokens_of(request) * PROMPT_MARGIN)
        table: dict[Candidate, list[int | None]] = {}
        for candidate in candidates:
            models = (candidate, *_fallbacks(candidate, request))
            bounds = [self._bound(each, request, prompt=prompt) for each in models]
            known = [bound for bound in bounds if bound is not None]
            if len(known) == len(bounds):
                table[candidate] = [_most_expensive(bound.at(cap) for bound in known) for cap in caps]
        return table

    def _bound(self, candidate: Candidate, request: ChatRequest, *, prompt: int) -> _CostBound | None:
        """At the rates of the bill, which depend on the prompt's size; None when the price is not known."""
        price = self._prices.price(candidate.provider, candidate.model, self._now())
        if price is None:
            return None
        listed = self._catalog.get(candidate.provider, candidate.model)
        limits = (request.output_limit, listed.max_output if listed else None)
        prompt_cost = worst_case(prompt, 0, price)
        return _CostBound(
            prompt_nano=nano_dollars(prompt_cost),
            million_nano=nano_dollars(worst_case(prompt, 1_000_000, price) - prompt_cost),
            max_output=min((limit for limit in limits if limit is not None), default=None),
            choices=request.choices,
        )


def _caps(request: ChatRequest) -> Sequence[int]:
    """Output limits that the gateway may set: none where the client chose one of its own accord."""
    limit = request.output_limit
    if limit is None:
        return OUTPUT_CAPS
    return [cap for cap in OUTPUT_CAPS if cap < limit] if request.limit_required else ()


def _session_budget(request: ChatRequest, key: VirtualKey | None) -> Budget | None:
    """The lower of the hint's and the key's limit for the session."""
    hint = request.hints.session_budget
    limits = [None if hint is None else nano_dollars(Decimal(repr(hint))), key.session_budget_nano if key else None]
    known = _known(limits)
    return Budget(min(known)) if known else None


def _session_account(request: ChatRequest, key: VirtualKey | None, *, key_id: str | None) -> str:
    """Subagents spend from the session that started them.

    Without a name, or with a `prompt_cache_key` that many may share, a session is known by its beginning, in all processes.
    """
    session = request.hints.session_id
    if session is None or (request.hints.shared_session and request.body.get("prompt_cache_key")):
        secret = key.digest if key is not None else (key_id or "").encode()[:64]
        opening = opening_id(request.messages, secret=secret)
        session = opening if session is None else f"{session}/{opening}"
    return session_account(session, key_id=key.id if key is not None else key_id)


def _most_expensive(costs: Iterable[int | None]) -> int | None:
    """None as soon as one cost has no bound."""
    costs = list(costs)
    known = _known(costs)
    return max(known) if len(known) == len(costs) else None


def _fallbacks(candidate: Candidate, request: ChatRequest) -> Iterator[Candidate]:
    """OpenRouter's `models`: those that it may call instead. https://openrouter.ai/docs/features/model-routing"""
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
    if request.native is not None and member is None:
        member = request.native.unpriced
    if member is not None:
        raise Forbidden(
            f"What {member!r} adds to the price is not known, so it cannot be requested within a budget.",
            param=member,
            code="price_unknown",
        )


def _fits(cost: int | None, limit_nano: int | None) -> bool:
    return cost is not None and (limit_nano is None or cost <= limit_nano)


def _known(costs: Sequence[int | None]) -> list[int]:
    return [cost for cost in costs if cost is not None]


def _unknown_price(candidate: Candidate) -> GatewayError:
    return Forbidden(
        f"The price of {candidate.full_name} is not known, so it cannot be used within a budget.",
        param="model",
        code="price_unknown",
    )


def _over_limit(least_nano: int, limit_nano: int) -> GatewayError:
    return Forbidden(
        f"This request may cost up to {usd(least_nano)} USD, this key's limit for one is {usd(limit_nano)}. "
        "A shorter prompt, a smaller max_tokens or a cheaper model may fit.",
        param="model",
        code="max_cost_exceeded",
    )

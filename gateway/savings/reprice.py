"""Computes the figures of a closed row again: from the usage that the provider sent, at the prices of the request's time.

A figure that cannot be computed again stays as it was: an estimate of the gateway, a usage object that nobody here can read, a
model without a price. Nothing is guessed and no cost becomes unknown that was known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from gateway.catalog.cost import NANO, cost
from gateway.catalog.price_table import PriceTable
from gateway.completion import Usage
from gateway.records import PricedAttempt, PricedRow, Repricing
from gateway.savings.counterfactual import usage_of_baseline
from gateway.store.encoding import nano, usage_values

# A provider and its usage object -> the counts; None where nobody can read it.
UsageParser = Callable[[str, Mapping[str, Any]], Usage | None]

# Why a row keeps its figures.
Kept = Literal["no_usage", "estimated", "unreadable_usage", "unknown_price", "unreadable_time"]

KEPT_REASONS: Mapping[Kept, str] = {
    "no_usage": "no call reported usage",
    "estimated": "the provider did not report all of its usage",
    "unreadable_usage": "the usage object cannot be read here: its provider is not enabled, or sent something else",
    "unknown_price": "a price is unknown now",
    "unreadable_time": "the time of the request cannot be read",
}
_ROUTER = "openrouter/"  # prefix of OpenRouter's own models, which choose among others
# The cost of an attempt in one of these states is no price of its usage.
_NOT_PRICED = frozenset({"failed_free", "orphaned", "reserved"})


class RepricingError(Exception):
    """The row keeps its figures."""

    def __init__(self, reason: Kept) -> None:
        super().__init__(reason)
        self.reason: Kept = reason


class _Charge(NamedTuple):
    """What an attempt cost; `usage` is None where it was not priced again."""

    attempt: PricedAttempt
    usage: Usage | None
    cost: Decimal | None


def reprice(row: PricedRow, *, prices: PriceTable, parse: UsageParser) -> Repricing | None:
    """The new figures; None where none differs. Raises RepricingError where they cannot be computed."""
    try:
        at = datetime.fromisoformat(row.timestamp)
    except ValueError:
        raise RepricingError("unreadable_time") from None
    charges = [_charge(attempt, row, prices=prices, parse=parse, at=at) for attempt in row.attempts]
    if not any(charge.usage is not None for charge in charges):
        raise RepricingError("no_usage")
    answer = next(
        (each for each in reversed(charges) if each.usage is not None and each.attempt.usage == row.usage), None
    )
    repricing = Repricing(
        before=row,
        price_version=prices.version,
        usage=answer.usage if answer is not None else None,
        evidence=row.evidence,
        actual_cost=_total(charges),
        baseline_cost=_usd(row.baseline_cost_nano),
        baseline_cost_low=_decimal(row.baseline_cost_low),
        baseline_cost_high=_decimal(row.baseline_cost_high),
        shadow_cost=_usd(row.shadow_cost_nano),
        attempts={
            charge.attempt.number: (charge.usage, charge.cost)
            for charge in charges
            if charge.usage is not None and _attempt_differs(charge.attempt, charge.usage, charge.cost)
        },
    )
    if answer is not None and answer.usage is not None:
        repricing = _with_baseline(repricing, answer, answer.usage, prices=prices, at=at)
        shadow = _shadow_cost(row, answer, prices=prices, at=at)
        repricing = repricing._replace(shadow_cost=_usd(row.shadow_cost_nano) if shadow is None else shadow)
    return repricing if _differs(repricing) else None


def _charge(attempt: PricedAttempt, row: PricedRow, *, prices: PriceTable, parse: UsageParser, at: datetime) -> _Charge:
    stored = _usd(attempt.cost_nano)
    if attempt.usage is None or attempt.status in _NOT_PRICED:
        return _Charge(attempt, None, stored)
    if attempt.usage:
        if row.estimated and attempt.usage == row.usage:
            raise RepricingError("estimated")
        usage = parse(attempt.provider, attempt.usage)
        if usage is None:
            raise RepricingError("unreadable_usage")
    else:
        usage = Usage(attempt.prompt_tokens or 0, attempt.completion_tokens or 0, estimated=True)
    charged = cost(usage, prices.price(attempt.provider, attempt.model, at))
    if charged is None and stored is not None:
        raise RepricingError("unknown_price")
    return _Charge(attempt, usage, charged)


def _total(charges: list[_Charge]) -> Decimal | None:
    """USD; None if a billed attempt has no known price."""
    if any(charge.cost is None and charge.attempt.usage is not None for charge in charges):
        return None
    return sum((charge.cost for charge in charges if charge.cost is not None), Decimal(0))


def _with_baseline(
    repricing: Repricing, answer: _Charge, usage: Usage, *, prices: PriceTable, at: datetime
) -> Repricing:
    """The baseline priced again on what it was priced on: the answer itself, a usage of its own, or the answer's usage.

    The distances of the interval's ends from the middle come from token counts, so they change with the middle.
    """
    row = repricing.before
    baseline = (row.baseline_provider or "", row.baseline_model or "")
    same = row.evidence in ("exact", "measured") or (row.baseline_usage is None and _answered(row, answer, baseline))
    if same:
        new = answer.cost
    else:
        own = row.baseline_usage
        new = cost(usage.at_list_price if own is None else usage_of_baseline(own), prices.price(*baseline, at))
    if new is None:
        if row.baseline_cost_nano is not None:
            raise RepricingError("unknown_price")
        return repricing
    low, high = repricing.baseline_cost_low, repricing.baseline_cost_high
    old = repricing.baseline_cost
    if same:
        low = high = new
    elif low is not None and high is not None and old:
        low, high = low * new / old, high * new / old
    return repricing._replace(
        baseline_cost=new, baseline_cost_low=low, baseline_cost_high=high, evidence=_evidence(row, same=same)
    )


def _answered(row: PricedRow, answer: _Charge, baseline: tuple[str, str]) -> bool:
    """Whether the baseline model itself gave the answer."""
    if row.strategy_used == "pinned" and baseline[1].startswith(_ROUTER):
        return True
    return baseline in (
        (row.selected_provider, row.selected_model),
        (answer.attempt.provider, answer.attempt.model),
    )


def _evidence(row: PricedRow, *, same: bool) -> str | None:
    """The evidence of a baseline that was unknown only because nobody knew its price."""
    if row.evidence != "unknown":
        return row.evidence
    if not same or row.estimated:
        return "modelled"
    return "measured" if row.holdback else "exact"


def _shadow_cost(row: PricedRow, answer: _Charge, *, prices: PriceTable, at: datetime) -> Decimal | None:
    shadow = (row.shadow_provider, row.shadow_model)
    if None in shadow or answer.usage is None:
        return None
    if shadow == (row.selected_provider, row.selected_model):
        return answer.cost
    price = prices.price(row.shadow_provider or "", row.shadow_model or "", at)
    return cost(answer.usage.at_list_price, price)


def _differs(repricing: Repricing) -> bool:
    row, usage = repricing.before, repricing.usage
    tokens = (row.prompt_tokens, row.completion_tokens, row.cached_tokens, row.cache_write_tokens, row.reasoning_tokens)
    return (
        bool(repricing.attempts)
        or (usage is not None and usage_values(usage)[:-1] != tokens)
        or nano(repricing.actual_cost) != row.actual_cost_nano
        or nano(repricing.baseline_cost) != row.baseline_cost_nano
        or nano(repricing.shadow_cost) != row.shadow_cost_nano
    )


def _attempt_differs(attempt: PricedAttempt, usage: Usage, cost: Decimal | None) -> bool:
    tokens = usage_values(usage)[:2]
    return nano(cost) != attempt.cost_nano or tokens != (attempt.prompt_tokens, attempt.completion_tokens)


def _usd(nanos: int | None) -> Decimal | None:
    return None if nanos is None else nanos / NANO


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(value))


@dataclass(slots=True)
class ModelChange:
    """Changed rows of one model and their costs before and after, in nano-dollars."""

    requests: int = 0
    before: int = 0
    after: int = 0


@dataclass(slots=True)
class RepricingTotals:
    """Sums over the rows that were looked at. Money in nano-dollars, of rows whose figure is known before and after."""

    requests: int = 0
    changed: int = 0
    kept: Counter[Kept] = field(default_factory=Counter)
    newly_priced: int = 0
    spent: list[int] = field(default_factory=lambda: [0, 0])
    baseline: list[int] = field(default_factory=lambda: [0, 0])
    models: dict[str, ModelChange] = field(default_factory=dict)

    def add(self, row: PricedRow, repricing: Repricing | None) -> None:
        """Count a row with its new figures, or without where it keeps the old ones."""
        self.requests += 1
        actual = row.actual_cost_nano if repricing is None else nano(repricing.actual_cost)
        baseline = row.baseline_cost_nano if repricing is None else nano(repricing.baseline_cost)
        for sums, before, after in (
            (self.spent, row.actual_cost_nano, actual),
            (self.baseline, row.baseline_cost_nano, baseline),
        ):
            if before is not None and after is not None:
                sums[0] += before
                sums[1] += after
        if repricing is None:
            return
        self.changed += 1
        self.newly_priced += row.actual_cost_nano is None and actual is not None
        change = self.models.setdefault(f"{row.selected_provider}/{row.selected_model}", ModelChange())
        change.requests += 1
        change.before += row.actual_cost_nano or 0
        change.after += actual or 0

    def summary(self) -> dict[str, Any]:
        """As `gateway reprice --json` prints it; money in USD."""
        return {
            "requests": self.requests,
            "changed": self.changed,
            "unchanged": self.requests - self.changed - self.kept.total(),
            "kept": dict(self.kept),
            "newly_priced": self.newly_priced,
            "spent_usd": _before_after(*self.spent),
            "baseline_usd": _before_after(*self.baseline),
            "by_model": [
                {"model": name, "requests": change.requests, **_before_after(change.before, change.after)}
                for name, change in sorted(self.models.items(), key=lambda item: (-item[1].requests, item[0]))
            ],
        }


def _before_after(before: int, after: int) -> dict[str, float]:
    return {"before": before / 1e9, "after": after / 1e9}

"""New figures of closed rows."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from gateway.catalog import PriceTable
from gateway.catalog.cost import Price, Rate
from gateway.completion import Usage
from gateway.records import PricedAttempt, PricedRow, Repricing
from gateway.savings.reprice import KEPT_REASONS, RepricingError, RepricingTotals, reprice

MILLION = 1_000_000
RAW = {"in": MILLION, "out": MILLION}
ATTEMPT = PricedAttempt(1, "gemini", "flash", "settled", 3_000_000_000, MILLION, MILLION, RAW)
# Priced when flash cost 1 + 2 USD per million and haiku 2 + 4.
ROW = PricedRow(
    id=1,
    request_id="r1",
    timestamp="2026-11-22T10:00:00.000+00:00",
    strategy_used="hybrid",
    selected_provider="gemini",
    selected_model="flash",
    baseline_provider="claude",
    baseline_model="haiku",
    shadow_provider=None,
    shadow_model=None,
    evidence="modelled",
    estimated=0,
    holdback=None,
    price_version="2026-11-01",
    actual_cost_nano=3_000_000_000,
    baseline_cost_nano=6_000_000_000,
    baseline_cost_low=3.0,
    baseline_cost_high=12.0,
    shadow_cost_nano=None,
    prompt_tokens=MILLION,
    completion_tokens=MILLION,
    cached_tokens=0,
    cache_write_tokens=0,
    reasoning_tokens=0,
    usage=RAW,
    baseline_usage=None,
    attempts=(ATTEMPT,),
)
SAME = {("gemini", "flash"): (1, 2), ("claude", "haiku"): (2, 4)}


def table(prices: Mapping[tuple[str, str], tuple[int, int]]) -> PriceTable:
    own = {key: Price(Rate(Decimal(i)), Rate(Decimal(o))) for key, (i, o) in prices.items()}
    return PriceTable({}, version="2026-11-22+new", overrides=own)


def parse(provider: str, raw: Mapping[str, Any]) -> Usage | None:
    if "in" not in raw:
        return None
    reported = raw.get("cost")
    return Usage(raw["in"], raw["out"], raw=raw, reported_cost=None if reported is None else Decimal(reported))


def new(row: PricedRow = ROW, prices: Mapping[tuple[str, str], tuple[int, int]] | None = None) -> Repricing | None:
    return reprice(row, prices=table({**SAME, **(prices or {})}), parse=parse)


def changed(row: PricedRow = ROW, prices: Mapping[tuple[str, str], tuple[int, int]] | None = None) -> Repricing:
    found = new(row, prices)
    assert found is not None
    return found


def after(found: Repricing) -> PricedRow:
    """The row as the ledger has it once the repricing is applied."""
    attempts = [
        attempt
        if attempt.number not in found.attempts
        else attempt._replace(cost_nano=int(found.attempts[attempt.number][1] * 10**9))  # type: ignore[operator]
        for attempt in found.before.attempts
    ]
    return found.before._replace(
        actual_cost_nano=int((found.actual_cost or 0) * 10**9),
        baseline_cost_nano=int((found.baseline_cost or 0) * 10**9),
        baseline_cost_low=float(found.baseline_cost_low or 0),
        baseline_cost_high=float(found.baseline_cost_high or 0),
        evidence=found.evidence,
        attempts=attempts,
    )


def test_row_at_unchanged_prices_is_not_changed() -> None:
    """The same usage at the same prices gives the same figures, whatever the version of the prices is called."""
    assert new() is None


def test_new_prices_change_both_costs_and_the_interval() -> None:
    """Cost and baseline are those of the new prices; the ends of the interval keep their relative distance."""
    found = changed(prices={("gemini", "flash"): (2, 2), ("claude", "haiku"): (4, 8)})
    assert (found.actual_cost, found.baseline_cost, found.price_version) == (Decimal(4), Decimal(12), "2026-11-22+new")
    assert (found.baseline_cost_low, found.baseline_cost_high) == (Decimal(6), Decimal(24))
    assert {number: cost for number, (_, cost) in found.attempts.items()} == {1: 4}


def test_repricing_twice_changes_nothing_more() -> None:
    """What was priced again and interrupted is priced again without a change."""
    prices = {("gemini", "flash"): (2, 2), ("claude", "haiku"): (4, 8)}
    assert new(after(changed(prices=prices)), prices) is None


def test_new_parser_changes_the_tokens() -> None:
    """Tokens come from the raw usage too, so that they fit the cost."""
    found = changed(ROW._replace(prompt_tokens=7, cached_tokens=None))
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.attempts) == (MILLION, {})
    wrong = ROW._replace(attempts=(ATTEMPT._replace(completion_tokens=7),))
    assert changed(wrong).attempts.keys() == {1}


def test_prices_are_those_of_the_time_of_the_request() -> None:
    """A price that holds from a later day on does not change an older row."""
    dated = [{"id": "flash", "prices": [{"input": 1, "output": 2}, {"from": "2026-11-23", "input": 9, "output": 9}]}]
    haiku = [{"id": "haiku", "prices": [{"input": 2, "output": 4}]}]
    prices = PriceTable({"gemini": dated, "claude": haiku}, version="2026-11-29")
    assert reprice(ROW, prices=prices, parse=parse) is None
    later = reprice(ROW._replace(timestamp="2026-11-23T00:00:00.000+00:00"), prices=prices, parse=parse)
    assert later is not None
    assert later.actual_cost == 18


def test_costs_of_all_attempts_are_added() -> None:
    """Failed attempts count with their own model's new price, estimates by their tokens, free ones and orphans as stored."""
    rejected = PricedAttempt(1, "claude", "haiku", "settled", 6_000_000_000, MILLION, MILLION, {**RAW, "x": 1})
    estimated = PricedAttempt(2, "claude", "haiku", "unknown_estimated", 2_000_000_000, MILLION, 0, {})
    free = PricedAttempt(3, "claude", "haiku", "failed_free")
    orphan = PricedAttempt(4, "claude", "haiku", "orphaned", 500_000_000, usage=RAW)
    row = ROW._replace(
        attempts=(rejected, estimated, free, orphan, ATTEMPT._replace(number=5)), actual_cost_nano=11_500_000_000
    )
    assert new(row) is None
    found = changed(row, {("claude", "haiku"): (4, 8)})
    assert found.actual_cost == Decimal("12") + 4 + Decimal("0.5") + 3
    assert found.attempts.keys() == {1, 2}


def test_cost_that_the_provider_reported_stays() -> None:
    """A reported cost is what was paid; it is not the baseline's."""
    raw = {**RAW, "cost": "3"}
    row = ROW._replace(usage=raw, attempts=(ATTEMPT._replace(usage=raw),))
    assert new(row, {("gemini", "flash"): (9, 9)}) is None
    assert changed(row, {("claude", "haiku"): (4, 4)}).baseline_cost == 8


@pytest.mark.parametrize(
    "changes",
    [
        {"evidence": "exact"},
        {"evidence": "measured", "holdback": 1},
        {"baseline_provider": "gemini", "baseline_model": "flash"},
        {"strategy_used": "pinned", "baseline_provider": "openrouter", "baseline_model": "openrouter/auto"},
    ],
    ids=["exact", "measured", "same model", "a router"],
)
def test_baseline_that_answered_costs_what_was_paid(changes: dict[str, Any]) -> None:
    """Where the baseline itself answered, its cost is the answer's, with no interval."""
    found = changed(ROW._replace(**changes), {("gemini", "flash"): (5, 5)})
    assert (found.baseline_cost, found.baseline_cost_low, found.baseline_cost_high) == (Decimal(10),) * 3


def test_baseline_with_its_own_usage_is_priced_on_that() -> None:
    """A baseline that was priced on a usage of its own (another cache, another length) is priced on it again."""
    row = ROW._replace(baseline_usage={"prompt_tokens": MILLION, "completion_tokens": "?", "cache": "warm"})
    assert changed(row).baseline_cost == 2


@pytest.mark.parametrize(
    ("changes", "evidence"),
    [
        ({}, "modelled"),
        ({"baseline_provider": "gemini", "baseline_model": "flash"}, "exact"),
        ({"baseline_provider": "gemini", "baseline_model": "flash", "holdback": 1}, "measured"),
    ],
)
def test_baseline_gets_its_evidence_with_its_price(changes: dict[str, Any], evidence: str) -> None:
    """A baseline whose price nobody knew was `unknown`; with a price it is what it would have been."""
    unknown: dict[str, Any] = {
        "evidence": "unknown",
        "baseline_cost_nano": None,
        "baseline_cost_low": None,
        "baseline_cost_high": None,
    }
    found = changed(ROW._replace(**unknown, **changes))
    assert found.evidence == evidence
    assert found.baseline_cost is not None
    assert new(ROW._replace(**unknown, baseline_model="nobody")) is None


def test_shadow_cost_is_priced_again() -> None:
    """What shadow mode would have cost follows the prices too; without a price it stays."""
    shadow = ROW._replace(shadow_provider="claude", shadow_model="haiku", shadow_cost_nano=1)
    assert changed(shadow).shadow_cost == 6
    assert new(shadow._replace(shadow_model="nobody")) is None
    assert changed(shadow._replace(shadow_provider="gemini", shadow_model="flash")).shadow_cost == 3


def test_cost_without_an_answer_leaves_the_baseline() -> None:
    """A request without a used answer has attempts to price, and no baseline to compute."""
    found = changed(ROW._replace(usage=None), {("gemini", "flash"): (5, 5), ("claude", "haiku"): (9, 9)})
    assert (found.actual_cost, found.baseline_cost, found.usage) == (Decimal(10), Decimal(6), None)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ROW._replace(timestamp="yesterday"), "unreadable_time"),
        (ROW._replace(attempts=()), "no_usage"),
        (ROW._replace(attempts=(ATTEMPT._replace(usage=None),)), "no_usage"),
        (ROW._replace(estimated=1), "estimated"),
        (ROW._replace(attempts=(ATTEMPT._replace(usage={"other": 1}),)), "unreadable_usage"),
        (ROW._replace(attempts=(ATTEMPT._replace(model="gone"),)), "unknown_price"),
        (ROW._replace(baseline_model="gone"), "unknown_price"),
    ],
)
def test_what_cannot_be_computed_stays(row: PricedRow, reason: str) -> None:
    """A row that cannot be priced again keeps its figures and has a reason; no known cost becomes unknown."""
    with pytest.raises(RepricingError) as kept:
        new(row)
    assert kept.value.reason == reason
    assert reason in KEPT_REASONS


def test_model_without_any_price_stays_unknown() -> None:
    """A cost that was unknown and still is, is no change."""
    row = ROW._replace(actual_cost_nano=None, attempts=(ATTEMPT._replace(model="new", cost_nano=None),))
    assert new(row) is None
    assert changed(row, {("gemini", "new"): (1, 1)}).actual_cost == 2


def test_absurd_usage_ends_at_the_limit_of_the_ledger() -> None:
    """Absurd counts cost at most what the ledger can hold, and pricing them again is no change."""
    raw = {"in": 10**12, "out": 10**12}
    limit = 10**6 * 10**9
    row = ROW._replace(
        usage=raw,
        prompt_tokens=10**12,
        completion_tokens=10**12,
        actual_cost_nano=limit,
        baseline_cost_nano=limit,
        attempts=(ATTEMPT._replace(usage=raw, prompt_tokens=10**12, completion_tokens=10**12, cost_nano=limit),),
    )
    assert new(row) is None


def test_totals_compare_before_and_after() -> None:
    """Sums are of all rows whose figure is known before and after; changed rows are listed by model."""
    totals = RepricingTotals()
    totals.add(ROW, None)
    totals.add(ROW, changed(prices={("gemini", "flash"): (2, 2)}))
    row = ROW._replace(actual_cost_nano=None, attempts=(ATTEMPT._replace(model="new", cost_nano=None),))
    totals.add(row, changed(row, {("gemini", "new"): (1, 1)}))
    totals.kept["no_usage"] += 1
    totals.add(ROW, None)
    summary = totals.summary()
    assert (summary["requests"], summary["changed"], summary["unchanged"], summary["newly_priced"]) == (4, 2, 1, 1)
    assert summary["spent_usd"] == {"before": 9.0, "after": 10.0}
    assert summary["baseline_usd"] == {"before": 24.0, "after": 24.0}
    assert summary["by_model"] == [{"model": "gemini/flash", "requests": 2, "before": 3.0, "after": 6.0}]

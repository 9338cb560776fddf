"""One row explained."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.catalog import Price, PriceTable, Rate
from gateway.savings.explain import explanation

PRICES = PriceTable(
    {},
    version="2026-11-01",
    overrides={
        ("gemini", "flash"): Price(Rate(Decimal("0.3")), Rate(Decimal("2.5")), cache_read=Rate(Decimal("0.03"))),
        ("claude", "haiku"): Price(Rate(Decimal(1)), Rate(Decimal(5))),
    },
)
CALL = {
    "number": 1, "provider": "gemini", "model": "flash", "status": "settled", "cost": 0.000327,
    "usage": {"promptTokenCount": 1000, "candidatesTokenCount": 100, "cachedContentTokenCount": 900},
    "prompt_tokens": 1000, "completion_tokens": 100,
}  # fmt: skip


def row(**changes: Any) -> dict[str, Any]:
    """What the store returns for a request that Gemini answered."""
    usual: dict[str, Any] = {
        "request_id": "r1", "timestamp": "2026-11-22T10:00:00.000+00:00", "attempts": [CALL], "usage": CALL["usage"],
        "selected_provider": "gemini", "selected_model": "flash", "baseline_provider": "claude", "baseline_model": "haiku",
        "actual_cost": 0.000307, "baseline_cost": 0.0015, "evidence": "modelled", "prompt_tokens": 1000, "completion_tokens": 100,
        "price_version": "2026-11-01",
    }  # fmt: skip
    call = {**CALL, "cost": 0.000307}
    return {**usual, "attempts": [call], **changes}


def test_lines_of_a_call_add_up_to_the_row() -> None:
    """100 plain tokens at 0.3, 900 cached at 0.03 and 100 output at 2.5 USD per million."""
    answer = explanation(row(), PRICES)
    (call,) = answer["attempts"]
    assert [(line["kind"], line["tokens"], line["usd"]) for line in call["lines"]] == [
        ("input", 100, 0.00003),
        ("cache read", 900, 0.000027),
        ("output", 100, 0.00025),
    ]
    assert call["calculated_usd"] == call["recorded_usd"] == 0.000307
    assert call["note"] is answer["cost"]["note"] is None


def test_baseline_is_its_rates_times_its_usage() -> None:
    """Without a usage of its own the baseline has the row's."""
    baseline = explanation(row(), PRICES)["baseline"]
    assert baseline["evidence"] == "modelled"
    assert baseline["calculated_usd"] == pytest.approx(0.0015)
    assert baseline["note"] is None


def test_baseline_has_the_usage_that_it_was_priced_on() -> None:
    """The row may have another length and another cache for its baseline."""
    stored = {"prompt_tokens": 1000, "completion_tokens": 300, "cache": "cold"}
    baseline = explanation(row(baseline_usage=stored, baseline_cost=0.0025), PRICES)["baseline"]
    assert [(line["kind"], line["tokens"]) for line in baseline["lines"]] == [("input", 1000), ("output", 300)]
    assert baseline["note"] is None


def test_baseline_that_answered_has_the_lines_of_the_call() -> None:
    """Its cost is what was paid."""
    changed = row(baseline_provider="gemini", baseline_model="flash", baseline_cost=0.000307, evidence="exact")
    answer = explanation(changed, PRICES)
    assert answer["baseline"]["lines"] == answer["attempts"][0]["lines"]
    assert answer["baseline"]["note"] is None


def test_other_prices_are_said() -> None:
    """Where the row has another amount than its tokens give, the difference is named to the nano-dollar."""
    (call,) = explanation(row(attempts=[{**CALL, "cost": 0.000317}]), PRICES)["attempts"]
    assert call["note"] == "the row has 0.000010000 USD more: other prices, or a usage that was estimated"


def test_costs_of_all_calls_add_up() -> None:
    """A failed call that was billed is part of the cost."""
    failed = {**CALL, "number": 1, "status": "unknown_estimated", "usage": None, "cost": 0.0001, "prompt_tokens": None}
    answer = explanation(row(attempts=[failed, {**CALL, "cost": 0.000307}], actual_cost=0.000407), PRICES)
    assert answer["cost"]["calculated_usd"] == 0.000407
    assert answer["cost"]["note"] is None
    assert answer["attempts"][0]["lines"] == []
    assert answer["attempts"][0]["note"] == "no usage or no price is known"


@pytest.mark.parametrize("timestamp", [None, "yesterday"])
def test_row_of_another_tool_is_shown_without_arithmetic(timestamp: str | None) -> None:
    """Without a time there is no price; nothing is guessed."""
    bare = {"request_id": "r1", "timestamp": timestamp, "usage": CALL["usage"]}
    answer = explanation(bare, PRICES)
    assert answer["cost"]["calculated_usd"] is None
    assert answer["baseline"]["lines"] == []
    assert answer["candidates"] == answer["attempts"] == []


def test_call_without_a_recorded_cost_is_calculated() -> None:
    """The price may have been unknown when the row was written."""
    (call,) = explanation(row(attempts=[{**CALL, "cost": None}]), PRICES)["attempts"]
    assert (call["calculated_usd"], call["recorded_usd"], call["note"]) == (0.000307, None, None)


def test_time_without_a_zone_is_utc() -> None:
    """As other tools may write it."""
    assert explanation(row(timestamp="2026-11-22T10:00:00"), PRICES)["attempts"][0]["note"] is None


def test_answer_without_any_usage_has_no_baseline_lines() -> None:
    """Nothing was counted, so nothing is priced."""
    answer = explanation(row(attempts=[], usage=None, prompt_tokens=None, baseline_cost=None), PRICES)
    assert answer["baseline"]["lines"] == []

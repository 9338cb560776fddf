"""Which call an entry is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.completion import Usage
from gateway.records import PricedAttempt
from gateway.savings.call_matching import LedgerCall, by_day, by_request, ledger_calls, model_key
from gateway.savings.provider_export import ExportEntry
from tests.savings.test_reprice import ROW

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
CALL = LedgerCall("r1", NOON, "flash", "settled", Decimal(1), 10, 20, "gen-1")


def entry(
    minutes: float = 0.0, *, model: str = "flash", tokens: tuple[int, int] = (10, 20), **changes: Any
) -> ExportEntry:
    found = ExportEntry(2, NOON + timedelta(minutes=minutes), model, Usage(*tokens), Decimal(1))
    return found._replace(**changes)


@pytest.mark.parametrize(
    "names",
    [
        ("Claude Haiku 4.5", "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("anthropic/claude-4.5-sonnet-20250929", "anthropic/claude-sonnet-4.5", "Claude Sonnet 4.5"),
        ("gpt-4o-2024-08-06", "openai/gpt-4o", "gpt-4o-latest"),
    ],
)
def test_spellings_of_a_model_are_one(names: tuple[str, ...]) -> None:
    """Vendor, date, order and punctuation of a model's name do not matter."""
    assert len({model_key(name) for name in names}) == 1
    assert model_key(names[0]) != model_key("claude-haiku-5-5")


def test_calls_are_those_of_the_provider_that_may_be_billed() -> None:
    """Calls of other providers, free failures and rows whose time nobody can read are left out."""
    (paid,) = ROW.attempts
    attempts = (paid, PricedAttempt(2, "gemini", "flash", "failed_free"), paid._replace(number=3, provider="claude"))
    rows = [
        ROW._replace(attempts=attempts),
        ROW._replace(timestamp="2027-soon"),
        ROW._replace(timestamp="2026-11-22T10:00:00", attempts=(paid._replace(cost_nano=None),)),
    ]
    calls = ledger_calls(rows, provider="gemini")
    assert [(call.cost, call.moment.tzinfo) for call in calls] == [(Decimal(3), UTC), (None, UTC)]
    assert len(ledger_calls(rows, provider=None)) == 3


def test_id_of_the_provider_or_the_gateway_matches_first() -> None:
    """An id matches whatever else differs; of a request's attempts the one with the nearest amount."""
    cheap = CALL._replace(upstream_id="gen-2", cost=Decimal("0.1"))
    by_generation = entry(600, model="other", tokens=(1, 1), id="gen-1")
    by_gateway = entry(id="r1", cost=Decimal("0.11"))
    assert by_request([by_gateway, by_generation], [CALL, cheap]) == [
        ((by_gateway,), (cheap,)),
        ((by_generation,), (CALL,)),
    ]


def test_tokens_and_time_match_what_has_no_id() -> None:
    """Without an id the call of the same model and tokens that is nearest in time matches, within a quarter of an hour."""
    calls = [CALL._replace(request_id=str(minutes), moment=NOON + timedelta(minutes=minutes)) for minutes in (0, 4, 30)]
    entries = [entry(3), entry(1), entry(60)]
    found = [[call.request_id for call in own] for _, own in by_request(entries, calls)]
    assert found == [["4"], ["0"], [], ["30"]]


def test_model_and_minute_match_where_tokens_differ() -> None:
    """Where the tokens differ a call of the same model within a minute is the likely one."""
    near, far = entry(0.5, tokens=(11, 20)), entry(5, tokens=(12, 20))
    other = CALL._replace(request_id="r2", moment=NOON + timedelta(minutes=9))
    assert by_request([near, far], [CALL, other]) == [((near,), (CALL,)), ((far,), ()), ((), (other,))]


def test_days_and_models_are_grouped() -> None:
    """Daily entries and calls meet by UTC day and model."""
    tomorrow = CALL._replace(moment=NOON + timedelta(days=1))
    entries = [entry(model="Flash"), entry(5)]
    assert by_day(entries, [CALL, tomorrow]) == [(entries, [CALL]), ([], [tomorrow])]

"""The provider's figures and ours."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.completion import Usage
from gateway.savings.call_matching import LedgerCall
from gateway.savings.provider_export import ExportEntry, ProviderExport
from gateway.savings.reconcile import Comparison, reconcile, summary
from tests.savings.test_call_matching import CALL, NOON, entry

LATER = entry(300, id="gen-9", model="other", cost=Decimal(0))  # makes the export's period end later


def no_price(usage: Usage, model: str, at: datetime) -> Decimal | None:
    return None


def compared(
    entries: list[ExportEntry], calls: list[LedgerCall], *, daily: bool = False, price: Any = no_price
) -> list[Comparison]:
    return reconcile(ProviderExport("plain", "gemini", daily, entries), calls, price=price)


def one(entries: list[ExportEntry], calls: list[LedgerCall], **options: Any) -> Comparison:
    (found, *_) = compared(entries, calls, **options)
    return found


@pytest.mark.parametrize(
    ("theirs", "ours", "kind"),
    [
        ("1", "1", "matched"),
        ("1.0005", "1", "matched"),
        ("1.01", "1", "different"),
        ("0.02", "0.016", "matched"),
        ("0.02", "0.014", "different"),
        ("0.000123", "0.0001234", "matched"),
        ("0", "0.4", "different"),
    ],
)
def test_amounts_are_the_same_within_rounding(theirs: str, ours: str, kind: str) -> None:
    """Amounts match within 0.1 %, or within what the provider's figure was rounded to; a bare 0 is not rounded."""
    found = one([entry(id="gen-1", cost=Decimal(theirs))], [CALL._replace(cost=Decimal(ours))])
    assert (found.kind, found.difference_usd) == (kind, Decimal(theirs) - Decimal(ours))


@pytest.mark.parametrize(
    ("changes", "call", "reason"),
    [
        ({"cost": Decimal("1.25")}, {}, "the same tokens at another price, 1.250 times ours"),
        ({"cost": Decimal("1.25")}, {"cost": Decimal(0)}, "the same tokens at another price: "),
        ({"cost": Decimal(2), "fees": Decimal(1)}, {}, "charged for tools"),
        ({"cost": Decimal(3), "fees": Decimal(1)}, {}, "another price"),
        ({"cost": Decimal(2)}, {"status": "cancelled_estimated"}, "estimated the usage"),
        (
            {"cost": Decimal(2)},
            {"prompt_tokens": 7},
            "counted 10 \\+ 20 tokens .input \\+ output., the ledger 7 \\+ 20",
        ),
        ({"cost": Decimal(2), "usage": None}, {}, "the usage export of the same days"),
        ({}, {"cost": None}, "run `gateway reprice`"),
        ({"cost": None}, {}, "the model has no price here"),
    ],
)
def test_difference_has_a_likely_reason(changes: dict[str, Any], call: dict[str, Any], reason: str) -> None:
    """What differs says why, as far as one can know."""
    found = one([entry(**{"id": "gen-1", **changes})], [CALL._replace(**call)])
    assert found.kind == "different"
    assert found.reason is not None
    assert re.search(reason, found.reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "nobody's"}, "no call of this model in that period"),
        ({"id": "gen-2"}, "no such call in the ledger"),
        ({"model": "web_search", "fees": Decimal(1)}, "a charge for tools"),
    ],
)
def test_what_only_the_provider_has(changes: dict[str, Any], reason: str) -> None:
    """An entry without a call says whose it may be."""
    found = one([entry(tokens=(1, 1), **changes)], [CALL._replace(moment=NOON + timedelta(hours=9))])
    assert (found.kind, found.ledger_usd) == ("only_there", None)
    assert reason in str(found.reason)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({"status": "unknown_estimated"}, "the provider did not bill them"),
        ({"moment": NOON + timedelta(hours=4, minutes=30)}, "before this call was in it"),
        ({}, "another key or workspace"),
    ],
)
def test_what_only_the_ledger_has(call: dict[str, Any], reason: str) -> None:
    """A call without an entry says why the provider may not have it."""
    early = entry(-30, id="gen-8", model="other")
    found = [each for each in compared([early, LATER], [CALL._replace(**call)]) if each.kind == "only_here"]
    assert [reason in str(each.reason) for each in found] == [True]


def test_calls_outside_the_period_are_not_missed() -> None:
    """A call before or after the export's period is no difference."""
    assert [
        each.kind
        for each in compared(
            [entry(id="gen-1")], [CALL, CALL._replace(upstream_id=None, moment=NOON + timedelta(hours=1))]
        )
    ] == ["matched"]


def test_days_are_compared_by_model() -> None:
    """Daily lines of a model are added up and compared with the day's calls; tokens only are priced by our prices."""
    entries = [entry(cost=Decimal("0.50")), entry(cost=Decimal("1.51"))]
    found = one(entries, [CALL, CALL], daily=True)
    assert (found.kind, found.provider_usd, found.ledger_usd) == ("matched", Decimal("2.01"), Decimal(2))
    asked: list[str] = []

    def price(usage: Usage, model: str, at: datetime) -> Decimal:
        asked.append(model)
        return Decimal(usage.prompt_tokens) / 10

    tokens_only = [entry(model="Flash", cost=None), entry(model="other", cost=None)]
    by_price = compared(tokens_only, [CALL], daily=True, price=price)
    assert [each.kind for each in by_price] == ["matched", "only_there"]
    assert asked == ["flash", "other"]
    missing = compared([entry(model="other", cost=Decimal(0))], [CALL], daily=True)
    assert "another key or workspace" in str(next(each for each in missing if each.kind == "only_here").reason)


def test_summary_adds_up_by_kind_and_reason() -> None:
    """Every dollar of either side is in exactly one kind; the largest differences come first."""
    entries = [entry(id="gen-1"), entry(1, id="gen-2", cost=Decimal(3)), entry(2, tokens=(1, 1), model="x"), LATER]
    calls = [
        CALL,
        CALL._replace(request_id="r2", upstream_id="gen-2"),
        CALL._replace(request_id="r3", upstream_id="gen-3", model="y", cost=Decimal("0.25")),
        CALL._replace(request_id="r4", upstream_id="gen-4", model="z", cost=None),
    ]
    result = summary(compared(entries, calls), rows=2)
    counts = {kind: result[kind]["count"] for kind in ("matched", "different", "only_there", "only_here")}
    assert counts == {"matched": 1, "different": 1, "only_there": 2, "only_here": 2}
    assert (result["provider_usd"], result["ledger_usd"], result["difference_usd"]) == (5.0, 2.25, 2.75)
    assert [(row["kind"], row["lines"], row["request_ids"]) for row in result["rows"]] == [
        ("different", [2], ["r2"]),
        ("only_there", [2], []),
    ]
    assert sum(reason["count"] for reason in result["reasons"]) == 5
    assert (result["reasons"][0]["kind"], result["reasons"][0]["difference_usd"]) == ("different", 2.0)

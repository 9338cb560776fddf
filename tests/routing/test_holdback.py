"""The holdback: which conversations go to the baseline, what that costs, and how likely each choice was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.accounts.virtual_keys import VirtualKey, digest_of
from gateway.catalog.catalog import ModelKey
from gateway.records import RequestRecord
from gateway.routing import Holdback, HoldbackSpending, Ranking, RoutingContext, RoutingEngine, SessionLookup
from gateway.routing.holdback import HoldbackDraw
from gateway.store.sqlite import SqliteStore
from tests.routing.worlds import FLASH, MODERATE, SONNET, THREE

NOW = datetime(2026, 11, 29, 23, 50, tzinfo=UTC)
KEY = VirtualKey(id="key_1", name="team", digest=digest_of("one"), last4="-one", created=NOW)
ROW = RequestRecord(
    "req_1", NOW.isoformat(), "hybrid", "claude", "claude-sonnet-9", "claude", "claude-sonnet-9", holdback=True
)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def ranking() -> Iterator[Ranking]:
    store = SqliteStore(":memory:")
    with RoutingEngine("unused", catalog=THREE, seed=1, store=store) as engine:
        context = RoutingContext(MODERATE, available_providers=["gemini", "claude"])
        yield engine.rank(MODERATE, strategy="hybrid", context=context)
    store.close()


def spending(clock: Clock | None = None, *, stored: Decimal = Decimal(0)) -> HoldbackSpending:
    def read(*, since: str) -> Decimal:
        return stored

    return HoldbackSpending(read, now=clock or Clock())


def holdback(share: float, *, daily_usd: str = "1", spent: HoldbackSpending | None = None, seed: int = 0) -> Holdback:
    return Holdback(share, daily_usd=Decimal(daily_usd), spending=spent or spending(), seed=seed)


def session(name: str, **members: Any) -> SessionLookup:
    return SessionLookup(session_id=name, conversation=name, **members)


def drawn(share: float, ranking: Ranking, *, name: str = "s", seed: int = 0) -> HoldbackDraw:
    return holdback(share, seed=seed).draw(ranking, SONNET.key, session=session(name), key=None)


def test_the_share_of_conversations_is_drawn(ranking: Ranking) -> None:
    """Of many conversations about the configured share is held back."""
    held = sum(drawn(0.1, ranking, name=f"s{number}").held is True for number in range(4000))
    assert 340 < held < 460


def test_a_conversation_is_drawn_once(ranking: Ranking) -> None:
    """The draw depends on the conversation, its key and the seed, and not on the turn."""
    sides = [drawn(0.5, ranking, name=f"s{number}").held for number in range(64)]
    turns = [holdback(0.5).draw(ranking, SONNET.key, session=session(f"s{n}", cached=9), key=None) for n in range(64)]
    others = [
        holdback(0.5).draw(ranking, SONNET.key, session=session(f"s{n}", key_id="k"), key=None) for n in range(64)
    ]
    assert sides == [draw.held for draw in turns]
    assert sides != [draw.held for draw in others]
    assert sides != [drawn(0.5, ranking, name=f"s{number}", seed=1).held for number in range(64)]


def test_a_held_back_conversation_goes_to_the_baseline(ranking: Ranking) -> None:
    """The baseline comes first, the reason says why, and the routed choice stays known."""
    draw = drawn(1.0, ranking)
    assert draw.held
    assert draw.ranking.chosen == draw.ranking.keys[0] == SONNET.key
    assert draw.ranking.reasoning.startswith(f"Holdback: the baseline {SONNET.full_name} answers")
    assert draw.routed is ranking


def test_propensities_include_the_holdback(ranking: Ranking) -> None:
    """On both sides of the draw each model has the probability with which it answers, and they sum to one."""
    routed = ranking._replace(propensities={0: 0.9, 2: 0.1}, propensity=0.9, chosen=FLASH.key, order=(0, 1, 2))
    held, other = (
        next(draw for n in range(99) if (draw := drawn(0.2, routed, name=f"s{n}")).held is side)
        for side in (True, False)
    )
    assert held.ranking.propensities == other.ranking.propensities == pytest.approx({0: 0.72, 2: 0.28})
    assert held.ranking.propensity == pytest.approx(0.28)
    assert other.ranking.propensity == pytest.approx(0.72)
    assert other.ranking.chosen == FLASH.key


def test_an_unknown_propensity_stays_unknown(ranking: Ranking) -> None:
    """A replaced strategy that does not say how likely its choice was is not given a figure."""
    unknown = ranking._replace(propensity=None)
    assert drawn(1.0, unknown).ranking.propensity is None
    assert drawn(0.0, unknown).ranking.propensity is None


def test_nothing_is_drawn_where_the_baseline_cannot_answer(ranking: Ranking) -> None:
    """A baseline that the request excludes, or that is cooling down, and a request without a conversation: no draw."""
    every = holdback(1.0)
    excluded = every.draw(ranking, ModelKey("gemini", "other"), session=session("s"), key=None)
    alone = every.draw(ranking, SONNET.key, session=None, key=None)
    resting = ranking._replace(models=ranking.models._replace(cooling=(True, True, True)))
    cooling = every.draw(resting, SONNET.key, session=session("s"), key=None)
    assert excluded == alone == HoldbackDraw(ranking)
    assert cooling == HoldbackDraw(resting)


@pytest.mark.parametrize("key", [replace(KEY, holdback=False), replace(KEY, max_cost_nano=10**9)], ids=["out", "limit"])
def test_a_key_may_opt_out(ranking: Ranking, key: VirtualKey) -> None:
    """A key without holdback, and one whose requests have a highest cost, is never drawn; others are."""
    assert holdback(1.0).draw(ranking, SONNET.key, session=session("s"), key=key) == HoldbackDraw(ranking)
    assert holdback(1.0).draw(ranking, SONNET.key, session=session("s"), key=KEY).held


def test_the_day_has_a_cap(ranking: Ranking) -> None:
    """Above the cap nothing is drawn, on neither side, until the next UTC day."""
    clock = Clock()
    spent = spending(clock)
    capped = holdback(1.0, daily_usd="0.01", spent=spent)
    spent.observe(ROW._replace(actual_cost=Decimal("0.012"), shadow_cost=Decimal("0.002")))
    assert spent.spent == Decimal("0.010")
    assert capped.draw(ranking, SONNET.key, session=session("s"), key=None) == HoldbackDraw(ranking)
    clock.now += timedelta(minutes=10)
    assert capped.draw(ranking, SONNET.key, session=session("s"), key=None).held


def test_spending_counts_what_is_known_of_held_back_rows() -> None:
    """Other rows and unknown costs add nothing; where the routed choice has no price the whole cost counts."""
    spent = spending()
    spent.observe(ROW._replace(holdback=False, actual_cost=Decimal(1)))
    spent.observe(ROW._replace(actual_cost=None))
    assert spent.spent == 0
    spent.observe(ROW._replace(actual_cost=Decimal("0.5")))
    assert spent.spent == Decimal("0.5")


def test_a_refresh_reads_what_all_processes_spent() -> None:
    """The ledger's sum of the day replaces what this process saw, so a restart or another worker does not raise the cap."""
    days = []

    def read(*, since: str) -> Decimal:
        days.append(since)
        return Decimal("0.7")

    spent = HoldbackSpending(read, now=Clock())
    spent.observe(ROW._replace(actual_cost=Decimal("0.5")))
    spent.refresh()
    assert (spent.spent, days) == (Decimal("0.7"), ["2026-11-29"])

"""The holdback in the served gateway: rows, headers, opt-outs."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.accounts.virtual_keys import VirtualKey, digest_of
from gateway.store import InsertVirtualKey
from tests.conftest import MakeGateway
from tests.upstreams import answer

OPUS = "claude/claude-opus-5-5"
ALL = f"holdback: 1\nbaseline: {OPUS}\n"


@pytest.mark.parametrize("stream", [False, True])
def test_a_held_back_conversation_is_answered_by_the_baseline(make_gateway: MakeGateway, stream: bool) -> None:
    """Header and row say so; the row keeps what routing would have chosen, priced on the same usage, and is learned from."""
    gateway = make_gateway(answer(prompt_tokens=1000, completion_tokens=500), config=ALL)
    response = gateway.ask("Hello", stream=stream)
    assert response.headers["x-gateway-holdback"] == "true"
    (row,) = gateway.rows
    assert f"{row['selected_provider']}/{row['selected_model']}" == OPUS
    assert (row["holdback"], row["propensity"], row["auto_route"]) == (True, 1.0, True)
    assert row["reasoning"].startswith("Holdback: ")
    assert 0 < row["shadow_cost"] < row["actual_cost"] == row["baseline_cost"]
    assert gateway.store.outcomes()[0].model == "claude-opus-5-5"
    extra = gateway.store.holdback_cost(since=f"{datetime.now(UTC):%Y-%m-%d}")
    assert extra == pytest.approx(Decimal(str(row["actual_cost"])) - Decimal(str(row["shadow_cost"])))
    assert gateway.store.holdback_cost(since="9999") == 0
    assert gateway.store.shadow(days=1)["shadow_requests"] == 0


def test_a_conversation_that_is_not_drawn_says_so_in_its_row(make_gateway: MakeGateway) -> None:
    """It could have been held back, so it is what held-back ones are compared with; its propensity includes the draw."""
    gateway = make_gateway(config=f"holdback: 0.000001\nbaseline: {OPUS}\n")
    assert "x-gateway-holdback" not in gateway.ask("Hello").headers
    (row,) = gateway.rows
    assert (row["holdback"], row["shadow_model"]) == (False, None)
    assert row["propensity"] == pytest.approx(1 - 1e-6)


def test_requests_that_choose_for_themselves_are_not_drawn(make_gateway: MakeGateway) -> None:
    """A named model, hints that exclude the baseline, `?auto_route=false` and shadow mode: no draw."""
    gateway = make_gateway(config=ALL)
    gateway.ask("Hello", model="gemini/gemini-3.8-flash")
    gateway.ask("Hello", model="gemini/gemini-3.8-flash", path="/v1/chat/completions?auto_route=true")
    gateway.ask("Hello", routing={"providers": ["gemini"]})
    gateway.ask("Hello", path="/v1/chat/completions?auto_route=false")
    gateway.ask("Hello", path="/v1/chat/completions?auto_route=shadow")
    assert [row["holdback"] for row in gateway.rows] == [None] * 5


def test_the_cap_ends_the_draws_of_the_day(make_gateway: MakeGateway) -> None:
    """The first held-back answer costs more than the cap, so the next conversation is routed."""
    upstream = answer(prompt_tokens=1000, completion_tokens=500)
    gateway = make_gateway(upstream, config=f"{ALL}holdback_daily_usd: 0.000001\n")
    gateway.ask("Hello")
    gateway.ask("Good morning")
    assert [row["holdback"] for row in gateway.rows] == [True, None]


def test_a_key_without_holdback_is_routed(make_gateway: MakeGateway) -> None:
    """Its conversations never go to the baseline by a draw; those of other keys do."""
    gateway = make_gateway(config=ALL)
    for name, holdback in (("in", True), ("out", False)):
        key = VirtualKey(
            id=name, name=name, digest=digest_of(name), last4=name, created=datetime.now(UTC), holdback=holdback
        )
        gateway.store.submit(InsertVirtualKey(key)).result()
    gateway.app.state.gateway.services.key_cache.refresh()
    for name in ("in", "out"):
        gateway.client.headers["authorization"] = f"Bearer {name}"
        assert gateway.ask("Hello").status_code == 200
    assert [row["holdback"] for row in gateway.rows] == [True, None]


def test_all_turns_of_a_conversation_are_on_one_side(make_gateway: MakeGateway) -> None:
    """What is drawn are conversations: each keeps its side over its turns, and both sides occur."""
    gateway = make_gateway(config=f"holdback: 0.5\nbaseline: {OPUS}\n")
    sides: dict[str, set[bool | None]] = {}
    for turn in range(3):
        for name in range(12):
            gateway.ask(f"Turn {turn} of {name}", routing={"session_id": f"c{name}"})
    for row in gateway.rows:
        sides.setdefault(row["session_id"], set()).add(row["holdback"])
    assert len(sides) == 12
    assert all(len(side) == 1 for side in sides.values())
    assert {next(iter(side)) for side in sides.values()} == {True, False}

"""`gateway route`."""

from __future__ import annotations

from pathlib import Path

import orjson

from tests.cli.conftest import Invoke


def test_route_prints_choice_reason_baseline_and_candidates(invoke: Invoke, db: Path) -> None:
    """The first line is the choice, then come the reason, the baseline and every candidate; no ledger is made."""
    lines = invoke("route", "Explain how HTTP works").output.splitlines()
    chosen = lines[0].split()[0]
    assert lines[2] == "baseline: claude/claude-haiku-5-5"
    assert lines[3].startswith(f"  {chosen}: quality ")
    assert not db.exists()


def test_route_json_is_the_answer_of_the_route_endpoint(invoke: Invoke) -> None:
    """--json is what `POST /v1/route` answers."""
    answer = orjson.loads(invoke("route", "Hello", "--no-auto-route", "--json").output)
    assert answer["object"] == "routing.decision"
    assert answer["strategy_used"] == "complexity"
    assert answer["model"] == "gemini/gemini-3.8-flash"


def test_route_considers_only_providers_with_a_key(invoke: Invoke) -> None:
    """As soon as one key is set, only such providers are considered, as in the served gateway."""
    answer = orjson.loads(invoke("route", "Hello", "--json", ANTHROPIC_API_KEY="k").output)
    assert {candidate["provider"] for candidate in answer["candidates"]} == {"claude"}


def test_route_takes_a_named_model_as_it_is(invoke: Invoke) -> None:
    """A model's name is taken as it is."""
    first = invoke("route", "Hello", "--model", "claude/claude-opus-5").output.splitlines()[0]
    assert first == "claude/claude-opus-5  (pinned, confidence none)"


def test_route_offers_the_nearest_names_for_an_unknown_model(invoke: Invoke) -> None:
    """A name that means nothing ends with the nearest ones."""
    result = invoke("route", "Hello", "--model", "claude-opus-55")
    assert result.exit_code == 1
    assert "Did you mean" in result.output


def test_route_ends_with_the_reason_for_an_unreadable_ledger(invoke: Invoke, db: Path) -> None:
    """A ledger that cannot be read ends the command with the reason."""
    db.write_text("this is text, and long enough not to be taken for an empty database" * 20)
    assert "not an SQLite database" in invoke("route", "Hello").output


def test_route_takes_a_prompt_that_is_not_utf8(invoke: Invoke) -> None:
    """A prompt that is not UTF-8 is routed all the same."""
    assert invoke("route", "caf\udce9").exit_code == 0

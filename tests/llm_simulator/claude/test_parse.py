"""Usage of Claude's prompt cache, and thinking by default."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response

Ask = Callable[..., Response]

LONG = "All work and no play makes a dull prompt. " * 300


def system(*lives: str) -> list[dict[str, Any]]:
    return [
        {"type": "text", "text": f"{n} {LONG}", "cache_control": {"type": "ephemeral", "ttl": life}}
        for n, life in enumerate(lives)
    ]


def test_cache_writes_then_reads(claude: Ask) -> None:
    """A breakpoint writes its prefix once and reads it after that; the sum stays the prompt."""
    first = claude(system=system("5m")).json()["usage"]
    second = claude(system=system("5m")).json()["usage"]
    assert first["cache_creation_input_tokens"] > 3000
    assert first["cache_read_input_tokens"] == 0
    assert second["cache_creation_input_tokens"] == 0
    assert second["cache_read_input_tokens"] == first["cache_creation_input_tokens"]
    assert second["input_tokens"] == first["input_tokens"]


def test_lives_are_split(claude: Ask) -> None:
    """Tokens written for an hour and for five minutes are told apart."""
    usage = claude(system=system("1h", "5m")).json()["usage"]
    split = usage["cache_creation"]
    assert split["ephemeral_1h_input_tokens"] > 3000
    assert split["ephemeral_5m_input_tokens"] > 3000
    assert sum(split.values()) == usage["cache_creation_input_tokens"]


def test_short_prefix_is_not_cached(claude: Ask) -> None:
    """Below the model's minimum a breakpoint does nothing."""
    short = [{"type": "text", "text": "short", "cache_control": {"type": "ephemeral"}}]
    assert claude(system=short).json()["usage"]["cache_creation_input_tokens"] == 0


def test_top_level_cache_control_marks_the_last_block(claude: Ask) -> None:
    """The top-level cache_control marks the last block."""
    usage = claude(LONG, cache_control={"type": "ephemeral"}).json()["usage"]
    assert usage["cache_creation_input_tokens"] > 3000


def test_prompt_without_text(claude: Ask) -> None:
    """A prompt may consist of an image alone."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}
    body = claude([{"role": "user", "content": [image]}]).json()
    assert "image (image/png, 4 bytes)" in body["content"][0]["text"]
    assert body["usage"]["input_tokens"] > 258


def test_system_text_and_media_count(claude: Ask) -> None:
    """A plain system text and media are part of the prompt's tokens."""
    plain = claude().json()["usage"]["input_tokens"]
    assert claude(system="Be brief." * 10).json()["usage"]["input_tokens"] > plain


@pytest.mark.parametrize(
    ("model", "thinks", "shown"), [("claude-haiku-4-5", False, False), ("claude-sonnet-5", True, False)]
)
def test_models_from_5_on_think_unasked_and_hide_it(claude: Ask, model: str, thinks: bool, shown: bool) -> None:
    """Models from 5 on think unasked, and hide the text of it."""
    blocks = [
        block for block in claude("Explain entropy", model=model).json()["content"] if block["type"] == "thinking"
    ]
    assert bool(blocks) == thinks
    assert any(block["thinking"] for block in blocks) == shown


def test_display_shows_or_hides_the_thinking(claude: Ask) -> None:
    """`summarized` shows the thinking of a model that hides it, `omitted` hides it where it is shown."""
    shown = claude(model="claude-opus-5-5", thinking={"type": "adaptive", "display": "summarized"}).json()["content"][0]
    hidden = claude(model="claude-sonnet-4-6", thinking={"type": "adaptive", "display": "omitted"}).json()["content"][0]
    assert shown["thinking"]
    assert hidden["thinking"] == ""
    assert hidden["signature"]


def test_thinking_tokens_are_inside_the_output_tokens(claude: Ask) -> None:
    """Thinking tokens are inside the output tokens."""
    usage = claude(thinking={"type": "enabled", "budget_tokens": 2048}).json()["usage"]
    assert 0 < usage["output_tokens_details"]["thinking_tokens"] < usage["output_tokens"]


def test_orders_in_the_system_prompt(claude: Ask) -> None:
    """A model that is told to answer in JSON, or to call a tool, does."""
    told = claude(system="Answer with one JSON object and nothing else.").json()["content"]
    assert json.loads(told[-1]["text"])
    tool = {"name": "lookup", "input_schema": {"type": "object", "properties": {}}}
    called = claude(model="claude-opus-5-5", tools=[tool], system=[{"type": "text", "text": "You must call it now."}])
    assert called.json()["stop_reason"] == "tool_use"

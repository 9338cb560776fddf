"""Reasoning of other models in thinking blocks."""

from __future__ import annotations

from typing import Any

from gateway.dialects.envelope import Envelope, seal, unseal
from gateway.dialects.messages.thinking import ReasoningCollector, ReceivedReasoning, is_own


def sealed(collector: ReasoningCollector) -> Envelope:
    envelope = unseal(collector.seal())
    assert envelope is not None
    return envelope


def test_pieces_of_a_detail_are_joined() -> None:
    """Texts of the same detail are joined, other members are the last ones that came; another index is another detail."""
    collector = ReasoningCollector("openrouter/v/m")
    collector.add([{"index": 0, "type": "reasoning.text", "text": "a"}])
    collector.add([{"index": 0, "type": "reasoning.text", "text": "b", "signature": "s"}])
    collector.add(
        [{"index": 1, "type": "reasoning.encrypted", "data": "d"}, {"type": "reasoning.summary", "summary": "x"}]
    )
    assert collector.waiting
    assert sealed(collector) == Envelope(
        "openrouter/v/m",
        [
            {"index": 0, "type": "reasoning.text", "text": "ab", "signature": "s"},
            {"index": 1, "type": "reasoning.encrypted", "data": "d"},
            {"type": "reasoning.summary", "summary": "x"},
        ],
    )
    assert not collector.waiting


def test_a_signature_of_a_call_comes_back_with_it() -> None:
    """What belongs to a call is found by the call's id; the rest belongs to the message."""
    collector = ReasoningCollector("gemini/x")
    extra = {"google": {"thought_signature": "s"}}
    collector.add([{"index": 0, "signature": "m"}])
    collector.add_call("t1", {"extra_content": extra})
    collector.add_call("t2", {})
    returned = ReceivedReasoning([{"type": "redacted_thinking", "data": collector.seal()}])
    assert returned.details == [{"index": 0, "signature": "m"}]
    assert returned.calls == {"t1": {"extra_content": extra}}


def test_only_envelopes_are_read() -> None:
    """Blocks that Anthropic signed, and broken envelopes, tell nothing."""
    blocks: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "x", "signature": "EqQB"},
        {"type": "redacted_thinking", "data": "gw1.broken"},
        {"type": "thinking"},
    ]
    returned = ReceivedReasoning(blocks)
    assert (returned.details, returned.calls) == ([], {})
    assert [is_own(block) for block in blocks] == [False, True, False]


def test_a_call_without_an_id_is_ignored() -> None:
    """An envelope that a client changed breaks nothing."""
    data = seal(
        Envelope(
            "m", [{"type": "tool_call", "extra_content": {}}, {"type": "tool_call", "id": "t", "extra_content": 7}]
        )
    )
    assert ReceivedReasoning([{"type": "redacted_thinking", "data": data}]).calls == {}

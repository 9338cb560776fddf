"""Thought signatures: what a history brings back, and whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.providers.base import SignatureCache
from gateway.providers.gemini.signatures import FORMAT, ThoughtSignature, detail, of_call, of_message


def test_echoed_signature_wins_over_the_kept_one() -> None:
    """The client's echo wins over what was kept; a call that only its id is left of has what was kept."""
    signature_cache = SignatureCache()
    signature_cache.put("c1", ThoughtSignature("kept"))
    assert (
        of_call(
            {"id": "c1", "extra_content": {"google": {"thought_signature": "echoed"}}}, signature_cache=signature_cache
        )
        == "echoed"
    )
    assert of_call({"id": "c1"}, signature_cache=signature_cache) == "kept"
    assert of_call({"id": "c2"}, signature_cache=signature_cache) is None


@pytest.mark.parametrize(
    "extra",
    [None, "x", {}, {"google": None}, {"google": {"thought_signature": 1}}, {"google": {"thought_signature": ""}}],
)
def test_malformed_signature_entries_are_passed_over(extra: Any) -> None:
    """What is no signature is passed over."""
    assert of_call({"id": "c1", "extra_content": extra}, signature_cache=SignatureCache()) is None


def test_foreign_signature_is_not_sent() -> None:
    """What another provider kept under a call's id is not Gemini's."""
    signature_cache = SignatureCache()
    signature_cache.put("toolu_1", {"type": "thinking", "signature": "theirs"})
    assert of_call({"id": "toolu_1"}, signature_cache=signature_cache) is None


def test_newest_message_signature_is_used() -> None:
    """The newest entry of our own format is the message's signature."""
    assert of_message({"reasoning_details": [detail("a", index=0), detail("b", index=1)]}) == "b"
    assert of_message({"reasoning_details": [{"type": "reasoning.encrypted", "data": "c", "format": FORMAT}]}) == "c"


@pytest.mark.parametrize(
    "details",
    [
        None,
        "x",
        [],
        ["x"],
        [{"type": "reasoning.text", "signature": "s", "index": 0}],
        [{"type": "reasoning.text", "signature": "s", "format": "anthropic-claude-v1"}],
        [{"type": "reasoning.encrypted", "data": "s", "format": FORMAT, "id": "call_1"}],
        [{"format": FORMAT, "signature": 1}],
        [{"format": FORMAT}],
    ],
)
def test_foreign_entries_are_not_the_messages_signature(details: Any) -> None:
    """Entries without our format, or that belong to a call, are not the message's signature."""
    assert of_message({"reasoning_details": details}) is None

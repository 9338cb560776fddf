"""Envelopes for reasoning that a client returns unread."""

from __future__ import annotations

import base64

import pytest

from gateway.dialects.envelope import PREFIX, Envelope, is_sealed, seal, unseal

ENVELOPE = Envelope("claude/claude-haiku-4-5", [{"type": "reasoning.text", "text": "hm", "signature": "s=="}])


def test_an_envelope_comes_back_whole() -> None:
    """What was sealed is what is unsealed, in characters that every client keeps."""
    sealed = seal(ENVELOPE)
    assert unseal(sealed) == ENVELOPE
    assert is_sealed(sealed)
    assert sealed.isascii()


def packed(text: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(text).decode()


@pytest.mark.parametrize(
    "text",
    [
        "EqQBCgIYAhIM",
        "",
        None,
        7,
        PREFIX,
        f"{PREFIX}=",
        f"{PREFIX}ü",
        packed(b"{"),
        packed(b"[]"),
        packed(b'{"model": 1, "details": []}'),
        packed(b'{"model": "m", "details": {}}'),
    ],
)
def test_anything_else_is_no_envelope(text: object) -> None:
    """A vendor's own string, and a broken envelope, is None; nothing raises."""
    assert unseal(text) is None


def test_only_objects_are_details() -> None:
    """What is no object inside an envelope is dropped, since providers read members."""
    assert unseal(packed(b'{"model": "m", "details": [1, {"a": 2}]}')) == Envelope("m", [{"a": 2}])

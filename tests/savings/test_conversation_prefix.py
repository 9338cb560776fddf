"""What a turn repeats of the one before."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.catalog import ModelKey
from gateway.completion import ChatRequest
from gateway.savings.conversation_prefix import (
    FIRST,
    LIFETIME,
    LONG_LIFETIME,
    UNKNOWN,
    ConversationPrefixes,
    Turn,
    breakpoint_lifetime,
    digest_of,
    message_hashes,
)

HAIKU = ModelKey("claude", "haiku")
KEY = (None, "s-1")
HELLO: dict[str, Any] = {"role": "user", "content": "Hello"}
NEXT: list[dict[str, Any]] = [
    HELLO,
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": [{"type": "text", "text": "More"}]},
]


def request(*messages: dict[str, Any], **body: Any) -> ChatRequest:
    return ChatRequest(body=body, model="auto", messages=messages)


def turn(asked: ChatRequest, *, at: float = 0.0, lifetime: float = LIFETIME) -> Turn:
    digest = digest_of(message_hashes(asked))
    return Turn(HAIKU, 2_000, at, messages=len(asked.messages), digest=digest, lifetime=lifetime)


def prefix_state(prefixes: ConversationPrefixes, asked: ChatRequest, *, began: float = 10.0) -> str:
    return prefixes.prefix(KEY, asked.messages, message_hashes(asked), began=began).state


@pytest.fixture
def prefixes() -> ConversationPrefixes:
    prefixes = ConversationPrefixes(capacity=2)
    prefixes.record(KEY, turn(request(HELLO)))
    return prefixes


def test_the_next_turn_repeats_the_last(prefixes: ConversationPrefixes) -> None:
    assert prefix_state(prefixes, request(*NEXT)) == "kept"


def test_a_cache_expires(prefixes: ConversationPrefixes) -> None:
    """Five minutes after the last turn the cache is gone, an hour after where the breakpoints ask for that."""
    assert prefix_state(prefixes, request(*NEXT), began=LIFETIME + 1) == "expired"
    prefixes.record(KEY, turn(request(HELLO), lifetime=LONG_LIFETIME))
    assert prefix_state(prefixes, request(*NEXT), began=LIFETIME + 1) == "kept"


@pytest.mark.parametrize(
    "changed",
    [
        request({"role": "user", "content": "Hullo"}, *NEXT[1:]),
        request({"role": "system", "content": "Hello"}, *NEXT[1:]),
        request(*NEXT, tools=[{"type": "function", "function": {"name": "f"}}]),
        request(),
    ],
    ids=["text", "role", "tools", "shorter"],
)
def test_a_changed_prefix_is_noticed(prefixes: ConversationPrefixes, changed: ChatRequest) -> None:
    assert prefix_state(prefixes, changed) == "changed"


def test_a_forgotten_conversation_is_unknown() -> None:
    """Without a memory, a request that continues is not taken for a first turn."""
    prefixes = ConversationPrefixes()
    assert prefixes.prefix(KEY, [HELLO], message_hashes(request(HELLO)), began=0.0) == FIRST
    assert prefixes.prefix(KEY, NEXT, message_hashes(request(*NEXT)), began=0.0) == UNKNOWN


def test_turns_at_once_share_no_cache(prefixes: ConversationPrefixes) -> None:
    """A request that began before the last turn ended could not read what that turn cached."""
    assert prefix_state(prefixes, request(*NEXT), began=-1.0) == "first"


def test_the_oldest_conversation_is_dropped(prefixes: ConversationPrefixes) -> None:
    for name in ("s-2", "s-3"):
        prefixes.record((None, name), turn(request(HELLO)))
    assert prefix_state(prefixes, request(*NEXT)) == "unknown"


@pytest.mark.parametrize(
    "asked",
    [
        request(HELLO, cache_control={"type": "ephemeral", "ttl": "1h"}),
        request({**HELLO, "cache_control": {"type": "ephemeral", "ttl": "1h"}}),
        request({"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"ttl": "1h"}}]}),
        request(HELLO, tools=[{"type": "function", "cache_control": {"ttl": "1h"}}]),
    ],
    ids=["request", "message", "part", "tool"],
)
def test_breakpoints_that_last_an_hour(asked: ChatRequest) -> None:
    assert breakpoint_lifetime(asked) == LONG_LIFETIME
    assert breakpoint_lifetime(request(*NEXT, cache_control={"type": "ephemeral"})) == LIFETIME

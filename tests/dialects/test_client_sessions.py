"""The sessions that clients name in their own headers and fields."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import ChatRequest, RoutingHints
from gateway.dialects.client_sessions import with_client_session

UUID = "0199f2c4-6c1e-7d13-9c3a-2f6f0c0e7a11"
CODEX = {b"session-id": UUID.encode(), b"thread-id": UUID.encode()}


def asking(hints: RoutingHints | None = None, **body: Any) -> ChatRequest:
    return ChatRequest(body=body, model="auto", messages=[], hints=hints or RoutingHints())


def named(headers: dict[bytes, bytes] | None = None, hints: RoutingHints | None = None, **body: Any) -> str | None:
    return with_client_session(asking(hints, **body), headers or {}).hints.conversation


ALL: dict[bytes, bytes] = {
    b"x-session-id": b"one",
    b"x-claude-code-session-id": b"two",
    b"session-id": b"three",
    b"x-session-affinity": b"four",
}


def test_first_session_name_counts() -> None:
    """`routing.session_id`, then the headers in their order, `prompt_cache_key`, and Claude Code's `metadata.user_id`."""
    user = {"user_id": '{"device_id":"d","account_uuid":"","session_id":"six"}'}
    headers = dict(ALL)
    assert named(headers, RoutingHints(session_id="mine"), prompt_cache_key="five", metadata=user) == "mine"
    for name, value in ALL.items():
        assert named(headers, prompt_cache_key="five", metadata=user) == value.decode()
        del headers[name]
    assert named({}, prompt_cache_key="five", metadata=user) == "five"
    assert named({}, metadata=user) == "six"
    assert named({}) is None


@pytest.mark.parametrize(
    ("user_id", "session"),
    [
        (f"user_{'a' * 64}_account__session_{UUID}", UUID),
        (f"user_{'a' * 64}_account_{UUID}_session_{UUID}", UUID),
        ('{"session_id":"s 1"}', "h-"),
        ('{"session_id":7}', None),
        ('{"session_id":""}', None),
        ('{"session', None),
        ("[1]", None),
        ("user_someone", None),
        (7, None),
    ],
)
def test_claude_code_names_its_session_in_the_user(user_id: Any, session: str | None) -> None:
    """Both of its forms are read; any other user is no session."""
    found = named(metadata={"user_id": user_id})
    assert found == session or (session == "h-" and found is not None and found.startswith("h-"))


def test_long_and_strange_ids_become_hashes() -> None:
    """What a row keeps is at most 128 printable characters; the same id gives the same hash, another one another."""
    long, other = named({b"x-session-id": b"a" * 129}), named({b"x-session-id": b"a" * 130})
    assert long == named({b"x-session-id": b"a" * 129})
    assert long != other
    assert long is not None
    assert long.startswith("h-")
    assert len(long) == 34
    assert named({b"x-session-id": b"a" * 128}) == "a" * 128
    assert str(named({b"x-session-id": "Käse".encode()})).startswith("h-")
    assert named({b"x-session-id": b" "}, prompt_cache_key="") is None


@pytest.mark.parametrize(
    ("headers", "conversation"),
    [
        ({b"x-claude-code-session-id": b"s", b"x-claude-code-agent-id": b"a1"}, "s/a1"),
        (CODEX, UUID),
        (CODEX | {b"thread-id": b"t2"}, f"{UUID}/t2"),
        (CODEX | {b"x-openai-subagent": b"review"}, f"{UUID}/review"),
        ({b"thread-id": b"t2"}, None),
    ],
    ids=["Claude Code", "Codex", "Codex's spawned thread", "Codex's review", "a thread alone"],
)
def test_subagents_are_conversations_of_their_own(headers: dict[bytes, bytes], conversation: str | None) -> None:
    """By the client's mark; the main agent has none."""
    assert named(headers) == conversation


def test_the_hint_names_the_subagent_first() -> None:
    """`routing.agent_id` wins over the client's own mark, and goes with a session from a header."""
    headers = {b"x-session-id": b"s", b"x-claude-code-agent-id": b"a1"}
    assert named(headers, RoutingHints(agent_id="mine")) == "s/mine"


def test_a_cache_key_may_be_shared() -> None:
    """Only `prompt_cache_key` is a name that several conversations may have."""
    assert with_client_session(asking(prompt_cache_key="k"), {}).hints.shared_session
    assert not with_client_session(asking(prompt_cache_key="k"), {b"session-id": b"s"}).hints.shared_session


def test_request_without_session_is_unchanged() -> None:
    """The request is passed on as it is."""
    request = asking()
    assert with_client_session(request, {b"user-agent": b"x"}) is request


@pytest.mark.parametrize(
    ("headers", "body", "shared"),
    [
        ({b"x-claude-code-session-id": b"s"}, {}, True),
        ({}, {"metadata": {"user_id": '{"session_id":"s"}'}}, True),
        ({}, {"prompt_cache_key": "s"}, True),
        ({b"x-session-id": b"s", b"x-claude-code-session-id": b"t"}, {}, False),
        (CODEX, {"prompt_cache_key": "s"}, False),
    ],
    ids=["Claude Code", "its metadata", "cache key", "session header", "Codex"],
)
def test_conversations_may_share_a_session(headers: dict[bytes, bytes], body: dict[str, Any], shared: bool) -> None:
    """Subagents of Claude Code use its session, some without an id of their own; a cache key may serve many users."""
    assert with_client_session(asking(**body), headers).hints.shared_session is shared

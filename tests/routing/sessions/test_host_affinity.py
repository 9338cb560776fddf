"""The host of a conversation behind a router."""

from __future__ import annotations

import pytest

from gateway.catalog.catalog import ModelKey
from gateway.completion import ChatRequest, RoutedConversation, RoutingHints, Usage
from gateway.routing.sessions.affinity import SessionAffinity, SessionLookup
from gateway.routing.sessions.host_affinity import TTL, HostAffinity
from tests.routing.sessions.test_affinity import Clock

QWEN = ModelKey("openrouter", "qwen/qwen3")
DEEPINFRA = Usage(raw={"provider": "DeepInfra"})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hosts(clock: Clock) -> HostAffinity:
    return HostAffinity(SessionAffinity(clock, secret=b"s"), clock, providers={"openrouter"}, capacity=2)


def conversation(hosts: HostAffinity, session: str = "s", key: ModelKey = QWEN) -> RoutedConversation | None:
    messages = [{"role": "user", "content": "Hi"}]
    request = ChatRequest({}, "auto", messages, hints=RoutingHints(session_id=session))
    return hosts.prepare(request, key, session=None, key_id="k").conversation


def test_last_host_of_the_conversation_is_preferred(hosts: HostAffinity, clock: Clock) -> None:
    """For ten minutes, for the same conversation and the same model."""
    first = conversation(hosts)
    assert first == RoutedConversation("k/s")
    hosts.record(first, QWEN, DEEPINFRA)
    assert conversation(hosts) == RoutedConversation("k/s", "DeepInfra")
    assert conversation(hosts, "another") == RoutedConversation("k/another")
    assert conversation(hosts, key=ModelKey("openrouter", "z/other")) == first
    clock.now = TTL + 1
    assert conversation(hosts) == first


def test_conversation_is_that_of_the_plan(hosts: HostAffinity) -> None:
    """A routed request has its conversation already."""
    request = ChatRequest({}, "auto", [])
    prepared = hosts.prepare(request, QWEN, session=SessionLookup("s", "s/c"), key_id=None)
    assert prepared.conversation == RoutedConversation("/s/c")


def test_providers_without_hosts_get_no_conversation(hosts: HostAffinity) -> None:
    """Their requests stay as they are."""
    assert conversation(hosts, key=ModelKey("gemini", "flash")) is None


@pytest.mark.parametrize("usage", [None, Usage(), Usage(raw={"provider": 7}), Usage(raw={"provider": ""})])
def test_answer_without_a_host_leaves_no_preference(hosts: HostAffinity, usage: Usage | None) -> None:
    """What is no name is not sent back."""
    hosts.record(RoutedConversation("k/s"), QWEN, usage)
    assert conversation(hosts) == RoutedConversation("k/s")


def test_hosts_are_bounded(hosts: HostAffinity) -> None:
    """The conversations that were quiet longest are forgotten."""
    for session in ("a", "b", "a", "c"):
        hosts.record(RoutedConversation(f"k/{session}"), QWEN, DEEPINFRA)
    kept = [conversation(hosts, session) for session in "abc"]
    assert [each.host for each in kept if each] == ["DeepInfra", None, "DeepInfra"]

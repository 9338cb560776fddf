"""Keeps a conversation at the host that has its prefix in the cache, where a router such as OpenRouter chooses among hosts.

The provider gets the conversation's key, and the host that answered last as a preference; others may still answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Set

from gateway.catalog.catalog import ModelKey
from gateway.completion import ChatRequest, RoutedConversation, Usage
from gateway.routing.sessions.affinity import SessionAffinity, SessionLookup

# Seconds that a host is preferred after an answer: OpenRouter's own sessions end after ten minutes without a request.
# https://openrouter.ai/docs/guides/best-practices/prompt-caching#provider-sticky-routing
TTL = 600.0
_CAPACITY = 10_000


class HostAffinity:
    """Bounded in number and time. `providers` are the names of those that choose a host; `clock` is monotonic seconds."""

    def __init__(
        self,
        sessions: SessionAffinity,
        clock: Callable[[], float],
        *,
        providers: Set[str],
        capacity: int = _CAPACITY,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._providers = providers
        self._capacity = capacity
        self._hosts: OrderedDict[tuple[str, ModelKey], tuple[str, float]] = OrderedDict()

    def prepare(
        self, request: ChatRequest, key: ModelKey, *, session: SessionLookup | None, key_id: str | None
    ) -> ChatRequest:
        """The request with its conversation and the host that answered it last, where that provider chooses one."""
        if key.provider not in self._providers:
            return request
        conversation = self._sessions.conversation(request) if session is None else session.conversation
        name = f"{key_id or ''}/{conversation}"
        host, at = self._hosts.get((name, key), (None, 0.0))
        if self._clock() - at > TTL:
            host = None
        return request._replace(conversation=RoutedConversation(name, host))

    def record(self, conversation: RoutedConversation, key: ModelKey, usage: Usage | None) -> None:
        """Prefer the host that the answer's usage names, if it names one."""
        host = None if usage is None else usage.raw.get("provider")
        if not isinstance(host, str) or not host:
            return
        place = (conversation.name, key)
        self._hosts.pop(place, None)
        self._hosts[place] = host, self._clock()
        if len(self._hosts) > self._capacity:
            self._hosts.popitem(last=False)

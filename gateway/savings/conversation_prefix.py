"""Remembers the last turn of each conversation: the prefix that a prompt cache would hold when the next turn comes.

Bounded in number, per process and in memory only. No text is kept: a prefix is recognized by Python's keyed hash of the
sizes and ends of its messages. A change in the middle of a long text that keeps its length is not noticed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from gateway.catalog.catalog import ModelKey
from gateway.completion import ChatRequest, Json

CAPACITY = 10_000
# Seconds for which a cache is expected to exist after its last use. Claude: https://platform.claude.com/docs/en/build-with-claude/prompt-caching;
# OpenAI: "5 to 10 minutes of inactivity", https://platform.openai.com/docs/guides/prompt-caching; Google promises none.
LIFETIME, LONG_LIFETIME = 300.0, 3_600.0
_SAMPLED = 48  # characters at each end of a text
_CONTINUES = ("assistant", "tool")

ConversationKey = tuple[str | None, str]  # the client's key id and the conversation
PrefixState = Literal["first", "kept", "expired", "changed", "unknown"]


class Turn(NamedTuple):
    """One answered turn: who answered, prompt tokens as that model counts them, and when it ended (monotonic seconds).

    `messages` and `digest` identify its prompt. `lifetime` is that of its cache breakpoints in seconds. `marked_by_client`: it had
    the client's own; `marked_models` got the gateway's.
    """

    key: ModelKey
    tokens: int
    at: float
    messages: int
    digest: int
    lifetime: float = LIFETIME
    marked_by_client: bool = False
    marked_models: frozenset[ModelKey] = frozenset()


class Prefix(NamedTuple):
    """What a turn repeats of the one before. `turn` is None for `first` and `unknown`: a conversation that began elsewhere or is forgotten."""

    state: PrefixState
    turn: Turn | None = None


FIRST, UNKNOWN = Prefix("first"), Prefix("unknown")


class ConversationPrefixes:
    """The newest turn of each conversation."""

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._turns: OrderedDict[ConversationKey, Turn] = OrderedDict()
        self._capacity = capacity

    def prefix(self, key: ConversationKey, messages: Sequence[Json], hashes: Sequence[int], *, began: float) -> Prefix:
        """What the request that began at `began` (monotonic seconds) repeats; `hashes` are the `message_hashes` of the request."""
        turn = self._turns.get(key)
        if turn is None:
            return unremembered(messages)
        if began < turn.at:  # both were under way at once, so nothing was cached yet
            return FIRST
        if len(hashes) <= turn.messages or hash(tuple(hashes[: turn.messages + 1])) != turn.digest:
            return Prefix("changed", turn)
        return Prefix("kept" if began - turn.at <= turn.lifetime else "expired", turn)

    def record(self, key: ConversationKey, turn: Turn) -> None:
        self._turns.pop(key, None)
        self._turns[key] = turn
        while len(self._turns) > self._capacity:
            self._turns.popitem(last=False)


def unremembered(messages: Sequence[Json]) -> Prefix:
    """The prefix of a request whose conversation is not remembered: it may be the first turn."""
    return UNKNOWN if any(message.get("role") in _CONTINUES for message in messages) else FIRST


def message_hashes(request: ChatRequest) -> list[int]:
    """A hash of the tools, then one of each message."""
    return [hash(len(request.body.get("tools") or ())), *map(_message_hash, request.messages)]


def digest_of(hashes: Sequence[int]) -> int:
    """Identifies a whole prompt by its `message_hashes`."""
    return hash(tuple(hashes))


def _message_hash(message: Json) -> int:
    content = message.get("content")
    if type(content) is list:
        texts = tuple([_sample(part.get("text")) or part.get("type") for part in content])
        return hash((message.get("role"), texts))
    return hash((message.get("role"), _sample(content), len(message.get("tool_calls") or ())))


def _sample(text: Any) -> Any:
    """The size and both ends of a text."""
    return (len(text), text[:_SAMPLED], text[-_SAMPLED:]) if type(text) is str else None


def breakpoint_lifetime(request: ChatRequest) -> float:
    """Seconds that the client's cache breakpoints last: an hour if any of them asks for it."""
    body = request.body
    marked: list[Any] = [body, *request.messages, *(body.get("tools") or ())]
    for message in request.messages:
        content = message.get("content")
        if type(content) is list:
            marked += content
    return LONG_LIFETIME if any(map(_lasts_an_hour, marked)) else LIFETIME


def _lasts_an_hour(marked: Any) -> bool:
    mark = marked.get("cache_control")
    return type(mark) is dict and mark.get("ttl") == "1h"

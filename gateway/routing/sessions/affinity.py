"""Which conversation a request belongs to, and which model holds its cached prefix.

A session's key is the name that the client gives it (`routing.session_id`, or a header or field of its own: `gateway.dialects.client_sessions`),
else a keyed hash of what a conversation begins with: its instructions and its first user turn, which every later request of it
repeats. A subagent's id is appended to either. Only hashes and names are kept, in memory, for an hour.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from gateway.catalog.catalog import ModelKey
from gateway.completion import ChatRequest, Json
from gateway.routing.prompt.auxiliary_calls import is_auxiliary_call

TTL = 3600.0  # seconds that a session is remembered
# Seconds that a vendor's cache is counted on after its last use: the shortest lifetime that one promises.
WARM = 300.0
_CAPACITY = 10_000
# Characters of each opening message that make the key.
_READ = 65_536
_READ_IN_ALL = 4 * _READ  # of all of them, however many parts they have


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """Who answered a session last, when (monotonic seconds), and how many tokens its next request will repeat."""

    provider: str
    model: str
    tokens: int
    at: float

    @property
    def key(self) -> ModelKey:
        return ModelKey(self.provider, self.model)


@dataclass(frozen=True, slots=True)
class SessionLookup:
    """One request's place in its conversation.

    `session_id` is for the ledger, `conversation` is what is remembered by: the same, unless several conversations share the
    session's name. `pinned` is None when it opens one. `cached` are the tokens that the holder's cache is expected to have.
    `open_loop` says that the newest message is a tool's result, `housekeeping` that the call is the client's own.
    """

    session_id: str
    conversation: str
    key_id: str | None = None
    pinned: PinnedModel | None = None
    cached: int = 0
    open_loop: bool = False
    housekeeping: bool = False


class SessionAffinity:
    """Bounded in number and time. `clock` is monotonic seconds, `secret` keys the hashes."""

    def __init__(self, clock: Callable[[], float], *, secret: bytes, capacity: int = _CAPACITY) -> None:
        self._clock = clock
        self._secret = secret[:64]
        self._capacity = capacity
        self._pinned: OrderedDict[tuple[str | None, str], PinnedModel] = OrderedDict()

    def lookup(self, request: ChatRequest, *, key_id: str | None) -> SessionLookup:
        """Changes nothing. The first turn of a conversation without a name of its own finds nothing to continue."""
        session_id = self.session_id(request)
        conversation = self.conversation(request) if request.hints.shared_session else session_id  # hashed once
        named = request.hints.session_id is not None and not request.hints.shared_session
        continues = named or any(map(_answers, request.messages))
        pinned = self._pinned.get((key_id, conversation)) if continues else None
        age = self._clock() - pinned.at if pinned is not None else 0.0
        if age > TTL:
            pinned = None
        return SessionLookup(
            session_id=session_id,
            conversation=conversation,
            key_id=key_id,
            pinned=pinned,
            cached=pinned.tokens if pinned is not None and age <= WARM else 0,
            open_loop=bool(request.messages) and request.messages[-1].get("role") == "tool",
            housekeeping=is_auxiliary_call(request.messages),
        )

    def session_id(self, request: ChatRequest) -> str:
        """The client's own, else one that says nothing of the content."""
        if (named := request.hints.conversation) is not None:
            return named
        return self._derived(request)

    def conversation(self, request: ChatRequest) -> str:
        """What a request's conversation is remembered by. A name that several conversations may share does not join them."""
        if not request.hints.shared_session:
            return self.session_id(request)
        return f"{self.session_id(request)}/{self._derived(request)}"

    def _derived(self, request: ChatRequest) -> str:
        digest = blake2b(key=self._secret, digest_size=12)
        read = 0
        for text in _opening(request.messages):
            digest.update(text.encode(errors="replace") + b"\0")
            read += len(text) + 1
            if read > _READ_IN_ALL:
                break
        agent = request.hints.agent_id
        return f"s-{digest.hexdigest()}" if agent is None else f"s-{digest.hexdigest()}/{agent}"

    def record(self, lookup: SessionLookup, *, provider: str, model: str, tokens: int) -> None:
        """The session was answered by this model, `tokens` being its prompt and answer; whoever it was, it holds the session now."""
        if lookup.housekeeping:
            return
        key = (lookup.key_id, lookup.conversation)
        self._pinned.pop(key, None)
        self._pinned[key] = PinnedModel(provider, model, tokens, self._clock())
        while len(self._pinned) > self._capacity:
            self._pinned.popitem(last=False)


def _answers(message: Json) -> bool:
    return message.get("role") in ("assistant", "tool")


def _opening(messages: Iterable[Json]) -> Iterator[str]:
    """What stands before the first answer: instructions and the first user turn."""
    for message in messages:
        if _answers(message):
            return
        content = message.get("content")
        texts = [part.get("text") or "" for part in content] if isinstance(content, list) else [content or ""]
        yield str(message.get("role"))
        yield from (text[:_READ] for text in texts)
        if message.get("role") == "user":
            return

"""Finds the conversation that a request belongs to, and the model that has its prefix in the cache.

A session is identified by the name that the client gives it (`routing.session_id`, or a header or field of the client:
`gateway.dialects.client_sessions`), else by a keyed hash of the instructions and the first user turn, which every later request of
the conversation repeats. A subagent's id is appended to either. Only hashes and names are kept, in memory, for an hour.

A conversation whose history was replaced (compaction, a fresh context) has no prefix in any cache, so it starts again: no model
is pinned. A trivial opening ("hi") and a call of the client for itself pin none either.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from gateway.catalog.catalog import ModelKey
from gateway.completion import ChatRequest, Json
from gateway.routing.prompt.auxiliary_calls import is_auxiliary_call, is_trivial_opening, is_warm_up
from gateway.routing.prompt.digest import update
from gateway.routing.prompt.user_text import BILLING_HEADER, ends_with_tool_result

TTL = 3600.0  # seconds that a session is remembered
# Seconds after its last use for which a cache is expected to exist: the shortest lifetime that a vendor promises.
WARM = 300.0
_CAPACITY = 10_000
_OPENINGS = 1000  # hashes of openings that are kept: each turn of a conversation repeats its opening
# Characters that are hashed: of one part of an opening message, and of all parts together.
_HASHED = 65_536
_HASHED_IN_ALL = 4 * _HASHED
# A prompt below this share of the previous one, or with fewer than this share of its messages, has a history that was replaced.
_SHRUNK_TOKENS, _SHRUNK_MESSAGES = 0.7, 0.5


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """The model that answered a session last, when (monotonic seconds), and the tokens that the next request will repeat.

    `turns` is the number of answers so far. `prompt_tokens` (estimated) and `messages` are the size of the last request, 0 where
    unknown. `tentative`: only a trivial opening was answered, so the next turn chooses as if no model were pinned.
    """

    provider: str
    model: str
    tokens: int
    at: float
    turns: int = 1
    prompt_tokens: int = 0
    messages: int = 0
    tentative: bool = False

    @property
    def key(self) -> ModelKey:
        return ModelKey(self.provider, self.model)


@dataclass(frozen=True, slots=True)
class SessionLookup:
    """One request's place in its conversation.

    `session_id` goes into the ledger, `conversation` is the key of the pinned model: the same, unless several conversations share
    the session's name. `pinned` is None for the first request. `cached` is the number of tokens that the pinned model's cache is
    expected to hold. `open_loop`: the newest message is a tool's result. `auxiliary`: an auxiliary call of the client itself.
    `warm_up`: no answer is wanted, only a filled cache. `trivial`: the first turn, without a task. `prompt_tokens` (estimated)
    and `messages` are the size of the request.
    """

    session_id: str
    conversation: str
    key_id: str | None = None
    pinned: PinnedModel | None = None
    cached: int = 0
    open_loop: bool = False
    auxiliary: bool = False
    warm_up: bool = False
    trivial: bool = False
    prompt_tokens: int = 0
    messages: int = 0

    @property
    def turns(self) -> int:
        """Answers of this conversation so far, as far as they are known."""
        return 0 if self.pinned is None else self.pinned.turns

    def draw(self, *, seed: int, purpose: str) -> float:
        """A uniform number in [0, 1), the same for all turns of the conversation; draws of different purposes are independent."""
        text = f"{purpose}\0{self.key_id or ''}\0{self.conversation}"
        key = seed.to_bytes(16, "big", signed=True)
        digest = blake2b(text.encode(errors="replace"), key=key, digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2.0**64


class SessionAffinity:
    """Bounded in number and time. `clock` is monotonic seconds, `secret` keys the hashes."""

    def __init__(self, clock: Callable[[], float], *, secret: bytes, capacity: int = _CAPACITY) -> None:
        self._clock = clock
        self._secret = secret[:64]
        self._capacity = capacity
        self._pinned: OrderedDict[tuple[str | None, str], PinnedModel] = OrderedDict()
        self._opening_ids: OrderedDict[int, str] = OrderedDict()

    def lookup(self, request: ChatRequest, *, key_id: str | None) -> SessionLookup:
        """Read-only. The first turn of a conversation without a name has no pinned model."""
        session_id = self.session_id(request)
        conversation = (
            self.conversation(request) if request.hints.shared_session else session_id
        )  # so that the hash is computed once
        named = request.hints.session_id is not None and not request.hints.shared_session
        answered = any(map(_answers, request.messages))
        continues = named or answered
        pinned = self._pinned.get((key_id, conversation)) if continues else None
        auxiliary = is_auxiliary_call(request.messages)
        prompt_tokens, messages = request.prompt_tokens or 0, len(request.messages)
        if pinned and not auxiliary and _was_replaced(pinned, tokens=prompt_tokens, messages=messages):
            # A fresh start, or a side call that nothing else tells apart: the session gets its model once it has gone on.
            opening = f"{conversation}/{self._derived(request)}"
            pinned = self._pinned.get((key_id, opening)) if answered else None
            conversation = conversation if answered else opening
        age = self._clock() - pinned.at if pinned is not None else 0.0
        if age > TTL:
            pinned = None
        return SessionLookup(
            session_id=session_id,
            conversation=conversation,
            key_id=key_id,
            pinned=pinned,
            cached=pinned.tokens if pinned is not None and age <= WARM else 0,
            open_loop=ends_with_tool_result(request.messages),
            auxiliary=auxiliary,
            warm_up=is_warm_up(request.output_limit),
            trivial=is_trivial_opening(request.messages),
            prompt_tokens=prompt_tokens,
            messages=messages,
        )

    def session_id(self, request: ChatRequest) -> str:
        """The client's name for the session, else a hash that does not reveal the content."""
        if (name := request.hints.conversation) is not None:
            return name
        return self._derived(request)

    def conversation(self, request: ChatRequest) -> str:
        """The key of a request's conversation. A name that several conversations may share does not merge them."""
        if not request.hints.shared_session:
            return self.session_id(request)
        return f"{self.session_id(request)}/{self._derived(request)}"

    def _derived(self, request: ChatRequest) -> str:
        opening = self._opening_id(tuple(_opening(request.messages)))
        agent = request.hints.agent_id
        return opening if agent is None else f"{opening}/{agent}"

    def _opening_id(self, texts: tuple[str, ...]) -> str:
        """The id of an opening, from the cache where possible. Its key is Python's hash of the texts, so no text is kept.

        Their lengths are part of it because strings of different widths but equal bytes have the same hash: "ab" and U+6261.
        """
        key = hash((texts, tuple(map(len, texts))))
        opening_id = self._opening_ids.pop(key, None) or _hashed(texts, secret=self._secret)
        self._opening_ids[key] = opening_id
        if len(self._opening_ids) > _OPENINGS:
            self._opening_ids.popitem(last=False)
        return opening_id

    def record(self, lookup: SessionLookup, *, provider: str, model: str, tokens: int) -> None:
        """Pin the session to the model that answered it; `tokens` is the size of prompt and answer."""
        if lookup.auxiliary or lookup.warm_up:
            return
        key = (lookup.key_id, lookup.conversation)
        self._pinned.pop(key, None)
        self._pinned[key] = PinnedModel(
            provider,
            model,
            tokens,
            self._clock(),
            turns=lookup.turns + 1,
            prompt_tokens=lookup.prompt_tokens,
            messages=lookup.messages,
            tentative=lookup.trivial,
        )
        while len(self._pinned) > self._capacity:
            self._pinned.popitem(last=False)


def opening_id(messages: Iterable[Json], *, secret: bytes) -> str:
    """The id of a conversation by its beginning, keyed with at most 64 bytes: the same in all processes with this secret."""
    return _hashed(_opening(messages), secret=secret)


def _hashed(texts: Iterable[str], *, secret: bytes) -> str:
    digest = blake2b(key=secret, digest_size=12)
    for text in texts:
        update(digest, text.encode(errors="replace") + b"\0")
    return f"s-{digest.hexdigest()}"


def _was_replaced(pinned: PinnedModel, *, tokens: int, messages: int) -> bool:
    """Whether the request is so much smaller than the one before that its history was replaced, by a summary or a fresh start."""
    return 0 < tokens < _SHRUNK_TOKENS * pinned.prompt_tokens or messages < _SHRUNK_MESSAGES * pinned.messages


def _answers(message: Json) -> bool:
    return message.get("role") in ("assistant", "tool")


def _opening(messages: Iterable[Json]) -> Iterator[str]:
    """The texts before the first answer, to a bound: instructions and the first user turn."""
    read = 0
    for text in _opening_texts(messages):
        yield text
        read += len(text) + 1
        if read > _HASHED_IN_ALL:
            return


def _opening_texts(messages: Iterable[Json]) -> Iterator[str]:
    for message in messages:
        if _answers(message):
            return
        content = message.get("content")
        texts = [part.get("text") or "" for part in content] if isinstance(content, list) else [content or ""]
        yield str(message.get("role"))
        yield from (text[:_HASHED] for text in texts if not text.startswith(BILLING_HEADER))
        if message.get("role") == "user":
            return

"""Decides for which models a request gets cache breakpoints of the gateway, and places them.

Claude caches a prompt only up to breakpoints in the request. Writing a prefix costs more than input (1.25 times), reading it
costs less (a tenth), so breakpoints pay when the conversation probably goes on within the cache's lifetime:

    gain = cached * saving + new * (likelihood * saving - premium)

`cached` tokens are in this model's cache already, `new` tokens will be written; `saving` is the input price minus the cache read
price and `premium` is the cache write price minus the input price, per token. The gateway adds none where the client placed some.
Source: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.catalog.catalog import Catalog, Model, ModelKey
from gateway.completion import ChatRequest, Json, end_of_previous_request
from gateway.routing.prompt.auxiliary_calls import is_auxiliary_call
from gateway.routing.prompt.user_text import ends_with_tool_result
from gateway.routing.sessions.affinity import SessionLookup

CachingMode = Literal["off", "auto", "always"]
Minimum = Callable[[str, str], int | None]

# Probability that a request's prefix is read again within the cache's lifetime.
OPEN_LOOP = 0.9
WITH_TOOLS = 0.7
CONTINUED = 0.6
NAMED_SESSION = 0.5
SINGLE = 0.1
# (premium, saving) as shares of the input price, for models of unknown price: Anthropic's list prices.
_DEFAULT = (0.25, 0.9)
_BREAKPOINT: Json = {"type": "ephemeral"}
_MARKS = ("cache_control", "prompt_cache_breakpoint")


@dataclass(frozen=True, slots=True)
class CacheBreakpoints:
    """Cache breakpoints of one request.

    `client`: the client placed its own. `models` get the gateway's. `minimum` returns the number of prompt tokens from which a
    model's breakpoints have an effect, None for a model that caches without.
    """

    client: bool = False
    models: frozenset[ModelKey] = frozenset()
    minimum: Minimum = lambda provider, model: None

    def needed_by(self, key: ModelKey) -> bool:
        """Whether that model caches only up to breakpoints."""
        return self.minimum(*key) is not None

    def act_at(self, key: ModelKey) -> bool:
        """Whether that model caches this request, by the breakpoints of client or gateway, or without any."""
        return self.client or key in self.models or not self.needed_by(key)

    def placed_by(self, key: ModelKey) -> Literal["client", "gateway"] | None:
        """Who placed the breakpoints of a request to that model."""
        if self.client:
            return "client"
        return "gateway" if key in self.models else None


NO_BREAKPOINTS = CacheBreakpoints()


class PromptCaching:
    """Applies the setting `prompt_caching` at the catalogue's prices."""

    def __init__(self, mode: CachingMode, catalog: Catalog, *, minimum: Minimum) -> None:
        self._mode = mode
        self._catalog = catalog
        self._minimum = minimum
        self._marked = tuple((model.key, least) for model in catalog if (least := minimum(*model.key)) is not None)
        self._least = min((least for _, least in self._marked), default=math.inf)
        self._by_client = CacheBreakpoints(client=True, minimum=minimum)
        self._unmarked = CacheBreakpoints(minimum=minimum)

    def routed(self, request: ChatRequest, lookup: SessionLookup | None, *, prompt_tokens: int) -> CacheBreakpoints:
        """For a request whose model the gateway chooses."""
        if has_marks(request):
            return self._by_client
        if self._mode == "off" or prompt_tokens < self._least:
            return self._unmarked
        likelihood = likelihood_of_next(request, lookup)
        chosen = [
            key
            for key, least in self._marked
            if prompt_tokens >= least and self._gain(key, lookup, prompt_tokens, likelihood) > 0
        ]
        return CacheBreakpoints(models=frozenset(chosen), minimum=self._minimum)

    def named(self, request: ChatRequest, key: ModelKey, *, prompt_tokens: Callable[[], int]) -> CacheBreakpoints:
        """For a request whose model the client names; `prompt_tokens` is called only where the size matters."""
        if has_marks(request):
            return self._by_client
        least = self._minimum(*key) if self._mode == "always" else None
        if least is None:
            return NO_BREAKPOINTS
        tokens = prompt_tokens()
        if tokens < least or self._gain(key, None, tokens, likelihood_of_next(request, None)) <= 0:
            return NO_BREAKPOINTS
        return CacheBreakpoints(models=frozenset({key}))

    def _gain(self, key: ModelKey, lookup: SessionLookup | None, prompt_tokens: int, likelihood: float) -> float:
        """The gain of the module's docstring, in tokens times price; only its sign matters."""
        premium, saving = _prices(self._catalog.get(*key))
        pinned = lookup.pinned if lookup is not None else None
        cached = min(lookup.cached, prompt_tokens) if lookup and pinned and pinned.key == key else 0
        return cached * saving + (prompt_tokens - cached) * (likelihood * saving - premium)


def _prices(model: Model | None) -> tuple[float, float]:
    """(premium of a write, saving of a read)"""
    if model is None or model.cache_read_price is None or model.cache_write_price is None:
        return _DEFAULT
    return model.cache_write_price - model.input_price, model.input_price - model.cache_read_price


def likelihood_of_next(request: ChatRequest, lookup: SessionLookup | None) -> float:
    """The probability that this request's prefix is read again soon, from the request alone."""
    messages = request.messages
    if lookup.auxiliary if lookup is not None else is_auxiliary_call(messages):
        return 0.0
    if lookup.open_loop if lookup is not None else ends_with_tool_result(messages):
        return OPEN_LOOP
    continued = any(message.get("role") == "assistant" for message in messages)
    if request.body.get("tools") and (continued or not _forces_a_tool(request.body)):
        return WITH_TOOLS
    if continued:
        return CONTINUED
    named = request.hints.session_id is not None and not request.hints.shared_session
    return NAMED_SESSION if named else SINGLE


def _forces_a_tool(body: Json) -> bool:
    """A forced call in the first turn usually asks for a single structured answer."""
    return body.get("tool_choice", "auto") not in ("auto", "none")


def has_marks(request: ChatRequest) -> bool:
    """Whether the client placed a cache breakpoint: at the top, on a message, a part or a tool."""
    if "cache_control" in request.body:
        return True
    for message in request.messages:
        if message.get("cache_control"):
            return True
        content = message.get("content")
        if type(content) is list and any(part.get(name) for part in content for name in _MARKS):
            return True
    tools: Sequence[Json] = request.body.get("tools") or ()
    return any(tool.get("cache_control") or tool[tool["type"]].get("cache_control") for tool in tools)


def with_breakpoints(request: ChatRequest) -> ChatRequest:
    """The request with at most three breakpoints: after the instructions, at the end of the previous request, and at its own end.

    The first is on the last leading instruction, else on the last tool. The second makes sure that the prefix is found: the API
    looks back over 20 blocks only.
    """
    messages = list(request.messages)
    instructions = _last_instruction(messages)
    places = {len(messages) - 1, _end_before(messages)}
    tools = request.body.get("tools")
    body: dict[str, Any] = {**request.body, "messages": messages}
    if instructions is not None:
        places.add(instructions)
    elif tools:
        body["tools"] = [*tools[:-1], {**tools[-1], "cache_control": _BREAKPOINT}]
    for place in places:
        if place is not None:
            messages[place] = {**messages[place], "cache_control": _BREAKPOINT}
    native = request.native._replace(caches=True) if request.native is not None else None
    return request._replace(body=body, messages=messages, native=native)


def _last_instruction(messages: Iterable[Mapping[str, Any]]) -> int | None:
    """The index of the last instruction at the start."""
    last = None
    for index, message in enumerate(messages):
        if message["role"] not in ("system", "developer"):
            break
        last = index
    return last


def _end_before(messages: Sequence[Json]) -> int | None:
    """The end of the previous request, where it is the user's or a tool's message; instructions have a place of their own."""
    index = end_of_previous_request(messages)
    return index if index is not None and messages[index]["role"] in ("user", "tool") else None

"""The values that dialects, proxy and providers exchange: requests, completions, chunks and usage.

Values that are made for every request or event are named tuples, because a frozen dataclass is slower to create.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from gateway.sse import ServerSentEvent

Json = Mapping[str, Any]
# What is done with an answer before it is sent: nothing, a check of its format, a comparison with a second model's.
Cascading = Literal["off", "validate", "agree"]

_NOTHING: Json = MappingProxyType({})
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class RoutingHints:
    """The body's `routing` object: preferences for one request, never forwarded.

    `max_cost` is in USD, `min_quality` from 0 to 1; `providers` and `models` restrict the choice; `baseline` is a model
    name. `session_id` and `agent_id` may come from a client's own header or field instead, `tags` (labels for reports) from
    the `metadata` of the request or a header too. `shared_session`: several conversations may use the same `session_id`.
    `session_budget` is the most that the session may cost, in USD. `latency` is `interactive` (the default) or `background`: the
    client can wait for a cheaper tier. `cascade` replaces the configured one.
    """

    max_cost: float | None = None
    min_quality: float | None = None
    providers: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    session_id: str | None = None
    baseline: str | None = None
    agent_id: str | None = None
    shared_session: bool = False
    tags: Mapping[str, str] | None = None
    session_budget: float | None = None
    latency: str | None = None
    cascade: Cascading | None = None

    @property
    def conversation(self) -> str | None:
        """The session id, with the agent id where there is one: each subagent has its own conversation."""
        if self.session_id is None or self.agent_id is None:
            return self.session_id
        return f"{self.session_id}/{self.agent_id}"


NO_HINTS = RoutingHints()


class NativeRequest(NamedTuple):
    """A request in its client's own dialect, for an upstream that speaks the same one.

    `dialect` is the name of the inbound dialect, `body` the object as it was received. `headers` are the client's headers that
    belong to the dialect (a version, betas), by name in lower case; `query` is the query string. A provider may read them
    instead of `ChatRequest.body`. It must still respect `ChatRequest.output_limit`, which a budget may have lowered.
    `untranslatable` is set where no other upstream can serve the request, `unpriced` names a member that adds an unknown
    amount to the price. `caches`: the gateway wants the prompt cached.
    """

    dialect: str
    body: Json
    headers: Mapping[str, str] = _NOTHING
    query: str = ""
    untranslatable: NativeContent | None = None
    unpriced: str | None = None
    caches: bool = False


class NativeContent(NamedTuple):
    """What only an upstream of the client's own dialect understands: the member's path, and why."""

    path: str
    reason: str


MAX_DATA_URL_HEAD = 1024  # characters of a data URL before its data: media type and parameters


class RoutedConversation(NamedTuple):
    """The conversation of a request, for an upstream that chooses among hosts; `host` answered it last. Never sent as it is."""

    name: str
    host: str | None = None


class ChatRequest(NamedTuple):
    """A validated chat completion request.

    `body` is the client's object without nulls at its top level and without the gateway's own members. The deprecated
    `functions`, `function_call` and role `function` are rewritten as tools; `legacy_functions` then says that the response
    must use the deprecated form. `body` is shared and never changed. `size` is the size of the received body in bytes,
    `prompt_tokens` an estimate, where it was already made. `native` is the original of a request that was translated from
    another dialect, where an upstream may speak that dialect. `limit_required`: the dialect requires an output limit, so a high
    one is no statement about the answer. `bare_provider`: whose model a name is that the catalogue does not know. `dropped` are paths of the client's members
    that the gateway leaves out, each with the kind of its value (`tools[8]:web_search`); the client is told in
    `x-gateway-dropped`. `conversation` is set where the upstream chooses among hosts.
    """

    body: Json
    model: str
    messages: Sequence[Json]
    stream: bool = False
    include_usage: bool = False
    hints: RoutingHints = NO_HINTS
    legacy_functions: bool = False
    size: int = 0
    prompt_tokens: int | None = None
    native: NativeRequest | None = None
    limit_required: bool = False
    bare_provider: str | None = None
    dropped: Sequence[str] = ()
    conversation: RoutedConversation | None = None

    @classmethod
    def of_checked(cls, body: Json, *, hints: RoutingHints, size: int, legacy_functions: bool = False) -> ChatRequest:
        """The request of a body whose parameters were checked."""
        return cls(
            body=body,
            model=body["model"],
            messages=body["messages"],
            stream=body.get("stream", False),
            include_usage=bool(body.get("stream_options", {}).get("include_usage")),
            hints=hints,
            legacy_functions=legacy_functions,
            size=size,
        )

    @property
    def output_limit(self) -> int | None:
        """The client's limit for one answer, in tokens."""
        return output_limit(self.body)

    def limited(self, tokens: int) -> ChatRequest:
        """The request with an output limit of at most `tokens`."""
        limit = self.output_limit
        if limit is not None and limit <= tokens:
            return self
        return self._replace(body={**self.body, "max_completion_tokens": tokens})

    @property
    def service_tier(self) -> str | None:
        """The tier that the client names, else `flex` for a client that can wait."""
        tier: str | None = self.body.get("service_tier")
        return "flex" if tier is None and self.hints.latency == "background" else tier

    def with_service_tier(self, tier: str | None) -> ChatRequest:
        return self._replace(body={**self.body, "service_tier": tier})

    @property
    def sets_effort(self) -> bool:
        """Whether the client says how much the model is to reason."""
        return "reasoning_effort" in self.body or "reasoning" in self.body

    def with_effort(self, effort: str) -> ChatRequest:
        """The request at this reasoning effort, where the client leaves it open."""
        return self if self.sets_effort else self._replace(body={**self.body, "reasoning_effort": effort})

    @property
    def choices(self) -> int:
        """How many answers the client wants (`n`)."""
        return self.body.get("n") or 1

    @property
    def response_format(self) -> str | None:
        """The type of the prescribed answer format: `text`, `json_object`, `json_schema`; None where there is none."""
        kind: str | None = (self.body.get("response_format") or {}).get("type")
        return kind


def end_of_previous_request(messages: Sequence[Json]) -> int | None:
    """The index of the message before the last assistant turn; None where there is none."""
    index = len(messages) - 2
    while index >= 0 and messages[index]["role"] != "assistant":
        index -= 1
    while index >= 0 and messages[index]["role"] == "assistant":
        index -= 1
    return index if index >= 0 else None


def output_limit(body: Json) -> int | None:
    """The newer name wins: https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_completion_tokens."""
    limit: int | None = body.get("max_completion_tokens")
    return body.get("max_tokens") if limit is None else limit


class UpstreamRequest(NamedTuple):
    """One POST to a provider.

    `json` stays a mapping so that tests can read it; `encoded` is the same as bytes, where it was already encoded.
    `context` is what the provider needs to parse the response to this request (renamed tools, an emulated schema); it is
    never sent.
    """

    provider: str
    model: str
    url: str
    headers: Mapping[str, str]
    json: Json
    stream: bool
    context: Mapping[str, Any] = _NOTHING
    encoded: bytes | None = None


class Usage(NamedTuple):
    """Token counts of one response, as OpenAI defines them: the prompt includes cached and cache-write tokens, the completion includes reasoning.

    `cache_write_tokens` have the default lifetime of 5 minutes, `cache_write_1h_tokens` one hour. `cached_audio_tokens` are
    part of both `cached_tokens` and `prompt_audio_tokens`. `completion_audio_tokens`, `completion_image_tokens` and
    `completion_video_tokens` are parts of the completion. `reported_cost` is the provider's own figure in USD. `raw` is the
    usage object as received. `estimated`: the gateway estimated some of the counts. All rates are multiplied with `rate_factor`,
    that of the service tier which served the request.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    prompt_audio_tokens: int = 0
    cached_audio_tokens: int = 0
    completion_audio_tokens: int = 0
    completion_image_tokens: int = 0
    completion_video_tokens: int = 0
    reported_cost: Decimal | None = None
    raw: Json = _NOTHING
    estimated: bool = False
    rate_factor: Decimal = _ONE

    @property
    def at_list_price(self) -> Usage:
        """The same tokens for another model: without what this one's provider charged, and its tier."""
        return self._replace(reported_cost=None, rate_factor=_ONE)

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def openai(self) -> dict[str, Any]:
        """OpenAI's `usage` object."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
            "prompt_tokens_details": {
                "cached_tokens": self.cached_tokens,
                "cache_write_tokens": self.cache_write_tokens + self.cache_write_1h_tokens,
                "audio_tokens": self.prompt_audio_tokens,
            },
            "completion_tokens_details": {"reasoning_tokens": self.reasoning_tokens, **self._media()},
        }

    def _media(self) -> dict[str, int]:
        """Non-zero counts of output that is not text, as OpenAI (`audio_tokens`) and OpenRouter (`image_tokens`) name them."""
        counts = {
            "audio_tokens": self.completion_audio_tokens,
            "image_tokens": self.completion_image_tokens,
            "video_tokens": self.completion_video_tokens,
        }
        return {name: tokens for name, tokens in counts.items() if tokens}


class Completion(NamedTuple):
    """A response that is not streamed: `choices` are OpenAI's choice objects, `usage` is None without usable counts.

    `model` is the answering model where the upstream chose it, else None. `extra` holds further top-level members
    (`service_tier`, `system_fingerprint`, ...). `dropped` names the kinds of content that OpenAI's format cannot carry.
    `large`: encoding takes so long that a thread does it. `native` is the upstream's own object, set only for a client that
    speaks the upstream's dialect; `choices` then hold what routing and the ledger need.
    """

    choices: Sequence[Json]
    usage: Usage | None
    upstream_id: str | None = None
    model: str | None = None
    extra: Json = _NOTHING
    large: bool = False
    dropped: Sequence[str] = ()
    native: Json | None = None


class Chunk(NamedTuple):
    """One step of a streamed response: OpenAI's chunk choices (`index`, `delta`, `finish_reason`), and usage where present.

    `choices` may be empty (usage only). Usage is cumulative: a later one replaces an earlier one. The first chunk with
    choices may carry the upstream's response id, and its model where the upstream chose it. `text` is set only by
    `text_chunk`. `dropped` names the kinds of content that OpenAI's format cannot carry. `native` is the upstream's own event,
    set only for a client that speaks the upstream's dialect; `choices` then hold what routing and the ledger need.
    """

    choices: Sequence[Json] = ()
    usage: Usage | None = None
    upstream_id: str | None = None
    model: str | None = None
    extra: Json = _NOTHING
    text: str | None = None
    dropped: Sequence[str] = ()
    native: ServerSentEvent | None = None


def text_chunk(text: str) -> Chunk:
    """The most frequent chunk: more text of the only choice, and nothing else."""
    step = {"index": 0, "delta": {"content": text}, "finish_reason": None, "logprobs": None}
    return Chunk([step], text=text)


def count(value: object) -> int | None:
    """A token count as providers send it: a finite number from 0 to 10^12; None for anything else."""
    if type(value) is not int and type(value) is not float:  # excludes bool
        return None
    return int(value) if 0 <= value <= 1e12 else None

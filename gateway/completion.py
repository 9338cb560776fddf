"""The values that pass between the client's side, the proxy and the providers' dialects.

Those that are made for every request or event are tuples: a frozen dataclass sets each of its members by a call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

Json = Mapping[str, Any]

_NOTHING: Json = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RoutingHints:
    """The body's `routing` object: wishes for this one request, never forwarded.

    `max_cost` is in USD, `min_quality` 0 to 1; `providers` and `models` narrow the choice; `baseline` is a model name.
    `session_id` and `agent_id` may come from a client's own header or field instead; `shared_session` says that several
    conversations may have the same `session_id`.
    """

    max_cost: float | None = None
    min_quality: float | None = None
    providers: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    session_id: str | None = None
    baseline: str | None = None
    agent_id: str | None = None
    shared_session: bool = False

    @property
    def conversation(self) -> str | None:
        """The session as the client named it; each of its subagents has a conversation of its own."""
        if self.session_id is None or self.agent_id is None:
            return self.session_id
        return f"{self.session_id}/{self.agent_id}"


NO_HINTS = RoutingHints()

MAX_DATA_URL_HEAD = 1024  # characters of a data URL before its data: media type and parameters


class ChatRequest(NamedTuple):
    """A checked chat completion request.

    `body` is the client's object without explicit nulls at its top level, without the gateway's own members, and with the
    deprecated `functions` / `function_call` / role `function` rewritten as tools (then `legacy_functions` is True and the
    answer has to be given in the old form). It is shared, never changed. `size` is that of the body in bytes as it came,
    `prompt_tokens` the estimate for the prompt where it was made already.
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

    @property
    def output_limit(self) -> int | None:
        """The client's limit for one answer, in tokens."""
        return output_limit(self.body)

    @property
    def choices(self) -> int:
        """How many answers the client wants (`n`)."""
        return self.body.get("n") or 1

    @property
    def response_format(self) -> str | None:
        """The type of the prescribed answer format: `text`, `json_object`, `json_schema`; None where there is none."""
        kind: str | None = (self.body.get("response_format") or {}).get("type")
        return kind


def output_limit(body: Json) -> int | None:
    """The newer name wins: https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_completion_tokens."""
    limit: int | None = body.get("max_completion_tokens")
    return body.get("max_tokens") if limit is None else limit


class UpstreamRequest(NamedTuple):
    """What goes to a provider: one POST.

    `json` is kept until it is sent so that tests and recorders can read it. `context` is whatever the provider needs to
    read the answer to just this request (renamed tools, an emulated schema); it never leaves the process. `encoded` is
    `json` written out, where that was done already.
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
    """Tokens of one answer, in OpenAI's sense: the prompt includes cached and cache-written tokens, the completion includes reasoning.

    `cache_write_tokens` are those of the default (5 minute) lifetime, `cache_write_1h_tokens` of the hour's.
    `cached_audio_tokens` are counted in both `cached_tokens` and `prompt_audio_tokens`. `completion_audio_tokens`,
    `completion_image_tokens` and `completion_video_tokens` are the parts of the completion that are not text. `reported_cost`
    is USD by the provider's own count. `raw` is the usage object as it was sent. `estimated` says we counted, not they.
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
        """Output that is not text, as OpenAI (`audio_tokens`) and OpenRouter (`image_tokens`) name it, where there is some."""
        counts = {
            "audio_tokens": self.completion_audio_tokens,
            "image_tokens": self.completion_image_tokens,
            "video_tokens": self.completion_video_tokens,
        }
        return {name: tokens for name, tokens in counts.items() if tokens}


class Completion(NamedTuple):
    """A whole answer: `choices` are OpenAI's choice objects; `usage` is None when the provider told nothing usable.

    `model` is who answered where that was left to the upstream, else None. `extra` holds further top-level members worth showing (`service_tier`, `system_fingerprint`, ...).
    `dropped` names the kinds of content that the answer had and that OpenAI's shape has no place for.
    """

    choices: Sequence[Json]
    usage: Usage | None
    upstream_id: str | None = None
    model: str | None = None
    extra: Json = _NOTHING
    large: bool = False  # takes so long to write that it is done in a thread
    dropped: Sequence[str] = ()


class Chunk(NamedTuple):
    """One step of a streamed answer: OpenAI's chunk choices (`index`, `delta`, `finish_reason`), and usage when it came along.

    `choices` may be empty (usage only). A chunk's usage replaces what came before it: it is cumulative. The first chunk
    that has choices may name the upstream's id of the answer, and its model where that was left to the upstream. `text` is
    set by `saying` alone. `dropped` names the kinds of content in this step that OpenAI's shape has no place for.
    """

    choices: Sequence[Json] = ()
    usage: Usage | None = None
    upstream_id: str | None = None
    model: str | None = None
    extra: Json = _NOTHING
    text: str | None = None
    dropped: Sequence[str] = ()


def text_chunk(text: str) -> Chunk:
    """What most steps are: more text of the only choice, and nothing else."""
    step = {"index": 0, "delta": {"content": text}, "finish_reason": None, "logprobs": None}
    return Chunk([step], text=text)


def count(value: object) -> int | None:
    """A token count as providers send it: a finite number from 0 to 10^12, else None (absent, negative, NaN, text, absurd)."""
    if type(value) is not int and type(value) is not float:  # a bool is neither
        return None
    return int(value) if 0 <= value <= 1e12 else None

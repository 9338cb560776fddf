"""What every dialect answers: how to ask, how to read a whole answer, a stream, and an error. Nothing here does I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.completion import ChatRequest, Chunk, Completion, UpstreamRequest
from gateway.errors import UpstreamError
from gateway.providers.errors import classify, json_error_parts, redact
from gateway.sse import ServerSentEvent


@dataclass(frozen=True, slots=True)
class UpstreamEndpoint:
    """Where an upstream is and what opens it. `headers` are fixed extras from the configuration."""

    base_url: str
    api_key: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class SignatureCache:
    """What a provider gave us to hand back with a tool call (thought signatures, thinking blocks), for clients that keep only the call's id.

    Keyed by tool-call id; the oldest are forgotten beyond `size`. Losing one is legal: every provider has a fallback.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._kept: OrderedDict[str, Any] = OrderedDict()

    def put(self, call_id: str, signature: Any) -> None:
        self._kept[call_id] = signature
        self._kept.move_to_end(call_id)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def get(self, call_id: str) -> Any | None:
        return self._kept.get(call_id)


class StreamParser(ABC):
    """Reads one stream; keeps what it needs between events.

    Over a whole stream: every choice's first delta carries `role: assistant`, each choice gets exactly one
    `finish_reason`, last; tool calls are indexed from 0, their id and name sent once; usage is cumulative.
    """

    @abstractmethod
    def feed(self, event: ServerSentEvent) -> Sequence[Chunk]:
        """The chunks this event amounts to (often one, maybe none). Raises UpstreamError when the event tells of one."""

    def fast_path(self, piece: bytes) -> Chunk | None:
        """The chunk of a piece that is one whole event, where that can be told without decoding it; what is None has to be fed."""
        return None

    @abstractmethod
    def close(self) -> Sequence[Chunk]:
        """What is left when the bytes end. Raises UpstreamTruncated if the dialect's end mark never came."""


class Provider(ABC):
    """One dialect at one endpoint with one key; pure, shared by all requests.

    `build_request` may raise InvalidRequest for what this model cannot be told or asked; it never changes `request`
    and can be called again. `model` is the provider's own id, without the gateway's prefix.
    """

    name: str
    # Bytes of a request that the provider documents as its limit; None where it documents none.
    max_request_bytes: int | None = None

    def __init__(
        self, endpoint: UpstreamEndpoint, *, name: str | None = None, signatures: SignatureCache | None = None
    ) -> None:
        self.endpoint = endpoint
        if name is not None:
            self.name = name
        self.signatures = signatures if signatures is not None else SignatureCache()

    @abstractmethod
    def build_request(self, request: ChatRequest, model: str) -> UpstreamRequest: ...

    @abstractmethod
    def parse_response(self, body: Mapping[str, Any], sent: UpstreamRequest) -> Completion:
        """A whole answer. Raises UpstreamError where the body tells of one or is not the dialect's shape."""

    @abstractmethod
    def stream_parser(self, sent: UpstreamRequest) -> StreamParser: ...

    def least_cached(self, model: str) -> int | None:
        """Tokens from which a cache breakpoint has an effect; None for a model that caches without breakpoints, or not at all."""
        return None

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-2xx answer means; header names are lower case. The default serves most upstreams."""
        parts = json_error_parts(body)
        message = redact(parts.message or "", key=self.endpoint.api_key)
        return classify(
            status,
            headers,
            message=message,
            code=parts.code,
            provider=self.name,
            retry_after=parts.retry_after,
            from_provider=parts.from_provider,
        )

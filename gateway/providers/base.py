"""The provider interface: build a request, parse a response, a stream and an error. Pure, no I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.completion import ChatRequest, Chunk, Completion, NativeRequest, UpstreamRequest, Usage
from gateway.embeddings import EmbeddingRequest, Embeddings
from gateway.errors import InvalidRequest, UpstreamError
from gateway.providers.errors import classify, json_error_parts, redact
from gateway.sse import ServerSentEvent
from gateway.trace_context import TraceForwarding


@dataclass(frozen=True, slots=True)
class UpstreamEndpoint:
    """Base URL and key of an upstream. `headers` are fixed headers from the configuration; `trace_context` is what it is told of traces."""

    base_url: str
    api_key: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    trace_context: TraceForwarding = field(default="client", repr=False)


class SignatureCache:
    """Caches thought signatures and thinking blocks by tool call id, for clients that send back only the id.

    An LRU cache of `size` entries. A missing entry is legal: every provider has a fallback.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._entries: OrderedDict[str, Any] = OrderedDict()

    def put(self, call_id: str, signature: Any) -> None:
        self._entries[call_id] = signature
        self._entries.move_to_end(call_id)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def get(self, call_id: str) -> Any | None:
        return self._entries.get(call_id)


class StreamParser(ABC):
    """Parses one stream and keeps the state between events.

    Guarantees: the first delta of every choice has `role: assistant`; each choice gets exactly one `finish_reason`, at its
    end; tool calls are numbered from 0, and their id and name are sent once; usage is cumulative.
    """

    @abstractmethod
    def feed(self, event: ServerSentEvent) -> Sequence[Chunk]:
        """The chunks of this event, often one, perhaps none. Raises UpstreamError for an error event."""

    def fast_path(self, piece: bytes) -> Chunk | None:
        """The chunk of bytes that are one complete event, where known without decoding. After None, decode and call `feed`."""
        return None

    @abstractmethod
    def close(self) -> Sequence[Chunk]:
        """The remaining chunks at the end of the stream. Raises UpstreamTruncated where the end marker is missing."""


class Provider(ABC):
    """One upstream API at one endpoint with one key; pure, shared by all requests.

    `build_request` raises InvalidRequest for what the model does not support. It never changes `request` and can be called
    again. `model` is the provider's own id, without the gateway's prefix.
    """

    name: str
    # The documented size limit of a request in bytes; None where there is none.
    max_request_bytes: int | None = None
    # The most inputs of one call for embeddings; a longer list is sent in several calls.
    max_embedding_inputs: int = 2048
    # Inbound dialects whose requests the upstream takes untranslated (`ChatRequest.native`).
    native_dialects: frozenset[str] = frozenset()
    # Whether it chooses among hosts, each with caches of its own.
    chooses_host = False

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
        """A response that was not streamed. Raises UpstreamError for an error in the body or an unexpected format."""

    @abstractmethod
    def stream_parser(self, sent: UpstreamRequest) -> StreamParser: ...

    def build_embedding_request(self, request: EmbeddingRequest, model: str) -> UpstreamRequest:
        """At most `max_embedding_inputs` inputs. Raises InvalidRequest for what the model does not support."""
        raise self._without_embeddings()

    def parse_embeddings(self, body: Mapping[str, Any], sent: UpstreamRequest) -> Embeddings:
        """The vectors in the order of the inputs. Raises UpstreamError for an error in the body or an unexpected format."""
        raise self._without_embeddings()

    def _without_embeddings(self) -> InvalidRequest:
        return InvalidRequest(
            f"{self.name} offers no embeddings. Use a model of another provider, such as gemini/gemini-embedding-001.",
            param="model",
            code="invalid_value",
        )

    def speaks(self, native: NativeRequest | None) -> bool:
        """Whether the upstream takes this request as its client wrote it."""
        return native is not None and native.dialect in self.native_dialects

    def build_count_request(self, request: ChatRequest, model: str) -> UpstreamRequest | None:
        """A request for the number of tokens of a native prompt; None where the upstream has no such call."""
        return None

    def usage(self, raw: object) -> Usage | None:
        """The token counts in a usage object as it was received (`Usage.raw`); None where nothing can be counted.

        The ledger's rows are priced again from it. The default is for providers of other packages, which may not have it.
        """
        return None

    def least_cached(self, model: str) -> int | None:
        """Tokens of the shortest cacheable prefix; None for a model without cache breakpoints."""
        return None

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """The error of a non-2xx response; header names are lower case. The default fits most upstreams."""
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

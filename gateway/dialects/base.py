"""The interface of an inbound dialect: pure functions between the JSON of one client API and the gateway's values.

A dialect is a folder in `gateway/dialects/` with one class that implements `Dialect`, and one line in `DIALECTS`. The contract
suite in `tests/dialects/test_base.py` runs on every dialect of that table.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from gateway.completion import ChatRequest, Chunk, Completion, Json
from gateway.errors import GatewayError

_NO_HEADERS: Mapping[bytes, bytes] = MappingProxyType({})


class InboundRequest(NamedTuple):
    """A request as it arrived: the body, the headers by name in lower case, and the query string without the question mark."""

    body: bytes
    headers: Mapping[bytes, bytes] = _NO_HEADERS
    query: bytes = b""


class ResponseHead(NamedTuple):
    """What a response carries beside its content: the request's id, Unix time in seconds, the model's full name, and the request."""

    request_id: str
    created: int
    model: str
    request: ChatRequest

    def id(self, prefix: str) -> str:
        """The response's own id, derived from the request's: `chatcmpl-...`, `msg_...`."""
        return prefix + self.request_id.removeprefix("req_")


class ErrorReply(NamedTuple):
    """An error as the dialect sends it: status, JSON, and headers that belong to the dialect."""

    status: int
    body: Json
    headers: Mapping[str, str] = MappingProxyType({})


class StreamWriter(Protocol):
    """Encodes one streamed response as server-sent events of the dialect.

    The end of the response, whatever tells a client that it is complete, is only in `end`: that is called after the row is
    committed.
    """

    @property
    def keep_alive(self) -> bytes:
        """What a client is sent that has been sent nothing for some seconds: an event of the dialect or a comment."""
        ...

    def write(self, chunk: Chunk) -> bytes:
        """The events of a chunk; empty where the client gets none."""
        ...

    def end(self, usage: Json, gateway: Json) -> bytes:
        """The events after the last chunk: usage where the client asked for it, `gateway` on who answered, and the end mark."""
        ...

    def error(self, error: GatewayError) -> bytes:
        """The events for an error after the first byte. No end mark of a complete response follows them."""
        ...


class Dialect(Protocol):
    """An API that clients use. Implementations have no state."""

    @property
    def name(self) -> str:
        """The key in `DIALECTS`, and `endpoint` in the ledger."""
        ...

    @property
    def path(self) -> str:
        """The route, with `/v1`; it is served without `/v1` too."""
        ...

    @property
    def request_id_header(self) -> str:
        """The name of the header by which the dialect's SDKs know a request, beside `x-request-id`; empty for none."""
        ...

    def parse_request(self, inbound: InboundRequest) -> ChatRequest:
        """Parse and validate a request. Raises InvalidRequest with the path of the wrong member."""
        ...

    def response_body(self, completion: Completion, head: ResponseHead, *, usage: Json) -> dict[str, Any]:
        """The JSON of a response that is not streamed. `usage` is OpenAI's usage object, with the gateway's costs."""
        ...

    def stream_writer(self, head: ResponseHead) -> StreamWriter: ...

    def error_reply(self, error: GatewayError, *, request_id: str) -> ErrorReply:
        """An error before the first byte."""
        ...

    def early_error_events(self, error: GatewayError, *, request_id: str) -> bytes:
        """The events of an error in a stream that has begun, to keep its connection open, but has no content yet."""
        ...

"""The interface of an inbound dialect: pure functions between the JSON of one client API and the gateway's values.

A dialect is a folder in `gateway/dialects/` with one class that implements `Dialect`, and one line in `DIALECTS`. The contract
suite in `tests/dialects/test_base.py` runs on every dialect of that table.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from gateway.completion import ChatRequest, Chunk, Completion, Json
from gateway.errors import GatewayError


class ResponseHead(NamedTuple):
    """What a response carries beside its content: its id, Unix time in seconds, the model's full name, and the request."""

    id: str
    created: int
    model: str
    request: ChatRequest


class StreamWriter(Protocol):
    """Encodes one streamed response as server-sent events of the dialect."""

    def write(self, chunk: Chunk) -> bytes:
        """The events of a chunk; empty where the client gets none."""
        ...

    def end(self, usage: Json, gateway: Json) -> bytes:
        """The events after the last chunk: usage where the client asked for it, `gateway` on who answered, and the end mark."""
        ...

    def error(self, error: GatewayError) -> bytes:
        """The event for an error after the first byte. No end mark follows it."""
        ...


class Dialect(Protocol):
    """An API that clients use. Implementations have no state."""

    @property
    def name(self) -> str:
        """The key in `DIALECTS`."""
        ...

    def parse_request(self, raw: bytes) -> ChatRequest:
        """Parse and validate a request body. Raises InvalidRequest with the path of the wrong member."""
        ...

    def response_body(self, completion: Completion, head: ResponseHead, *, usage: Json | None) -> dict[str, Any]:
        """The JSON of a response that is not streamed. `usage` is OpenAI's usage object, with the gateway's costs."""
        ...

    def stream_writer(self, head: ResponseHead) -> StreamWriter: ...

    def error_body(self, error: GatewayError) -> Json:
        """The JSON of an error response."""
        ...

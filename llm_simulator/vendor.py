"""The interface of a simulated vendor: validate a request, and encode responses, streams and errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from llm_simulator.conversation import PromptTokens, Reply, Task
from llm_simulator.tokens import PromptCache

Body = dict[str, Any]


class VendorError(Exception):
    """An error response of the vendor: HTTP status, error kind, message, and further members of its error format."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "",
        details: Any = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.details = details
        self.headers = dict(headers or {})
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """A received request: headers with lower-case names, the JSON body, and what the URL contains."""

    headers: Mapping[str, str]
    body: Any
    url_model: str = ""
    streamed_url: bool = False
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """A valid request; `options` are specific to the vendor."""

    task: Task
    model: str
    stream: bool
    tokens: PromptTokens
    options: Mapping[str, Any] = field(default_factory=dict)
    unknown_block: bool = False
    """Add a content block of an unknown type."""
    prices: tuple[float, float] | None = None
    """USD per million prompt and completion tokens; None for an invented price."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event: JSON data (or raw text), or a comment."""

    data: Body | str | None = None
    name: str = ""
    comment: str = ""


class Vendor(Protocol):
    """One vendor's API, without state."""

    name: ClassVar[str]
    line_end: ClassVar[str]
    """The line ending of its event streams."""

    def authenticate(self, incoming: IncomingRequest, *, key: str | None) -> None: ...

    def read(self, incoming: IncomingRequest, *, cache: PromptCache) -> ParsedRequest: ...

    def body(self, call: ParsedRequest, replies: list[Reply], *, now: float) -> Body: ...

    def events(self, call: ParsedRequest, replies: list[Reply], *, now: float) -> list[Event]: ...

    def error(self, vendor_error: VendorError) -> Body: ...

    def error_event(self, vendor_error: VendorError) -> Event: ...

    def failure(self, name: str, status: int) -> VendorError:
        """The vendor's error for a fault in `faults.REFUSALS`."""
        ...

    def ids(self, number: int) -> Mapping[str, str]:
        """Headers that name the request."""
        ...


BAD_KEY_WORDS = ("invalid", "wrong", "bad-key", "revoked")


def is_valid_key(sent: str, *, wanted: str | None) -> bool:
    """Whether the key is `wanted`; without `wanted`, any key that has none of BAD_KEY_WORDS in it."""
    if wanted is not None:
        return sent == wanted
    return bool(sent) and not any(word in sent.lower() for word in BAD_KEY_WORDS)

"""What each simulated vendor supplies: reading a request strictly, and writing answers, streams and errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from llm_simulator.conversation import PromptTokens, Reply, Task
from llm_simulator.tokens import PromptCache

Body = dict[str, Any]


class VendorError(Exception):
    """The vendor says no: the HTTP status, its own error kind, the sentence, and whatever else its error shape carries."""

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
class Incoming:
    """A request as it arrived: lower-case header names, the JSON body, and what the URL says."""

    headers: Mapping[str, str]
    body: Any
    url_model: str = ""
    streamed_url: bool = False
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed; `options` are the dialect's own."""

    task: Task
    model: str
    stream: bool
    tokens: PromptTokens
    options: Mapping[str, Any] = field(default_factory=dict)
    odd_block: bool = False
    """Add a content block of a type that no client knows."""
    prices: tuple[float, float] | None = None
    """USD per million prompt and completion tokens; None: an invented price."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event: JSON data (or raw text), or a comment."""

    data: Body | str | None = None
    name: str = ""
    comment: str = ""


class Vendor(Protocol):
    """One vendor's protocol; it keeps no state."""

    name: ClassVar[str]
    line_end: ClassVar[str]
    """What ends each line of its event streams."""

    def authenticate(self, incoming: Incoming, *, key: str | None) -> None: ...

    def read(self, incoming: Incoming, *, cache: PromptCache) -> Call: ...

    def body(self, call: Call, replies: list[Reply], *, now: float) -> Body: ...

    def events(self, call: Call, replies: list[Reply], *, now: float) -> list[Event]: ...

    def error(self, refused: VendorError) -> Body: ...

    def error_event(self, refused: VendorError) -> Event: ...

    def failure(self, name: str, status: int) -> VendorError:
        """How this vendor words a refusal of `faults.REFUSALS`."""
        ...

    def ids(self, number: int) -> Mapping[str, str]:
        """Headers that name the request."""
        ...


BAD_KEY_WORDS = ("invalid", "wrong", "bad-key", "revoked")


def key_is_good(sent: str, *, wanted: str | None) -> bool:
    """A fixed key must match; without one any key does, unless it says itself that it is bad."""
    if wanted is not None:
        return sent == wanted
    return bool(sent) and not any(word in sent.lower() for word in BAD_KEY_WORDS)

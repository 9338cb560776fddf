"""What is known of the trace of one request while it is served: whose it is, and when its parts ran."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from gateway.errors import GatewayError
from gateway.trace_context import TraceContext, TraceForwarding, trace_context

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_IDS = 2**64 - 1  # how many span ids there are; zero is invalid
_FIRST_PART = 64  # the number of the first part's span; those below are attempts, 0 is the request


class _Finished(Protocol):
    """The part of a future that says how it ended."""

    def cancelled(self) -> bool: ...

    def exception(self) -> BaseException | None: ...


class SpanPart:
    """A part of a request: a step of the gateway's own. Times are monotonic seconds; `ended` is None while it runs."""

    __slots__ = ("_clock", "began", "ended", "failed", "name", "number")

    def __init__(self, name: str, number: int, clock: Callable[[], float]) -> None:
        self.name = name
        self.number = number
        self.failed = False
        self.ended: float | None = None
        self._clock = clock
        self.began = clock()

    def end(self, *, failed: bool = False) -> None:
        self.ended = self._clock()
        self.failed = failed

    def finished(self, future: _Finished) -> None:
        """The callback of a future whose result ends this part."""
        self.end(failed=future.cancelled() or future.exception() is not None)


class SpanLog:
    """The spans of a request that is recorded. `clock` is monotonic seconds; the request began `at`.

    `number` is a random one of 64 bits, from which the ids of all spans are counted. The times of the row count from `row_began`.
    """

    __slots__ = (
        "_clock",
        "_number",
        "_on_refused",
        "at",
        "began",
        "parts",
        "route",
        "row_began",
        "settling",
        "trace_id",
    )

    def __init__(
        self,
        trace_id: str,
        number: int,
        *,
        route: str,
        at: datetime,
        clock: Callable[[], float],
        on_refused: Callable[[RequestTrace, SpanLog, GatewayError], None],
    ) -> None:
        self.trace_id = trace_id
        self.route = route
        self.at = at
        self.began = self.row_began = clock()
        self.parts: list[SpanPart] = []
        self.settling: SpanPart | None = None
        self._number = number
        self._clock = clock
        self._on_refused = on_refused

    def span_id(self, number: int = 0) -> str:
        """The id of attempt `number`, or of a part's; 0 is the request."""
        return f"{1 + (self._number + number) % _IDS:016x}"

    def begin(self, name: str) -> SpanPart:
        """A part begins; its owner ends it."""
        part = SpanPart(name, _FIRST_PART + len(self.parts), self._clock)
        self.parts.append(part)
        return part

    def settle(self) -> SpanPart:
        """The row is given to the ledger: the last part."""
        self.settling = self.begin("ledger settle")
        return self.settling

    def refused(self, trace: RequestTrace, error: GatewayError) -> None:
        """The request ended with `error`. One with a row is exported with its row."""
        if self.settling is None or self.settling.failed:
            self._on_refused(trace, self, error)


class RequestTrace:
    """The trace of a request. `parent` is the client's context; `spans` is None where the gateway records none."""

    __slots__ = ("parent", "spans")

    def __init__(self, parent: TraceContext | None, spans: SpanLog | None = None) -> None:
        self.parent = parent
        self.spans = spans

    @property
    def trace_id(self) -> str | None:
        """32 hexadecimal digits."""
        if self.spans is not None:
            return self.spans.trace_id
        return None if self.parent is None else self.parent.trace_id

    def headers(self, attempt: int, forwarding: TraceForwarding) -> Mapping[str, str]:
        """What an upstream is sent at this attempt.

        Spans that the gateway does not record cannot be parents: then the client's context is passed on as it came.
        """
        if forwarding == "off" or (self.parent is None and forwarding == "client"):
            return _NO_HEADERS
        if self.spans is None:
            return _NO_HEADERS if self.parent is None else self.parent.headers()
        state = "" if self.parent is None else self.parent.state
        return TraceContext(self.spans.trace_id, self.spans.span_id(attempt), sampled=True, state=state).headers()

    def refused(self, error: GatewayError) -> None:
        """The request ended with `error` before it had a row, or its row could not be written."""
        if self.spans is not None:
            self.spans.refused(self, error)


class TraceStart(Protocol):
    """Begins the trace of a request: `headers` as they were sent, names in lower case, and `fields`, the same by name."""

    def __call__(
        self, headers: Sequence[tuple[bytes, bytes]], fields: Mapping[bytes, bytes], *, request_id: str, route: str
    ) -> RequestTrace | None: ...


def continued_trace(
    headers: Sequence[tuple[bytes, bytes]], fields: Mapping[bytes, bytes], *, request_id: str, route: str
) -> RequestTrace | None:
    """The client's trace, in a gateway that records no spans; None without one."""
    if b"traceparent" not in fields:
        return None
    parent = trace_context(headers)
    return None if parent is None else RequestTrace(parent)

"""What one request knows of its trace: ids, headers for upstreams, and when its parts ran."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime

import pytest

from gateway.errors import GatewayError, Overloaded
from gateway.request_trace import RequestTrace, SpanLog, continued_trace
from gateway.trace_context import TraceContext, TraceForwarding

PARENT = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True, state="rojo=1")
AT = datetime(2026, 11, 29, tzinfo=UTC)


class Recorded:
    """A span log whose clock the test moves, and what it was told of refusals."""

    def __init__(self, *, number: int = 5, trace_id: str = "a" * 32) -> None:
        self.now = 100.0
        self.refused: list[tuple[RequestTrace, GatewayError]] = []
        self.spans = SpanLog(
            trace_id,
            number,
            route="/v1/chat/completions",
            at=AT,
            clock=lambda: self.now,
            on_refused=lambda trace, spans, error: self.refused.append((trace, error)),
        )


def test_a_gateway_without_spans_continues_the_clients_trace() -> None:
    """The client's context is all there is to know; without one there is no trace."""
    headers = [(name.encode(), value.encode()) for name, value in PARENT.headers().items()]
    trace = continued_trace(headers, dict(headers), request_id="req_1", route="/")
    assert trace is not None
    assert (trace.parent, trace.spans, trace.trace_id) == (PARENT, None, PARENT.trace_id)
    trace.refused(Overloaded("Too much."))  # nobody is told
    assert continued_trace([], {}, request_id="req_1", route="/") is None
    invalid = [(b"traceparent", b"nonsense")]
    assert continued_trace(invalid, dict(invalid), request_id="req_1", route="/") is None
    assert RequestTrace(None).trace_id is None
    assert RequestTrace(PARENT, Recorded().spans).trace_id == "a" * 32


@pytest.mark.parametrize(
    ("forwarding", "parent", "recorded", "expected"),
    [
        ("client", PARENT, False, PARENT),
        ("client", PARENT, True, TraceContext(PARENT.trace_id, "0000000000000008", sampled=True, state="rojo=1")),
        ("client", None, True, None),
        ("always", PARENT, False, PARENT),
        ("always", None, True, TraceContext(PARENT.trace_id, "0000000000000008", sampled=True)),
        ("always", None, False, None),
        ("off", PARENT, True, None),
        ("off", PARENT, False, None),
    ],
)
def test_what_an_upstream_is_sent(
    forwarding: TraceForwarding, parent: TraceContext | None, recorded: bool, expected: TraceContext | None
) -> None:
    """A recorded attempt is the parent of what the upstream does; otherwise the client's span is, or nothing is sent."""
    trace = RequestTrace(parent, Recorded(trace_id=PARENT.trace_id).spans if recorded else None)
    assert trace.headers(2, forwarding) == ({} if expected is None else expected.headers())


@pytest.mark.parametrize("number", [0, 5, 2**64 - 2, 2**64 - 1])
def test_span_ids_are_different_and_never_zero(number: int) -> None:
    """Request, attempts and parts have 16 digits each, whatever the random number was."""
    spans = Recorded(number=number).spans
    ids = [spans.span_id(), *(spans.span_id(attempt) for attempt in (1, 2, 3)), spans.span_id(spans.begin("a").number)]
    assert len(set(ids)) == len(ids)
    assert all(len(each) == 16 and int(each, 16) for each in ids)


def test_a_part_has_its_times() -> None:
    """A part begins when it is asked for and ends when its owner says so."""
    recorded = Recorded()
    recorded.now = 101.0
    part = recorded.spans.begin("route")
    recorded.now = 101.5
    part.end()
    assert (part.name, part.began, part.ended, part.failed) == ("route", 101.0, 101.5, False)
    assert (recorded.spans.parts, recorded.spans.began, recorded.spans.at) == ([part], 100.0, AT)


@pytest.mark.parametrize("outcome", ["done", "failed", "cancelled"])
def test_a_future_ends_its_part(outcome: str) -> None:
    """A part that waits for a future has failed where that has."""
    part, future = Recorded().spans.begin("ledger insert"), Future[int]()
    future.add_done_callback(part.finished)
    if outcome == "done":
        future.set_result(1)
    elif outcome == "failed":
        future.set_exception(ValueError())
    else:
        future.cancel()
        future.set_running_or_notify_cancel()
    assert (part.ended is not None, part.failed) == (True, outcome != "done")


def test_a_refusal_is_told_unless_the_row_tells_it() -> None:
    """A request that ends before its settlement, or whose row could not be written, is exported as a refusal; others with their row."""
    error = Overloaded("Too much.")
    for settled, failed, told in ((False, False, 1), (True, False, 0), (True, True, 1)):
        recorded = Recorded()
        trace = RequestTrace(None, recorded.spans)
        if settled:
            recorded.spans.settle().end(failed=failed)
        trace.refused(error)
        assert recorded.refused == [(trace, error)] * told

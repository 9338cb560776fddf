"""The spans of a settled row, by the conventions' names."""

from __future__ import annotations

import importlib
import pkgutil
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import opentelemetry.semconv._incubating.attributes as conventions
import pytest

from gateway.completion import Usage
from gateway.errors import LedgerUnavailable, Overloaded
from gateway.observability.spans import Span, refused_span, spans_of
from gateway.records import Attempt, RequestRecord
from gateway.request_trace import RequestTrace, SpanLog

USAGE = Usage(prompt_tokens=11, completion_tokens=7, cached_tokens=5, cache_write_tokens=2, cache_write_1h_tokens=1)
FAILED = Attempt(
    1, "claude", "haiku", "failed_free", error="upstream_overloaded", upstream_status=529, duration=0.5, began=0.1
)
ANSWERED = Attempt(
    2,
    "gemini",
    "flash",
    "settled",
    Decimal("0.25"),
    USAGE,
    upstream_id="g1",
    first_byte=1.5,
    duration=2.0,
    began=1.0,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def spans_for(clock: Clock) -> SpanLog:
    at = datetime(2026, 11, 29, tzinfo=UTC)
    spans = SpanLog("a" * 32, 5, route="/v1/messages", at=at, clock=clock, on_refused=lambda trace, spans, error: None)
    clock.now = spans.row_began = 101.0
    return spans


def record(**members: Any) -> RequestRecord:
    row = RequestRecord("req_1", "", "hybrid", "gemini", "flash", "claude", "sonnet", attempts=(FAILED, ANSWERED))
    return row._replace(**{"endpoint": "messages", "status": "ok", "http_status": 200, "streamed": True, **members})


def made(row: RequestRecord, *, settled: bool = True) -> dict[str, Span]:
    """The spans by name, of a row that is settled between 104 and 105."""
    clock = Clock()
    spans = spans_for(clock)
    if settled:
        clock.now = 104.0
        part = spans.settle()
        clock.now = 105.0
        part.end()
    return {span.name: span for span in spans_of(row, RequestTrace(None, spans), spans, {"gemini": ("host", 443)})}


def test_times_of_request_and_attempts() -> None:
    """The request lasts from its first byte to its commit; attempts count from where the row's times begin."""
    spans = made(record())
    times = {name: (span.began, span.ended) for name, span in spans.items()}
    assert times == {
        "POST /v1/messages": (100.0, 105.0),
        "ledger settle": (104.0, 105.0),
        "chat haiku": (101.1, 101.6),
        "chat flash": (102.0, 104.0),
    }
    assert spans["chat flash"].attributes["gen_ai.response.time_to_first_chunk"] == 0.5
    assert spans["chat flash"].attributes["server.address"] == "host"
    assert "server.address" not in spans["chat haiku"].attributes


def test_only_the_answering_attempt_has_the_answer() -> None:
    """What is known of the answer is in the last span, what is known of a failure in its own."""
    spans = made(record(finish_reason="stop"))
    failed, answered = spans["chat haiku"], spans["chat flash"]
    assert (failed.error, answered.error) == ("upstream_overloaded", "")
    assert failed.attributes["http.response.status_code"] == 529
    assert [name for name in failed.attributes if "response" in name] == ["http.response.status_code"]
    assert answered.attributes["gen_ai.usage.cache_creation.input_tokens"] == 3
    assert answered.attributes["gen_ai.response.finish_reasons"] == ["stop"]


@pytest.mark.parametrize(
    ("ended", "error"),
    [
        ({"status": "ok", "http_status": 200}, ""),
        ({"status": "error", "http_status": 503, "error_code": "no_candidate"}, "no_candidate"),
        ({"status": "error", "http_status": 200, "error_code": "upstream_truncated"}, "upstream_truncated"),
        ({"status": "error", "http_status": 400, "error_code": "unsupported_value"}, ""),
        ({"status": "cancelled", "http_status": 499}, ""),
    ],
    ids=["answered", "no upstream", "broken stream", "client's mistake", "client left"],
)
def test_which_requests_are_errors(ended: dict[str, Any], error: str) -> None:
    """What the server did not do is an error of its span; a mistake of the client is not (HTTP conventions, `Status`)."""
    assert made(record(**ended))["POST /v1/messages"].error == error


@pytest.mark.parametrize(
    ("refusal", "error"),
    [(Overloaded("Too much."), "gateway_overloaded"), (LedgerUnavailable("Away."), "ledger_unavailable")],
)
def test_a_refusal_is_one_span(refusal: Overloaded | LedgerUnavailable, error: str) -> None:
    """It has the status and the code that the client got."""
    spans = spans_for(Clock())
    span = refused_span(RequestTrace(None, spans), spans, refusal, ended=103.0)
    assert (span.name, span.kind, span.began, span.ended, span.error) == (
        "POST /v1/messages",
        "server",
        100.0,
        103.0,
        error,
    )
    assert span.attributes["http.response.status_code"] == refusal.status


def test_a_write_that_failed_is_an_error() -> None:
    """A part that failed says that the ledger could not be written; one that never ended has no length."""
    clock = Clock()
    spans = spans_for(clock)
    spans.begin("ledger insert").end(failed=True)
    spans.settle()
    clock.now = 200.0
    request, failed, unended = spans_of(record(attempts=()), RequestTrace(None, spans), spans, {})
    assert (failed.error, failed.attributes) == ("ledger_unavailable", {"error.type": "ledger_unavailable"})
    assert (unended.began, unended.ended, request.ended) == (101.0, 101.0, 101.0)


def test_a_request_that_called_nobody_has_no_attempt() -> None:
    """The attempt that a refused row names was not made, and the decision has no model."""
    clock = Clock()
    spans = spans_for(clock)
    spans.begin("route").end()
    uncalled = record(attempts=(Attempt(1, "gemini", "flash", "failed_free"),))
    made_spans = spans_of(uncalled, RequestTrace(None, spans), spans, {})
    assert [span.name for span in made_spans] == ["POST /v1/messages", "route"]
    assert (
        spans_of(record(attempts=()), RequestTrace(None, spans), spans, {})[1].attributes["gateway.strategy"]
        == "hybrid"
    )


def test_the_effort_is_no_part_of_the_model() -> None:
    """A model at a reasoning effort is called by its own name, with the effort beside it."""
    attempt = ANSWERED._replace(model="flash@high")
    span = made(record(attempts=(attempt,)))["chat flash"]
    assert (span.attributes["gen_ai.request.model"], span.attributes["gateway.effort"]) == ("flash", "high")


def test_embeddings_are_an_operation_of_their_own() -> None:
    """The operation's name is the conventions'."""
    spans = made(record(endpoint="embeddings", streamed=False))
    assert spans["embeddings flash"].attributes["gen_ai.operation.name"] == "embeddings"


def test_names_are_those_of_the_conventions() -> None:
    """Every attribute that is not the gateway's own is in the installed semantic conventions."""
    modules = pkgutil.iter_modules(conventions.__path__, f"{conventions.__name__}.")
    known = {
        value
        for module in modules
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, str)
    }
    rows = (record(finish_reason="stop", session_id="s", requested_model="auto"), record(endpoint="embeddings"))
    names = {name for row in rows for span in made(row).values() for name in span.attributes}
    assert {name for name in names if not name.startswith("gateway.")} - known == set()

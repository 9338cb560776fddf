"""The spans of one request, made of its settled row: names and attributes by OpenTelemetry's semantic conventions.

HTTP: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and GenAI:
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-spans.md. What has no convention begins
with `gateway.`. Only ids, names, counts, times and costs; never a prompt, an answer or a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gateway.catalog.model_effort import split_effort
from gateway.completion import Usage
from gateway.errors import GatewayError
from gateway.records import Attempt, RequestRecord
from gateway.request_trace import RequestTrace, SpanLog, SpanPart

SpanKind = Literal["server", "client", "internal"]
Servers = Mapping[str, tuple[str, int]]  # host and port of each provider
EMBEDDINGS = "embeddings"  # the endpoint, and the name of the operation
# Names that the conventions give to providers; others have their own name.
_PROVIDERS = {"gemini": "gcp.gemini", "claude": "anthropic"}


class Span(NamedTuple):
    """`parent_id` is empty where the trace begins; times are monotonic seconds; `error` is empty where nothing failed."""

    name: str
    kind: SpanKind
    span_id: str
    parent_id: str
    began: float
    ended: float
    attributes: Mapping[str, Any]
    error: str = ""


def spans_of(record: RequestRecord, trace: RequestTrace, spans: SpanLog, servers: Servers) -> list[Span]:
    """The request, its parts and its attempts. The request ends with its settlement."""
    ended = spans.began if spans.settling is None else spans.settling.ended or spans.settling.began
    request = _request_span(record, trace, spans, ended=ended)
    parts = [_part_span(part, record, spans, parent_id=request.span_id) for part in spans.parts]
    return [request, *parts, *_attempt_spans(record, spans, servers, parent_id=request.span_id)]


def refused_span(trace: RequestTrace, spans: SpanLog, error: GatewayError, *, ended: float) -> Span:
    """A request that was refused before it had a row."""
    attributes = {
        **_http(spans),
        "http.response.status_code": error.status,
        "error.type": error.code or error.type,
    }
    failed = (error.code or error.type) if error.status >= 500 else ""
    return _server_span(trace, spans, attributes, ended=ended, error=failed)


def gen_ai_attributes(record: RequestRecord, attempt: Attempt) -> dict[str, Any]:
    """What spans and metrics of an attempt have in common."""
    attributes = {
        "gen_ai.operation.name": operation_of(record),
        "gen_ai.provider.name": _PROVIDERS.get(attempt.provider, attempt.provider),
        "gen_ai.request.model": split_effort(attempt.model)[0],
    }
    if attempt.error is not None:
        attributes["error.type"] = attempt.error
    return attributes


def operation_of(record: RequestRecord) -> str:
    """`gen_ai.operation.name`."""
    return EMBEDDINGS if record.endpoint == EMBEDDINGS else "chat"


def _request_span(record: RequestRecord, trace: RequestTrace, spans: SpanLog, *, ended: float) -> Span:
    attributes = {
        **_http(spans),
        "http.response.status_code": record.http_status,
        "error.type": record.error_code,
        "gateway.request_id": record.request_id,
        "gateway.status": record.status,
        "gateway.requested_model": record.requested_model,
        "gateway.model": f"{record.selected_provider}/{record.selected_model}",
        "gateway.baseline_model": f"{record.baseline_provider}/{record.baseline_model}",
        "gateway.cost_usd": None if record.actual_cost is None else float(record.actual_cost),
        "gateway.baseline_cost_usd": None if record.baseline_cost is None else float(record.baseline_cost),
        "gateway.attempts": len(record.attempts),
        "gateway.fallback": record.fallback_used,
        "gateway.streamed": record.streamed,
        "gateway.key_id": record.key_id,
    }
    # A client's own mistake is no error of the server's span; a stream that broke has status 200 and is one.
    failed = record.status == "error" and not 400 <= (record.http_status or 0) < 500
    return _server_span(trace, spans, _known(attributes), ended=ended, error=record.error_code or "" if failed else "")


def _server_span(
    trace: RequestTrace, spans: SpanLog, attributes: Mapping[str, Any], *, ended: float, error: str
) -> Span:
    parent_id = "" if trace.parent is None else trace.parent.span_id
    return Span(f"POST {spans.route}", "server", spans.span_id(), parent_id, spans.began, ended, attributes, error)


def _http(spans: SpanLog) -> dict[str, Any]:
    return {
        "http.request.method": "POST",
        "http.route": spans.route,
        "url.path": spans.route,
        "url.scheme": "http",
    }


def _part_span(part: SpanPart, record: RequestRecord, spans: SpanLog, *, parent_id: str) -> Span:
    attributes = _decision(record) if part.name == "route" else {}
    error = "ledger_unavailable" if part.failed else ""
    if error:
        attributes["error.type"] = error
    ended = part.began if part.ended is None else part.ended
    return Span(part.name, "internal", spans.span_id(part.number), parent_id, part.began, ended, attributes, error)


def _decision(record: RequestRecord) -> dict[str, Any]:
    """What the routing decided and why."""
    chosen = record.attempts[0] if record.attempts else None
    return _known(
        {
            "gateway.strategy": record.strategy_used,
            "gateway.model": None if chosen is None else f"{chosen.provider}/{chosen.model}",
            "gateway.pattern": record.pattern_detected,
            "gateway.complexity": record.complexity_score,
            "gateway.confidence": record.confidence,
            "gateway.propensity": record.propensity,
            "gateway.reason": record.reasoning,
        }
    )


def _attempt_spans(record: RequestRecord, spans: SpanLog, servers: Servers, *, parent_id: str) -> Iterator[Span]:
    for attempt in record.attempts:
        if attempt.began is None:  # the request ended before anything was called
            continue
        began = spans.row_began + attempt.began
        attributes = _attempt_attributes(record, attempt, last=attempt is record.attempts[-1])
        if (server := servers.get(attempt.provider)) is not None:
            attributes["server.address"], attributes["server.port"] = server
        yield Span(
            f"{operation_of(record)} {split_effort(attempt.model)[0]}",
            "client",
            spans.span_id(attempt.number),
            parent_id,
            began,
            began + (attempt.duration or 0.0),
            attributes,
            attempt.error or "",
        )


def _attempt_attributes(record: RequestRecord, attempt: Attempt, *, last: bool) -> dict[str, Any]:
    """`last` is the attempt that answered, if any did."""
    answered = last and attempt.error is None
    reasons: Sequence[str] | None = [record.finish_reason] if answered and record.finish_reason else None
    first_chunk = attempt.first_byte if answered and record.streamed else None
    return _known(
        {
            **gen_ai_attributes(record, attempt),
            "gen_ai.request.stream": record.streamed or None,
            "gen_ai.conversation.id": record.session_id,
            "gen_ai.response.id": attempt.upstream_id,
            "gen_ai.response.model": record.selected_model if answered else None,
            "gen_ai.response.finish_reasons": reasons,
            "gen_ai.response.time_to_first_chunk": None
            if first_chunk is None
            else first_chunk - (attempt.began or 0.0),
            **_usage(attempt.usage),
            "http.response.status_code": attempt.upstream_status,
            "gateway.attempt": attempt.number,
            "gateway.effort": split_effort(attempt.model)[1],
            "gateway.attempt_status": attempt.status,
            "gateway.cost_usd": None if attempt.cost is None else float(attempt.cost),
        }
    )


def _usage(usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        "gateway.estimated": usage.estimated,
    }


def _known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}

"""Anthropic's errors, each as its class."""

from __future__ import annotations

import orjson
import pytest

from gateway.errors import (
    ContextLengthExceeded,
    UpstreamAccountEmpty,
    UpstreamAuth,
    UpstreamError,
    UpstreamFailed,
    UpstreamModelNotFound,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
)
from gateway.providers.claude.errors import parse_error_event, parse_error_response

SPENT = "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
CASES: list[tuple[int, str, str, type[UpstreamError]]] = [
    (400, "invalid_request_error", "messages.0: wrong", UpstreamRejected),
    (400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum", ContextLengthExceeded),
    (
        400,
        "invalid_request_error",
        "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
        ContextLengthExceeded,
    ),
    (400, "invalid_request_error", SPENT, UpstreamAccountEmpty),
    (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", UpstreamAccountEmpty),
    (429, "rate_limit_error", "Your organization has reached its enforced spend limit.", UpstreamAccountEmpty),
    (401, "authentication_error", "invalid x-api-key", UpstreamAuth),
    (402, "billing_error", "Pay first.", UpstreamAccountEmpty),
    (403, "permission_error", "Not yours.", UpstreamAuth),
    (404, "not_found_error", "model: claude-nope", UpstreamModelNotFound),
    (413, "request_too_large", "Request exceeds the maximum size", UpstreamRejected),
    (429, "rate_limit_error", "Slow down.", UpstreamRateLimited),
    (500, "api_error", "Internal server error", UpstreamFailed),
    (504, "timeout_error", "Timed out", UpstreamTimeout),
    (529, "overloaded_error", "Overloaded", UpstreamOverloaded),
]


@pytest.mark.parametrize(("status", "kind", "message", "error"), CASES)
def test_error_is_the_same_as_answer_and_as_event(
    status: int, kind: str, message: str, error: type[UpstreamError]
) -> None:
    """An error is the same whether it is the answer or an event in one that began well."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    answered = parse_error_response(status, {"retry-after": "7"}, orjson.dumps(body), provider="claude", key="k-123")
    assert type(answered) is error
    assert (answered.provider, answered.upstream_status, answered.retry_after) == ("claude", status, 7)
    told = parse_error_event(body, provider="claude", key="k-123")
    assert (type(told), told.message) == (error, answered.message)


def test_error_page_is_judged_by_its_status() -> None:
    """A page that is no JSON counts by its status."""
    assert type(parse_error_response(529, {}, b"<html>", provider="claude", key="k")) is UpstreamOverloaded


def test_key_is_cut_out_of_error_messages() -> None:
    """The gateway's key is cut out of what the client is told."""
    body = orjson.dumps({"error": {"type": "invalid_request_error", "message": "bad key-77!"}})
    assert parse_error_response(400, {}, body, provider="claude", key="key-77").message == "bad [redacted]!"
    assert parse_error_event(orjson.loads(body), provider="claude", key="key-77").message == "bad [redacted]!"

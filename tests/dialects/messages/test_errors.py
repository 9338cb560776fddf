"""Errors as Anthropic's clients expect them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.dialects.messages.errors import error_events, error_reply
from gateway.errors import (
    AllCandidatesFailed,
    BudgetExceeded,
    Conflict,
    ContextLengthExceeded,
    Forbidden,
    GatewayError,
    InvalidKey,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    RateLimited,
    RequestTimeout,
    RequestTooLarge,
    UpstreamAuth,
    UpstreamRateLimited,
    UpstreamTimeout,
)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (InvalidRequest("x"), 400, "invalid_request_error"),
        (InvalidKey("x"), 401, "authentication_error"),
        (Forbidden("x"), 403, "permission_error"),
        (ModelNotFound("x"), 404, "not_found_error"),
        (RequestTimeout("x"), 408, "timeout_error"),
        (Conflict("x"), 409, "invalid_request_error"),
        (RequestTooLarge("x"), 413, "request_too_large"),
        (RateLimited("x"), 429, "rate_limit_error"),
        (UpstreamRateLimited("x"), 429, "rate_limit_error"),
        (GatewayError("x"), 500, "api_error"),
        (UpstreamAuth("x"), 502, "api_error"),
        (Overloaded("x"), 503, "overloaded_error"),
        (AllCandidatesFailed("x"), 503, "overloaded_error"),
        (UpstreamTimeout("x"), 504, "timeout_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_status_has_its_type(error: GatewayError, status: int, kind: str) -> None:
    """The type follows from the status, and the body has the request's id."""
    reply = error_reply(error, request_id="req_1")
    assert reply.status == status
    assert reply.body == {"type": "error", "error": {"type": kind, "message": "x"}, "request_id": "req_1"}


def test_a_wrong_key_is_not_tried_again() -> None:
    """Claude Code retries a 401 for minutes unless it is told not to."""
    assert error_reply(InvalidKey("x"), request_id="r").headers == {"x-should-retry": "false"}


def test_a_spent_budget_has_the_headers_of_claude_code() -> None:
    """A budget that is spent is a `billing_error` that says when it ends."""
    resets = datetime(2026, 11, 30, tzinfo=UTC)
    reply = error_reply(BudgetExceeded("x", retry_after=9, window="day", resets_at=resets), request_id="r")
    assert (reply.status, reply.body["error"]["type"]) == (429, "billing_error")
    assert reply.headers == {
        "x-should-retry": "false",
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-overage-disabled-reason": "org_spend_cap_reached",
        "anthropic-ratelimit-unified-reset": str(int(resets.timestamp())),
        "anthropic-ratelimit-unified-overage-period": "daily",
    }


def test_a_budget_without_end_has_no_reset() -> None:
    """A budget in all never resets."""
    headers = error_reply(BudgetExceeded("x"), request_id="r").headers
    assert headers.keys().isdisjoint(
        {"anthropic-ratelimit-unified-reset", "anthropic-ratelimit-unified-overage-period"}
    )


def test_held_money_is_worth_another_try() -> None:
    """Money that running requests hold comes back in seconds."""
    reply = error_reply(BudgetExceeded("x", retry_after=1, spent=False), request_id="r")
    assert (reply.body["error"]["type"], dict(reply.headers)) == ("rate_limit_error", {})


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("maximum context length is 131072 tokens. You requested about 200,000", "200000 tokens > 131072 maximum"),
        ("The input token count (1200000) exceeds the maximum (1048576)", "1200000 tokens > 1048576 maximum"),
        ("too many tokens", "too many tokens"),
        ("prompt is too long: 9000 tokens > 8000 maximum", "9000 tokens > 8000 maximum"),
    ],
)
def test_a_long_prompt_is_told_in_anthropics_words(message: str, told: str) -> None:
    """Clients shorten the conversation when they read these words, whichever provider refused."""
    body = error_reply(ContextLengthExceeded(message), request_id="r").body
    assert body["error"]["message"] == f"prompt is too long: {told}"


def test_an_error_in_a_stream_is_an_event() -> None:
    """A broken stream ends with an event that SDKs raise."""
    assert error_events(Overloaded("x")) == (
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n'
    )

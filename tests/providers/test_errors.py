"""What refusals of every dialect are taken for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    ContextLengthExceeded,
    UpstreamAccountEmpty,
    UpstreamAuth,
    UpstreamError,
    UpstreamFailed,
    UpstreamInvalidResponse,
    UpstreamModelNotFound,
    UpstreamNotFound,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnsupportedMedia,
)
from gateway.providers.errors import ErrorParts, classify, classify_error_body, error_parts, json_error_parts, redact

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "status", "type", "details", "metadata", "raw", "retryDelay"]),
            inner,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, "invalid_request_error", "messages: roles must alternate", UpstreamRejected),
        (422, None, "Unprocessable", UpstreamRejected),
        (413, "request_too_large", "Request exceeds the maximum size", UpstreamRejected),
        (409, None, "Conflict", UpstreamRejected),
        (400, "context_length_exceeded", "too long", ContextLengthExceeded),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", ContextLengthExceeded),
        (400, None, "This endpoint's maximum context length is 8192 tokens.", ContextLengthExceeded),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            ContextLengthExceeded,
        ),
        (
            400,
            None,
            "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
            ContextLengthExceeded,
        ),
        (400, None, "foo/bar is not a valid model ID", UpstreamModelNotFound),
        (400, None, "The model `gpt-9` does not exist", UpstreamModelNotFound),
        (400, None, "Request to model x failed: tool_call_id t1 not found", UpstreamRejected),
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", UpstreamAuth),
        (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", UpstreamAuth),
        (401, None, None, UpstreamAuth),
        (403, "PERMISSION_DENIED", "no", UpstreamAuth),
        (402, None, "Payment required", UpstreamAccountEmpty),
        (402, "RESOURCE_EXHAUSTED", "prepaid balance", UpstreamAccountEmpty),
        (429, "insufficient_quota", "You exceeded your current quota", UpstreamAccountEmpty),
        (429, "project_spend_limit_exceeded", None, UpstreamAccountEmpty),
        (429, "enforced_spend_limit_reached", None, UpstreamAccountEmpty),
        (400, "invalid_request_error", "Your workspace has reached its spend limit.", UpstreamAccountEmpty),
        (400, "invalid_request_error", "Your credit balance is too low to access the API.", UpstreamAccountEmpty),
        (403, None, "Key limit exceeded (monthly limit).", UpstreamAccountEmpty),
        (429, "RESOURCE_EXHAUSTED", "Quota exceeded for requests per minute", UpstreamRateLimited),
        (404, "not_found_error", "model: claude-9", UpstreamModelNotFound),
        (404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta", UpstreamModelNotFound),
        (404, None, "No endpoints found for foo/bar.", UpstreamModelNotFound),
        (404, None, "Invalid URL (POST /v1/chat)", UpstreamInvalidResponse),
        (408, None, None, UpstreamTimeout),
        (504, "DEADLINE_EXCEEDED", None, UpstreamTimeout),
        (500, "api_error", "Internal server error", UpstreamFailed),
        (502, None, None, UpstreamFailed),
        (503, "UNAVAILABLE", "The model is overloaded.", UpstreamOverloaded),
        (529, "overloaded_error", "Overloaded", UpstreamOverloaded),
        (302, None, None, UpstreamInvalidResponse),
        (101, None, None, UpstreamInvalidResponse),
    ],
)
def test_error_kind_follows_from_status_code_and_wording(
    status: int, code: str | None, message: str | None, kind: type[UpstreamError]
) -> None:
    """Status, code and wording together say what happened; the status alone would not."""
    error = classify(status, {}, message=message, code=code, provider="acme")
    assert type(error) is kind
    assert (error.provider, error.upstream_status, error.upstream_code) == ("acme", status, code)


@pytest.mark.parametrize(
    ("status", "message", "kind", "ours"),
    [
        (404, "File abc123 was not found.", UpstreamNotFound, 404),
        (410, "The conversation is gone.", UpstreamNotFound, 404),
        (404, "models/gemini-9 is not found", UpstreamModelNotFound, 404),
        (410, "The model `gpt-3` has been retired.", UpstreamModelNotFound, 404),
        (415, "image/bmp is not supported", UpstreamUnsupportedMedia, 415),
        (451, "not here", UpstreamRejected, 400),
        (405, "Method not allowed", UpstreamInvalidResponse, 502),
        (406, "Not acceptable", UpstreamInvalidResponse, 502),
        (411, "Length required", UpstreamInvalidResponse, 502),
        (426, "Upgrade required", UpstreamInvalidResponse, 502),
        (431, "Headers too large", UpstreamInvalidResponse, 502),
        (423, "Locked", UpstreamOverloaded, 503),
        (424, "A dependency failed", UpstreamOverloaded, 503),
        (425, "Too early", UpstreamOverloaded, 503),
    ],
)
def test_other_statuses_of_a_provider(status: int, message: str, kind: type[UpstreamError], ours: int) -> None:
    """A provider's own 404 is the client's; statuses about how the gateway asked are no fault of the client."""
    error = classify(status, {}, message=message, code=None, provider="acme", from_provider=True)
    assert (type(error), error.status, error.message) == (kind, ours, message)


@pytest.mark.parametrize("status", [404, 405, 410, 415, 418])
def test_foreign_status_is_an_invalid_answer(status: int) -> None:
    """What a proxy or a wrong address answers is an invalid answer, whatever its status says."""
    error = classify(status, {}, message="Not Found", code=None, provider="acme")
    assert (type(error), error.status) == (UpstreamInvalidResponse, 502)


@pytest.mark.parametrize(
    ("body", "from_provider"),
    [
        ({"error": {"message": "m", "type": "t"}}, True),
        ([{"error": {"code": 404, "message": "m", "status": "NOT_FOUND"}}], True),
        ({"type": "error", "error": {"type": "not_found_error", "message": "m"}}, True),
        ({"object": "error", "message": "m", "type": "NotFoundError", "code": 404}, True),
        ({"error": "Not Found"}, False),
        ({"error": {"reason": "m"}}, False),
        ({"detail": "Not Found"}, False),
        ({"message": "no Route matched with those values"}, False),
        ([], False),
    ],
)
def test_error_body_tells_a_provider_from_a_proxy(body: object, from_provider: bool) -> None:
    """The form of the body tells a provider's own refusal from a web framework's or a proxy's."""
    assert json_error_parts(orjson.dumps(body)).from_provider is from_provider


@pytest.mark.parametrize(
    ("status", "ours"),
    [(400, 400), (422, 400), (413, 413), (429, 429), (404, 404), (500, 502), (529, 503), (401, 502), (402, 503)],
)
def test_client_sees_the_status_class_never_401_or_402(status: int, ours: int) -> None:
    """The client sees the class of the provider's status, 413 as itself, and never 401 or 402."""
    assert classify(status, {}, message="the model", code=None, provider="acme").status == ours


@pytest.mark.parametrize("status", [401, 402, 403])
def test_words_about_the_key_are_not_passed_on(status: int) -> None:
    """What a provider says about the key or the account stays inside."""
    error = classify(status, {}, message="key of Jane Doe, project 7", code=None, provider="acme")
    assert "Jane" not in error.message
    assert not error.shows_detail


def test_provider_message_is_passed_on_without_keys() -> None:
    """What a provider says about the request is passed on, without keys; silence is put into words."""
    error = classify(400, {}, message="bad, sk-proj-abcdef1234567890", code=None, provider="acme")
    assert error.message == "bad, [redacted]"
    assert (
        classify(500, {}, message=None, code=None, provider="acme").message
        == "acme answered with HTTP status 500 and no reason."
    )


def test_retry_after_of_headers_wins_and_is_bounded() -> None:
    """The headers' wait goes before the body's, and both are bounded."""
    told = partial(classify, 429, message="m", code=None, provider="acme")
    assert told({"retry-after": "5"}, retry_after=9.0).retry_after == 5.0
    assert told({}, retry_after=9e9).retry_after == 600.0
    assert told({}).retry_after is None


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ({"error": {"message": "m", "type": "t", "param": None, "code": "c"}}, ErrorParts("m", "c")),
        ({"error": {"message": "m", "type": "t", "param": None, "code": None}}, ErrorParts("m", "t")),
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            ErrorParts("Overloaded", "overloaded_error"),
        ),
        (
            {
                "error": {
                    "code": 429,
                    "message": "q",
                    "status": "RESOURCE_EXHAUSTED",
                    "details": [0, {"@type": "x"}, {"retryDelay": "27.5s"}],
                }
            },
            ErrorParts("q", "RESOURCE_EXHAUSTED", 429, 27.5),
        ),
        (
            [{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}],
            ErrorParts("m", "INVALID_ARGUMENT", 400),
        ),
        ({"error": {"code": 402, "message": "Insufficient credits"}}, ErrorParts("Insufficient credits", None, 402)),
        ({"error": {"code": "503", "message": "m"}}, ErrorParts("m", None, 503)),
        ({"error": {"code": 7, "message": "m"}}, ErrorParts("m")),
        ({"error": {"code": True, "message": "m"}}, ErrorParts("m")),
        (
            {
                "error": {
                    "code": 400,
                    "message": "Provider returned error",
                    "metadata": {"raw": '{"error":{"message":"prompt is too long"}}'},
                }
            },
            ErrorParts("Provider returned error: prompt is too long", None, 400),
        ),
        ({"error": {"metadata": {"raw": "plain words"}}}, ErrorParts("plain words")),
        (
            {"error": {"code": 429, "message": "m", "metadata": {"error_type": "insufficient_quota"}}},
            ErrorParts("m", "insufficient_quota", 429),
        ),
        ({"error": {"message": "m", "metadata": "x", "details": "y"}}, ErrorParts("m")),
        ({"error": "just text"}, ErrorParts("just text")),
        ({"detail": "Not Found"}, ErrorParts("Not Found")),
        ({"error": None, "message": "m"}, ErrorParts("m")),
        ([], ErrorParts()),
        (7, ErrorParts()),
    ],
)
def test_error_json_of_every_dialect_is_read(body: object, parts: ErrorParts) -> None:
    """Every dialect's error JSON is read, and what is not one has no parts."""
    assert replace(json_error_parts(orjson.dumps(body)), from_provider=False) == parts


@pytest.mark.parametrize("body", [b"", b"<html><h1>502 Bad Gateway</h1></html>", b'{"error":', b"\xff\xfe"])
def test_body_that_is_no_json_has_no_error_parts(body: bytes) -> None:
    """An HTML page, nothing, half a JSON or noise has no parts."""
    assert json_error_parts(body) == ErrorParts()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"error": {"type": "overloaded_error", "message": "Overloaded"}}, UpstreamOverloaded),
        ({"code": 402, "message": "credits"}, UpstreamAccountEmpty),
        ({"code": "rate_limit_exceeded", "message": "m"}, UpstreamRateLimited),
        ({"message": "no code"}, UpstreamFailed),
        (None, UpstreamFailed),
    ],
)
def test_error_with_status_200_is_known_by_its_code(value: object, kind: type[UpstreamError]) -> None:
    """An error inside an answer that began with 200 is known by its code, and by default the upstream failed."""
    assert type(classify_error_body(value, provider="acme")) is kind


@given(JSON)
def test_any_json_error_is_read_without_failing(value: object) -> None:
    """No JSON makes the reading of an error fail."""
    error_parts(value)
    assert isinstance(classify_error_body(value, provider="acme"), UpstreamError)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefgh12345678",
        "sk-ant-api03-abc_def-ghi",
        "sk-or-v1-0123456789abcdef",
        "sk-abc***wxyz",
        "AIzaSyA1234567890abcdefgh",
        "AQ.Ab8RN6abcdefgh",
        "gsk_abcdefgh1234",
        "xai-abcdefgh1234",
    ],
)
def test_keys_are_cut_out_of_texts(secret: str) -> None:
    """Text that looks like a key never passes."""
    shown = redact(f"Incorrect API key provided: {secret}. See docs.")
    assert secret not in shown
    assert shown.startswith("Incorrect API key provided: [redacted]")


@pytest.mark.parametrize(
    "text", ["authorization: Bearer abc.def", "?alt=sse&key=abc.def&x=1", "x-api-key: abc.def", 'api_key="abc.def"']
)
def test_named_keys_are_cut_out(text: str) -> None:
    """What stands where a key belongs never passes, whatever it looks like."""
    assert "abc.def" not in redact(text)


def test_own_key_is_cut_out() -> None:
    """The gateway's own key is cut out in any shape, and a long message is shortened."""
    assert redact("the key hunter2-hunter2 is wrong", key="hunter2-hunter2") == "the key [redacted] is wrong"
    assert redact("'x' is no key for gemini-max", key="x") == "'[redacted]' is no key for gemini-max"
    assert len(redact("x" * 10_000)) == 2_003


def test_words_that_resemble_keys_stay() -> None:
    """Words that merely resemble keys are left alone."""
    assert redact("The task-list of risk-averse users: ask-me") == "The task-list of risk-averse users: ask-me"

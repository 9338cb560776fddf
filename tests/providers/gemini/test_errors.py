"""Google's errors: what they mean, wherever they come."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.errors import (
    ContextLengthExceeded,
    UpstreamAccountEmpty,
    UpstreamAuth,
    UpstreamError,
    UpstreamFailed,
    UpstreamModelNotFound,
    UpstreamNotFound,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
)
from gateway.providers.gemini.errors import find_error, parse_error_response
from tests.providers.gemini.asking import KEY


def google(code: int | None, message: str, status: str, *details: Any) -> Any:
    error = {"message": message, "status": status, "details": [*details]}
    return {"error": error if code is None else {"code": code, **error}}


def read(status: int, value: Any, headers: Any = None) -> UpstreamError:
    return parse_error_response(status, headers or {}, orjson.dumps(value), provider="gemini", key=KEY)


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "27.5s"}
QUOTA = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "PerMinute"}]}
REASON = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
CASES = [
    (400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", UpstreamAuth),
    (
        400,
        "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).",
        "INVALID_ARGUMENT",
        ContextLengthExceeded,
    ),
    (400, "Penalty is not enabled for this model", "INVALID_ARGUMENT", UpstreamRejected),
    (402, "Resource exhausted.", "RESOURCE_EXHAUSTED", UpstreamAccountEmpty),
    (403, "Your API key was reported as leaked.", "PERMISSION_DENIED", UpstreamAuth),
    (404, "models/gemini-1 is not found for API version v1beta", "NOT_FOUND", UpstreamModelNotFound),
    (429, "You exceeded your current quota.", "RESOURCE_EXHAUSTED", UpstreamRateLimited),
    (429, "Your project has exceeded its monthly spending cap.", "RESOURCE_EXHAUSTED", UpstreamAccountEmpty),
    (429, "Your prepayment credits are depleted.", "RESOURCE_EXHAUSTED", UpstreamAccountEmpty),
    (500, "Internal error encountered.", "INTERNAL", UpstreamFailed),
    (503, "The model is overloaded. Please try again later.", "UNAVAILABLE", UpstreamOverloaded),
    (504, "Deadline expired.", "DEADLINE_EXCEEDED", UpstreamTimeout),
]


@pytest.mark.parametrize(("status", "message", "word", "kind"), CASES)
def test_error_kind_follows_from_status_and_words(
    status: int, message: str, word: str, kind: type[UpstreamError]
) -> None:
    """An answer's status and words say which error it is; a list around it, as streams have, changes nothing."""
    for value in (google(status, message, word), [google(status, message, word)]):
        error = read(status, value)
        assert type(error) is kind
        assert (error.upstream_status, error.upstream_code, error.provider) == (
            402 if kind is UpstreamAccountEmpty else status,
            word,
            "gemini",
        )


@pytest.mark.parametrize(("status", "message", "word", "kind"), CASES)
def test_error_with_status_200_is_the_same_error(
    status: int, message: str, word: str, kind: type[UpstreamError]
) -> None:
    """An error told after a 200 is the same error."""
    assert type(find_error(google(status, message, word), provider="gemini", key=KEY)) is kind


@pytest.mark.parametrize(
    ("message", "word", "kind"),
    [
        ("The model is overloaded.", "UNAVAILABLE", UpstreamOverloaded),
        ("Spend limit reached.", "RESOURCE_EXHAUSTED", UpstreamAccountEmpty),
        ("?", "NEVER_HEARD_OF", UpstreamFailed),
    ],
)
def test_status_word_replaces_a_missing_code(message: str, word: str, kind: type[UpstreamError]) -> None:
    """Google's status word stands in for a missing code."""
    assert type(find_error(google(None, message, word), provider="gemini", key=KEY)) is kind


@pytest.mark.parametrize("value", [{}, {"candidates": []}, {"error": None}, [], [{}], "x", None])
def test_answer_without_an_error_raises_none(value: Any) -> None:
    """Where there is no error none is seen."""
    assert find_error(value, provider="gemini", key=KEY) is None


def test_error_reason_counts_in_any_language() -> None:
    """The reason in the details counts, in whatever language the message is."""
    assert type(read(400, google(400, "Ungültig.", "INVALID_ARGUMENT", "x", {"reason": 1}, REASON))) is UpstreamAuth


def test_retry_info_gives_the_wait_unless_a_header_does() -> None:
    """RetryInfo says how long to wait, unless a header does."""
    value = google(429, "You exceeded your current quota.", "RESOURCE_EXHAUSTED", QUOTA, RETRY)
    assert read(429, value).retry_after == 27.5
    assert read(429, value, {"retry-after": "3"}).retry_after == 3


@pytest.mark.parametrize(
    "body", [b"", b"<html>502</html>", b'{"error":', b"[]", b"null", b'{"error": "x"}', b'{"error": {"details": {}}}']
)
def test_body_that_is_no_google_error_is_judged_by_status(body: bytes) -> None:
    """A body that is no Google error is judged by its status."""
    assert type(parse_error_response(503, {}, body, provider="gemini", key=KEY)) is UpstreamOverloaded


def test_key_is_cut_out_of_error_messages() -> None:
    """The key never stands in a message, though Google repeats it."""
    error = read(400, google(400, f"Bad request for {KEY}.", "INVALID_ARGUMENT"))
    assert KEY not in str(error)
    assert "Bad request" in str(error)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("You do not have permission to access the File abc or it may not exist.", UpstreamNotFound),
        ("CachedContent not found (or permission denied)", UpstreamNotFound),
        ("Permission denied on resource project x.", UpstreamAuth),
    ],
)
def test_a_file_that_is_not_there(message: str, kind: type[UpstreamError]) -> None:
    """Google's 403 for a file that is gone is about the request: the key is not held to be refused."""
    assert type(read(403, google(403, message, "PERMISSION_DENIED"))) is kind

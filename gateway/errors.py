"""The exception tree of the gateway; each class has an HTTP status, an OpenAI error type and a code."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

MAX_TEXT = 4_000  # characters of a message or param, because both may quote a client or an upstream


class GatewayError(Exception):
    """An error that is sent to the client in OpenAI's error format."""

    status = 500
    type = "api_error"
    code: str | None = None

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code

    def body(self) -> dict[str, Any]:
        """OpenAI's error object: https://platform.openai.com/docs/guides/error-codes"""
        param = None if self.param is None else _cut(self.param)
        return {"error": {"message": short_message(self), "type": self.type, "param": param, "code": self.code}}


def short_message(error: GatewayError) -> str:
    """The message as a client gets it."""
    return _cut(error.message)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."


class RequestError(GatewayError):
    """The request cannot be served; a retry fails again."""

    status = 400
    type = "invalid_request_error"


class InvalidRequest(RequestError):
    """The body violates the API's rules; `param` is the path of the field, such as `messages[0].content`."""


class TooLargeForProvider(InvalidRequest):
    """The request exceeds the provider's size limit; another provider may accept it."""

    status = 413
    code = "request_too_large"


class ItemNotFound(InvalidRequest):
    """The body refers to an item of an earlier response that is not there."""

    status = 404
    code = "item_not_found"


class InvalidKey(RequestError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(RequestError):
    status = 403
    type = "permission_error"
    code = "forbidden"


class NotFound(RequestError):
    status = 404
    code = "not_found"


class ModelNotFound(NotFound):
    code = "model_not_found"


class MethodNotAllowed(RequestError):
    """`allow` is the header that a 405 must have (RFC 9110, 15.5.6)."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class RequestTimeout(RequestError):
    status = 408
    code = "request_timeout"


class Conflict(RequestError):
    status = 409
    code = "conflict"


class RequestTooLarge(RequestError):
    status = 413
    code = "request_too_large"


class UnsupportedEncoding(RequestError):
    status = 415
    code = "unsupported_encoding"


class HeadersTooLarge(RequestError):
    status = 431
    code = "headers_too_large"


class NotImplementedInHttp(RequestError):
    """An unsupported part of HTTP: CONNECT, or transfer codings other than chunked."""

    status = 501
    code = "not_implemented"


class UnsupportedVersion(RequestError):
    status = 505
    code = "http_version_not_supported"


class Overloaded(GatewayError):
    """The gateway is at its concurrency limit or draining; `retry_after` is in seconds."""

    status = 503
    type = "server_error"
    code = "gateway_overloaded"

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RefusedByGateway(GatewayError):
    """The caller reached a limit of its key or of the gateway. `retry_after` is in seconds, None where waiting does not help."""

    status = 429

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BudgetExceeded(RefusedByGateway):
    """The budget has too little left for the request: it is spent, or held by running requests.

    `spent` says which. `window` is the budget's (`day`, `total`, ...), `resets_at` its end, None where it does not end.
    """

    type = "insufficient_quota"
    code = "budget_exceeded"

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        spent: bool = True,
        window: str = "total",
        resets_at: datetime | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.spent = spent
        self.window = window
        self.resets_at = resets_at


class SessionBudgetExceeded(BudgetExceeded):
    """The budget of the request's session has too little left: the session pauses until its limit is raised."""

    code = "session_budget_exceeded"


class RateLimited(RefusedByGateway):
    """More requests per minute than the key allows."""

    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class LedgerUnavailable(GatewayError):
    """The ledger cannot be written, so the gateway starts nothing that costs money. `retry_after` is in seconds."""

    status = 503
    type = "server_error"
    code = "ledger_unavailable"

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ConfigError(GatewayError):
    """The configuration is invalid. `problems` lists all problems with file, line, key and fix."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class RoutingError(GatewayError):
    """The router could not decide."""

    status = 503
    type = "server_error"
    code = "routing_error"


class NoRoute(RoutingError):
    """No model in the catalogue satisfies the request and its context."""

    code = "no_candidate"


class UpstreamError(GatewayError):
    """An upstream call failed.

    `upstream_status` is the upstream's HTTP status (None without one), `retry_after` the requested wait in seconds.
    `shows_detail`: the client may see the upstream's own message. `maybe_billed`: the provider may bill the call.
    """

    status = 502
    type = "upstream_error"
    code: str | None = "upstream_error"
    shows_detail = True
    maybe_billed = False

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        upstream_status: int | None = None,
        upstream_code: str | None = None,
        retry_after: float | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message, param=param)
        self.provider = provider
        self.upstream_status = upstream_status
        self.upstream_code = upstream_code
        self.retry_after = retry_after


class UpstreamUnreachable(UpstreamError):
    """Connection refused, reset before headers, or DNS failure: there was no response."""

    code = "upstream_unreachable"


class UpstreamDisconnected(UpstreamUnreachable):
    """The connection closed after the request was sent and before a response; the upstream may have received it."""

    maybe_billed = True


class UpstreamStaleConnection(UpstreamDisconnected):
    """UpstreamDisconnected on a reused connection; most likely the upstream closed it because it was idle."""


class UpstreamTLS(UpstreamUnreachable):
    """The TLS certificate or handshake of the upstream is invalid."""

    code = "upstream_tls"


class UpstreamOverloaded(UpstreamError):
    """5xx, 529, or an overload event: a later attempt or another upstream can help."""

    status = 503
    code = "upstream_overloaded"


class UpstreamFailed(UpstreamOverloaded):
    """The upstream sent 500 or 502 for this request."""

    status = 502
    code = "upstream_error"


class UpstreamRateLimited(UpstreamError):
    """429: this deployment must cool down."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class UpstreamAccountEmpty(UpstreamError):
    """402, exhausted quota or spend limit of the gateway's account; the client sees no details."""

    status = 503
    code = "upstream_account_empty"
    shows_detail = False


class UpstreamAuth(UpstreamError):
    """401 or 403: the gateway's key is rejected; the provider's message is never passed on."""

    code = "upstream_auth"
    shows_detail = False


class UpstreamModelNotFound(UpstreamError):
    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class UpstreamNotFound(UpstreamError):
    """The provider's own 404 about something other than the model, such as an expired file or cache."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class UpstreamRejected(UpstreamError):
    """400, 413 or 422: the provider rejects the content of the request; a retry fails again."""

    status = 400
    type = "invalid_request_error"
    code: str | None = None


class UpstreamUnsupportedMedia(UpstreamRejected):
    """The provider's own 415: another upstream may accept this kind of content."""

    status = 415
    code = "unsupported_media_type"


class ContextLengthExceeded(UpstreamRejected):
    """The prompt exceeds the model's context window; a model with a larger one may accept it."""

    code = "context_length_exceeded"


class UpstreamInvalidResponse(UpstreamError):
    """The response is not JSON, not in the provider's format, an HTML page, a redirect, or too large."""

    code = "upstream_invalid_response"
    maybe_billed = True


class UpstreamTruncated(UpstreamInvalidResponse):
    """The connection closed before the response was complete."""

    code = "upstream_truncated"


class UpstreamTimeout(UpstreamError):
    """A first-byte, idle or total timeout; the provider may still bill the call."""

    status = 504
    code = "upstream_timeout"
    maybe_billed = True


class AllCandidatesFailed(UpstreamError):
    """All candidates of `auto` failed; `retry_after` is the smallest wait that any of them named."""

    status = 503
    code = "no_candidate"


def error_event(error: GatewayError) -> Mapping[str, Any]:
    """The JSON of a `data:` event for an error after the first byte."""
    return {"error": {**error.body()["error"], "code": error.code or error.type}}

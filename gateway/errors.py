"""Every way a request can fail, as one tree; each leaf knows its HTTP status, OpenAI error type and code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_TEXT = 4_000  # characters of a message or param; both may quote what a client or an upstream wrote


class GatewayError(Exception):
    """A failure that the client is told about in OpenAI's error shape."""

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
        return {"error": {"message": _cut(self.message), "type": self.type, "param": param, "code": self.code}}


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}..."


class RequestError(GatewayError):
    """The client's request cannot be served as it is; sending it again will not help."""

    status = 400
    type = "invalid_request_error"


class InvalidRequest(RequestError):
    """The body breaks the API's rules; `param` is the path of the field, as `messages[0].content`."""


class TooLargeForProvider(InvalidRequest):
    """The request is larger than what its provider takes; another one may take it."""

    status = 413
    code = "request_too_large"


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
    """`allow` is the header that a 405 has to have (RFC 9110, 15.5.6)."""

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
    """A part of HTTP that the gateway does not speak: CONNECT, transfer codings beside chunked."""

    status = 501
    code = "not_implemented"


class UnsupportedVersion(RequestError):
    status = 505
    code = "http_version_not_supported"


class Overloaded(GatewayError):
    """The gateway itself is full or draining; `retry_after` is in seconds."""

    status = 503
    type = "server_error"
    code = "gateway_overloaded"

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RefusedByGateway(GatewayError):
    """The caller has reached a limit of its key or of the gateway; `retry_after` is in seconds, None: waiting does not help."""

    status = 429

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BudgetExceeded(RefusedByGateway):
    """What the request may cost is not left in a budget: spent, or held by requests under way."""

    type = "insufficient_quota"
    code = "budget_exceeded"


class RateLimited(RefusedByGateway):
    """More requests a minute than the key allows."""

    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class LedgerUnavailable(GatewayError):
    """The ledger cannot be written, so nothing that costs money is begun."""

    status = 503
    type = "server_error"
    code = "ledger_unavailable"


class ConfigError(GatewayError):
    """The configuration is unusable; `problems` names file, line, key and mend, all at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class RoutingError(GatewayError):
    """No decision could be made."""

    status = 503
    type = "server_error"
    code = "routing_error"


class NoRoute(RoutingError):
    """Nothing in the catalogue satisfies what the request and its context ask for."""

    code = "no_candidate"


class UpstreamError(GatewayError):
    """An upstream did not answer as it should.

    `upstream_status` is the HTTP status it sent (None when there was none), `retry_after` seconds it asked us to
    wait. `detail` is its own message, keys redacted, for the client only where `shows_detail`.
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
    """Refused, reset before headers, DNS: nothing was answered."""

    code = "upstream_unreachable"


class UpstreamDisconnected(UpstreamUnreachable):
    """The connection ended after the request was sent and before an answer: the upstream may have received the request."""

    maybe_billed = True


class UpstreamStaleConnection(UpstreamDisconnected):
    """The same on a connection that had served before; most likely the upstream closed it because it had been idle."""


class UpstreamTLS(UpstreamUnreachable):
    """The upstream's certificate or handshake cannot be trusted."""

    code = "upstream_tls"


class UpstreamOverloaded(UpstreamError):
    """5xx, 529, or an overload told as an event: trying later or elsewhere helps."""

    status = 503
    code = "upstream_overloaded"


class UpstreamFailed(UpstreamOverloaded):
    """The upstream answered 500 or 502: it broke on this request."""

    status = 502
    code = "upstream_error"


class UpstreamRateLimited(UpstreamError):
    """429: this deployment has to cool down."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class UpstreamAccountEmpty(UpstreamError):
    """402, spent quota or spend limit: this key cannot pay; the client is told no more than that."""

    status = 503
    code = "upstream_account_empty"
    shows_detail = False


class UpstreamAuth(UpstreamError):
    """401 or 403: the gateway's key is refused; the provider's words are never passed on."""

    code = "upstream_auth"
    shows_detail = False


class UpstreamModelNotFound(UpstreamError):
    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class UpstreamNotFound(UpstreamError):
    """The provider's own 404 about something that is not the model, as an expired file or cache that the request names."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class UpstreamRejected(UpstreamError):
    """400, 413 or 422: the provider refuses this request's content; the same request fails again."""

    status = 400
    type = "invalid_request_error"
    code: str | None = None


class UpstreamUnsupportedMedia(UpstreamRejected):
    """The provider's own 415: this upstream does not take a kind of content that another may take."""

    status = 415
    code = "unsupported_media_type"


class ContextLengthExceeded(UpstreamRejected):
    """The prompt is longer than this model's context window; a larger model may take it."""

    code = "context_length_exceeded"


class UpstreamInvalidResponse(UpstreamError):
    """Not JSON, not the dialect's shape, an HTML page, a redirect, too large: garbage."""

    code = "upstream_invalid_response"
    maybe_billed = True


class UpstreamTruncated(UpstreamInvalidResponse):
    """The connection ended before the answer did."""

    code = "upstream_truncated"


class UpstreamTimeout(UpstreamError):
    """No byte within the first-byte, idle or total time; the provider may still bill it."""

    status = 504
    code = "upstream_timeout"
    maybe_billed = True


class AllCandidatesFailed(UpstreamError):
    """`auto` tried what it could; `retry_after` is the smallest wait that any of them named."""

    status = 503
    code = "no_candidate"


def error_event(error: GatewayError) -> Mapping[str, Any]:
    """What stands in a `data:` event when an answer breaks after its first byte."""
    return {"error": {**error.body()["error"], "code": error.code or error.type}}

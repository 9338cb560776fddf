"""Translates network exceptions to UpstreamError. Messages name the provider, never a key or a URL."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from gateway.errors import (
    UpstreamDisconnected,
    UpstreamInvalidResponse,
    UpstreamStaleConnection,
    UpstreamTimeout,
    UpstreamTLS,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from gateway.transport.tunnel import PROXY_AUTHENTICATION_REQUIRED, TunnelRefused

REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "its host name cannot be resolved"),
    (ConnectionRefusedError, "it refuses connections"),
    (ConnectionResetError, "it reset the connection"),
    (TimeoutError, "no connection could be made in time"),
)

# Exact types: their subclasses are about the connection (closed, would block), not about trust.
TRUST_ERRORS = (ssl.SSLError, ssl.SSLCertVerificationError)


def unreachable(provider: str, error: BaseException) -> UpstreamUnreachable:
    """The request was not sent. The reason comes from the exception's chain of causes."""
    chain = list(_causes(error))
    for cause in chain:
        if type(cause) in TRUST_ERRORS:
            reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "the handshake failed"
            return UpstreamTLS(f"{provider} cannot be trusted over TLS: {reason}.", provider=provider)
    for kind, reason in REASONS:
        if any(isinstance(cause, kind) for cause in chain):
            return UpstreamUnreachable(f"{provider} cannot be reached: {reason}.", provider=provider)
    return UpstreamUnreachable(f"{provider} cannot be reached: the connection failed.", provider=provider)


def unreachable_proxy(provider: str, error: BaseException) -> UpstreamUnreachable:
    """The proxy did not open a tunnel to the upstream."""
    if isinstance(error, TunnelRefused):
        if error.status == PROXY_AUTHENTICATION_REQUIRED:
            reason = "the proxy requires a user and a password, or refuses those in the URL that names it"
        elif error.status is not None:
            reason = f"the proxy refuses to connect to it, with status {error.status}"
        else:
            reason = "the proxy did not answer in valid HTTP"
        return UpstreamUnreachable(f"{provider} cannot be reached: {reason}.", provider=provider)
    cause = unreachable("its proxy", error)
    return type(cause)(f"{provider} cannot be reached: {cause.message}", provider=provider)


def disconnected(provider: str, error: BaseException, *, reused: bool) -> UpstreamUnreachable:
    """The connection closed after the request was sent. `reused`: it had served other requests before."""
    cause = unreachable(provider, error)
    if isinstance(cause, UpstreamTLS):  # with TLS 1.3 a handshake can fail after the first bytes were sent
        return cause
    kind = UpstreamStaleConnection if reused else UpstreamDisconnected
    return kind(
        f"{provider} closed the connection before it answered; it may have received the request.", provider=provider
    )


def timed_out(provider: str, *, seconds: float, status: int | None = None) -> UpstreamTimeout:
    """`seconds` is the exceeded limit: first byte while there is no status, afterwards idle or total."""
    what = "sent no answer" if status is None else "stopped answering"
    return UpstreamTimeout(f"{provider} {what} within {seconds:g} s.", provider=provider, upstream_status=status)


def truncated(provider: str, *, status: int) -> UpstreamTruncated:
    return UpstreamTruncated(f"{provider} broke off its answer.", provider=provider, upstream_status=status)


def not_http(provider: str, *, status: int | None = None) -> UpstreamInvalidResponse:
    return UpstreamInvalidResponse(
        f"{provider} did not answer in valid HTTP.", provider=provider, upstream_status=status
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, the members of an exception group, and the causes of each."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _causes(member)
        error = error.__cause__ or error.__context__

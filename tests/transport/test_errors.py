"""How foreign exceptions are told apart."""

from __future__ import annotations

import socket
import ssl

import pytest

from gateway.errors import UpstreamTLS, UpstreamUnreachable
from gateway.transport.errors import unreachable


def raised(error: Exception, *, after: BaseException) -> Exception:
    """`error` as it is when raised from `after`."""
    error.__cause__ = after
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "127.0.0.1"), "refuses connections"),
        (raised(OSError("all failed"), after=ConnectionRefusedError()), "refuses connections"),
        (raised(OSError("all failed"), after=ExceptionGroup("", [OSError(), TimeoutError()])), "in time"),
        (socket.gaierror(-2, "unknown"), "cannot be resolved"),
        (ConnectionResetError(), "reset the connection"),
        (ssl.SSLEOFError(8, "EOF"), "the connection failed"),
        (OSError("key sk-secret"), "the connection failed"),
    ],
)
def test_unreachable_tells_the_first_known_reason(error: Exception, words: str) -> None:
    """The first known reason along the causes is told, in our own words."""
    told = unreachable("claude", error)
    assert type(told) is UpstreamUnreachable
    assert (told.provider, words in told.message, "sk-secret" in told.message) == ("claude", True, False)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ssl.SSLError(1, "wrong version"), "the handshake failed"),
        (ssl.SSLCertVerificationError(1, "bad"), "handshake failed"),
    ],
)
def test_certificate_failure_is_found_along_the_causes(error: Exception, words: str) -> None:
    """A certificate or handshake that fails is a matter of trust, wherever in the causes it stands."""
    told = unreachable("claude", raised(OSError(), after=error))
    assert type(told) is UpstreamTLS
    assert words in told.message

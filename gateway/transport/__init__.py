"""HTTP clients for upstream calls: one interface, two implementations, one contract test suite."""

from gateway.transport.base import MAX_BODY, Sink, TimeLimits, Timeouts, Transport, UpstreamResponse, tls_context
from gateway.transport.proxies import Proxies, Proxy

__all__ = [
    "MAX_BODY",
    "Proxies",
    "Proxy",
    "Sink",
    "TimeLimits",
    "Timeouts",
    "Transport",
    "UpstreamResponse",
    "tls_context",
]

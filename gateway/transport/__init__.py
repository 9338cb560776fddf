"""Everything that is sent to an upstream goes through here; one module an engine, all held to one contract."""

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

"""Everything that is sent to an upstream goes through here; one module an engine, all held to one contract."""

from gateway.transport.base import MAX_BODY, Sink, Timeouts, Transport, UpstreamResponse
from gateway.transport.limits import TimeLimits
from gateway.transport.proxies import Proxies, Proxy
from gateway.transport.tls import tls_context

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

"""Everything that is sent to an upstream goes through here; one module an engine, all held to one contract."""

from gateway.transport.seam import MAX_BODY, Timeouts, Transport, UpstreamResponse

__all__ = ["MAX_BODY", "Timeouts", "Transport", "UpstreamResponse"]

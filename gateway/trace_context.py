"""The headers by which a trace goes from service to service: https://www.w3.org/TR/trace-context/"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

# What an upstream is told of a trace: the client's context, also one that begins in the gateway, or nothing.
TraceForwarding = Literal["client", "always", "off"]

MAX_STATE = 512  # characters of `tracestate`; the specification asks for at least so many
MAX_MEMBERS = 32
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?")
# A key, `=`, and a value of printable ASCII without comma and equals sign that does not end in a space (section 3.3.1).
_MEMBER = re.compile(r"([a-z0-9][a-z0-9_*/@-]{0,255})=[ -+\--<>-~]{0,255}[!-+\--<>-~]")
_SAMPLED = 1


class TraceContext(NamedTuple):
    """One span of a trace: ids in lower-case hexadecimal, 32 and 16 digits. `state` is `tracestate`, empty where there is none."""

    trace_id: str
    span_id: str
    sampled: bool
    state: str = ""

    def headers(self) -> dict[str, str]:
        """What a service is sent that continues the trace below this span."""
        parent = f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"
        return {"traceparent": parent, "tracestate": self.state} if self.state else {"traceparent": parent}


def trace_context(headers: Iterable[tuple[bytes, bytes]]) -> TraceContext | None:
    """The context that a client sent; None without one that the specification lets us use.

    `headers` have names in lower case. An invalid or repeated `traceparent` is ignored with its `tracestate`, an invalid
    `tracestate` alone (sections 3.2.2.5 and 3.3). A later version is read as version 00 (section 3.2.4).
    """
    relevant = [(name, value.strip(b" \t")) for name, value in headers if name in (b"traceparent", b"tracestate")]
    parents = [value for name, value in relevant if name == b"traceparent"]
    found = _PARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more is not None) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    state = b",".join(value for name, value in relevant if name == b"tracestate").decode("latin-1")
    sampled = bool(int(flags, 16) & _SAMPLED)
    return TraceContext(trace_id.decode(), span_id.decode(), sampled, state if _is_state(state) else "")


def _is_state(text: str) -> bool:
    """Whether `text` is a list of at most 32 members with different keys."""
    if len(text) > MAX_STATE:
        return False
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    found = [_MEMBER.fullmatch(member) for member in members]
    keys = {match[1] for match in found if match is not None}
    return len(keys) == len(members) <= MAX_MEMBERS

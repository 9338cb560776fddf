"""The time limits of upstream calls as they are set, and the ones of a single call made from them."""

from __future__ import annotations

from typing import NamedTuple

from gateway.transport.base import Timeouts


class TimeLimits(NamedTuple):
    """Seconds. `connect` covers DNS, TCP and TLS.

    A whole (unstreamed) answer has `total` for everything, with all attempts. A stream has `first_byte` until its first
    content, connecting included, or `thinking` where the model may think before; from then on `idle` is the longest
    silence, in which every byte counts, that of a ping or comment too; `stream` is for everything, with all attempts.
    """

    connect: float = 5.0
    first_byte: float = 120.0
    thinking: float = 900.0
    idle: float = 300.0
    total: float = 590.0
    stream: float = 3600.0

    def of_answer(self, remaining: float) -> Timeouts:
        """Those of a call that is answered whole, within the `remaining` seconds of its request."""
        return Timeouts(self.connect, first_byte=self.total, idle=self.total, total=min(self.total, remaining))

    def of_stream(self, remaining: float, *, thinks: bool) -> Timeouts:
        """Those of a call that is answered by a stream, within the `remaining` seconds of its request."""
        first = self.thinking if thinks else self.first_byte
        return Timeouts(self.connect, first_byte=first, idle=self.idle, total=min(self.stream, remaining))

"""What a transaction asks of those who have the client's response and the upstream's answer."""

from __future__ import annotations

from typing import Protocol

from gateway.proxy.settlement import ReceivedAnswer
from gateway.records import RequestRecord


class PendingResponse(Protocol):
    """The client's response, before there is an answer."""

    @property
    def started(self) -> bool:
        """Whether the client has received a status."""

    def on_routed(self, record: RequestRecord) -> None:
        """The row is inserted: a stream may begin before there is content."""


class Receiver(Protocol):
    @property
    def received(self) -> ReceivedAnswer: ...

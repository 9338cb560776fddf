"""The ways in which a request can end, as one value that the transaction settles with."""

from __future__ import annotations

from typing import NamedTuple

from gateway.errors import GatewayError
from gateway.proxy.settlement import ReceivedAnswer
from gateway.records import AttemptStatus, RequestRecord, RequestStatus
from gateway.routing import AnswerFacts


class ChatError(Exception):
    """A request that failed after it was routed: the client gets `error`, and `record` is its settled row."""

    def __init__(self, error: GatewayError, record: RequestRecord) -> None:
        super().__init__(error.message)
        self.error = error
        self.record = record


class End(NamedTuple):
    """How a request ends. `attempt` is how a call that is still open is closed, None to leave it; made by the constructors below.

    `received` is what came of the answer, `answer` the facts of a whole one.
    """

    status: RequestStatus
    http_status: int
    attempt: AttemptStatus | None
    received: ReceivedAnswer = ReceivedAnswer()
    error: GatewayError | None = None
    answer: AnswerFacts | None = None

    @classmethod
    def completed(cls, received: ReceivedAnswer, answer: AnswerFacts | None = None) -> End:
        """The answer is whole; `answer` is None where it is no text."""
        return cls("ok", 200, "settled", received, answer=answer)

    @classmethod
    def failed(cls, error: GatewayError, *, begun: bool = False) -> End:
        """No upstream answered. The status is 200 if the client's stream has `begun`; then the error is its last event."""
        return cls("error", 200 if begun else error.status, None, error=error)

    @classmethod
    def stream_failed(cls, error: GatewayError, received: ReceivedAnswer) -> End:
        """The stream broke after its first content: what was received is charged, by estimate."""
        return cls("error", 200, "unknown_estimated", received, error)

    @classmethod
    def cancelled(cls, received: ReceivedAnswer, *, by_gateway: bool = False) -> End:
        """The client left, or the gateway stops (`by_gateway`): what was received is charged, by estimate."""
        if by_gateway:
            return cls("interrupted", 503, "cancelled_estimated", received)
        return cls("cancelled", 499, "cancelled_estimated", received)

    @classmethod
    def ledger_refused(cls, error: GatewayError) -> End:
        """The ledger takes no further attempt (it is unavailable, or the budget is spent), so the open one is not made."""
        return cls("error", error.status, "failed_free", error=error)

    @property
    def error_code(self) -> str | None:
        """The row's error code."""
        if self.error is not None:
            return code_of(self.error)
        return "interrupted" if self.status == "interrupted" else None


def code_of(error: GatewayError) -> str:
    """The most precise name of an error."""
    return error.code or error.type

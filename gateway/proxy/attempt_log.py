"""Keeps the attempts of one request as the ledger records them: opened, timed, priced and closed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from gateway.catalog import ModelKey
from gateway.completion import Completion, Usage
from gateway.errors import GatewayError, UpstreamError
from gateway.proxy.request_end import code_of
from gateway.proxy.settlement import CostCalculator
from gateway.records import Attempt, AttemptStatus
from gateway.resilience import Candidate, FailureScope, failure_policy


class RejectedAnswer(NamedTuple):
    """An answer that was paid for and failed validation: the model's name in the row (`selected`) and in its attempt (`key`)."""

    selected: ModelKey
    key: ModelKey
    usage: Usage


class AttemptLog:
    """At most the last attempt is open, except where several models are asked at once. `clock` is monotonic seconds; costs are those at the time `at`.

    `began` is when the request began. `current` is the provider and model of the newest attempt, once there is one.
    """

    current: ModelKey

    def __init__(self, cost_calculator: CostCalculator, *, clock: Callable[[], float], at: datetime) -> None:
        self._cost_calculator = cost_calculator
        self._clock = clock
        self._at = at
        self.began = clock()
        self._began: list[float] = []  # of each attempt
        self._upstream_id: str | None = None
        self.attempts: list[Attempt] = []
        self.first_byte: float | None = None  # seconds from the start of the request
        self.failed_models: list[ModelKey] = []
        self.rejected: list[RejectedAnswer] = []
        self.asked: frozenset[ModelKey] = frozenset()  # models that are called by plan, besides the first

    @property
    def duration(self) -> float:
        """Seconds since the start of the request."""
        return self._clock() - self.began

    @property
    def fell_back(self) -> bool:
        """Whether a model was called instead of another one. A retry of the same one is no fallback, nor are calls by plan."""
        if self.asked:
            return self.attempts[0].status in ("failed_free", "unknown_estimated")
        return len({(attempt.provider, attempt.model) for attempt in self.attempts}) > 1

    @property
    def billed_usage(self) -> Usage | None:
        """The usage of the last attempt that has one."""
        return next((attempt.usage for attempt in reversed(self.attempts) if attempt.usage is not None), None)

    def open(self, candidate: Candidate) -> Attempt:
        """An upstream is about to be called."""
        self._began.append(self._clock())
        self._upstream_id = None
        self.current = ModelKey(candidate.provider, candidate.model)
        attempt = Attempt(len(self.attempts) + 1, *self.current)
        self.attempts.append(attempt)
        return attempt

    def answered(self, upstream_id: str | None) -> None:
        """The first byte of the open attempt's answer arrived."""
        self.first_byte = self.duration
        self._upstream_id = upstream_id

    def failed(self, error: GatewayError, *, usage: Usage | None) -> None:
        """Close the open attempt after `error`; `usage` is the estimate of what may be billed all the same."""
        self.close("failed_free" if usage is None else "unknown_estimated", usage=usage, error=error)
        if isinstance(error, UpstreamError) and failure_policy(error).scope is FailureScope.DEPLOYMENT:
            self.failed_models.append(self.current)

    def close(self, status: AttemptStatus, *, usage: Usage | None, error: GatewayError | None = None) -> None:
        """Close and price the newest attempt."""
        self._close(len(self.attempts), status, usage, error, upstream_id=self._upstream_id, first_byte=self.first_byte)

    def close_asked(
        self, number: int, completion: Completion | None, *, usage: Usage | None, error: GatewayError | None = None
    ) -> None:
        """Close and price one of several attempts that are open at once: with its answer, or after `error`."""
        if completion is not None:
            self._close(number, "settled", usage, error, upstream_id=completion.upstream_id, first_byte=self.duration)
            return
        self._close(number, "failed_free" if usage is None else "unknown_estimated", usage, error)
        if isinstance(error, UpstreamError) and failure_policy(error).scope is FailureScope.DEPLOYMENT:
            self.failed_models.append(self.key_of(number))

    def cancel_asked(self, usage: Usage | None) -> None:
        """Close all attempts that are still open: `usage` is the estimate of what they may cost, None where they were not made."""
        status: AttemptStatus = "failed_free" if usage is None else "cancelled_estimated"
        for attempt in self.attempts:
            if attempt.status == "reserved":
                self._close(attempt.number, status, usage, None)

    def key_of(self, number: int) -> ModelKey:
        attempt = self.attempts[number - 1]
        return ModelKey(attempt.provider, attempt.model)

    def _close(
        self,
        number: int,
        status: AttemptStatus,
        usage: Usage | None,
        error: GatewayError | None,
        *,
        upstream_id: str | None = None,
        first_byte: float | None = None,
    ) -> None:
        _, provider, model = self.attempts[number - 1][:3]
        self.attempts[number - 1] = Attempt(
            number,
            provider,
            model,
            status=status,
            cost=None if usage is None else self._cost_calculator.cost(usage, provider, model, at=self._at),
            usage=usage,
            error=None if error is None else code_of(error),
            upstream_status=error.upstream_status if isinstance(error, UpstreamError) else None,
            upstream_id=upstream_id,
            first_byte=first_byte,
            duration=self._clock() - self._began[number - 1],
            began=self._began[number - 1] - self.began,
        )

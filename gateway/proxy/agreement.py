"""Asks two models at once and compares their answers; where they differ a better model is asked.

    both answer the same          the first one's answer, of two calls
    they differ                   the escalation's answer, of three calls; the first one's where the escalation does not answer
    one does not answer           the other one's answer, as of a single call
    neither answers               what is left to try, as after any failure

Each call is an attempt with its cost in the row, written before it is made. A client that leaves cancels what is under way: answers
that came are in the row with their cost, the others by estimate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol, cast

from gateway.completion import ChatRequest, Completion
from gateway.errors import GatewayError, InvalidRequest, UpstreamError
from gateway.proxy.body_executor import BodyExecutor
from gateway.proxy.transaction import RequestTransaction
from gateway.proxy.upstream import UpstreamStream
from gateway.records import Agreement
from gateway.resilience import AttemptSequence, Candidate
from gateway.routing import AnswerKind, Validity, check_format, comparable_kind, comparable_part, compare

# How long the second answer is waited for: so many times as long as the first one took, and at least so many seconds. A model that
# hangs would otherwise delay an answer that is there.
PATIENCE, LEAST_PATIENCE = 3.0, 10.0

CallUntilAnswered = Callable[[RequestTransaction, AttemptSequence], Awaitable[Completion | UpstreamStream]]


class Call(Protocol):
    """Sends a request to a candidate as attempt number `attempt`, within the `remaining` seconds. Raises InvalidRequest, UpstreamError."""

    async def __call__(
        self,
        transaction: RequestTransaction,
        candidate: Candidate,
        request: ChatRequest,
        *,
        remaining: float,
        attempt: int | None = None,
    ) -> Completion | UpstreamStream: ...


class _Asked(NamedTuple):
    """One of the two calls; `number` is that of its attempt."""

    number: int
    candidate: Candidate
    attempts: AttemptSequence


class AgreementCall:
    """One request that two models are asked for. `call` sends to a candidate, `call_until_answered` fails over."""

    def __init__(
        self,
        transaction: RequestTransaction,
        attempts: AttemptSequence,
        *,
        call: Call,
        call_until_answered: CallUntilAnswered,
        worker: BodyExecutor,
        least_patience: float = LEAST_PATIENCE,
    ) -> None:
        self._transaction = transaction
        self._attempts = attempts
        self._call = call
        self._call_until_answered = call_until_answered
        self._worker = worker
        self._least_patience = least_patience
        first, partner, self._escalation = transaction.plan.asked
        self._pair = (first, partner)
        self._names = (first.full_name, partner.full_name)

    async def answer(self) -> tuple[Completion, Validity | None]:
        """The answer to give and its validity. Raises GatewayError where nobody answers."""
        asked, answers = await self._ask()
        parts = [None if answer is None else await self._part(answer) for answer in answers]
        first, partner = self._names
        if None not in answers:
            if compare(*parts) == "agreed":
                return self._keep(0, answers, told=f"{first} and {partner} agreed.", agreed=True)
            return await self._escalate(answers, parts)
        for place, name in enumerate(self._names):
            if answers[place] is not None:
                return self._keep(place, answers, told=f"Only {name} answered, so nothing was compared.", agreed=None)
        self._transaction.compared(self._agreement(None), told=f"Neither {first} nor {partner} answered.")
        self._attempts.absorb([each.attempts for each in asked])
        completion = cast(Completion, await self._call_until_answered(self._transaction, self._attempts))
        return completion, self._validity(completion)

    async def _ask(self) -> tuple[list[_Asked], list[Completion | None]]:
        """Both calls at once; None for an answer that did not come."""
        asked = []
        for number, candidate in enumerate(self._pair, start=1):
            attempts = self._attempts.alone(candidate)
            asked.append(_Asked(number, attempts.next() or candidate, attempts))
        sent = await self._transaction.ask([each.candidate for each in asked])
        loop = asyncio.get_running_loop()
        began = loop.time()
        calls = [loop.create_task(self._ask_one(*each)) for each in zip(asked, sent, strict=True)]
        try:
            done, pending = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            if pending:
                answered = any(task.result() is not None for task in done)
                patience = max(self._least_patience, PATIENCE * (loop.time() - began)) if answered else None
                await asyncio.wait(pending, timeout=patience)
        finally:
            for task in calls:
                task.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        if any(task.cancelled() for task in calls):
            self._transaction.asked_given_up()
        return asked, [None if task.cancelled() else task.result() for task in calls]

    async def _ask_one(self, asked: _Asked, request: ChatRequest) -> Completion | None:
        """The answer of one model; None where it fails."""
        try:
            answer = await self._call(
                self._transaction,
                asked.candidate,
                request,
                remaining=asked.attempts.remaining,
                attempt=asked.number,
            )
            completion = cast(Completion, answer)
        except InvalidRequest as error:
            self._transaction.asked_failed(asked.number, error)
            asked.attempts.unsupported(error)
        except UpstreamError as error:
            self._transaction.asked_failed(asked.number, error)
            asked.attempts.failed(error)
        except BaseException:
            asked.attempts.abandoned()
            raise
        else:
            asked.attempts.succeeded()
            self._transaction.asked_answered(asked.number, completion)
            return completion
        return None

    async def _escalate(
        self, answers: Sequence[Completion | None], parts: Sequence[object]
    ) -> tuple[Completion, Validity | None]:
        """The better model's answer; without one that of the first model, or of the second where only that fits its format."""
        first, partner = self._names
        told = f"{first} and {partner} differed: escalated to {self._escalation.full_name}."
        self._transaction.compared(self._agreement(False), told=told)
        better = self._attempts.escalate((self._escalation,))
        try:
            completion = cast(Completion, await self._call_until_answered(self._transaction, better))
        except GatewayError as error:
            place = 1 if parts[0] is None and parts[1] is not None else 0
            kept = cast(Completion, answers[place])
            self._transaction.keep(place + 1, kept, error=error)
            return kept, self._validity(kept)
        return completion, self._validity(completion)

    def _keep(
        self, place: int, answers: Sequence[Completion | None], *, told: str, agreed: bool | None
    ) -> tuple[Completion, Validity | None]:
        completion = cast(Completion, answers[place])
        self._transaction.compared(self._agreement(agreed), told=told)
        self._transaction.keep(place + 1, completion)
        return completion, self._validity(completion)

    async def _part(self, completion: Completion) -> object:
        """What of the answer is compared; a thread reads a large one."""
        kind = comparable_kind(self._transaction.request, wished=True)
        read = partial(comparable_part, self._transaction.request, cast(AnswerKind, kind), completion.choices)
        return await self._worker.run_in_thread(read) if completion.large else read()

    def _validity(self, completion: Completion) -> Validity | None:
        return check_format(self._transaction.request, completion.choices)

    def _agreement(self, agreed: bool | None) -> Agreement:
        return Agreement(self._names, self._escalation.full_name, agreed)

"""One vendor's endpoint: read strictly, answer, and send, with the fault that was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from llm_simulator import answers, fault_injection, faults
from llm_simulator.conversation import Reply
from llm_simulator.faults import SelectedFault
from llm_simulator.responses import Delay, SimulatedResponse, Step, deliver
from llm_simulator.simulation import Seen, Simulation
from llm_simulator.vendor import Call, Event, Incoming, Vendor, VendorError

KEPT_BYTES = 1 << 20
"""Bodies up to this size are kept for `GET /_simulator/requests`."""


def parsed(raw: bytes) -> Any:
    """The JSON of a body, None when it is none."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def frame(event: Event, *, line_end: str) -> bytes:
    """A server-sent event as bytes."""
    if event.comment:
        return f": {event.comment}{line_end}{line_end}".encode()
    data = event.data if isinstance(event.data, str) else dump(event.data).decode()
    name = f"event: {event.name}{line_end}" if event.name else ""
    return f"{name}data: {data}{line_end}{line_end}".encode()


class VendorEndpoint:
    """An ASGI application that answers for one dialect."""

    def __init__(self, dialect: Vendor, simulation: Simulation) -> None:
        self._dialect = dialect
        self._simulation = simulation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            raw = await request.body()
        except ClientDisconnect:
            return
        body = parsed(raw)
        seen = self._note(request, body if len(raw) <= KEPT_BYTES else None)
        answer = self._answer(incoming_of(request, body), seen)
        answer.headers |= self._dialect.ids(seen.number)
        seen.status = answer.status
        finished = False
        try:
            finished = await deliver(answer, scope, receive, send)
        finally:
            seen.outcome = "answered" if finished else "client_left"

    def _note(self, request: Request, body: Any) -> Seen:
        return self._simulation.arrived(
            self._dialect.name,
            method=request.method,
            path=request.url.path,
            query=request.url.query,
            headers=dict(request.headers),
            body=body,
        )

    def _answer(self, incoming: Incoming, seen: Seen) -> SimulatedResponse:
        try:
            return self._serve(incoming, seen)
        except VendorError as refused:
            seen.error = refused.message
            return self._refused(refused)

    def _serve(self, incoming: Incoming, seen: Seen) -> SimulatedResponse:
        simulation, dialect = self._simulation, self._dialect
        dialect.authenticate(incoming, key=simulation.keys.get(dialect.name))
        call = dialect.read(incoming, cache=simulation.cache)
        seen.model, seen.stream = call.model, call.stream
        planned = simulation.faults.take(provider=dialect.name, model=call.model)
        chosen = faults.in_prompt(call.task.prompt, provider=dialect.name) or planned
        seen.fault = chosen.fault.name if chosen else None
        now = simulation.clock()
        self._refuse(chosen, call, now=now)
        replies = self._replies(call, chosen)
        call = replace(
            call,
            odd_block=chosen is not None and chosen.fault.name == "unknown_block",
            prices=simulation.prices.get(call.model),
        )
        answer = (
            self._stream(call, replies, chosen, now=now) if call.stream else self._plain(call, replies, chosen, now=now)
        )
        answer = fault_injection.steps_with(answer, chosen) if chosen else answer
        return replace(answer, before=[Delay(simulation.latency), *answer.before]) if simulation.latency else answer

    def _refuse(self, chosen: SelectedFault | None, call: Call, *, now: float) -> None:
        """Raise what the fault refuses with; faults of streams become refusals of plain answers."""
        if chosen is None:
            return
        if chosen.fault.stage == "refuse":
            raise fault_injection.refusal(self._dialect, chosen, now=now)
        if not call.stream and chosen.fault.name == "first_event_error":
            raise self._dialect.failure("overloaded", 529)
        if not call.stream and chosen.fault.name == "mid_error":
            raise self._dialect.failure("server_error", 500)

    def _replies(self, call: Call, chosen: SelectedFault | None) -> list[Reply]:
        key, repeat = self._simulation.answer_key(self._dialect.name, call.model, call.task.transcript)
        seed = self._simulation.seed
        replies = [
            answers.compose(call.task, key=key, repeat=repeat, seed=seed, number=n) for n in range(call.task.candidates)
        ]
        if chosen and chosen.fault.stage == "finish":
            return [fault_injection.finished_oddly(reply, chosen) for reply in replies]
        return fault_injection.corrupt_reply(replies, chosen) if chosen else replies

    def _plain(
        self, call: Call, replies: list[Reply], chosen: SelectedFault | None, *, now: float
    ) -> SimulatedResponse:
        body = self._dialect.body(call, replies, now=now)
        if chosen and chosen.fault.name in ("error_200", "choice_error"):
            failed = self._dialect.failure("overloaded", 529)
            body = self._failed_body(body, failed, whole=chosen.fault.name == "error_200")
        elif chosen:
            body = fault_injection.edited(body, chosen)
        return SimulatedResponse(200, {"content-type": "application/json"}, [dump(body)])

    def _failed_body(self, body: dict[str, Any], failed: VendorError, *, whole: bool) -> dict[str, Any]:
        error = self._dialect.error(failed)
        if whole or "choices" not in body:
            return error
        message = {"role": "assistant", "content": ""}
        choice = {
            "index": 0,
            "message": message,
            "finish_reason": "error",
            "native_finish_reason": None,
            "error": error["error"],
        }
        return body | {"choices": [choice]}

    def _stream(
        self, call: Call, replies: list[Reply], chosen: SelectedFault | None, *, now: float
    ) -> SimulatedResponse:
        events = self._dialect.events(call, replies, now=now)
        if chosen:
            events = fault_injection.events_with(events, chosen, dialect=self._dialect)
        if call.options.get("json_array"):
            return SimulatedResponse(200, {"content-type": "application/json"}, self._paced(array_pieces(events)))
        pieces = [frame(event, line_end=self._dialect.line_end) for event in events]
        headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        return SimulatedResponse(200, headers, self._paced(pieces))

    def _paced(self, pieces: list[bytes]) -> Sequence[Step]:
        delay = self._simulation.chunk_delay
        return [step for piece in pieces for step in ((Delay(delay), piece) if delay else (piece,))]

    def _refused(self, refused: VendorError) -> SimulatedResponse:
        body = dump(self._dialect.error(refused))
        return SimulatedResponse(refused.status, {"content-type": "application/json", **refused.headers}, [body])


def array_pieces(events: list[Event]) -> list[bytes]:
    """A stream as one JSON array, which is what Gemini sends without `alt=sse`."""
    return [(b"[" if n == 0 else b",\r\n") + dump(event.data) for n, event in enumerate(events)] + [b"]"]


def incoming_of(request: Request, body: Any) -> Incoming:
    return Incoming(
        headers=dict(request.headers),
        body=body,
        url_model=request.path_params.get("model", ""),
        streamed_url=request.url.path.endswith(":streamGenerateContent"),
        query=dict(request.query_params),
    )

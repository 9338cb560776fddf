"""The endpoint of one vendor: validates the request, composes the response, applies the selected fault, and sends it."""

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
from llm_simulator.simulation import RecordedRequest, Simulation
from llm_simulator.vendor import Event, IncomingRequest, ParsedRequest, Vendor, VendorError

MAX_RECORDED_BODY = 1 << 20
"""Bytes. Larger bodies are not recorded for `GET /_simulator/requests`."""


def parsed(raw: bytes) -> Any:
    """The parsed JSON of a body; None where it is not JSON."""
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
    """An ASGI application that simulates one vendor."""

    def __init__(self, vendor: Vendor, simulation: Simulation) -> None:
        self._vendor = vendor
        self._simulation = simulation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            raw = await request.body()
        except ClientDisconnect:
            return
        body = parsed(raw)
        record = self._record(request, body if len(raw) <= MAX_RECORDED_BODY else None)
        answer = self._respond(incoming_request(request, body), record)
        answer.headers |= self._vendor.ids(record.number)
        record.status = answer.status
        finished = False
        try:
            finished = await deliver(answer, scope, receive, send)
        finally:
            record.outcome = "answered" if finished else "client_left"

    def _record(self, request: Request, body: Any) -> RecordedRequest:
        return self._simulation.record_request(
            self._vendor.name,
            method=request.method,
            path=request.url.path,
            query=request.url.query,
            headers=dict(request.headers),
            body=body,
        )

    def _respond(self, incoming: IncomingRequest, record: RecordedRequest) -> SimulatedResponse:
        try:
            return self._serve(incoming, record)
        except VendorError as error:
            record.error = error.message
            return self._refused(error)

    def _serve(self, incoming: IncomingRequest, record: RecordedRequest) -> SimulatedResponse:
        simulation, vendor = self._simulation, self._vendor
        vendor.authenticate(incoming, key=simulation.keys.get(vendor.name))
        call = vendor.read(incoming, cache=simulation.cache)
        record.model, record.stream = call.model, call.stream
        planned = simulation.faults.take(provider=vendor.name, model=call.model)
        selected = faults.fault_in_prompt(call.task.prompt, provider=vendor.name) or planned
        record.fault = selected.fault.name if selected else None
        now = simulation.clock()
        self._refuse(selected, call, now=now)
        replies = self._replies(call, selected)
        call = replace(
            call,
            unknown_block=selected is not None and selected.fault.name == "unknown_block",
            prices=simulation.prices.get(call.model),
        )
        answer = (
            self._stream(call, replies, selected, now=now)
            if call.stream
            else self._plain(call, replies, selected, now=now)
        )
        answer = fault_injection.apply_wire_fault(answer, selected) if selected else answer
        return replace(answer, before=[Delay(simulation.latency), *answer.before]) if simulation.latency else answer

    def _refuse(self, selected: SelectedFault | None, call: ParsedRequest, *, now: float) -> None:
        """Raise the error of a fault; stream faults become errors of responses that are not streamed."""
        if selected is None:
            return
        if selected.fault.stage == "refuse":
            raise fault_injection.refusal(self._vendor, selected, now=now)
        if not call.stream and selected.fault.name == "first_event_error":
            raise self._vendor.failure("overloaded", 529)
        if not call.stream and selected.fault.name == "mid_error":
            raise self._vendor.failure("server_error", 500)

    def _replies(self, call: ParsedRequest, selected: SelectedFault | None) -> list[Reply]:
        key, repeat = self._simulation.answer_key(self._vendor.name, call.model, call.task.transcript)
        seed = self._simulation.seed
        replies = [
            answers.compose(call.task, key=key, repeat=repeat, seed=seed, number=n) for n in range(call.task.candidates)
        ]
        if selected and selected.fault.stage == "finish":
            return [fault_injection.apply_finish_fault(reply, selected) for reply in replies]
        return fault_injection.corrupt_reply(replies, selected) if selected else replies

    def _plain(
        self, call: ParsedRequest, replies: list[Reply], selected: SelectedFault | None, *, now: float
    ) -> SimulatedResponse:
        body = self._vendor.body(call, replies, now=now)
        if selected and selected.fault.name in ("error_200", "choice_error"):
            error = self._vendor.failure("overloaded", 529)
            body = self._failed_body(body, error, whole=selected.fault.name == "error_200")
        elif selected:
            body = fault_injection.apply_json_fault(body, selected)
        return SimulatedResponse(200, {"content-type": "application/json"}, [dump(body)])

    def _failed_body(self, body: dict[str, Any], failure: VendorError, *, whole: bool) -> dict[str, Any]:
        error = self._vendor.error(failure)
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
        self, call: ParsedRequest, replies: list[Reply], selected: SelectedFault | None, *, now: float
    ) -> SimulatedResponse:
        events = self._vendor.events(call, replies, now=now)
        if selected:
            events = fault_injection.apply_event_fault(events, selected, vendor=self._vendor)
        if call.options.get("json_array"):
            return SimulatedResponse(200, {"content-type": "application/json"}, self._paced(array_pieces(events)))
        pieces = [frame(event, line_end=self._vendor.line_end) for event in events]
        headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        return SimulatedResponse(200, headers, self._paced(pieces))

    def _paced(self, pieces: list[bytes]) -> Sequence[Step]:
        delay = self._simulation.chunk_delay
        return [step for piece in pieces for step in ((Delay(delay), piece) if delay else (piece,))]

    def _refused(self, error: VendorError) -> SimulatedResponse:
        body = dump(self._vendor.error(error))
        return SimulatedResponse(error.status, {"content-type": "application/json", **error.headers}, [body])


def array_pieces(events: list[Event]) -> list[bytes]:
    """A stream as one JSON array, which is what Gemini sends without `alt=sse`."""
    return [(b"[" if n == 0 else b",\r\n") + dump(event.data) for n, event in enumerate(events)] + [b"]"]


def incoming_request(request: Request, body: Any) -> IncomingRequest:
    return IncomingRequest(
        headers=dict(request.headers),
        body=body,
        url_model=request.path_params.get("model", ""),
        streamed_url=request.url.path.endswith(":streamGenerateContent"),
        query=dict(request.query_params),
    )

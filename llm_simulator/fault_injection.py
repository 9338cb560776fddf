"""Applies a fault: as an error response, to the reply, to the JSON, or to the bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from email.utils import formatdate
from typing import Any

from llm_simulator.answers import with_finish
from llm_simulator.conversation import Reply
from llm_simulator.faults import SelectedFault
from llm_simulator.responses import ConnectionFault, Delay, SimulatedResponse, Step
from llm_simulator.vendor import Body, Event, Vendor, VendorError

METADATA_ADDRESS = "http://169.254.169.254/latest/meta-data/"
HTML = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>502 Bad Gateway</h1><hr>cdn-edge</body></html>"
MEGABYTE = 1 << 20
WRONG_JSON = {"unexpected": True}
UNUSUAL_LINE_ENDS = " one\u2028two\u2029three\u0085four\x0bfive \U0001f600"


def refusal(vendor: Vendor, selected: SelectedFault, *, now: float) -> VendorError:
    """The error of a fault of stage `refuse`. `now` is Unix time."""
    name = selected.fault.name
    if name == "status":
        return vendor.failure("status", int(selected.number(418)))
    seconds = selected.number(7)
    error = vendor.failure(name, selected.fault.status)
    if name == "rate_limit":
        error.retry_after = seconds
    elif name == "rate_limit_date":
        error.headers["retry-after"] = formatdate(now + seconds, usegmt=True)
    elif name == "rate_limit_ms":
        error.headers["retry-after-ms"] = str(int(seconds * 1000))
    elif name == "rate_limit_absurd":
        error.headers["retry-after"] = "1000000000"
    return error


def apply_finish_fault(reply: Reply, selected: SelectedFault) -> Reply:
    """The reply with the finish reason of the fault."""
    name = selected.fault.name
    if name == "unknown_finish":
        return replace(reply, finish="unknown_finish")
    if name == "pause_turn":
        return replace(reply, finish="pause_turn")
    if name == "context_window":
        return replace(reply, finish="context_window")
    if name == "bad_schema":
        return ignore_schema(reply)
    if name == "malformed_call":
        return with_finish(reply, "malformed_call")
    if name == "recitation":
        return with_finish(reply, "recitation", text=reply.text[:40])
    return with_finish(reply, "blocked") if name == "blocked" else with_finish(reply, "refusal", text=reply.text[:20])


def ignore_schema(reply: Reply) -> Reply:
    """The reply of a model that ignores the schema."""
    if reply.calls:
        return replace(reply, calls=tuple(replace(call, arguments=dict(WRONG_JSON)) for call in reply.calls))
    return replace(reply, text=json.dumps(WRONG_JSON))


def corrupt_reply(replies: list[Reply], selected: SelectedFault) -> list[Reply]:
    """The replies with an event fault that changes their text."""
    if selected.fault.name == "odd_unicode":
        return [replace(reply, text=reply.text + UNUSUAL_LINE_ENDS, calls=()) for reply in replies]
    if selected.fault.name == "empty_answer":
        return [replace(reply, text="", reasoning="", calls=(), finish="stop", text_tokens=0) for reply in replies]
    return replies


def apply_json_fault(body: Body, selected: SelectedFault) -> Body:
    """A JSON answer (or the data of one event) with the fault in it."""
    change = USAGE_EDITS.get(selected.fault.name)
    return _with_usage(body, change) if change else body


def _with_usage(body: Body, change: Callable[[Any], Any]) -> Body:
    changed = dict(body)
    for key in ("usage", "usageMetadata"):
        if changed.get(key) is not None:
            changed[key] = change(changed[key])
            if changed[key] == {}:
                del changed[key]
    if isinstance(changed.get("message"), dict):
        changed["message"] = _with_usage(changed["message"], change)
    return changed


def _each_count(value: Any, change: Callable[[float], Any]) -> Any:
    """Usage with each of its numbers changed."""
    if isinstance(value, dict):
        return {key: _each_count(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_each_count(item, change) for item in value]
    return change(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


USAGE_EDITS: dict[str, Callable[[Any], Any]] = {
    "no_usage": lambda usage: {},
    "null_usage": lambda usage: None,
    "negative_usage": lambda usage: _each_count(usage, lambda count: -1 - count),
    "nan_usage": lambda usage: _each_count(usage, lambda count: float("nan")),
    "string_usage": lambda usage: _each_count(usage, str),
    "absurd_usage": lambda usage: _each_count(usage, lambda count: 10**15),
}


def apply_event_fault(events: list[Event], selected: SelectedFault, *, vendor: Vendor) -> list[Event]:
    """The events of a stream with the fault."""
    name = selected.fault.name
    middle = len(events) // 2
    if name in ("error_200", "first_event_error", "choice_error"):
        error = vendor.failure("overloaded", 529)
        return [event for event in events[:1] if event.comment] + [vendor.error_event(error)]
    if name == "mid_error":
        return [*events[:middle], vendor.error_event(vendor.failure("server_error", 500))]
    if name == "unknown_event":
        unknown = Event(
            name="future_event" if events[0].name else "", data={"type": "future_event", "future": {"a": [1]}}
        )
        return [*events[:1], unknown, *events[1:middle], unknown, *events[middle:]]
    if name == "invalid_json":
        return [*events[:middle], Event(name=events[middle].name, data='{"broken": tru'), *events[middle:]]
    return [
        replace(event, data=apply_json_fault(event.data, selected)) if isinstance(event.data, dict) else event
        for event in events
    ]


def apply_wire_fault(answer: SimulatedResponse, selected: SelectedFault) -> SimulatedResponse:
    """The response with a fault of stage `wire`."""
    change = WIRE_EDITS.get(selected.fault.name)
    return change(answer, selected) if change else answer


def _pieces(answer: SimulatedResponse) -> list[bytes]:
    return [step for step in answer.steps if isinstance(step, bytes)]


def _half(answer: SimulatedResponse) -> list[Step]:
    """The first half of the bytes; cut inside a piece only where there is only one."""
    pieces = _pieces(answer)
    if len(pieces) > 1:
        return list(pieces[: max(1, len(pieces) // 2)])
    return [piece[: len(piece) // 2] for piece in pieces]


def _spread(pieces: Sequence[bytes], seconds: float) -> list[Step]:
    return [step for piece in pieces for step in (piece, Delay(seconds))]


def _truncated(answer: SimulatedResponse, selected: SelectedFault) -> SimulatedResponse:
    whole = b"".join(_pieces(answer))
    return replace(answer, steps=[whole[: len(whole) * 2 // 3]])


def _broken_json(answer: SimulatedResponse, selected: SelectedFault) -> SimulatedResponse:
    """Break a JSON body. A stream already got its broken event in `apply_event_fault`."""
    if "json" not in answer.headers.get("content-type", ""):
        return answer
    return replace(answer, steps=[b'{"broken": tru', *_pieces(answer)])


def _huge(answer: SimulatedResponse, selected: SelectedFault) -> SimulatedResponse:
    """The first piece, then megabytes of spaces or comments (both legal there), then the rest."""
    pieces = _pieces(answer)
    padding = b": " + b"x" * 65_530 + b"\n\n\n\n" if len(pieces) > 1 else b" " * 65_536
    times = int(selected.number(64) * MEGABYTE) // len(padding)
    first = pieces[:1] if len(pieces) > 1 else []
    return replace(answer, steps=[*first, *[padding] * times, *pieces[len(first) :]])


def _gzip_bomb(answer: SimulatedResponse, selected: SelectedFault) -> SimulatedResponse:
    packed = gzip.compress(b" " * int(selected.number(64) * MEGABYTE), compresslevel=9)
    return replace(answer, headers=answer.headers | {"content-encoding": "gzip"}, steps=[packed])


def _page(answer: SimulatedResponse, selected: SelectedFault) -> SimulatedResponse:
    return replace(answer, status=selected.fault.status, headers={"content-type": "text/html"}, steps=[HTML])


WIRE_EDITS: dict[str, Callable[[SimulatedResponse, SelectedFault], SimulatedResponse]] = {
    "html": _page,
    "html_502": _page,
    "empty": lambda answer, selected: replace(answer, steps=[]),
    "truncated": _truncated,
    "invalid_json": _broken_json,
    "hang": lambda answer, selected: replace(answer, before=[Delay()]),
    "hang_mid": lambda answer, selected: replace(answer, steps=[*_half(answer), Delay()]),
    "slow": lambda answer, selected: replace(answer, steps=_spread(_pieces(answer), selected.number(0.05))),
    "drip": lambda answer, selected: replace(answer, steps=_spread(_bytes(answer), selected.number(0.01))),
    "split_utf8": lambda answer, selected: replace(answer, steps=_bytes(answer)),
    "cut": lambda answer, selected: replace(answer, steps=_half(answer)),
    "abort": lambda answer, selected: replace(answer, steps=[*_half(answer), ConnectionFault("abort")]),
    "reset": lambda answer, selected: replace(answer, steps=[*_half(answer), ConnectionFault("reset")]),
    "reset_early": lambda answer, selected: replace(answer, before=[ConnectionFault("reset")]),
    "huge": _huge,
    "gzip_bomb": _gzip_bomb,
    "redirect": lambda answer, selected: SimulatedResponse(302, {"location": METADATA_ADDRESS}),
    "bad_status_line": lambda answer, selected: replace(
        answer, before=[ConnectionFault("raw", b"HTTP/1.1 2OO Fine?\r\n\r\n")]
    ),
    "huge_header": lambda answer, selected: replace(answer, headers=answer.headers | {"x-huge": "x" * MEGABYTE}),
}


def _bytes(answer: SimulatedResponse) -> list[bytes]:
    whole = b"".join(_pieces(answer))
    return [whole[index : index + 1] for index in range(len(whole))]

"""Carries out a fault: on the refusal, on what the model says, on the JSON, or on the bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from email.utils import formatdate
from typing import Any

from llm_simulator.answers import ended
from llm_simulator.conversation import Reply
from llm_simulator.faults import SelectedFault
from llm_simulator.responses import Break, Delay, SimulatedResponse, Step
from llm_simulator.vendor import Body, Event, Vendor, VendorError

METADATA_ADDRESS = "http://169.254.169.254/latest/meta-data/"
HTML = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>502 Bad Gateway</h1><hr>cdn-edge</body></html>"
MEGABYTE = 1 << 20
UNFIT = {"unexpected": True}
ODD_TEXT = " one\u2028two\u2029three\u0085four\x0bfive \U0001f600"


def refusal(dialect: Vendor, chosen: SelectedFault, *, now: float) -> VendorError:
    """The error that a fault of the stage `refuse` answers with."""
    name = chosen.fault.name
    if name == "status":
        return dialect.failure("status", int(chosen.number(418)))
    seconds = chosen.number(7)
    refused = dialect.failure(name, chosen.fault.status)
    if name == "rate_limit":
        refused.retry_after = seconds
    elif name == "rate_limit_date":
        refused.headers["retry-after"] = formatdate(now + seconds, usegmt=True)
    elif name == "rate_limit_ms":
        refused.headers["retry-after-ms"] = str(int(seconds * 1000))
    elif name == "rate_limit_absurd":
        refused.headers["retry-after"] = "1000000000"
    return refused


def finished_oddly(reply: Reply, chosen: SelectedFault) -> Reply:
    """The reply with the finish that the fault names."""
    name = chosen.fault.name
    if name == "unknown_finish":
        return replace(reply, finish="unknown_finish")
    if name == "pause_turn":
        return replace(reply, finish="pause_turn")
    if name == "context_window":
        return replace(reply, finish="context_window")
    if name == "bad_schema":
        return unfit(reply)
    if name == "malformed_call":
        return ended(reply, "malformed_call")
    if name == "recitation":
        return ended(reply, "recitation", text=reply.text[:40])
    return ended(reply, "blocked") if name == "blocked" else ended(reply, "refusal", text=reply.text[:20])


def unfit(reply: Reply) -> Reply:
    """The reply as a model too weak for its schema writes it."""
    if reply.calls:
        return replace(reply, calls=tuple(replace(call, arguments=dict(UNFIT)) for call in reply.calls))
    return replace(reply, text=json.dumps(UNFIT))


def corrupt_reply(replies: list[Reply], chosen: SelectedFault) -> list[Reply]:
    """What an event fault changes in the replies themselves."""
    if chosen.fault.name == "odd_unicode":
        return [replace(reply, text=reply.text + ODD_TEXT, calls=()) for reply in replies]
    if chosen.fault.name == "empty_answer":
        return [replace(reply, text="", reasoning="", calls=(), finish="stop", text_tokens=0) for reply in replies]
    return replies


def edited(body: Body, chosen: SelectedFault) -> Body:
    """A JSON answer (or the data of one event) with the fault in it."""
    change = USAGES.get(chosen.fault.name)
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


USAGES: dict[str, Callable[[Any], Any]] = {
    "no_usage": lambda usage: {},
    "null_usage": lambda usage: None,
    "negative_usage": lambda usage: _each_count(usage, lambda count: -1 - count),
    "nan_usage": lambda usage: _each_count(usage, lambda count: float("nan")),
    "string_usage": lambda usage: _each_count(usage, str),
    "absurd_usage": lambda usage: _each_count(usage, lambda count: 10**15),
}


def events_with(events: list[Event], chosen: SelectedFault, *, dialect: Vendor) -> list[Event]:
    """The events of a stream with the fault in them."""
    name = chosen.fault.name
    middle = len(events) // 2
    if name in ("error_200", "first_event_error", "choice_error"):
        failed = dialect.failure("overloaded", 529)
        return [event for event in events[:1] if event.comment] + [dialect.error_event(failed)]
    if name == "mid_error":
        return [*events[:middle], dialect.error_event(dialect.failure("server_error", 500))]
    if name == "unknown_event":
        odd = Event(name="future_event" if events[0].name else "", data={"type": "future_event", "future": {"a": [1]}})
        return [*events[:1], odd, *events[1:middle], odd, *events[middle:]]
    if name == "invalid_json":
        return [*events[:middle], Event(name=events[middle].name, data='{"broken": tru'), *events[middle:]]
    return [
        replace(event, data=edited(event.data, chosen)) if isinstance(event.data, dict) else event for event in events
    ]


def steps_with(answer: SimulatedResponse, chosen: SelectedFault) -> SimulatedResponse:
    """The answer with a fault of the stage `wire` in its bytes."""
    change = WIRES.get(chosen.fault.name)
    return change(answer, chosen) if change else answer


def _pieces(answer: SimulatedResponse) -> list[bytes]:
    return [step for step in answer.steps if isinstance(step, bytes)]


def _half(answer: SimulatedResponse) -> list[Step]:
    """The first half of the bytes, ending inside a piece only when there is just one."""
    pieces = _pieces(answer)
    if len(pieces) > 1:
        return list(pieces[: max(1, len(pieces) // 2)])
    return [piece[: len(piece) // 2] for piece in pieces]


def _spread(pieces: Sequence[bytes], seconds: float) -> list[Step]:
    return [step for piece in pieces for step in (piece, Delay(seconds))]


def _truncated(answer: SimulatedResponse, chosen: SelectedFault) -> SimulatedResponse:
    whole = b"".join(_pieces(answer))
    return replace(answer, steps=[whole[: len(whole) * 2 // 3]])


def _broken_json(answer: SimulatedResponse, chosen: SelectedFault) -> SimulatedResponse:
    """A stream got its broken event earlier; a plain body loses its sense here."""
    if "json" not in answer.headers.get("content-type", ""):
        return answer
    return replace(answer, steps=[b'{"broken": tru', *_pieces(answer)])


def _huge(answer: SimulatedResponse, chosen: SelectedFault) -> SimulatedResponse:
    """The first piece, then megabytes of spaces and comments (both legal where they stand), then the rest."""
    pieces = _pieces(answer)
    padding = b": " + b"x" * 65_530 + b"\n\n\n\n" if len(pieces) > 1 else b" " * 65_536
    times = int(chosen.number(64) * MEGABYTE) // len(padding)
    first = pieces[:1] if len(pieces) > 1 else []
    return replace(answer, steps=[*first, *[padding] * times, *pieces[len(first) :]])


def _gzip_bomb(answer: SimulatedResponse, chosen: SelectedFault) -> SimulatedResponse:
    packed = gzip.compress(b" " * int(chosen.number(64) * MEGABYTE), compresslevel=9)
    return replace(answer, headers=answer.headers | {"content-encoding": "gzip"}, steps=[packed])


def _page(answer: SimulatedResponse, chosen: SelectedFault) -> SimulatedResponse:
    return replace(answer, status=chosen.fault.status, headers={"content-type": "text/html"}, steps=[HTML])


WIRES: dict[str, Callable[[SimulatedResponse, SelectedFault], SimulatedResponse]] = {
    "html": _page,
    "html_502": _page,
    "empty": lambda answer, chosen: replace(answer, steps=[]),
    "truncated": _truncated,
    "invalid_json": _broken_json,
    "hang": lambda answer, chosen: replace(answer, before=[Delay()]),
    "hang_mid": lambda answer, chosen: replace(answer, steps=[*_half(answer), Delay()]),
    "slow": lambda answer, chosen: replace(answer, steps=_spread(_pieces(answer), chosen.number(0.05))),
    "drip": lambda answer, chosen: replace(answer, steps=_spread(_bytes(answer), chosen.number(0.01))),
    "split_utf8": lambda answer, chosen: replace(answer, steps=_bytes(answer)),
    "cut": lambda answer, chosen: replace(answer, steps=_half(answer)),
    "abort": lambda answer, chosen: replace(answer, steps=[*_half(answer), Break("abort")]),
    "reset": lambda answer, chosen: replace(answer, steps=[*_half(answer), Break("reset")]),
    "reset_early": lambda answer, chosen: replace(answer, before=[Break("reset")]),
    "huge": _huge,
    "gzip_bomb": _gzip_bomb,
    "redirect": lambda answer, chosen: SimulatedResponse(302, {"location": METADATA_ADDRESS}),
    "bad_status_line": lambda answer, chosen: replace(answer, before=[Break("raw", b"HTTP/1.1 2OO Fine?\r\n\r\n")]),
    "huge_header": lambda answer, chosen: replace(answer, headers=answer.headers | {"x-huge": "x" * MEGABYTE}),
}


def _bytes(answer: SimulatedResponse) -> list[bytes]:
    whole = b"".join(_pieces(answer))
    return [whole[index : index + 1] for index in range(len(whole))]

"""The catalogue of faults, selected by a marker in the prompt or through the control API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from llm_simulator.seeded_random import SeededRandom

Stage = Literal["refuse", "finish", "events", "wire"]
"""Where a fault acts: an error instead of a response, the reply, the JSON, or the bytes."""


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    stage: Stage
    summary: str
    status: int = 200


def _table(stage: Stage, rows: str) -> Iterator[Fault]:
    for row in rows.strip().splitlines():
        name, status, summary = row.split(None, 2)
        yield Fault(name, stage, summary, int(status))


REFUSALS = """
bad_request         400 the vendor's 400 for an invalid argument
context_length      400 the prompt is longer than the model's context
spend_limit         400 the account's spend limit is reached
unauthorized        401 the key is not valid
payment_required    402 no credits
forbidden           403 the key may not use this model
not_found           404 the model does not exist
request_timeout     408 the request took too long to arrive
too_large           413 the body is too large
rate_limit          429 Retry-After (and Gemini's RetryInfo) of VALUE seconds, 7 without one
rate_limit_date     429 Retry-After is an HTTP date, VALUE seconds from now, 7 without one
rate_limit_ms       429 retry-after-ms instead of Retry-After
rate_limit_absurd   429 Retry-After: 1000000000
rate_limit_bare     429 without any hint when to come back
insufficient_quota  429 the quota is used up; waiting does not help
server_error        500 internal error
bad_gateway         502 bad gateway, as JSON
unavailable         503 the model is overloaded
gateway_timeout     504 deadline exceeded
overloaded          529 Anthropic's 529; the other two say 503
status              418 the status code VALUE
"""
FINISHES = """
refusal             200 the model declines (refusal / SAFETY / content_filter)
blocked             200 the prompt is blocked (Gemini promptFeedback; elsewhere as refusal)
unknown_finish      200 a finish reason that no client knows
recitation          200 Gemini RECITATION (elsewhere as refusal)
malformed_call      200 Gemini MALFORMED_FUNCTION_CALL (elsewhere as unknown_finish)
pause_turn          200 Claude pause_turn (elsewhere as unknown_finish)
context_window      200 Claude model_context_window_exceeded (elsewhere length)
bad_schema          200 tool calls' arguments, or the text, are {"unexpected": true}, whatever the schema asks for
"""
EVENT_FAULTS = """
error_200           200 HTTP 200 whose body, or first event, is {"error": ...}
choice_error        200 OpenRouter: choices[0].error and finish_reason "error" (elsewhere as error_200)
first_event_error   200 the first event of a stream is an error; a plain answer is refused with 529 / 503
mid_error           200 an error event in the middle of the stream; a plain answer is refused with 500
no_usage            200 no usage at all
null_usage          200 usage is null
negative_usage      200 every count is negative
nan_usage           200 every count is a bare NaN, which is not JSON
string_usage        200 every count is a string
absurd_usage        200 every count is 10^15
unknown_event       200 extra events of an unknown type
unknown_block       200 a content block (part) of an unknown type
odd_unicode         200 U+2028, U+2029, U+0085 and VT unescaped inside JSON strings
empty_answer        200 the model says nothing at all
"""
WIRE_FAULTS = """
html                200 an HTML page with status 200
html_502            502 an HTML page with status 502
empty               200 an empty body
truncated           200 the JSON body, or the last event, ends half-way
invalid_json        200 JSON that cannot be parsed; in a stream one such event
hang                200 no answer at all, until the client leaves
hang_mid            200 silence after half of the body
slow                200 VALUE seconds (0.05 without one) between the pieces
drip                200 one byte at a time, VALUE seconds (0.01 without one) apart
split_utf8          200 every byte in its own write
cut                 200 the stream ends properly framed, half-way: no end marker
abort               200 the connection is closed in the middle of the body
reset               200 the connection is reset (RST) in the middle of the body
reset_early         200 the connection is reset before any header
huge                200 an answer of VALUE megabytes (64 without one)
gzip_bomb           200 a gzip body that was not requested, VALUE megabytes (64 without one) when unpacked
redirect            302 a redirect to an address inside the cloud
bad_status_line     200 a status line that is not HTTP
huge_header         200 a response header of one megabyte
"""
FAULTS: dict[str, Fault] = {
    fault.name: fault
    for stage, rows in (("refuse", REFUSALS), ("finish", FINISHES), ("events", EVENT_FAULTS), ("wire", WIRE_FAULTS))
    for fault in _table(stage, rows)  # type: ignore[arg-type]  # the tuple's strings are the literals of Stage
}
BY_STATUS = {str(fault.status): fault.name for fault in reversed(FAULTS.values()) if fault.status >= 400}
MARKER = re.compile(r"\[\[fault:(?P<name>[a-z0-9_]+)(?:=(?P<value>[\w.-]+))?(?:@(?P<provider>[a-z]+))?\]\]")


@dataclass(frozen=True, slots=True)
class SelectedFault:
    """The fault of a request; `value` is its parameter."""

    fault: Fault
    value: str = ""

    def number(self, default: float) -> float:
        try:
            return float(self.value)
        except ValueError:
            return default


def fault_named(name: str, value: str = "") -> SelectedFault:
    """A fault by name or by HTTP status; raises KeyError."""
    return SelectedFault(FAULTS[BY_STATUS.get(name, name)], value)


def fault_in_prompt(prompt: str, *, provider: str) -> SelectedFault | None:
    """The fault that a marker in the prompt selects for this provider; None without one."""
    for marker in MARKER.finditer(prompt):
        name = BY_STATUS.get(marker["name"], marker["name"])
        if name in FAULTS and marker["provider"] in (None, provider):
            return fault_named(name, marker["value"] or "")
    return None


@dataclass(slots=True)
class PlannedFault:
    """A fault planned through the control API."""

    selected: SelectedFault
    provider: str | None = None
    model: str | None = None
    times: int | None = None
    """Remaining requests; None for all until it is removed."""
    rate: float = 1.0


class FaultPlan:
    """The planned faults, in order."""

    def __init__(self, *, seed: int = 0) -> None:
        self._rng = SeededRandom("faults", seed)
        self._planned: list[PlannedFault] = []

    def add(
        self,
        fault: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        times: int | None = 1,
        rate: float = 1.0,
        value: str = "",
    ) -> None:
        """Plan a fault for the next `times` requests (None: all), each with probability `rate`. Raises KeyError if unknown."""
        self._planned.append(PlannedFault(fault_named(fault, value), provider, model, times, rate))

    def clear(self) -> None:
        self._planned.clear()

    def take(self, *, provider: str, model: str) -> SelectedFault | None:
        """The fault for this request, counted down; None without one."""
        for planned in self._planned:
            if planned.provider not in (None, provider) or planned.model not in (None, model):
                continue
            if planned.rate < 1.0 and self._rng.unit() >= planned.rate:
                continue
            if planned.times is not None:
                planned.times -= 1
                self._planned = [entry for entry in self._planned if entry.times is None or entry.times > 0]
            return planned.selected
        return None

    def as_list(self) -> list[dict[str, object]]:
        return [
            {
                "fault": planned.selected.fault.name,
                "value": planned.selected.value,
                "provider": planned.provider,
                "model": planned.model,
                "times": planned.times,
                "rate": planned.rate,
            }
            for planned in self._planned
        ]

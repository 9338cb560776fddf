"""A conversation as Gemini sees it: a system instruction, and contents in which user and model take turns.

What OpenAI allows and Gemini does not is mended here: system messages in the middle, messages of the same role in a row,
empty messages, tool results out of order, missing or without a call, a conversation that ends with the assistant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.errors import InvalidRequest
from gateway.providers.base import Signatures
from gateway.providers.gemini import signatures
from gateway.providers.gemini.media import Part, parts_of, text_of
from gateway.providers.gemini.profiles import GeminiProfile
from gateway.providers.gemini.tools import CUSTOM_INPUT, Tools
from gateway.wire import Json

SYSTEM = frozenset(("system", "developer"))
NO_RESULT = "(no result)"
OPENING = "(The conversation begins with a tool call.)"
CONTINUE = "Continue."


@dataclass(frozen=True, slots=True)
class Conversation:
    """`system` and `contents` as they stand in the request."""

    system: Sequence[Part]
    contents: Sequence[Json]


def called_names(messages: Sequence[Json]) -> Iterator[str]:
    """The names of all functions called in a history."""
    for message in messages:
        for call in calls_of(message):
            yield name_of(call)


def calls_of(message: Json) -> Sequence[Json]:
    return message.get("tool_calls") or () if message.get("role") == "assistant" else ()


def name_of(call: Json) -> str:
    inner = call.get(str(call.get("type") or "function"))
    return str(inner.get("name") or "") if isinstance(inner, Mapping) else ""


def conversation(messages: Sequence[Json], *, tools: Tools, profile: GeminiProfile, kept: Signatures) -> Conversation:
    """The whole of a request's messages. Raises InvalidRequest for parts that Gemini cannot be given."""
    leading = next(
        (index for index, message in enumerate(messages) if message.get("role") not in SYSTEM), len(messages)
    )
    system = [part for index in range(leading) for part in _system(messages[index], path=f"messages[{index}]")]
    writer = _Writer(tools=tools, profile=profile, kept=kept, turn=_turn(messages))
    for index in range(leading, len(messages)):
        writer.message(messages[index], index=index)
    contents = writer.close()
    if not contents and system:
        # Gemini needs something to answer: with system messages alone, they are what is asked.
        return Conversation((), [{"role": "user", "parts": system}])
    if not contents:
        raise InvalidRequest("The messages are empty.", param="messages")
    return Conversation(system, contents)


def _system(message: Json, *, path: str) -> Iterator[Part]:
    text = text_of(message.get("content"), path=f"{path}.content")
    if text:
        yield {"text": text}


def _turn(messages: Sequence[Json]) -> int:
    """Where the current turn begins: after the newest human message. Gemini checks signatures from there on."""
    return next((index for index in range(len(messages) - 1, -1, -1) if messages[index].get("role") == "user"), -1)


class _Writer:
    """Writes contents message by message; calls wait for their results until the next message of the assistant."""

    def __init__(self, *, tools: Tools, profile: GeminiProfile, kept: Signatures, turn: int) -> None:
        self._tools = tools
        self._profile = profile
        self._kept = kept
        self._turn = turn
        self._contents: list[dict[str, Any]] = []
        self._calls: Sequence[Json] = ()
        self._results: dict[int, Any] = {}
        self._after: list[Part] = []

    def message(self, message: Json, *, index: int) -> None:
        path = f"messages[{index}]"
        match message.get("role"):
            case "assistant":
                self._settle()
                self._assistant(message, index=index, path=path)
            case "user":
                self._after.extend(parts_of(message.get("content"), path=f"{path}.content"))
            case "tool":
                self._result(message, path=path)
            case role if role in SYSTEM:
                for part in _system(message, path=path):
                    self._after.append({"text": f"<system>\n{part['text']}\n</system>"})
            case role:
                raise InvalidRequest(f"Unknown role: {role!r}.", param=f"{path}.role")

    def close(self) -> Sequence[Json]:
        self._settle()
        if self._contents and self._contents[-1]["role"] == "model":
            self._add("user", [{"text": CONTINUE}])
        return self._contents

    def _add(self, role: str, parts: Sequence[Part]) -> None:
        if not parts:
            return
        if self._contents and self._contents[-1]["role"] == role:
            self._contents[-1]["parts"].extend(parts)
        else:
            self._contents.append({"role": role, "parts": [*parts]})

    def _settle(self) -> None:
        """Write the results of the open calls, in the calls' order, then what the user said meanwhile."""
        self._add("user", [self._response(call, index=index) for index, call in enumerate(self._calls)])
        self._add("user", self._after)
        self._calls, self._results, self._after = (), {}, []

    def _assistant(self, message: Json, *, index: int, path: str) -> None:
        text = text_of(message.get("content"), path=f"{path}.content") or str(message.get("refusal") or "")
        parts: list[Part] = [{"text": text}] if text else []
        signature = signatures.of_message(message)
        if parts and signature:
            parts[0]["thoughtSignature"] = signature
        calls = calls_of(message)
        if calls and not self._contents:
            self._add("user", [{"text": OPENING}])
        self._add("model", [*parts, *self._call_parts(calls, current=index > self._turn)])
        self._calls = calls

    def _call_parts(self, calls: Sequence[Json], *, current: bool) -> Iterator[Part]:
        for position, call in enumerate(calls):
            part: Part = {"functionCall": self._call(call)}
            signature = signatures.of_call(call, kept=self._kept)
            if signature is None and position == 0 and current and self._profile.signed_calls:
                signature = signatures.SENTINEL
            if signature is not None:
                part["thoughtSignature"] = signature
            yield part

    def _call(self, call: Json) -> Json:
        name = name_of(call)
        if call.get("type") == "custom":
            args: Json = {CUSTOM_INPUT: str(call["custom"].get("input") or "")}
        else:
            args = arguments((call.get("function") or {}).get("arguments"))
        return self._identified({"name": self._tools.name(name), "args": args}, call=call)

    def _identified(self, value: dict[str, Any], *, call: Json) -> Json:
        return value | {"id": call["id"]} if self._profile.call_ids and call.get("id") else value

    def _result(self, message: Json, *, path: str) -> None:
        call_id = message.get("tool_call_id")
        text = text_of(message.get("content"), path=f"{path}.content")
        for index, call in enumerate(self._calls):
            if call.get("id") == call_id and index not in self._results:
                self._results[index] = result(text)
                return
        self._after.append({"text": f"Result of tool call {call_id}:\n{text or NO_RESULT}"})

    def _response(self, call: Json, *, index: int) -> Part:
        response = self._results.get(index, {"result": NO_RESULT})
        return {
            "functionResponse": self._identified(
                {"name": self._tools.name(name_of(call)), "response": response}, call=call
            )
        }


def arguments(text: Any) -> Json:
    """A call's arguments as an object, whatever a client kept of them."""
    value = (
        _parsed(text) if isinstance(text, str) and text.strip() else {} if not text or isinstance(text, str) else text
    )
    return value if isinstance(value, Mapping) else {"_raw": text}


def result(text: str) -> Json:
    """A tool's result as an object: its own JSON object, else its text under a name."""
    value = _parsed(text)
    return value if isinstance(value, Mapping) else {"result": text}


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None

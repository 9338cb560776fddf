"""Converts messages to Gemini's system instruction and contents, in which user and model alternate.

Handles what OpenAI allows and Gemini does not: later system messages, consecutive messages of one role, empty messages, tool
results out of order, missing or without a call, and a conversation that ends with the assistant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.completion import Json
from gateway.errors import InvalidRequest
from gateway.json_body import parse_embedded
from gateway.providers.base import SignatureCache
from gateway.providers.gemini import signatures
from gateway.providers.gemini.media import Part, image_part, parts_of, text_of
from gateway.providers.gemini.profiles import GeminiProfile
from gateway.providers.gemini.tools import CUSTOM_INPUT, Tools

SYSTEM = frozenset(("system", "developer"))
_PLAIN_ROLES = ("user", "assistant")
NO_RESULT: Json = {"result": "(no result)"}
OPENING = "(The conversation begins with a tool call.)"
CONTINUE = "Continue."


@dataclass(frozen=True, slots=True)
class Conversation:
    """The `systemInstruction` parts and the `contents` of a request."""

    system: Sequence[Part]
    contents: Sequence[Json]


def called_names(messages: Sequence[Json]) -> Iterator[str]:
    """The names of all functions called in the messages."""
    for message in messages:
        for call in calls_of(message):
            yield name_of(call)


def calls_of(message: Json) -> Sequence[Json]:
    return message.get("tool_calls") or () if message.get("role") == "assistant" else ()


def name_of(call: Json) -> str:
    inner = call.get(str(call.get("type") or "function"))
    return str(inner.get("name") or "") if isinstance(inner, Mapping) else ""


def build_conversation(
    messages: Sequence[Json], *, tools: Tools, profile: GeminiProfile, signature_cache: SignatureCache
) -> Conversation:
    """Converts all messages of a request. Raises InvalidRequest for parts that Gemini does not accept."""
    leading = next(
        (index for index, message in enumerate(messages) if message.get("role") not in SYSTEM), len(messages)
    )
    system = [part for index in range(leading) for part in _system(messages[index], path=f"messages[{index}]")]
    builder = _ContentsBuilder(tools=tools, profile=profile, signature_cache=signature_cache)
    for index in range(leading, len(messages)):
        builder.message(messages[index], index=index)
    contents = builder.close()
    if not contents and system:
        # With system messages alone, they become the user content.
        return Conversation((), [{"role": "user", "parts": system}])
    if not contents:
        raise InvalidRequest("The messages are empty.", param="messages")
    return Conversation(system, contents)


def _system(message: Json, *, path: str) -> Iterator[Part]:
    text = text_of(message.get("content"), path=f"{path}.content")
    if text:
        yield {"text": text}


def _add_missing_signatures(contents: Sequence[Json]) -> None:
    """Add the sentinel signature to the first call of each step of the current turn that has no signature.

    The current turn starts after the newest user content without function responses; Gemini does not check earlier turns.
    """
    for content in reversed(contents):
        if content["role"] == "user" and not any("functionResponse" in part for part in content["parts"]):
            return
        first = next((part for part in content["parts"] if "functionCall" in part), None)
        if first is not None:
            first.setdefault("thoughtSignature", signatures.SENTINEL)


@dataclass(slots=True)
class _Call:
    """One call of the open step, and its result once it came."""

    source: Json
    id: str
    name: str
    response: Json = field(default_factory=lambda: NO_RESULT)


class _ContentsBuilder:
    """Builds contents message by message. Calls wait for their results until the next assistant message."""

    def __init__(self, *, tools: Tools, profile: GeminiProfile, signature_cache: SignatureCache) -> None:
        self._tools = tools
        self._profile = profile
        self._signature_cache = signature_cache
        self._contents: list[dict[str, Any]] = []
        self._calls: Sequence[_Call] = ()
        self._open_calls: dict[str, deque[_Call]] = {}
        self._pending_parts: list[Part] = []

    def message(self, message: Json, *, index: int) -> None:
        content = message.get("content")
        if len(message) == 2 and type(content) is str and message["role"] in _PLAIN_ROLES:
            self._add_plain(message["role"], content)
            return
        path = f"messages[{index}]"
        match message.get("role"):
            case "assistant":
                self._flush()
                self._add_assistant(message, path=path)
            case "user":
                self._pending_parts.extend(parts_of(message.get("content"), path=f"{path}.content"))
            case "tool":
                self._set_result(message, path=path)
            case role if role in SYSTEM:
                for part in _system(message, path=path):
                    self._pending_parts.append({"text": f"<system>\n{part['text']}\n</system>"})
            case role:
                raise InvalidRequest(f"Unknown role: {role!r}.", param=f"{path}.role")

    def _add_plain(self, role: str, text: str) -> None:
        """Fast path: a message with only text."""
        parts: list[Part] = [{"text": text}] if text else []
        if role == "user":
            self._pending_parts += parts
        else:
            self._flush()
            self._add("model", parts)

    def close(self) -> Sequence[Json]:
        self._flush()
        if self._contents and any("functionCall" in part for part in self._contents[0]["parts"]):
            self._contents.insert(0, {"role": "user", "parts": [{"text": OPENING}]})
        if self._contents and self._contents[-1]["role"] == "model":
            self._add("user", [{"text": CONTINUE}])
        if self._profile.signed_calls:
            _add_missing_signatures(self._contents)
        return self._contents

    def _add(self, role: str, parts: Sequence[Part]) -> None:
        if not parts:
            return
        if self._contents and self._contents[-1]["role"] == role:
            self._contents[-1]["parts"].extend(parts)
        else:
            self._contents.append({"role": role, "parts": [*parts]})

    def _flush(self) -> None:
        """Add the results of the open calls, in call order, then the pending user parts."""
        if self._calls:
            results = [
                {"functionResponse": self._call_identity(call) | {"response": call.response}} for call in self._calls
            ]
            self._add("user", results)
            self._calls, self._open_calls = (), {}
        self._add("user", self._pending_parts)
        self._pending_parts = []

    def _add_assistant(self, message: Json, *, path: str) -> None:
        text = text_of(message.get("content"), path=f"{path}.content") or str(message.get("refusal") or "")
        parts: list[Part] = [{"text": text}] if text else []
        signature = signatures.of_message(message)
        if parts and signature:
            parts[0]["thoughtSignature"] = signature
        images = [*self._images(message.get("images"), path=path)]
        self._calls = [self._call(call) for call in calls_of(message)]
        self._add("model", [*parts, *images, *map(self._call_part, self._calls)])

    def _images(self, images: Any, *, path: str) -> Iterator[Part]:
        """Images that the model generated. Image models of Gemini 3 require a signature on them."""
        for index, image in enumerate(images or ()):
            part = image_part(image.get("image_url"), path=f"{path}.images[{index}].image_url")
            signature = signatures.echoed(image)
            if signature is None and self._profile.images and self._profile.signed_calls:
                signature = signatures.SENTINEL
            yield part | {"thoughtSignature": signature} if signature else part

    def _call(self, call: Json) -> _Call:
        """Register a call that waits for its result. Ids repeated within a turn get a suffix."""
        call_id = str(call.get("id"))
        same_id = self._open_calls.setdefault(call_id, deque())
        unique_id = f"{call_id}_{len(same_id)}" if same_id else call_id
        open_call = _Call(call, id=unique_id, name=self._tools.name(name_of(call)))
        same_id.append(open_call)
        return open_call

    def _call_part(self, call: _Call) -> Part:
        part: Part = {"functionCall": self._call_identity(call) | {"args": args_of(call.source)}}
        signature = signatures.of_call(call.source, signature_cache=self._signature_cache)
        return part | {"thoughtSignature": signature} if signature else part

    def _call_identity(self, call: _Call) -> dict[str, Any]:
        """The members that a call and its response share."""
        return {"id": call.id, "name": call.name} if self._profile.call_ids else {"name": call.name}

    def _set_result(self, message: Json, *, path: str) -> None:
        call_id = message.get("tool_call_id")
        text = text_of(message.get("content"), path=f"{path}.content")
        waiting = self._open_calls.get(str(call_id))
        if waiting:
            waiting.popleft().response = result(text)
        else:
            self._pending_parts.append({"text": f"Result of tool call {call_id}:\n{text}"})


def args_of(call: Json) -> Json:
    """A call's arguments. The text of a custom tool is the only argument of its substitute function."""
    if call.get("type") == "custom":
        return {CUSTOM_INPUT: call["custom"].get("input") or ""}
    return arguments((call.get("function") or {}).get("arguments"))


def arguments(text: Any) -> Json:
    """A call's arguments as an object; text that is not a JSON object goes under `_raw`."""
    if not isinstance(text, str) or not text.strip():
        return {}
    value = _parsed(text)
    return value if isinstance(value, Mapping) else {"_raw": text}


def result(text: str) -> Json:
    """A tool's result as an object: its own JSON object, else its text under `result`."""
    value = _parsed(text)
    return value if isinstance(value, Mapping) else {"result": text}


def _parsed(text: str) -> Any:
    try:
        return parse_embedded(text)
    except orjson.JSONDecodeError:
        return None

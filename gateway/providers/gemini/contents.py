"""A conversation as Gemini sees it: a system instruction, and contents in which user and model take turns.

What OpenAI allows and Gemini does not is mended here: system messages in the middle, messages of the same role in a row,
empty messages, tool results out of order, missing or without a call, a conversation that ends with the assistant.
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
_SPEAKERS = ("user", "assistant")
NO_RESULT: Json = {"result": "(no result)"}
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


def build_conversation(
    messages: Sequence[Json], *, tools: Tools, profile: GeminiProfile, signature_cache: SignatureCache
) -> Conversation:
    """The whole of a request's messages. Raises InvalidRequest for parts that Gemini cannot be given."""
    leading = next(
        (index for index, message in enumerate(messages) if message.get("role") not in SYSTEM), len(messages)
    )
    system = [part for index in range(leading) for part in _system(messages[index], path=f"messages[{index}]")]
    writer = _Writer(tools=tools, profile=profile, signature_cache=signature_cache)
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


def _sign(contents: Sequence[Json]) -> None:
    """Give the sentinel to the first call of each step of the current turn, where its own signature is missing.

    The current turn begins after the newest user content that is no answer to calls; earlier ones are not checked.
    """
    for content in reversed(contents):
        if content["role"] == "user" and not any("functionResponse" in part for part in content["parts"]):
            return
        first = next((part for part in content["parts"] if "functionCall" in part), None)
        if first is not None:
            first.setdefault("thoughtSignature", signatures.SENTINEL)


@dataclass(slots=True)
class _Call:
    """One call of the open step and, once it came, its result."""

    said: Json
    id: str
    name: str
    response: Json = field(default_factory=lambda: NO_RESULT)


class _Writer:
    """Writes contents message by message; calls wait for their results until the next message of the assistant."""

    def __init__(self, *, tools: Tools, profile: GeminiProfile, signature_cache: SignatureCache) -> None:
        self._tools = tools
        self._profile = profile
        self._signature_cache = signature_cache
        self._contents: list[dict[str, Any]] = []
        self._calls: Sequence[_Call] = ()
        self._open: dict[str, deque[_Call]] = {}
        self._after: list[Part] = []

    def message(self, message: Json, *, index: int) -> None:
        content = message.get("content")
        if len(message) == 2 and type(content) is str and message["role"] in _SPEAKERS:
            self._plain(message["role"], content)
            return
        path = f"messages[{index}]"
        match message.get("role"):
            case "assistant":
                self._settle()
                self._assistant(message, path=path)
            case "user":
                self._after.extend(parts_of(message.get("content"), path=f"{path}.content"))
            case "tool":
                self._result(message, path=path)
            case role if role in SYSTEM:
                for part in _system(message, path=path):
                    self._after.append({"text": f"<system>\n{part['text']}\n</system>"})
            case role:
                raise InvalidRequest(f"Unknown role: {role!r}.", param=f"{path}.role")

    def _plain(self, role: str, text: str) -> None:
        """A message of nothing but text, as most are."""
        parts: list[Part] = [{"text": text}] if text else []
        if role == "user":
            self._after += parts
        else:
            self._settle()
            self._add("model", parts)

    def close(self) -> Sequence[Json]:
        self._settle()
        if self._contents and any("functionCall" in part for part in self._contents[0]["parts"]):
            self._contents.insert(0, {"role": "user", "parts": [{"text": OPENING}]})
        if self._contents and self._contents[-1]["role"] == "model":
            self._add("user", [{"text": CONTINUE}])
        if self._profile.signed_calls:
            _sign(self._contents)
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
        if self._calls:
            results = [{"functionResponse": self._pair(call) | {"response": call.response}} for call in self._calls]
            self._add("user", results)
            self._calls, self._open = (), {}
        self._add("user", self._after)
        self._after = []

    def _assistant(self, message: Json, *, path: str) -> None:
        text = text_of(message.get("content"), path=f"{path}.content") or str(message.get("refusal") or "")
        parts: list[Part] = [{"text": text}] if text else []
        signature = signatures.of_message(message)
        if parts and signature:
            parts[0]["thoughtSignature"] = signature
        images = [*self._images(message.get("images"), path=path)]
        self._calls = [self._call(call) for call in calls_of(message)]
        self._add("model", [*parts, *images, *map(self._call_part, self._calls)])

    def _images(self, images: Any, *, path: str) -> Iterator[Part]:
        """Pictures that the model made, so that it can be asked to change them; those that draw want them signed."""
        for index, image in enumerate(images or ()):
            part = image_part(image.get("image_url"), path=f"{path}.images[{index}].image_url")
            signature = signatures.echoed(image)
            if signature is None and self._profile.images and self._profile.signed_calls:
                signature = signatures.SENTINEL
            yield part | {"thoughtSignature": signature} if signature else part

    def _call(self, call: Json) -> _Call:
        """A call that waits for its result; an id that a client used twice in a turn is told apart."""
        call_id = str(call.get("id"))
        same = self._open.setdefault(call_id, deque())
        read = _Call(call, id=f"{call_id}_{len(same)}" if same else call_id, name=self._tools.name(name_of(call)))
        same.append(read)
        return read

    def _call_part(self, call: _Call) -> Part:
        part: Part = {"functionCall": self._pair(call) | {"args": args_of(call.said)}}
        signature = signatures.of_call(call.said, signature_cache=self._signature_cache)
        return part | {"thoughtSignature": signature} if signature else part

    def _pair(self, call: _Call) -> dict[str, Any]:
        """What a call and its response have in common."""
        return {"id": call.id, "name": call.name} if self._profile.call_ids else {"name": call.name}

    def _result(self, message: Json, *, path: str) -> None:
        call_id = message.get("tool_call_id")
        text = text_of(message.get("content"), path=f"{path}.content")
        waiting = self._open.get(str(call_id))
        if waiting:
            waiting.popleft().response = result(text)
        else:
            self._after.append({"text": f"Result of tool call {call_id}:\n{text}"})


def args_of(call: Json) -> Json:
    """A call's arguments; a custom tool's text is the one argument of the function that stands in for it."""
    if call.get("type") == "custom":
        return {CUSTOM_INPUT: call["custom"].get("input") or ""}
    return arguments((call.get("function") or {}).get("arguments"))


def arguments(text: Any) -> Json:
    """A call's arguments as an object, whatever the model that made them or the client that kept them did."""
    if not isinstance(text, str) or not text.strip():
        return {}
    value = _parsed(text)
    return value if isinstance(value, Mapping) else {"_raw": text}


def result(text: str) -> Json:
    """A tool's result as an object: its own JSON object, else its text under a name."""
    value = _parsed(text)
    return value if isinstance(value, Mapping) else {"result": text}


def _parsed(text: str) -> Any:
    try:
        return parse_embedded(text)
    except orjson.JSONDecodeError:
        return None

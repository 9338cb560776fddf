"""Converts the turns to messages of chat completions, and checks them on the way.

Tool results become messages of role `tool`, ahead of the rest of their turn. System turns and the pictures of tool results become
parts of a user message, in tags that routing does not take for the user's own words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from gateway.completion import Json
from gateway.dialects.chat_completions.messages import MAX_MESSAGES, MAX_PARTS
from gateway.dialects.messages.media import document_parts, image_parts, required, text_part
from gateway.dialects.messages.native_only import NativeOnly
from gateway.dialects.messages.thinking import ReceivedReasoning
from gateway.field_checks import array, boolean, choice, invalid, mapping, string, wrong_type

Part = dict[str, Any]
Message = dict[str, Any]

_ROLES = ("user", "assistant", "system")
# Claude Code writes it into the first system block; it differs from request to request, so it would defeat caching.
_BILLING_HEADER = "x-anthropic-billing-header:"
_THINKING = ("thinking", "redacted_thinking")
# Blocks of tools that Anthropic runs, in a history that another model continues: their JSON is text for it.
_SERVER_BLOCKS = frozenset({"server_tool_use", "mcp_tool_use", "mcp_tool_result", "tool_reference", "container_upload"})
_SERVER_RESULT = "_tool_result"
_OPAQUE = ("encrypted_content", "encrypted_index", "encrypted_stdout", "cache_control")


class TurnTranslator:
    """Converts the turns of one request. Raises InvalidRequest for the first violation."""

    def __init__(self, native: NativeOnly) -> None:
        self._native = native
        self._messages: list[Message] = []
        self._parts = 0

    def messages(self, body: Json) -> list[Message]:
        """All messages, `system` first."""
        if body.get("system") is not None:
            self._add_system(body["system"], "system")
        for index, item in enumerate(array(body["messages"], "messages", least=1, most=MAX_MESSAGES)):
            path = f"messages[{index}]"
            turn = mapping(item, path)
            role = choice(required(turn, path, name="role"), f"{path}.role", of=_ROLES)
            self._turn(role, required(turn, path, name="content"), f"{path}.content")
        if not self._messages:
            invalid("messages", "Invalid 'messages': they have no content.")
        return self._messages

    def _turn(self, role: str, content: object, path: str) -> None:
        if isinstance(content, str):
            self._add_text(role, content)
            return
        blocks = self._blocks(content, path)
        if role == "assistant":
            self._add_assistant(blocks, path)
        elif role == "user":
            self._add_user(blocks, path)
        else:
            self._fold_in([self._text(block, f"{path}[{i}]") for i, block in enumerate(blocks)])

    def _blocks(self, content: object, path: str) -> Sequence[Json]:
        if not isinstance(content, list):
            wrong_type(content, path, expected="a string or an array of blocks")
        self._parts += len(content)
        if self._parts > MAX_PARTS:
            invalid("messages", f"Invalid 'messages': more than {MAX_PARTS} blocks.", code="array_above_max_length")
        for index, item in enumerate(content):
            block = mapping(item, f"{path}[{index}]")
            string(required(block, f"{path}[{index}]", name="type"), f"{path}[{index}].type")
            if block.get("cache_control") is not None:
                mapping(block["cache_control"], f"{path}[{index}].cache_control")
        return content

    def _add_text(self, role: str, text: str) -> None:
        if role == "system":
            self._fold_in([text])
        else:
            self._messages.append({"role": role, "content": text})

    def _add_system(self, value: object, path: str) -> None:
        if isinstance(value, str):
            if value:
                self._messages.append({"role": "system", "content": value})
            return
        texts = [(self._text(block, f"{path}[{i}]"), block) for i, block in enumerate(self._blocks(value, path))]
        parts = [marked(text_part(text), block) for text, block in texts if not text.startswith(_BILLING_HEADER)]
        if parts:
            self._messages.append({"role": "system", "content": parts})

    def _fold_in(self, texts: Sequence[str]) -> None:
        """Add a later system turn to the user message before it, where its place in the conversation is kept."""
        parts = [text_part(f"<system-reminder>\n{text}\n</system-reminder>") for text in texts if text]
        last = self._messages[-1] if self._messages else None
        if last is None or last["role"] != "user":
            self._messages += [{"role": "user", "content": parts}] if parts else []
        else:
            before = last["content"]
            last["content"] = [*([text_part(before)] if isinstance(before, str) else before), *parts]

    def _add_user(self, blocks: Sequence[Json], path: str) -> None:
        parts: list[Part] = []
        for index, block in enumerate(blocks):
            place = f"{path}[{index}]"
            if block["type"] == "tool_result":
                parts += self._add_result(block, place)
            else:
                parts += self._content_parts(block, place)
        if parts:
            self._messages.append({"role": "user", "content": parts})

    def _add_result(self, block: Json, path: str) -> list[Part]:
        """Add the result as a tool message; returns its pictures and files, which such a message cannot hold."""
        id = string(required(block, path, name="tool_use_id"), f"{path}.tool_use_id", empty=False)
        content = block.get("content")
        parts: list[Part] = []
        if isinstance(content, str):
            parts = [text_part(content)]
        elif content is not None:
            for index, inner in enumerate(self._blocks(content, f"{path}.content")):
                parts += self._content_parts(inner, f"{path}.content[{index}]")
        text = "\n".join(part["text"] for part in parts if part["type"] == "text")
        media = [part for part in parts if part["type"] != "text"]
        if block.get("is_error") is not None and boolean(block["is_error"], f"{path}.is_error"):
            text = f"Error: {text}"
        self._messages.append(marked({"role": "tool", "tool_call_id": id, "content": text}, block))
        return [text_part(f"<tool_result>Attached to the result of {id}:</tool_result>"), *media] if media else []

    def _content_parts(self, block: Json, path: str) -> list[Part]:
        converter = _PARTS.get(block["type"])
        if converter is not None:
            parts = [*converter(self, block, path)]
        elif _is_server_block(block["type"]):
            parts = [text_part(_as_json_text(block))]
        else:
            self._native.needs_anthropic(f"{path}.type", f"a content block of type {block['type'][:60]!r}")
            return []
        if parts:
            parts[-1] = marked(parts[-1], block)
        return parts

    def _text(self, block: Json, path: str) -> str:
        if block["type"] != "text":
            self._native.needs_anthropic(f"{path}.type", f"a system block of type {block['type'][:60]!r}")
            return ""
        return string(required(block, path, name="text"), f"{path}.text")

    def _text_parts(self, block: Json, path: str) -> Iterator[Part]:
        if text := self._text(block, path):
            yield text_part(text)

    def _image(self, block: Json, path: str) -> Iterator[Part]:
        return image_parts(block, path, native=self._native)

    def _document(self, block: Json, path: str) -> Iterator[Part]:
        return document_parts(block, path, native=self._native)

    def _search_result(self, block: Json, path: str) -> Iterator[Part]:
        source = string(required(block, path, name="source"), f"{path}.source")
        title = string(required(block, path, name="title"), f"{path}.title")
        inner = self._blocks(required(block, path, name="content"), f"{path}.content")
        texts = [self._text(each, f"{path}.content[{i}]") for i, each in enumerate(inner)]
        yield text_part("\n".join([f"{title} ({source})", *texts]))

    def _add_assistant(self, blocks: Sequence[Json], path: str) -> None:
        returned = ReceivedReasoning([block for block in blocks if block["type"] in _THINKING])
        parts: list[Part] = []
        calls: list[Json] = []
        message: Message = {"role": "assistant", "content": None}
        for index, block in enumerate(blocks):
            place = f"{path}[{index}]"
            if block["type"] == "tool_use":
                calls.append(_call(block, place, returned))
                message = marked(message, block)
            elif block["type"] not in _THINKING:
                parts += self._content_parts(block, place)
        if parts:
            plain = len(parts) == 1 and parts[0].keys() == {"type", "text"}
            message["content"] = parts[0]["text"] if plain else parts
        if calls:
            message["tool_calls"] = calls
        if returned.details:
            message["reasoning_details"] = returned.details
        if parts or calls:  # thinking alone says nothing to another model
            self._messages.append(message)


_PARTS: Mapping[str, Callable[[TurnTranslator, Json, str], Iterator[Part]]] = {
    "text": TurnTranslator._text_parts,
    "image": TurnTranslator._image,
    "document": TurnTranslator._document,
    "search_result": TurnTranslator._search_result,
}


def marked(holder: dict[str, Any], block: Json) -> dict[str, Any]:
    """`holder` with the cache breakpoint of `block`, where it has one."""
    mark = block.get("cache_control")
    return holder if mark is None else {**holder, "cache_control": mark}


def _call(block: Json, path: str, returned: ReceivedReasoning) -> dict[str, Any]:
    id = string(required(block, path, name="id"), f"{path}.id", empty=False)
    name = string(required(block, path, name="name"), f"{path}.name", empty=False)
    arguments = orjson.dumps(mapping(required(block, path, name="input"), f"{path}.input")).decode()
    return {
        "id": id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
        **returned.calls.get(id, {}),
    }


def _is_server_block(kind: str) -> bool:
    return kind in _SERVER_BLOCKS or kind.endswith(_SERVER_RESULT)


def _as_json_text(block: Json) -> str:
    return f"[{block['type']}] {orjson.dumps(_readable(block)).decode()}"


def _readable(value: Any) -> Any:
    """Without what only Anthropic can read."""
    if isinstance(value, dict):
        return {name: _readable(member) for name, member in value.items() if name not in (*_OPAQUE, "type")}
    return [_readable(item) for item in value] if isinstance(value, list) else value

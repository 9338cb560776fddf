"""Translates input items to the messages of chat completions.

Items of one assistant turn (reasoning, a message, calls) that stand together become one message. Results follow as tool messages;
their pictures and files follow in a user message, because tool messages have only text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.completion import Json
from gateway.dialects.chat_completions.messages import MAX_CALLED_NAME, MAX_ID, MAX_PARTS, check_length
from gateway.dialects.responses.content import Part, read_assistant, read_content, read_text
from gateway.dialects.responses.reasoning import details_of, return_details
from gateway.dialects.responses.tools import ToolNames, custom_arguments
from gateway.field_checks import array, choice, invalid, mapping, missing, required, shown, string

MAX_ITEMS = 10_000  # earlier ones included

_ROLES = ("user", "assistant", "system", "developer")
_PLAIN = ("user", "system", "developer")
# Records of tools that other services ran. Models get the text of the answers that followed.
_LEFT_OUT = frozenset({
    "apply_patch_call", "apply_patch_call_output", "code_interpreter_call", "compaction", "computer_call",
    "computer_call_output", "configuration_update", "file_search_call", "local_shell_call", "local_shell_call_output",
    "mcp_approval_request", "mcp_approval_response", "mcp_call", "mcp_list_tools", "program", "program_output", "shell_call",
    "shell_call_output", "tool_search_call", "tool_search_output", "web_search_call",
})  # fmt: skip


class MessageBuilder:
    """Builds the messages item by item. `paths` has the place in the client's body for each message.

    `dropped` are items that are left out, as paths with types.
    """

    def __init__(self, names: ToolNames) -> None:
        self.messages: list[Json] = []
        self.paths: list[str] = []
        self.dropped: list[str] = []
        self._names = names
        self._called: set[str] = set()
        self._turn: dict[str, Any] = {}  # the open assistant message
        self._turn_path = ""
        self._details: list[Json] = []
        self._media: list[Part] = []  # of the results since the last message
        self._media_path = ""
        self._parts = 0

    def instructions(self, text: str) -> None:
        self._add({"role": "system", "content": text}, "instructions")

    def item(self, value: object, path: str) -> None:
        """Raises InvalidRequest for an item that is invalid or unknown."""
        if (
            type(value) is dict
            and len(value) == 2
            and value.get("role") in _PLAIN
            and type(value.get("content")) is str
        ):
            self._end_turn()
            self._end_results()
            self._add(value, path)  # fast path: it is the message already
            return
        item = mapping(value, path)
        kind = item.get("type")
        if kind is None:
            kind = "message" if "role" in item else missing(f"{path}.type")
        kind = string(kind, f"{path}.type")
        if kind in _LEFT_OUT:
            self.dropped.append(f"{path}:{kind}")
            return
        _READERS[choice(kind, f"{path}.type", of=_READERS)](self, item, path)

    def close(self) -> None:
        """The last item was read."""
        self._end_turn()
        self._end_results()
        if self._parts > MAX_PARTS:
            message = f"Invalid 'input': {self._parts} parts and calls are too many. Expected at most {MAX_PARTS}."
            invalid("input", message, code="array_above_max_length")

    def _message(self, item: dict[str, Any], path: str) -> None:
        role = choice(required(item, path, name="role"), f"{path}.role", of=_ROLES)
        value = required(item, path, name="content")
        if role == "assistant":
            self._say(*read_assistant(value, f"{path}.content"), path)
            return
        content = (read_content if role == "user" else _instruction)(value, f"{path}.content")
        if not isinstance(content, str):
            array(content, f"{path}.content", least=1)
            self._parts += len(content)
        self._end_turn()
        self._end_results()
        self._add({"role": role, "content": content}, path)

    def _say(self, text: str, refusal: str, path: str) -> None:
        turn = self._open_turn(path)
        for name, said in (("content", text), ("refusal", refusal)):
            if said:
                turn[name] = f"{turn[name]}\n\n{said}" if turn.get(name) else said

    def _call(self, item: dict[str, Any], path: str) -> None:
        arguments = string(required(item, path, name="arguments"), f"{path}.arguments")
        self._add_call(item, path, arguments=arguments or "{}")

    def _custom_call(self, item: dict[str, Any], path: str) -> None:
        text = string(required(item, path, name="input"), f"{path}.input")
        self._add_call(item, path, arguments=custom_arguments(text))

    def _add_call(self, item: dict[str, Any], path: str, *, arguments: str) -> None:
        call_id, name = _call_id(item, path), string(required(item, path, name="name"), f"{path}.name", empty=False)
        check_length(name, f"{path}.name", most=MAX_CALLED_NAME)
        namespace = item.get("namespace")
        if namespace is not None:
            string(namespace, f"{path}.namespace")
        function = {"name": self._names.model_name(name, namespace) or name, "arguments": arguments}
        turn = self._open_turn(path)
        turn.setdefault("tool_calls", []).append({"id": call_id, "type": "function", "function": function})
        self._called.add(call_id)
        self._parts += 1

    def _result(self, item: dict[str, Any], path: str) -> None:
        call_id = _call_id(item, path)
        content = read_content(required(item, path, name="output"), f"{path}.output")
        if call_id not in self._called:
            invalid(path, f"No tool call found for function call output with call_id {shown(call_id)}.")
        self._end_turn()
        if not isinstance(content, str):
            self._parts += len(content)
            media = [part for part in content if part["type"] != "text"]
            if media:
                self._media += [{"type": "text", "text": f"From the result of the tool call {call_id}:"}, *media]
                self._media_path = path
            content = [part for part in content if part["type"] == "text"] or ("See the next message." if media else "")
        self._add({"role": "tool", "tool_call_id": call_id, "content": content}, path)

    def _reasoning(self, item: dict[str, Any], path: str) -> None:
        self._open_turn(path)
        self._details += details_of(item.get("encrypted_content"))

    def _image(self, item: dict[str, Any], path: str) -> None:
        """A picture that a model made."""
        result = string(required(item, path, name="result"), f"{path}.result", empty=False)
        url = result if result.startswith(("data:", "https://")) else f"data:image/png;base64,{result}"
        image = {"type": "image_url", "image_url": {"url": url}}
        self._open_turn(path).setdefault("images", []).append(image)
        self._parts += 1

    def _open_turn(self, path: str) -> dict[str, Any]:
        if not self._turn:
            self._end_results()
            self._turn, self._turn_path = {"role": "assistant"}, path
        return self._turn

    def _end_turn(self) -> None:
        if not self._turn:
            return
        turn, details, self._turn, self._details = self._turn, self._details, {}, []
        if len(turn) > 1:  # reasoning alone is no message
            return_details(turn, details)
            self._add(turn, self._turn_path)

    def _end_results(self) -> None:
        if self._media:
            media, self._media = self._media, []
            self._add({"role": "user", "content": media}, self._media_path)

    def _add(self, message: Json, path: str) -> None:
        self.messages.append(message)
        self.paths.append(path)


def _instruction(value: object, path: str) -> str | list[Part]:
    return read_text(value, path) if not isinstance(value, str) else value


def _call_id(item: dict[str, Any], path: str) -> str:
    call_id = string(required(item, path, name="call_id"), f"{path}.call_id", empty=False)
    check_length(call_id, f"{path}.call_id", most=MAX_ID)
    return call_id


_READERS: Mapping[str, Callable[[MessageBuilder, dict[str, Any], str], None]] = {
    "message": MessageBuilder._message,
    "function_call": MessageBuilder._call,
    "function_call_output": MessageBuilder._result,
    "custom_tool_call": MessageBuilder._custom_call,
    "custom_tool_call_output": MessageBuilder._result,
    "reasoning": MessageBuilder._reasoning,
    "image_generation_call": MessageBuilder._image,
}

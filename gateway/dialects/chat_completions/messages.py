"""Validates `messages` as OpenAI's API does: roles, content, parts and tool calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.completion import MAX_DATA_URL_HEAD
from gateway.field_checks import array, choice, invalid, mapping, missing, string, wrong_type

MAX_MESSAGES = 10_000
MAX_PARTS = 20_000  # in all messages together; translating a part takes far longer than its size suggests

# Characters. Some gateways put a thought's signature into a call's id, so ids may be long.
MAX_ID = 65_536
MAX_CALLED_NAME = 1024
MAX_URL = 32_768  # of a URL; data URLs have their own limit

_PLAIN_ROLES = ("user", "assistant", "system", "developer")
_DETAILS = ("auto", "low", "high", "original")
_SCHEMES = ("data:", "https://", "http://")


def check_messages(value: object, path: str = "messages") -> None:
    """Raises InvalidRequest for the first invalid message."""
    messages = array(value, path, least=1, most=MAX_MESSAGES)
    parts = 0
    for i, message in enumerate(messages):
        if not _is_plain(message):
            _check_message(message, f"{path}[{i}]")
            parts += _count_parts(message)
    if parts > MAX_PARTS:
        message = f"Invalid '{path}': {parts} parts and tool calls are too many. Expected at most {MAX_PARTS}."
        invalid(path, message, code="array_above_max_length")


def _is_plain(message: object) -> bool:
    """Fast path: a message with only a role and a text, or a tool result with a text, is always valid."""
    if type(message) is not dict or type(message.get("content")) is not str:
        return False
    if len(message) == 2:
        return message.get("role") in _PLAIN_ROLES
    call_id = message.get("tool_call_id")
    return len(message) == 3 and message.get("role") == "tool" and type(call_id) is str and 0 < len(call_id) <= MAX_ID


def _count_parts(message: dict[str, Any]) -> int:
    """The number of parts and calls of a validated message."""
    parts = 0
    for name in ("content", "tool_calls", "reasoning_details", "images"):
        if type(items := message.get(name)) is list:
            parts += len(items)
    return parts


def _check_message(value: object, path: str) -> None:
    message = mapping(value, path)
    role = message.get("role")
    if role is None:
        missing(f"{path}.role")
    _ROLES[choice(role, f"{path}.role", of=_ROLES)](message, path)
    if message.get("name") is not None:
        string(message["name"], f"{path}.name")
    if message.get("cache_control") is not None:
        mapping(message["cache_control"], f"{path}.cache_control")


def _check_instruction(message: dict[str, Any], path: str) -> None:
    _check_required_content(message, path, parts=_TEXT_PARTS)


def _check_user(message: dict[str, Any], path: str) -> None:
    _check_required_content(message, path, parts=_USER_PARTS)


def _check_tool_result(message: dict[str, Any], path: str) -> None:
    if message.get("tool_call_id") is None:
        missing(f"{path}.tool_call_id")
    check_length(
        string(message["tool_call_id"], f"{path}.tool_call_id", empty=False), f"{path}.tool_call_id", most=MAX_ID
    )
    _check_required_content(message, path, parts=_TEXT_PARTS)


def _check_function_result(message: dict[str, Any], path: str) -> None:
    if message.get("name") is None:
        missing(f"{path}.name")
    check_length(string(message["name"], f"{path}.name", empty=False), f"{path}.name", most=MAX_CALLED_NAME)
    if message.get("content") is not None:
        string(message["content"], f"{path}.content")


# With any of these an assistant message needs no content; all but the first four are extensions of responses.
_INSTEAD_OF_CONTENT = (
    "tool_calls",
    "function_call",
    "refusal",
    "audio",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "images",
)


def _check_assistant(message: dict[str, Any], path: str) -> None:
    if message.get("content") is not None:
        _check_content(message["content"], f"{path}.content", parts=_ASSISTANT_PARTS)
    elif not any(message.get(name) for name in _INSTEAD_OF_CONTENT):
        _missing_content(message, path)
    for name in ("refusal", "reasoning_content", "reasoning"):
        if message.get(name) is not None:
            string(message[name], f"{path}.{name}")
    if message.get("reasoning_details") is not None:
        for i, detail in enumerate(array(message["reasoning_details"], f"{path}.reasoning_details")):
            mapping(detail, f"{path}.reasoning_details[{i}]")
    if message.get("tool_calls") is not None:
        for i, call in enumerate(array(message["tool_calls"], f"{path}.tool_calls")):
            _check_tool_call(call, f"{path}.tool_calls[{i}]")
    if message.get("function_call") is not None:
        _check_called(message["function_call"], f"{path}.function_call", text="arguments")
    if message.get("audio") is not None:
        mapping(message["audio"], f"{path}.audio")
    if message.get("images") is not None:
        for i, image in enumerate(array(message["images"], f"{path}.images")):
            _check_image(mapping(image, f"{path}.images[{i}]"), f"{path}.images[{i}]")


def _check_tool_call(value: object, path: str) -> None:
    call = mapping(value, path)
    for name in ("id", "type"):
        if call.get(name) is None:
            missing(f"{path}.{name}")
    check_length(string(call["id"], f"{path}.id", empty=False), f"{path}.id", most=MAX_ID)
    kind = choice(call["type"], f"{path}.type", of=("function", "custom"))
    if call.get(kind) is None:
        missing(f"{path}.{kind}")
    _check_called(call[kind], f"{path}.{kind}", text="arguments" if kind == "function" else "input")
    if call.get("extra_content") is not None:
        mapping(call["extra_content"], f"{path}.extra_content")


def _check_called(value: object, path: str, *, text: str) -> None:
    """Check a call's name and its arguments or input, both strings."""
    called = mapping(value, path)
    for name in ("name", text):
        if called.get(name) is None:
            missing(f"{path}.{name}")
    check_length(string(called["name"], f"{path}.name", empty=False), f"{path}.name", most=MAX_CALLED_NAME)
    string(called[text], f"{path}.{text}")


def check_length(text: str, path: str, *, most: int) -> None:
    if len(text) > most:
        message = f"Invalid '{path}': {len(text)} characters are too many. Expected at most {most}."
        invalid(path, message, code="string_above_max_length")


def check_url(url: str, path: str) -> None:
    """Check the length of a URL; of a data URL, check that its media type ends within MAX_DATA_URL_HEAD."""
    if url[:5].lower() != "data:":
        check_length(url, path, most=MAX_URL)
    elif url.find(",", 0, MAX_DATA_URL_HEAD) < 0:
        message = (
            f"Invalid '{path}': not a data URL: no comma ends its media type and parameters within its first "
            f"{MAX_DATA_URL_HEAD} characters (data:image/png;base64,...)."
        )
        invalid(path, message, code="invalid_data_url")


PartCheck = Callable[[dict[str, Any], str], None]


def _check_required_content(message: dict[str, Any], path: str, *, parts: Mapping[str, PartCheck]) -> None:
    content = message.get("content")
    if content is None:
        _missing_content(message, path)
    if type(content) is not str:
        _check_content(content, f"{path}.content", parts=parts)


def _missing_content(message: dict[str, Any], path: str) -> None:
    if "content" not in message:
        missing(f"{path}.content")
    wrong_type(None, f"{path}.content", expected="a string or an array of parts")


def _check_content(value: object, path: str, *, parts: Mapping[str, PartCheck]) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        wrong_type(value, path, expected="a string or an array of parts")
    for i, item in enumerate(array(value, path, least=1)):
        _check_part(item, f"{path}[{i}]", parts=parts)


def _check_part(value: object, path: str, *, parts: Mapping[str, PartCheck]) -> None:
    part = mapping(value, path)
    if part.get("type") is None:
        missing(f"{path}.type")
    parts[choice(part["type"], f"{path}.type", of=parts)](part, path)
    for name in ("cache_control", "prompt_cache_breakpoint"):
        if part.get(name) is not None:
            mapping(part[name], f"{path}.{name}")


def _check_text(part: dict[str, Any], path: str) -> None:
    _required_string(part, path, name="text")


def _check_refusal(part: dict[str, Any], path: str) -> None:
    _required_string(part, path, name="refusal")


def _check_image(part: dict[str, Any], path: str) -> None:
    image = _required_object(part, path, name="image_url")
    url = _required_string(image, f"{path}.image_url", name="url")
    if not url[:8].lower().startswith(_SCHEMES):
        message = (
            f"Invalid '{path}.image_url.url': expected an https URL or a base64 data URL (data:image/png;base64,...)."
        )
        invalid(f"{path}.image_url.url", message, code="invalid_image_url")
    check_url(url, f"{path}.image_url.url")
    if image.get("detail") is not None:
        choice(image["detail"], f"{path}.image_url.detail", of=_DETAILS)


def _check_audio(part: dict[str, Any], path: str) -> None:
    audio = _required_object(part, path, name="input_audio")
    data = _required_string(audio, f"{path}.input_audio", name="data")
    if data[:5].lower() == "data:":
        check_url(data, f"{path}.input_audio.data")
    _required_string(audio, f"{path}.input_audio", name="format")


def _check_file(part: dict[str, Any], path: str) -> None:
    file = _required_object(part, path, name="file")
    for name in ("file_data", "file_id", "filename"):
        if file.get(name) is not None:
            string(file[name], f"{path}.file.{name}")
    if file.get("file_id"):
        check_length(file["file_id"], f"{path}.file.file_id", most=MAX_URL)
    if file.get("filename"):
        check_length(file["filename"], f"{path}.file.filename", most=MAX_URL)
    if file.get("file_data") and file["file_data"][:8].lower().startswith(_SCHEMES):
        check_url(file["file_data"], f"{path}.file.file_data")
    if not file.get("file_data") and not file.get("file_id"):
        invalid(f"{path}.file", f"Invalid '{path}.file': one of `file_data` and `file_id` is needed.")


def _required_string(parent: dict[str, Any], path: str, *, name: str) -> str:
    if parent.get(name) is None:
        missing(f"{path}.{name}")
    return string(parent[name], f"{path}.{name}")


def _required_object(parent: dict[str, Any], path: str, *, name: str) -> dict[str, Any]:
    if parent.get(name) is None:
        missing(f"{path}.{name}")
    return mapping(parent[name], f"{path}.{name}")


_TEXT_PARTS: Mapping[str, PartCheck] = {"text": _check_text}
_USER_PARTS: Mapping[str, PartCheck] = {
    "text": _check_text,
    "image_url": _check_image,
    "input_audio": _check_audio,
    "file": _check_file,
}
_ASSISTANT_PARTS: Mapping[str, PartCheck] = {"text": _check_text, "refusal": _check_refusal}

_ROLES: Mapping[str, Callable[[dict[str, Any], str], None]] = {
    "system": _check_instruction,
    "developer": _check_instruction,
    "user": _check_user,
    "assistant": _check_assistant,
    "tool": _check_tool_result,
    "function": _check_function_result,
}

"""The rules for `messages`: roles, contents, parts and tool calls, as OpenAI's API checks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.completion import MAX_DATA_URL_HEAD
from gateway.field_checks import array, choice, invalid, mapping, missing, string, wrong_type

MAX_MESSAGES = 10_000
MAX_PARTS = 20_000  # of all messages together; each costs far more time to translate than the bytes it takes

# Characters. Some gateways put a thought's signature into a call's id, so ids may be long.
MAX_ID = 65_536
MAX_CALLED_NAME = 1024
MAX_URL = 32_768  # of an address; a data URL has its own bound

_SPEAKERS = ("user", "assistant", "system", "developer")
_DETAILS = ("auto", "low", "high", "original")
_SCHEMES = ("data:", "https://", "http://")


def check_messages(value: object, path: str = "messages") -> None:
    """Raises InvalidRequest at the first message that breaks a rule."""
    messages = array(value, path, least=1, most=MAX_MESSAGES)
    parts = 0
    for i, message in enumerate(messages):
        if not _is_plain(message):
            _check_message(message, f"{path}[{i}]")
            parts += _parts(message)
    if parts > MAX_PARTS:
        message = f"Invalid '{path}': {parts} parts and tool calls are too many. Expected at most {MAX_PARTS}."
        invalid(path, message, code="array_above_max_length")


def _is_plain(message: object) -> bool:
    """A text and who says it, or of which call it is the result, as most messages are: nothing about it can be wrong."""
    if type(message) is not dict or type(message.get("content")) is not str:
        return False
    if len(message) == 2:
        return message.get("role") in _SPEAKERS
    call_id = message.get("tool_call_id")
    return len(message) == 3 and message.get("role") == "tool" and type(call_id) is str and 0 < len(call_id) <= MAX_ID


def _parts(message: dict[str, Any]) -> int:
    """How many parts and calls a checked message has."""
    parts = 0
    for name in ("content", "tool_calls", "reasoning_details", "images"):
        if type(each := message.get(name)) is list:
            parts += len(each)
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


def _instruction(message: dict[str, Any], path: str) -> None:
    _required_content(message, path, parts=_TEXT_PARTS)


def _user(message: dict[str, Any], path: str) -> None:
    _required_content(message, path, parts=_USER_PARTS)


def _tool(message: dict[str, Any], path: str) -> None:
    if message.get("tool_call_id") is None:
        missing(f"{path}.tool_call_id")
    _bounded(string(message["tool_call_id"], f"{path}.tool_call_id", empty=False), f"{path}.tool_call_id", most=MAX_ID)
    _required_content(message, path, parts=_TEXT_PARTS)


def _function(message: dict[str, Any], path: str) -> None:
    if message.get("name") is None:
        missing(f"{path}.name")
    _bounded(string(message["name"], f"{path}.name", empty=False), f"{path}.name", most=MAX_CALLED_NAME)
    if message.get("content") is not None:
        string(message["content"], f"{path}.content")


# Any of these lets an assistant message go without content; all but the first four are extensions that answers carry.
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


def _assistant(message: dict[str, Any], path: str) -> None:
    if message.get("content") is not None:
        _content(message["content"], f"{path}.content", parts=_ASSISTANT_PARTS)
    elif not any(message.get(name) for name in _INSTEAD_OF_CONTENT):
        _no_content(message, path)
    for name in ("refusal", "reasoning_content", "reasoning"):
        if message.get(name) is not None:
            string(message[name], f"{path}.{name}")
    if message.get("reasoning_details") is not None:
        for i, detail in enumerate(array(message["reasoning_details"], f"{path}.reasoning_details")):
            mapping(detail, f"{path}.reasoning_details[{i}]")
    if message.get("tool_calls") is not None:
        for i, call in enumerate(array(message["tool_calls"], f"{path}.tool_calls")):
            _tool_call(call, f"{path}.tool_calls[{i}]")
    if message.get("function_call") is not None:
        _called(message["function_call"], f"{path}.function_call", text="arguments")
    if message.get("audio") is not None:
        mapping(message["audio"], f"{path}.audio")
    if message.get("images") is not None:
        for i, image in enumerate(array(message["images"], f"{path}.images")):
            _image(mapping(image, f"{path}.images[{i}]"), f"{path}.images[{i}]")


def _tool_call(value: object, path: str) -> None:
    call = mapping(value, path)
    for name in ("id", "type"):
        if call.get(name) is None:
            missing(f"{path}.{name}")
    _bounded(string(call["id"], f"{path}.id", empty=False), f"{path}.id", most=MAX_ID)
    kind = choice(call["type"], f"{path}.type", of=("function", "custom"))
    if call.get(kind) is None:
        missing(f"{path}.{kind}")
    _called(call[kind], f"{path}.{kind}", text="arguments" if kind == "function" else "input")
    if call.get("extra_content") is not None:
        mapping(call["extra_content"], f"{path}.extra_content")


def _called(value: object, path: str, *, text: str) -> None:
    """A call's name and what was given to it, both strings (also when that is JSON)."""
    called = mapping(value, path)
    for name in ("name", text):
        if called.get(name) is None:
            missing(f"{path}.{name}")
    _bounded(string(called["name"], f"{path}.name", empty=False), f"{path}.name", most=MAX_CALLED_NAME)
    string(called[text], f"{path}.{text}")


def _bounded(text: str, path: str, *, most: int) -> None:
    if len(text) > most:
        message = f"Invalid '{path}': {len(text)} characters are too many. Expected at most {most}."
        invalid(path, message, code="string_above_max_length")


def _check_url(url: str, path: str) -> None:
    """An address is short; of a data URL no more is looked at than has to tell its media type."""
    if url[:5].lower() != "data:":
        _bounded(url, path, most=MAX_URL)
    elif url.find(",", 0, MAX_DATA_URL_HEAD) < 0:
        message = (
            f"Invalid '{path}': not a data URL: no comma ends its media type and parameters within its first "
            f"{MAX_DATA_URL_HEAD} characters (data:image/png;base64,...)."
        )
        invalid(path, message, code="invalid_data_url")


PartCheck = Callable[[dict[str, Any], str], None]


def _required_content(message: dict[str, Any], path: str, *, parts: Mapping[str, PartCheck]) -> None:
    content = message.get("content")
    if content is None:
        _no_content(message, path)
    if type(content) is not str:
        _content(content, f"{path}.content", parts=parts)


def _no_content(message: dict[str, Any], path: str) -> None:
    if "content" not in message:
        missing(f"{path}.content")
    wrong_type(None, f"{path}.content", expected="a string or an array of parts")


def _content(value: object, path: str, *, parts: Mapping[str, PartCheck]) -> None:
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


def _text(part: dict[str, Any], path: str) -> None:
    _required_string(part, path, name="text")


def _refusal(part: dict[str, Any], path: str) -> None:
    _required_string(part, path, name="refusal")


def _image(part: dict[str, Any], path: str) -> None:
    image = _required_object(part, path, name="image_url")
    url = _required_string(image, f"{path}.image_url", name="url")
    if not url[:8].lower().startswith(_SCHEMES):
        message = (
            f"Invalid '{path}.image_url.url': expected an https URL or a base64 data URL (data:image/png;base64,...)."
        )
        invalid(f"{path}.image_url.url", message, code="invalid_image_url")
    _check_url(url, f"{path}.image_url.url")
    if image.get("detail") is not None:
        choice(image["detail"], f"{path}.image_url.detail", of=_DETAILS)


def _audio(part: dict[str, Any], path: str) -> None:
    audio = _required_object(part, path, name="input_audio")
    data = _required_string(audio, f"{path}.input_audio", name="data")
    if data[:5].lower() == "data:":
        _check_url(data, f"{path}.input_audio.data")
    _required_string(audio, f"{path}.input_audio", name="format")


def _file(part: dict[str, Any], path: str) -> None:
    file = _required_object(part, path, name="file")
    for name in ("file_data", "file_id", "filename"):
        if file.get(name) is not None:
            string(file[name], f"{path}.file.{name}")
    if file.get("file_id"):
        _bounded(file["file_id"], f"{path}.file.file_id", most=MAX_URL)
    if file.get("filename"):
        _bounded(file["filename"], f"{path}.file.filename", most=MAX_URL)
    if file.get("file_data") and file["file_data"][:8].lower().startswith(_SCHEMES):
        _check_url(file["file_data"], f"{path}.file.file_data")
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


_TEXT_PARTS: Mapping[str, PartCheck] = {"text": _text}
_USER_PARTS: Mapping[str, PartCheck] = {"text": _text, "image_url": _image, "input_audio": _audio, "file": _file}
_ASSISTANT_PARTS: Mapping[str, PartCheck] = {"text": _text, "refusal": _refusal}

_ROLES: Mapping[str, Callable[[dict[str, Any], str], None]] = {
    "system": _instruction,
    "developer": _instruction,
    "user": _user,
    "assistant": _assistant,
    "tool": _tool,
    "function": _function,
}

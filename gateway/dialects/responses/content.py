"""Checks the content of input items and translates it to parts of chat completions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.dialects.chat_completions.messages import MAX_URL, check_length, check_url
from gateway.field_checks import array, choice, invalid, mapping, required, string, wrong_type

Part = dict[str, Any]

_DETAILS = ("auto", "low", "high", "original")
_SCHEMES = ("data:", "https://", "http://")
_TEXTS = ("input_text", "output_text", "text", "summary_text")


def read_text(value: object, path: str) -> str:
    """Text, or parts of text, of an item that can have nothing else."""
    content = _content(value, path, of=_TEXT_PARTS)
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def read_content(value: object, path: str) -> str | list[Part]:
    """Text, or parts of text, pictures, files and audio."""
    return _content(value, path, of=_USER_PARTS)


def read_assistant(value: object, path: str) -> tuple[str, str]:
    """The text and the refusal of an assistant's message."""
    if isinstance(value, str):
        return value, ""
    texts, refusals = [], []
    for i, item in enumerate(_parts(value, path)):
        part, place = mapping(item, f"{path}[{i}]"), f"{path}[{i}]"
        kind = choice(required(part, place, name="type"), f"{place}.type", of=(*_TEXTS, "refusal"))
        if kind == "refusal":
            refusals.append(_string(part, place, name="refusal"))
        else:
            texts.append(_string(part, place, name="text"))
    return "".join(texts), "".join(refusals)


def _content(value: object, path: str, *, of: Mapping[str, Callable[[dict[str, Any], str], Part]]) -> str | list[Part]:
    if isinstance(value, str):
        return value
    parts = []
    for i, item in enumerate(_parts(value, path)):
        part, place = mapping(item, f"{path}[{i}]"), f"{path}[{i}]"
        parts.append(of[choice(required(part, place, name="type"), f"{place}.type", of=of)](part, place))
    return parts


def _parts(value: object, path: str) -> list[Any]:
    if not isinstance(value, list):
        wrong_type(value, path, expected="a string or an array of parts")
    return array(value, path)


def _text(part: dict[str, Any], path: str) -> Part:
    return _with_mark(part, path, {"type": "text", "text": _string(part, path, name="text")})


def _image(part: dict[str, Any], path: str) -> Part:
    _refuse_file_id(part, path)
    url = _string(part, path, name="image_url")
    if not url[:8].lower().startswith(_SCHEMES):
        message = f"Invalid '{path}.image_url': expected an https URL or a base64 data URL (data:image/png;base64,...)."
        invalid(f"{path}.image_url", message, code="invalid_image_url")
    check_url(url, f"{path}.image_url")
    image = {"url": url}
    if part.get("detail") is not None:
        image["detail"] = choice(part["detail"], f"{path}.detail", of=_DETAILS)
    return _with_mark(part, path, {"type": "image_url", "image_url": image})


def _file(part: dict[str, Any], path: str) -> Part:
    _refuse_file_id(part, path)
    name = "file_url" if part.get("file_data") is None else "file_data"
    if part.get(name) is None:
        invalid(path, f"Invalid '{path}': one of `file_data` and `file_url` is needed.")
    data = string(part[name], f"{path}.{name}", empty=False)
    if name == "file_url" and not data[:8].lower().startswith(("https://", "http://")):
        invalid(f"{path}.{name}", f"Invalid '{path}.{name}': expected an https URL.")
    if data[:8].lower().startswith(_SCHEMES):
        check_url(data, f"{path}.{name}")
    file = {"file_data": data}
    if part.get("filename") is not None:
        file["filename"] = string(part["filename"], f"{path}.filename")
        check_length(file["filename"], f"{path}.filename", most=MAX_URL)
    return _with_mark(part, path, {"type": "file", "file": file})


def _audio(part: dict[str, Any], path: str) -> Part:
    audio = mapping(required(part, path, name="input_audio"), f"{path}.input_audio")
    data = _string(audio, f"{path}.input_audio", name="data")
    if data[:5].lower() == "data:":
        check_url(data, f"{path}.input_audio.data")
    form = _string(audio, f"{path}.input_audio", name="format")
    return {"type": "input_audio", "input_audio": {"data": data, "format": form}}


def _with_mark(part: dict[str, Any], path: str, translated: Part) -> Part:
    """The part with the client's cache mark, where it has one."""
    for name in ("cache_control", "prompt_cache_breakpoint"):
        if part.get(name) is not None:
            translated[name] = mapping(part[name], f"{path}.{name}")
    return translated


def _refuse_file_id(part: dict[str, Any], path: str) -> None:
    if part.get("file_id") is not None:
        message = f"Invalid '{path}.file_id': the gateway stores no files; send the data or a URL."
        invalid(f"{path}.file_id", message, code="unsupported_parameter")


def _string(parent: dict[str, Any], path: str, *, name: str) -> str:
    return string(required(parent, path, name=name), f"{path}.{name}")


_TEXT_PARTS: Mapping[str, Callable[[dict[str, Any], str], Part]] = dict.fromkeys(_TEXTS, _text)
_USER_PARTS: Mapping[str, Callable[[dict[str, Any], str], Part]] = {
    **_TEXT_PARTS,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _audio,
}

"""Converts content parts to Gemini parts: text, images, files, audio."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from gateway.completion import MAX_DATA_URL_HEAD
from gateway.errors import InvalidRequest
from gateway.providers.base64_text import decoded, normalized

Part = dict[str, Any]

DATA_URL = re.compile(r"data:(?P<mime>[^;,]*)(?P<parameters>;[^,]*)?,", re.IGNORECASE)
MIME = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
MAX_UNENCODED = 1_000_000  # characters of percent-encoded data, which is far slower to decode than base64
SAME_MIME = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "audio/x-wav": "audio/wav",
    "application/x-pdf": "application/pdf",
}
MIME_OF_SUFFIX = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "xml": "text/xml",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
    "mp4": "video/mp4",
}
AUDIO_FORMATS = {"wav": "audio/wav", "mp3": "audio/mp3"}
TEXT_MIMES = frozenset(("application/json", "application/xml", "application/yaml", "application/x-yaml"))


def parts_of(content: Any, *, path: str) -> Iterator[Part]:
    """The Gemini parts of a message's `content`, in order; empty texts are left out, because Gemini rejects them."""
    if isinstance(content, str):
        if content:
            yield {"text": content}
        return
    for index, part in enumerate(content or ()):
        converted = _part(part, path=f"{path}[{index}]")
        if converted != {"text": ""}:
            yield converted


def text_of(content: Any, *, path: str) -> str:
    """The text of a system, assistant or tool message. Raises InvalidRequest for other parts."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(filter(None, (_text(part, path=f"{path}[{index}]") for index, part in enumerate(content))))


def _text(part: Any, *, path: str) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind not in ("text", "refusal"):
        raise InvalidRequest(
            f"Gemini takes only text in this message, not a part of type {kind!r}.", param=f"{path}.type"
        )
    return str(part.get(kind) or "")


def _part(part: Any, *, path: str) -> Part:
    kind = part.get("type") if isinstance(part, Mapping) else None
    match kind:
        case "text" | "refusal":
            return {"text": _text(part, path=path)}
        case "image_url":
            return image_part(part.get("image_url"), path=f"{path}.image_url")
        case "file":
            return _file(part.get("file"), path=f"{path}.file")
        case "input_audio":
            return _audio(part.get("input_audio"), path=f"{path}.input_audio")
    raise InvalidRequest(f"Unknown content part type: {kind!r}.", param=f"{path}.type")


def image_part(image: Any, *, path: str) -> Part:
    url = image if isinstance(image, str) else _member(image, "url", path=path)
    path = f"{path}.url"
    if url[:5].lower() == "data:":
        return _inline(url, mime="", path=path)
    if _is_https(url):
        suffix = urlsplit(url).path.rpartition(".")[2].lower()
        mime = MIME_OF_SUFFIX.get(suffix)
        return {"fileData": {"fileUri": url} | ({"mimeType": mime} if mime else {})}
    raise InvalidRequest("An image must be an https URL or a base64 data URL.", param=path)


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and not re.search(r"[\s\x00-\x1f\x7f\\]", url)


def _file(file: Any, *, path: str) -> Part:
    if isinstance(file, Mapping) and not file.get("file_data") and file.get("file_id"):
        raise InvalidRequest(
            "Files by id are not available for Gemini models; send `file_data`.", param=f"{path}.file_id"
        )
    data = _member(file, "file_data", path=path)
    name = str(file.get("filename") or "")
    mime = MIME_OF_SUFFIX.get(name.rpartition(".")[2].lower(), "application/pdf")
    if _is_https(data):
        return {"fileData": {"fileUri": data, "mimeType": mime}}
    converted = _inline(data, mime=mime, path=f"{path}.file_data")
    return _as_text(converted, name=name) or converted


def _as_text(part: Part, *, name: str) -> Part | None:
    """A text file as a text part, which every model accepts; None for other files."""
    blob = part["inlineData"]
    if not (blob["mimeType"].startswith("text/") or blob["mimeType"] in TEXT_MIMES):
        return None
    try:
        text = decoded(blob["data"]).decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return {"text": f"{name}:\n{text}" if name else text}


def _audio(audio: Any, *, path: str) -> Part:
    data = _member(audio, "data", path=path)
    mime = AUDIO_FORMATS.get(str(audio.get("format")).lower())
    if mime is None:
        raise InvalidRequest("Audio must be in the format 'wav' or 'mp3'.", param=f"{path}.format")
    if data[:5].lower() == "data:":
        return _inline(data, mime=mime, path=f"{path}.data")
    return {"inlineData": {"mimeType": mime, "data": _base64(data, path=f"{path}.data")}}


def _member(value: Any, name: str, *, path: str) -> str:
    member = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(member, str) or not member:
        raise InvalidRequest(f"`{name}` must be a non-empty string.", param=f"{path}.{name}")
    return member


def _inline(data: str, *, mime: str, path: str) -> Part:
    """A data URL, or plain base64 of type `mime`, as inline data."""
    payload, encoded = data, True
    if data[:5].lower() == "data:":
        head = DATA_URL.match(data[:MAX_DATA_URL_HEAD])
        if head is None:
            raise InvalidRequest("This is not a data URL.", param=path)
        payload = data[head.end() :]
        encoded = any(parameter.strip().lower() == "base64" for parameter in (head["parameters"] or "").split(";"))
        mime = head["mime"].strip().lower() or mime
    mime = SAME_MIME.get(mime, mime)
    if not MIME.fullmatch(mime):
        raise InvalidRequest(f"{mime[:60]!r} is not a media type.", param=path)
    body = _base64(payload, path=path) if encoded else base64.b64encode(_unquoted(payload, path=path)).decode()
    return {"inlineData": {"mimeType": mime, "data": body}}


def _unquoted(data: str, *, path: str) -> bytes:
    if len(data) > MAX_UNENCODED:
        raise InvalidRequest("A data URL of this size has to be in base64, without percent signs.", param=path)
    return unquote_to_bytes(data)


def _base64(data: str, *, path: str) -> str:
    """Standard base64, from base64 with line breaks, URL-safe, percent-encoded or without padding."""
    if "%" in data:
        data = _unquoted(data, path=path).decode("ascii", "replace")
    try:
        plain = normalized(data)
    except ValueError:
        plain = ""
    if not plain:
        raise InvalidRequest("This is not base64.", param=path)
    return plain

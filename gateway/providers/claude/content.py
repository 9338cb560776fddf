"""Converts content parts to Claude's blocks: text, images, documents, and their `cache_control`."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from gateway.completion import MAX_DATA_URL_HEAD, Json
from gateway.errors import InvalidRequest
from gateway.providers.base64_text import decoded

Block = dict[str, Any]

# First base64 characters of each image type: more reliable than the type that the client declares.
_IMAGE_TYPES = {"/9j/": "image/jpeg", "iVBORw0KGgo": "image/png", "R0lGOD": "image/gif", "UklGR": "image/webp"}
_ACCEPTED_IMAGES = frozenset(_IMAGE_TYPES.values())
_IMAGE_TYPE_ALIASES = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
_PDF = "application/pdf"
_PDF_BEGINS = "JVBERi"  # base64 of "%PDF"
_TEXT_TYPES = re.compile(r"text/.+|application/(json|xml|yaml|x-yaml|x-ndjson|javascript|sql|.+\+(json|xml))")
_DATA_URL = re.compile(r"data:(?P<type>[^,;]*)(?P<parameters>;[^,]*)?,", re.IGNORECASE)
_MAX_TITLE = 500
_MAX_UNENCODED = 1_000_000  # characters of a data URL that is not base64: percent-decoding is far slower


def text_block(text: str) -> Block | None:
    """A text block; None for empty text or white space, which the API rejects."""
    return {"type": "text", "text": text} if text and not text.isspace() else None


def content_blocks(content: object, path: str) -> list[Block]:
    """The blocks of a message's `content`, in order. Raises InvalidRequest for content that Claude does not accept."""
    if isinstance(content, str):
        block = text_block(content)
        return [block] if block else []
    blocks: list[Block] = []
    for i, part in enumerate(content if isinstance(content, Sequence) else ()):
        block = _block(part, f"{path}[{i}]")
        if block is not None:
            blocks.append(block)
        cache_control = cache_control_of(part)
        # An empty text is left out; the prefix up to it then ends with the block before.
        if cache_control is not None and blocks:
            blocks[-1]["cache_control"] = cache_control
    return blocks


def message_blocks(message: Json, path: str) -> list[Block]:
    """The blocks of a message. `cache_control` of the message goes to its last block, unless that has its own."""
    blocks = content_blocks(message.get("content"), f"{path}.content")
    set_last_cache_control(blocks, message)
    return blocks


def set_last_cache_control(blocks: list[Block], holder: Json) -> None:
    """Copy the `cache_control` of `holder` to the last block, unless that has its own."""
    cache_control = cache_control_of(holder)
    if cache_control is not None and blocks:
        blocks[-1].setdefault("cache_control", cache_control)


def cache_control_of(part: Json) -> dict[str, str] | None:
    """`cache_control` as the API accepts it, from that member or from OpenAI's `prompt_cache_breakpoint`."""
    control = part.get("cache_control")
    if isinstance(control, dict) and control.get("type", "ephemeral") == "ephemeral":
        cache_control = {"type": "ephemeral"}
        if control.get("ttl") in ("5m", "1h"):
            cache_control["ttl"] = control["ttl"]
        return cache_control
    return {"type": "ephemeral"} if isinstance(part.get("prompt_cache_breakpoint"), dict) else None


def _block(part: Json, path: str) -> Block | None:
    kind = part.get("type")
    if kind == "text":
        return text_block(part.get("text") or "")
    if kind == "refusal":
        return text_block(part.get("refusal") or "")
    if kind == "image_url":
        return _image(part["image_url"]["url"], f"{path}.image_url.url")
    if kind == "file":
        return _file(part["file"], f"{path}.file")
    if kind == "input_audio":
        _refuse("Claude models cannot be given audio.", f"{path}.input_audio")
    return _refuse(f"Claude models cannot be given a content part of type {kind!r}.", f"{path}.type")


def _refuse(message: str, path: str) -> NoReturn:
    raise InvalidRequest(message, param=path, code="unsupported_content")


def _image(url: str, path: str) -> Block:
    if url[:8].lower() == "https://":
        return {"type": "image", "source": {"type": "url", "url": "https://" + url[8:]}}
    if url[:5].lower() != "data:":
        _refuse("Claude takes an image as an https URL or as a base64 data URL.", path)
    media_type, data = _data_url(url, path)
    return _base64_image(media_type, data, path)


def _base64_image(media_type: str, data: str, path: str) -> Block:
    media_type = _IMAGE_TYPE_ALIASES.get(media_type, media_type)
    if media_type not in _ACCEPTED_IMAGES:
        _refuse(f"Claude takes JPEG, PNG, GIF and WebP images, not {media_type[:60] or 'data without a type'}.", path)
    media_type = next((actual for begins, actual in _IMAGE_TYPES.items() if data.startswith(begins)), media_type)
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _data_url(url: str, path: str) -> tuple[str, str]:
    """Media type (lower case, without parameters) and base64 data of a data URL."""
    match = _DATA_URL.match(url[:MAX_DATA_URL_HEAD])
    if match is None:
        _refuse("Not a data URL.", path)
    data = url[match.end() :].strip()
    if "base64" not in (match["parameters"] or "").lower().split(";"):
        if len(data) > _MAX_UNENCODED:
            _refuse("A data URL of this size has to be in base64.", path)
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    if not data:
        _refuse("The data URL is empty.", path)
    return match["type"].strip().lower(), data


def _file(file: Json, path: str) -> Block | None:
    file_data = file.get("file_data")
    if not file_data:
        _refuse("Files by id are unknown to Claude; send `file_data`.", f"{path}.file_id")
    path = f"{path}.file_data"
    name = (file.get("filename") or "").strip()
    if file_data[:8].lower() == "https://":
        return _with_title({"type": "document", "source": {"type": "url", "url": "https://" + file_data[8:]}}, name)
    media_type, data = (
        _data_url(file_data, path)
        if file_data[:5].lower() == "data:"
        else (_guess_media_type(file_data, name), file_data.strip())
    )
    if media_type == _PDF:
        return _with_title({"type": "document", "source": {"type": "base64", "media_type": _PDF, "data": data}}, name)
    if media_type.startswith("image/"):
        return _base64_image(media_type, data, path)
    if not _TEXT_TYPES.fullmatch(media_type):
        _refuse(f"Claude takes PDF, text and image files, not {media_type[:60] or 'data without a type'}.", path)
    text = _decode_text(data, path)
    if not text or text.isspace():
        return None
    return _with_title({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}, name)


def _guess_media_type(data: str, name: str) -> str:
    """The media type of base64 without a data URL: PDF by its first bytes or its file name, else text."""
    return _PDF if data.lstrip().startswith(_PDF_BEGINS) or name.lower().endswith(".pdf") else "text/plain"


def _with_title(document: Block, name: str) -> Block:
    return {**document, "title": name[:_MAX_TITLE]} if name else document


def _decode_text(data: str, path: str) -> str:
    try:
        return decoded(data).decode("utf-8")
    except ValueError:  # not base64, or not UTF-8
        _refuse("The file is neither a PDF nor text in UTF-8.", path)
